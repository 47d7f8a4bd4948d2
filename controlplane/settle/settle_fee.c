// SPDX-License-Identifier: Apache-2.0
//
// Fee arithmetic, checked: an overflow is treated as "above the ceiling".

#include "settle_fee.h"

#include <errno.h>

static struct u256 settle_fee_max(struct u256 a, struct u256 b)
{
	return u256_compare(a, b) < 0 ? b : a;
}

// What a block asks now: the suggestion covers twice its base fee (chain.h).
static int settle_fee_now(const struct chain_fees *suggested, struct u256 *ret)
{
	struct u256 base;

	if (u256_sub(suggested->max_fee_wei, suggested->max_priority_fee_wei, &base) < 0)
		base = U256_ZERO;
	if (u256_add(base, u256_from_u64(1), &base) < 0 ||
	    u256_div(base, u256_from_u64(2), &base) < 0 ||
	    u256_add(base, suggested->max_priority_fee_wei, ret) < 0)
		return -EOVERFLOW;
	return 0;
}

int settle_fee_first(
	const struct chain_fees *suggested, struct u256 ceiling_wei, struct chain_fees *ret
)
{
	bool is_above = u256_compare(suggested->max_fee_wei, ceiling_wei) > 0;
	struct u256 now;

	if (is_above && (settle_fee_now(suggested, &now) < 0 || u256_compare(now, ceiling_wei) > 0))
		return -EDQUOT;
	*ret = *suggested;
	if (is_above)
		ret->max_fee_wei = ceiling_wei;
	if (u256_compare(ret->max_priority_fee_wei, ret->max_fee_wei) > 0)
		ret->max_priority_fee_wei = ret->max_fee_wei;
	return 0;
}

// a + a/8, rounded up, and at least one more.
static int settle_fee_raise(struct u256 a, struct u256 *ret)
{
	struct u256 step;

	if (u256_add(a, u256_from_u64(7), &step) < 0 || u256_div(step, u256_from_u64(8), &step) < 0)
		return -EDQUOT;
	if (u256_is_zero(step))
		step = u256_from_u64(1);
	return u256_add(a, step, ret) < 0 ? -EDQUOT : 0;
}

int settle_fee_next(
	const struct chain_fees *last,
	const struct chain_fees *suggested,
	struct u256 ceiling_wei,
	struct chain_fees *ret
)
{
	struct chain_fees next;

	if (settle_fee_raise(last->max_fee_wei, &next.max_fee_wei) < 0 ||
	    settle_fee_raise(last->max_priority_fee_wei, &next.max_priority_fee_wei) < 0)
		return -EDQUOT;
	if (u256_compare(next.max_fee_wei, ceiling_wei) > 0)
		return -EDQUOT;
	// As far towards the suggestion as the ceiling lets us.
	next.max_fee_wei = settle_fee_max(next.max_fee_wei, suggested->max_fee_wei);
	if (u256_compare(next.max_fee_wei, ceiling_wei) > 0)
		next.max_fee_wei = ceiling_wei;
	next.max_priority_fee_wei =
		settle_fee_max(next.max_priority_fee_wei, suggested->max_priority_fee_wei);
	if (u256_compare(next.max_priority_fee_wei, next.max_fee_wei) > 0)
		next.max_priority_fee_wei = next.max_fee_wei;
	*ret = next;
	return 0;
}

int settle_fee_cost(uint64_t gas_limit, const struct chain_fees *fees, struct u256 *ret)
{
	return u256_mul(u256_from_u64(gas_limit), fees->max_fee_wei, ret);
}
