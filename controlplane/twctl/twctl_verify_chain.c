// SPDX-License-Identifier: Apache-2.0
//
// The events of one session, by JSON-RPC.
#include "twctl_verify.h"

#include "common/clock.h"
#include "controlplane/chain/evm/evm_hex.h"
#include "controlplane/chain/evm/evm_reply.h"
#include "controlplane/chain/evm/evm_rpc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define URLS_CAP 4096
#define PARAMS_CAP 512

static int open_rpc(struct twctl *twctl, uint64_t chain_id, struct evm_rpc **ret)
{
	const char *urls = twctl_args_get(&twctl->args, "--rpc");
	struct evm_rpc_conf conf = {
		.chain_id = chain_id,
		.connect_timeout_ms = 5000,
		.timeout_ms = 30000,
		.backoff_min_ms = 1000,
		.backoff_max_ms = 1000,
		.response_max_bytes = 4 << 20,
		.clock = &clock_system,
	};
	char text[URLS_CAP], *rest = text;

	if (strlen(urls) >= sizeof(text))
		return twctl_fail_value(twctl, "--rpc", "", "less than 4096 characters");
	strcpy(text, urls);
	for (char *url = strsep(&rest, ","); url != NULL; url = strsep(&rest, ",")) {
		if (conf.n_urls == EVM_RPC_ENDPOINTS_MAX)
			return twctl_fail_value(twctl, "--rpc", urls, "at most 8 URLs");
		conf.urls[conf.n_urls++] = url;
	}
	if (evm_rpc_create(ret, &conf) < 0)
		return twctl_fail_value(twctl, "--rpc", urls, "URLs of less than 512 characters");
	return 0;
}

// An execution names no root: the proposal's holds. A reclaim settles without any.
static void take_settled(struct twctl_verify_chain *chain, const struct evm_escrow_event *event)
{
	chain->is_settled = true;
	chain->settled_bytes = event->u.settled.bytes_used;
	if (event->u.settled.path == EVM_ESCROW_EXECUTED)
		return;
	chain->has_root = event->u.settled.path != EVM_ESCROW_RECLAIMED;
	memcpy(chain->root, event->u.settled.checkpoints_root, 32);
}

static void take_event(struct twctl_verify_chain *chain, const struct evm_escrow_event *event)
{
	switch (event->kind) {
	case EVM_ESCROW_CREATED:
		chain->is_created = true;
		memcpy(chain->usage_signer, event->u.created.terms.usage_signer, EVM_ADDRESS_SIZE);
		chain->bought_bytes = event->u.created.bought_bytes;
		break;
	case EVM_ESCROW_TOPPED_UP:
		chain->bought_bytes = event->u.topped_up.bought_bytes;
		break;
	case EVM_ESCROW_PROPOSED:
		chain->has_root = true;
		chain->settled_bytes = event->u.proposed.bytes_used;
		memcpy(chain->root, event->u.proposed.checkpoints_root, 32);
		break;
	case EVM_ESCROW_SETTLED:
		take_settled(chain, event);
		break;
	case EVM_ESCROW_CLOSED:
	case EVM_ESCROW_CLAIMED:
	case EVM_ESCROW_DISPUTED:
	case EVM_ESCROW_SKIPPED:
	case EVM_ESCROW_N_EVENT:
		break;
	}
}

// Returns: 0; -EBADMSG for a log that is not of this session and contract.
static int take_logs(
	const struct json_value *logs,
	const uint8_t escrow[EVM_ADDRESS_SIZE],
	const uint8_t session_id[32],
	struct twctl_verify_chain *ret
)
{
	struct evm_escrow_event event;
	struct evm_log log;

	if (!json_is_array(logs))
		return -EBADMSG;
	for (const struct json_value *v = json_first(logs); v != NULL; v = json_next(v)) {
		if (evm_reply_log(v, &log) < 0 || log.is_removed ||
		    memcmp(log.address, escrow, EVM_ADDRESS_SIZE) != 0)
			return -EBADMSG;
		int rc = evm_escrow_decode(&log, &event);
		if (rc == -ENOENT)
			continue;
		if (rc < 0 || memcmp(event.session_id, session_id, 32) != 0)
			return -EBADMSG;
		take_event(ret, &event);
	}
	return 0;
}

struct question {
	struct evm_rpc *rpc;
	const uint8_t *escrow;
	const uint8_t *session_id;
};

