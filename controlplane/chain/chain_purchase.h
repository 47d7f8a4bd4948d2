// SPDX-License-Identifier: Apache-2.0
//
// Whether a purchase on chain is one that this node sells: the contract checks that the buyer paid
// what the registry said, this checks that the registry said what the operator's configuration says.
// A purchase that is refused is not served; its money goes back to the buyer by the contract's own
// rules (reclaim, or a finalisation at 0 bytes). Pure but for counters; any thread.

#pragma once

#include "controlplane/chain/chain.h"

#include <stddef.h>
#include <stdint.h>

// id, name, help
#define CHAIN_PURCHASE_LIST(X) \
	X(ACCEPTED, "accepted", "sold") \
	X(FOREIGN_TOKEN, "foreign_token", "paid in an asset that this node does not take") \
	X(WRONG_PRICE, "wrong_price", "at another price than the configured one") \
	X(ZERO_AMOUNT, "zero_amount", "nothing bought or nothing paid") \
	X(WRONG_DEPOSIT, "wrong_deposit", "the deposit is not bytes times price") \
	X(OVERFLOW, "overflow", "amounts beyond what this node can count") \
	X(WRONG_KEY, "wrong_key", "made out for another WireGuard key than this node's") \
	X(WRONG_SIGNER, "wrong_signer", "checkpoints would need another key than this node's") \
	X(WRONG_MODE, "wrong_mode", "a way of settling that this node does not offer")

#define CHAIN_PURCHASE_ENUM(id, name, help) CHAIN_PURCHASE_##id,
enum chain_purchase { CHAIN_PURCHASE_LIST(CHAIN_PURCHASE_ENUM) CHAIN_N_PURCHASE };

const char *chain_purchase_name(unsigned int verdict);
const char *chain_purchase_help(unsigned int verdict);

// What the operator offers for one asset.
struct chain_offer {
	uint8_t asset[32]; // left-padded; zero for the native coin
	struct u256
		price_per_gb; // exact: a changed price is a changed offer, old sessions keep theirs
};

struct chain_purchase_terms {
	const struct chain_offer *offers;
	size_t n_offers;
	uint8_t wg_public_key[32];
	uint8_t usage_signer[32]; // left-padded
	uint32_t modes; // bit per mode: 1 voucher, 2 attested, 4 optimistic
};

/* In: an event of kind CREATED. Counts the verdict.
 * Returns: CHAIN_PURCHASE_ACCEPTED or why not. */
enum chain_purchase chain_purchase_check(
	const struct chain_purchase_terms *terms, const struct chain_event *event
);

/* How often each verdict was given since the process began. */
uint64_t chain_purchase_count(enum chain_purchase verdict);
