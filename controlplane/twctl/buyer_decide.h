// SPDX-License-Identifier: Apache-2.0
//
// Whether a buyer signs what the node claims: yes while claim ≤ own count + max(tolerance, floor).
// Octets in flight are in one side's count and not yet in the other's, so a claim above that is held
// for a moment before it ends the signing; nothing is signed meanwhile. Pure: the time comes in.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BUYER_DECIDE_FLOOR_BYTES 4000000ull
#define BUYER_DECIDE_BPS_DEFAULT 100 // 1 %
#define BUYER_DECIDE_BPS_MAX 10000

struct buyer_decide_conf {
	uint32_t tolerance_bps; // 1/10,000 of the own count
	uint64_t floor_bytes;
	uint64_t hold_ns; // how long a claim may stay too high
};

enum buyer_decide_verdict {
	BUYER_DECIDE_IDLE, // nothing that is not signed already
	BUYER_DECIDE_SIGN, // sign exactly the claim
	BUYER_DECIDE_HOLD, // too high just now: read both counts again
	BUYER_DECIDE_STOP_LOSS, // stayed too high
	BUYER_DECIDE_STOP_BOUGHT, // more than was bought
};

struct buyer_decide {
	uint64_t signed_bytes; // of the newest voucher; the caller keeps it on the disk
	bool is_holding; // not kept: a restart looks anew
	uint64_t hold_since_ns;
};

struct buyer_decide_input {
	uint64_t claim_bytes; // the node's
	uint64_t own_bytes; // read after the claim arrived
	uint64_t bought_bytes; // from the chain
	uint64_t now_ns; // monotonic
};

// The highest claim that is signed. Returns: 0; -EOVERFLOW.
int buyer_decide_limit(
	const struct buyer_decide_conf *conf, uint64_t own_bytes, uint64_t *ret_bytes
) __attribute__((warn_unused_result));

// Changes state only for holding: after SIGN the caller first stores signed_bytes, then sends.
//
// Returns: 0 with the verdict; -EOVERFLOW.
int buyer_decide_next(
	struct buyer_decide *state,
	const struct buyer_decide_conf *conf,
	const struct buyer_decide_input *input,
	enum buyer_decide_verdict *ret
) __attribute__((warn_unused_result));

// What the buyer would pay for without having it: claim less own count; 0 when there is none.
uint64_t buyer_decide_loss(const struct buyer_decide_input *input);
