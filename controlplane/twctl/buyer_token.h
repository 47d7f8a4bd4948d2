// SPDX-License-Identifier: Apache-2.0
//
// Lets the escrow draw tokens from the buyer's account: exactly what a session costs, by a transaction
// (ERC-20 approve) or by a signature that goes with the purchase (ERC-2612 permit). What is allowed
// already is not allowed again.
#pragma once

#include "controlplane/twctl/buyer_chain.h"

struct buyer_token_pull {
	const uint8_t *token; // addresses
	const uint8_t *spender;
	struct u256 amount;
	bool is_permit_wanted;
};

// Out: permit, all zero where none is needed. Returns: 0; an exit code with the message out, also when
// the account has too few.
int buyer_token_allow(
	struct twctl *twctl,
	const struct twctl_chain *chain,
	const struct buyer_token_pull *pull,
	struct evm_purchase_permit *ret
);
