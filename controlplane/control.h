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

// Who bought a session on a chain: EVM addresses.
struct control_party {
	uint8_t buyer[20];
	uint8_t voucher_signer[20]; // zero: none
};

struct control {
	const struct config *config;
	const struct clock *clock;
	struct db *db;
	struct session_book *sessions;
	struct usage_book *usage;
	struct dp_link *link;
	struct lifecycle *life; // of bought sessions: end, vouchers
	struct health *health;
	struct http_server *server;
	struct api_token_book *tokens;
	struct api_challenge_book *challenges;
	uint64_t started_unix_ns;
	// Returns: 0; -ENOENT for a session that nobody bought on a chain. NULL while no chain is
	// configured: no session is a buyer's then.
	int (*party)(void *ctx, uint64_t session_id, struct control_party *ret);
	void *party_ctx;
};
