// SPDX-License-Identifier: Apache-2.0
//
// Forming batches by count, age, value and deadline.

#include "settle_batch.h"

#include <string.h>

void settle_batch_init(
	struct settle_batch *batch, const struct settle_batch_limits *limits, uint64_t now_sec
)
{
	*batch = (struct settle_batch){
		.limits = *limits,
		.now_sec = now_sec,
		.oldest_sec = now_sec,
	};
}

void settle_batch_offer(struct settle_batch *batch, const struct settle_item *item)
{
	struct u256 sum;

	if (item->state != SETTLE_ITEM_QUEUED || item->not_before_sec > batch->now_sec)
		return;
	if (batch->n == 0)
		batch->kind = item->kind;
	if (item->kind != batch->kind || batch->n >= batch->limits.count ||
	    batch->n == CHAIN_BATCH_MAX)
		return;
	batch->ids[batch->n++] = item->id;
	// A sum beyond 256 bits is above every threshold.
	if (u256_add(batch->value, item->value, &sum) < 0)
		memset(&sum, 0xff, sizeof(sum));
	batch->value = sum;
	if (item->queued_sec != 0 && item->queued_sec < batch->oldest_sec)
		batch->oldest_sec = item->queued_sec;
	if (item->deadline_sec != 0 &&
	    (item->deadline_sec <= batch->now_sec ||
	     item->deadline_sec - batch->now_sec <= batch->limits.deadline_margin_sec))
		batch->is_urgent = true;
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
