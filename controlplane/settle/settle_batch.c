// SPDX-License-Identifier: Apache-2.0
//
// Forming batches by count, age, value and deadline.

#include "settle_batch.h"

#include <string.h>

void settle_batch_init(
	struct settle_batch *batch,
	const struct settle_batch_limits *limits,
	enum chain_call_kind kind,
	uint64_t now_sec
)
{
	*batch = (struct settle_batch){
		.limits = *limits,
		.kind = kind,
		.now_sec = now_sec,
		.oldest_sec = now_sec,
	};
	if (batch->limits.count > chain_call_items_max(kind))
		batch->limits.count = (uint32_t)chain_call_items_max(kind);
}

static bool settle_batch_is_urgent(const struct settle_batch *batch, const struct settle_item *item)
{
	return item->deadline_sec != 0 &&
		(item->deadline_sec <= batch->now_sec ||
		 item->deadline_sec - batch->now_sec <= batch->limits.deadline_margin_sec);
}

// Index of the entry that can best wait.
static size_t settle_batch_weakest(const struct settle_batch *batch)
{
	size_t weakest = 0;

	for (size_t i = 1; i < batch->n; i++) {
		if (batch->are_urgent[i] != batch->are_urgent[weakest]
			    ? !batch->are_urgent[i]
			    : u256_compare(batch->values[i], batch->values[weakest]) < 0)
			weakest = i;
	}
	return weakest;
}

static bool settle_batch_outranks(
	const struct settle_batch *batch, const struct settle_item *item, size_t entry
)
{
	bool is_urgent = settle_batch_is_urgent(batch, item);

	if (is_urgent != batch->are_urgent[entry])
		return is_urgent;
	return !u256_is_zero(batch->limits.payout_threshold) &&
		u256_compare(item->value, batch->values[entry]) > 0;
}

// A sum beyond 256 bits is above every threshold.
static struct u256 settle_batch_sum(const struct settle_batch *batch)
{
	struct u256 sum = {0}, next;

	for (size_t i = 0; i < batch->n; i++) {
		if (u256_add(sum, batch->values[i], &next) < 0)
			memset(&next, 0xff, sizeof(next));
		sum = next;
	}
	return sum;
}

void settle_batch_offer(struct settle_batch *batch, const struct settle_item *item)
{
	size_t entry = batch->n;

	if (item->state != SETTLE_ITEM_QUEUED || item->not_before_sec > batch->now_sec ||
	    item->kind != (uint32_t)batch->kind)
		return;
	if (batch->n < batch->limits.count && batch->n < CHAIN_BATCH_MAX) {
		batch->n++;
	} else {
		entry = settle_batch_weakest(batch);
		if (!settle_batch_outranks(batch, item, entry))
			return;
	}
	batch->ids[entry] = item->id;
	batch->values[entry] = item->value;
	batch->are_urgent[entry] = settle_batch_is_urgent(batch, item);
	batch->value = settle_batch_sum(batch);
	batch->is_urgent |= batch->are_urgent[entry];
	if (item->queued_sec != 0 && item->queued_sec < batch->oldest_sec)
		batch->oldest_sec = item->queued_sec;
}

bool settle_batch_is_due(const struct settle_batch *batch)
{
	if (batch->n == 0)
		return false;
	if (batch->is_urgent)
		return true;
	if (u256_compare(batch->value, batch->limits.payout_threshold) < 0)
		return false;
	return batch->n >= batch->limits.count ||
		batch->now_sec - batch->oldest_sec >= batch->limits.age_sec ||
		(!u256_is_zero(batch->limits.value) &&
		 u256_compare(batch->value, batch->limits.value) >= 0);
}
