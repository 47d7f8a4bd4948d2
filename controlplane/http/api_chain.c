// SPDX-License-Identifier: Apache-2.0
//
// See api_chain.h. Why an endpoint failed belongs to the operator (health, log), not to strangers.
#include "api_chain.h"

#include "controlplane/chain/evm/evm_address.h"
#include "controlplane/http/http_server.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_AFTER_SEC 5

bool api_chain_lookup(const struct control *control, uint64_t id, struct api_chain *ret)
{
	const struct config *config = control->config;
	const struct config_chain *chain = config_chain_lookup(config, id);

	if (id == 0 && config->n_chains == 1)
		chain = &config->chains[0];
	if (chain == NULL || evm_address_parse(chain->escrow, ret->escrow) != 0)
		return false;
	ret->chain_id = chain->id;
	ret->node_id = u256_from_u64(chain->node_id);
	return true;
}

bool api_chain_find(
	const struct control *control, uint64_t id, struct api_chain *ret, struct http_reply *reply
)
{
	if (control->ask != NULL && api_chain_lookup(control, id, ret))
		return true;
	if (control->ask == NULL)
		http_reply_problem(reply, 404, "chain_id", "this node sells on no chain");
	else if (id == 0)
		http_reply_problem(
			reply, 400, "chain_id", "this node sells on several chains: name one"
		);
	else
		http_reply_problem(
			reply, 404, "chain_id", "this node does not sell on chain %" PRIu64, id
		);
	return false;
}

void *api_chain_job_create(
	struct control *control,
	const struct http_request *request,
	size_t size,
	struct http_reply *reply
)
{
	struct api_chain_job *job = calloc(1, size);

	if (job == NULL) {
		http_reply_problem(reply, 503, NULL, "out of memory");
		return NULL;
	}
	job->control = control;
	job->ticket = request->ticket;
	job->client = request->client;
	return job;
}

static void on_answer(void *ctx, const struct chain_ask_answer *answer)
{
	struct api_chain_job *job = ctx;
	struct http_reply reply = {0};

	job->answered(job, answer, &reply);
	if (reply.is_deferred)
		return;
	http_server_answer(job->control->server, job->ticket, &reply);
	free(job);
}

static void reply_busy(struct http_reply *reply, int r)
{
	http_reply_problem(
		reply,
		503,
		NULL,
		r == -EBUSY ? "too many questions to the chain are under way; try again"
			    : "the chain cannot be asked"
	);
	reply->retry_after_sec = RETRY_AFTER_SEC;
}

int api_chain_ask(
	struct api_chain_job *job,
	const struct api_chain_question *question,
	struct http_reply *reply
)
{
	struct chain_ask_question ask = {
		.chain_id = question->chain_id,
		.data = question->call->buf,
		.len = question->call->len,
		.value = question->value,
		.work_max = question->gas_max,
		.answer_max = question->answer_max,
		.asker = job->client,
	};
	int r = evm_abi_finish(question->call);

	memcpy(ask.contract + 32 - EVM_ADDRESS_SIZE, question->contract, EVM_ADDRESS_SIZE);
	if (question->from != NULL)
		memcpy(ask.from + 32 - EVM_ADDRESS_SIZE, question->from, EVM_ADDRESS_SIZE);
	if (r == 0)
		r = chain_ask_submit(job->control->ask, &ask, on_answer, job);
	if (r < 0) {
		reply_busy(reply, r);
		return -1;
	}
	http_reply_defer(reply);
	return 0;
}

void api_chain_reply_silent(struct http_reply *reply, const struct chain_ask_answer *answer)
{
	const char *text = "the chain's endpoints give no usable answer; try again";

	if (answer->error == -ETIMEDOUT)
		text = "the chain has not answered in time; try again";
	if (answer->error == -ECANCELED)
		text = "the node is stopping";
	http_reply_problem(reply, 503, NULL, "%s", text);
	reply->retry_after_sec = RETRY_AFTER_SEC;
}
