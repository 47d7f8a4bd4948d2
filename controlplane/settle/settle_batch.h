// SPDX-License-Identifier: Apache-2.0
//
// Which items go into the next batch, and whether it is time. Pure; any thread.

#pragma once

#include "controlplane/settle/settle_record.h"

#include <stddef.h>
#include <stdint.h>

struct settle_batch_limits {
	uint32_t count; // items; a batch of so many goes at once. ≤ CHAIN_BATCH_MAX
	uint32_t age_sec; // a batch goes when its oldest item waited so long
	struct u256 value; // or when it earns so much; 0 = not looked at
	struct u256 payout_threshold; // below this sum a batch waits, whatever its age; 0 = none
	uint32_t
		deadline_margin_sec; // an item so near to its deadline goes now, whatever its value
};

// Looks at queued items one by one, in the order of their ids.
struct settle_batch {
	struct settle_batch_limits limits;
	uint64_t now_sec; // chain time
	enum chain_call_kind kind; // of all its items
	uint64_t ids[CHAIN_BATCH_MAX];
	struct u256 values[CHAIN_BATCH_MAX];
	bool are_urgent[CHAIN_BATCH_MAX];
	size_t n;
	struct u256 value; // sum
	uint64_t oldest_sec;
	bool is_urgent;
};

void settle_batch_init(
	struct settle_batch *batch,
	const struct settle_batch_limits *limits,
	enum chain_call_kind kind,
	uint64_t now_sec
);

/* Takes the item in if its time has come, it is of the kind, and there is room. In a full batch an
 * item near its deadline takes the place of one that can wait, and under a payout threshold one of
 * more value that of one of less: what is worthless must never stand before what is not. */
void settle_batch_offer(struct settle_batch *batch, const struct settle_item *item);

bool settle_batch_is_due(const struct settle_batch *batch);
