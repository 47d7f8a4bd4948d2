// SPDX-License-Identifier: Apache-2.0
//
// Wallets that are contracts: whether one calls a signature its own is asked on its chain (ERC-1271).
// Loop's thread.
#pragma once

#include "controlplane/http/api_chain.h"
#include "controlplane/http/api_signature.h"

// What the wallet is asked about.
struct api_wallet_question {
	uint64_t chain_id;
	const uint8_t *address;
	const uint8_t *digest;
	const struct api_signature *signature;
};

// Returns: as api_chain_ask().
int api_wallet_ask(
	struct api_chain_job *job,
	const struct api_wallet_question *question,
	struct http_reply *reply
);

// What it answered. Returns: 0; -EBADMSG when the signature is not the wallet's, or there is no such
// contract; -EIO when the chain gave no answer: api_chain_reply_silent().
int api_wallet_verify(const struct chain_ask_answer *answer) __attribute__((warn_unused_result));