static int ask_head(const struct question *question, uint64_t *ret, char why[EVM_RPC_WHY_SIZE])
{
	struct evm_rpc_call call = {.method = "eth_blockNumber", .params = "[]"};
	int rc = evm_rpc_ask(question->rpc, &call, NULL, why);

	if (rc == -EREMOTEIO)
		snprintf(why, EVM_RPC_WHY_SIZE, "%s", call.error.message);
	if (rc == 0 && evm_reply_u64(call.result, ret) < 0) {
		snprintf(why, EVM_RPC_WHY_SIZE, "a head that is no number");
		rc = -EBADMSG;
	}
	evm_rpc_call_fini(&call);
	return rc;
}

// -EREMOTEIO: the endpoint does not like the question; many allow only so many blocks at a time.
static int ask_range(
	const struct question *question,
	uint64_t from,
	uint64_t to,
	struct twctl_verify_chain *ret,
	char why[EVM_RPC_WHY_SIZE]
)
{
	char params[PARAMS_CAP], address[EVM_HEX_SIZE(EVM_ADDRESS_SIZE)], id[EVM_HEX_SIZE(32)];
	struct evm_rpc_call call = {.method = "eth_getLogs", .params = params};
	int rc;

	evm_hex_format(question->escrow, EVM_ADDRESS_SIZE, address);
	evm_hex_format(question->session_id, 32, id);
	snprintf(
		params,
		sizeof(params),
		"[{\"address\":\"%s\",\"topics\":[null,\"%s\"],\"fromBlock\":\"0x%" PRIx64
		"\",\"toBlock\":\"0x%" PRIx64 "\"}]",
		address,
		id,
		from,
		to
	);
	rc = evm_rpc_ask(question->rpc, &call, NULL, why);
	if (rc == -EREMOTEIO)
		snprintf(why, EVM_RPC_WHY_SIZE, "%s", call.error.message);
	*ret = (struct twctl_verify_chain){0};
	if (rc == 0 && take_logs(call.result, question->escrow, question->session_id, ret) < 0) {
		snprintf(why, EVM_RPC_WHY_SIZE, "an answer that is not what was asked for");
		rc = -EBADMSG;
	}
	evm_rpc_call_fini(&call);
	return rc;
}

// What older blocks say, below what newer ones have said.
static void add_older(struct twctl_verify_chain *ret, const struct twctl_verify_chain *older)
{
	if (older->is_created) {
		ret->is_created = true;
		memcpy(ret->usage_signer, older->usage_signer, EVM_ADDRESS_SIZE);
	}
	if (ret->bought_bytes == 0)
		ret->bought_bytes = older->bought_bytes;
	if (!ret->has_root && older->has_root) {
		ret->has_root = true;
		memcpy(ret->root, older->root, 32);
		if (!ret->is_settled)
			ret->settled_bytes = older->settled_bytes;
	}
}

// Backwards from the head to the purchase: nobody knows in which block that stands. A range that the
// endpoint refuses is halved.
static int read_back(
	const struct question *question, struct twctl_verify_chain *ret, char why[EVM_RPC_WHY_SIZE]
)
{
	uint64_t to, n_blocks;
	int rc = ask_head(question, &to, why);

	for (n_blocks = to + 1; rc == 0 && !ret->is_created;) {
		uint64_t from = to >= n_blocks ? to - n_blocks + 1 : 0;
		struct twctl_verify_chain older;

		rc = ask_range(question, from, to, &older, why);
		if (rc == -EREMOTEIO && to > from) {
			n_blocks = (to - from + 1) / 2;
			rc = 0;
		} else if (rc == 0) {
			add_older(ret, &older);
			if (from == 0)
				break;
			to = from - 1;
		}
	}
	return rc;
}

int twctl_verify_ask_chain(
	struct twctl *twctl,
	uint64_t chain_id,
	const uint8_t escrow[EVM_ADDRESS_SIZE],
	const uint8_t session_id[32],
	struct twctl_verify_chain *ret
)
{
	struct question question = {.escrow = escrow, .session_id = session_id};
	char why[EVM_RPC_WHY_SIZE] = "";
	int rc, code;

	*ret = (struct twctl_verify_chain){0};
	code = open_rpc(twctl, chain_id, &question.rpc);
	if (code != 0)
		return code;
	rc = read_back(&question, ret, why);
	evm_rpc_destroy(question.rpc);
	if (rc != 0)
		return twctl_fail(twctl, TWCTL_EXIT_FAILED, "the chain cannot be asked: %s", why);
	return 0;
}
