// SPDX-License-Identifier: Apache-2.0
//
// When to ask a node for its claim: at an interval, earlier when a part of the credit that the node gives
// beyond the newest voucher is used up, and later and later while the node does not answer. Pure: time
// and counts come in.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BUYER_PACE_GAP_NS 150000000ull // never closer together
#define BUYER_PACE_RETRY_MIN_NS 500000000ull
#define BUYER_PACE_RETRY_MAX_NS 30000000000ull
#define BUYER_PACE_SOON_NS 250000000ull // while the credit is all but used up

struct buyer_pace {
	uint64_t interval_ns;
	// The rest is set by the calls below.
	uint64_t not_before_ns;
	uint64_t due_ns;
	uint64_t retry_ns; // 0: the last one was answered
	uint64_t asked_bytes; // own count at that time
	uint64_t step_bytes;
};

// The first question is due at once.
void buyer_pace_init(struct buyer_pace *pace, uint64_t interval_ns);

bool buyer_pace_check(const struct buyer_pace *pace, uint64_t now_ns, uint64_t own_bytes);

// Answered. credit_bytes: what the node still serves without another voucher; UINT64_MAX: all there is.
void buyer_pace_answered(
	struct buyer_pace *pace, uint64_t now_ns, uint64_t own_bytes, uint64_t credit_bytes
);

// As answered, but wanted again soon: a claim that is looked at twice.
void buyer_pace_again(struct buyer_pace *pace, uint64_t now_ns, uint64_t in_ns);

void buyer_pace_failed(struct buyer_pace *pace, uint64_t now_ns);
