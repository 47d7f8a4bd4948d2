// SPDX-License-Identifier: Apache-2.0
//
// Which items go into the next batch, and whether it is time. Pure; any thread.

#pragma once

#include "controlplane/settle/settle_record.h"

#include <stddef.h>
#include <stdint.h>

#define SETTLE_BATCH_TOKENS_MAX 16

// Amounts of one asset, in its smallest unit. Those of two assets are never compared nor added.
struct settle_batch_amounts {
	struct u256 value; // a batch that earns so much goes at once; 0 = not looked at
	struct u256 payout_threshold; // below this sum a batch waits, whatever its age; 0 = none
};

struct settle_batch_limits {
	uint32_t count; // items; a batch of so many goes at once. ≤ CHAIN_BATCH_MAX
	uint32_t age_sec; // a batch goes when its oldest item waited so long
	uint32_t
		deadline_margin_sec; // an item so near to its deadline goes now, whatever its value
	// Of the native coin; see settle_batch_amounts.
	struct u256 value;
	struct u256 payout_threshold;
	struct {
		uint8_t asset[32]; // left-padded
		struct settle_batch_amounts amounts;
	} tokens[SETTLE_BATCH_TOKENS_MAX]; // an asset that is not among them has no limits
	size_t n_tokens;
};

// Looks at queued items one by one, in the order of their ids.
struct settle_batch {
	// Of the limits, for this kind and asset.
	uint32_t age_sec;
	uint32_t deadline_margin_sec;
	struct settle_batch_amounts amounts;
	uint64_t now_sec; // chain time
	enum chain_call_kind kind; // of all its items
	uint8_t asset[32]; // of all its items
	uint64_t ids[CHAIN_BATCH_MAX];
	struct u256 values[CHAIN_BATCH_MAX];
	bool are_urgent[CHAIN_BATCH_MAX];
	size_t n;
	size_t n_max; // falls to the least that an item in it bears
	struct u256 value; // sum
	uint64_t oldest_sec;
	bool is_urgent;
	bool is_split; // has a part of a batch that failed, and was due
};

void settle_batch_init(
	struct settle_batch *batch,
	const struct settle_batch_limits *limits,
	enum chain_call_kind kind,
	const uint8_t asset[32],
	uint64_t now_sec
);

/* Takes the item in if its time has come, it is of the kind and asset, and there is room. In a full
 * batch an item near its deadline takes the place of one that can wait, and under a payout threshold
 * one of more value that of one of less: what is worthless must never stand before what is not. */
void settle_batch_offer(struct settle_batch *batch, const struct settle_item *item);

bool settle_batch_is_due(const struct settle_batch *batch);

/* Whether a batch that is due should go before another that is: what is urgent, then what waited
 * longer. */
bool settle_batch_is_before(const struct settle_batch *batch, const struct settle_batch *other);
