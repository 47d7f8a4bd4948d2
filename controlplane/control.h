// SPDX-License-Identifier: Apache-2.0
//
// The control plane's root: what main() built, for modules that serve all of it (http routes, chain).
// Plain pointers, constant after start; everything in it belongs to the loop's thread.
#pragma once

#include "controlplane/dp_link.h"
#include "controlplane/health.h"
#include "controlplane/lifecycle.h"
#include "controlplane/session/session.h"
#include "controlplane/usage/usage.h"

struct control {
	const struct config *config;
	const struct clock *clock;
	struct db *db;
	struct session_book *sessions;
	struct usage_book *usage;
	struct dp_link *link;
	struct lifecycle *life; // of bought sessions: end, vouchers
	struct chain_gauge *gauge; // what was last seen of each chain (chain_gauge.h)
	struct health *health;
	// The operator's or settler's accounts, as config.chains.
	const struct evm_signer *signers[CONFIG_MAX_CHAINS];
	struct http_server *server;
	struct chain_ask *ask; // questions to the chains; NULL when there is none
	struct api_registry *registry; // nodes that the chains list
	struct api_live *live; // who listens
	struct api_token_book *tokens;
	struct api_challenge_book *challenges;
	uint64_t started_unix_ns;
};
