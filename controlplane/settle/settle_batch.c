// SPDX-License-Identifier: Apache-2.0
//
// Forming batches by count, age, value and deadline.

#include "settle_batch.h"

#include <string.h>

static struct settle_batch_amounts settle_batch_amounts_of(
	const struct settle_batch_limits *limits, const uint8_t asset[32]
)
{
	static const uint8_t native[32];

	if (memcmp(asset, native, sizeof(native)) == 0)
		return (struct settle_batch_amounts){limits->value, limits->payout_threshold};
	for (size_t i = 0; i < limits->n_tokens; i++) {
		if (memcmp(asset, limits->tokens[i].asset, 32) == 0)
			return limits->tokens[i].amounts;
	}
	return (struct settle_batch_amounts){0};
}

void settle_batch_init(
	struct settle_batch *batch,
	const struct settle_batch_limits *limits,
	enum chain_call_kind kind,
	const uint8_t asset[32],
	uint64_t now_sec
)
{
	*batch = (struct settle_batch){
		.age_sec = limits->age_sec,
		.deadline_margin_sec = limits->deadline_margin_sec,
		.amounts = settle_batch_amounts_of(limits, asset),
		.kind = kind,
		.now_sec = now_sec,
		.n_max = chain_call_items_max(kind),
		.oldest_sec = now_sec,
	};
	memcpy(batch->asset, asset, sizeof(batch->asset));
	if (batch->n_max > limits->count)
		batch->n_max = limits->count;
}

static bool settle_batch_is_urgent(const struct settle_batch *batch, const struct settle_item *item)
{
	return item->deadline_sec != 0 &&
		(item->deadline_sec <= batch->now_sec ||
		 item->deadline_sec - batch->now_sec <= batch->deadline_margin_sec);
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
	return !u256_is_zero(batch->amounts.payout_threshold) &&
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

// The place that the item gets; -1: none.
static int settle_batch_place(struct settle_batch *batch, const struct settle_item *item)
{
	size_t n_max = batch->n_max, weakest;

	if (item->batch_max != 0 && item->batch_max < n_max)
		n_max = item->batch_max;
	if (batch->n < n_max) {
		batch->n_max = n_max;
		return (int)batch->n++;
	}
	if (n_max < batch->n)
		return -1;
	weakest = settle_batch_weakest(batch);
	return settle_batch_outranks(batch, item, weakest) ? (int)weakest : -1;
}

void settle_batch_offer(struct settle_batch *batch, const struct settle_item *item)
{
	int entry;

	if (item->state != SETTLE_ITEM_QUEUED || item->not_before_sec > batch->now_sec ||
	    item->kind != (uint32_t)batch->kind || memcmp(item->asset, batch->asset, 32) != 0)
		return;
	entry = settle_batch_place(batch, item);
	if (entry < 0)
		return;
	batch->ids[entry] = item->id;
	batch->values[entry] = item->value;
	batch->are_urgent[entry] = settle_batch_is_urgent(batch, item);
	batch->value = settle_batch_sum(batch);
	batch->is_urgent |= batch->are_urgent[entry];
	batch->is_split |= item->batch_max != 0;
	if (item->queued_sec != 0 && item->queued_sec < batch->oldest_sec)
		batch->oldest_sec = item->queued_sec;
}

bool settle_batch_is_due(const struct settle_batch *batch)
{
	if (batch->n == 0)
		return false;
	if (batch->is_urgent || batch->is_split)
		return true;
	if (u256_compare(batch->value, batch->amounts.payout_threshold) < 0)
		return false;
	return batch->n >= batch->n_max || batch->now_sec - batch->oldest_sec >= batch->age_sec ||
		(!u256_is_zero(batch->amounts.value) &&
		 u256_compare(batch->value, batch->amounts.value) >= 0);
}

bool settle_batch_is_before(const struct settle_batch *batch, const struct settle_batch *other)
{
	if (batch->is_urgent != other->is_urgent)
		return batch->is_urgent;
	return batch->oldest_sec < other->oldest_sec;
}
