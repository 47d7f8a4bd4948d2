// SPDX-License-Identifier: Apache-2.0
//
// Handlers that need the chain's word: they ask a contract, the request waits, and the answer makes
// the reply. When the chain is silent, or too much is asked at a time, the reply is a 503 that says
// so. Loop's thread.
#pragma once

#include "controlplane/chain/evm/evm_abi.h"
#include "controlplane/control.h"
#include "controlplane/http/http_message.h"
#include "controlplane/settle/chain_ask.h"

// A chain that the node sells on.
struct api_chain {
	uint64_t chain_id;
	uint8_t escrow[EVM_ADDRESS_SIZE];
	struct u256 node_id;
};

// id 0: the only one there is. Returns: false when the node does not sell there, or must be told where.
bool api_chain_lookup(const struct control *control, uint64_t id, struct api_chain *ret);

// The same for a handler. Returns: false when the reply stands: a 404, or a 400 when several chains
// leave the choice open.
bool api_chain_find(
	const struct control *control, uint64_t id, struct api_chain *ret, struct http_reply *reply
);

// A request that waits. Embedded first in what the handler must remember, which is malloc'd.
struct api_chain_job {
	struct control *control;
	uint64_t ticket, client;
	// Makes the reply, or asks again (api_chain_ask() with the same job and reply).
	void (*answered
	)(struct api_chain_job *job, const struct chain_ask_answer *answer, struct http_reply *reply
	);
};

struct api_chain_question {
	uint64_t chain_id;
	const uint8_t *contract; // an address
	const uint8_t *from; // an address; NULL: nobody
	struct u256 value;
	const struct evm_abi_writer *call; // finished, with or without success
	uint64_t gas_max; // 0: as the endpoint likes
	size_t answer_max; // octets
};

// Returns: a job of size octets for this request, zeroed but for its head; NULL when the reply stands.
void *api_chain_job_create(
	struct control *control,
	const struct http_request *request,
	size_t size,
	struct http_reply *reply
);

// Returns: 0, the reply is deferred and job->answered will be called, once, after which the job is
//          freed unless it asked again; or -1, the reply stands and the job is still the caller's.
int api_chain_ask(
	struct api_chain_job *job,
	const struct api_chain_question *question,
	struct http_reply *reply
);

// What is said when the chain gave no answer: every error but -EREMOTEIO and -ENOEXEC.
void api_chain_reply_silent(struct http_reply *reply, const struct chain_ask_answer *answer);
