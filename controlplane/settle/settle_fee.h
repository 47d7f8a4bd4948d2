// SPDX-License-Identifier: Apache-2.0
//
// What to offer for a transaction, and what to offer next when it is not mined. Pure; any thread.

#pragma once

#include "controlplane/chain/chain.h"

/* The first price: the suggestion, or the ceiling (per unit of gas) where that is less and would
 * still be mined now. Returns: 0; -EDQUOT when the chain asks for more than the ceiling. */
int settle_fee_first(
	const struct chain_fees *suggested, struct u256 ceiling_wei, struct chain_fees *ret
) __attribute__((warn_unused_result));

/* The next price for the same account nonce: at least 1/8 above the last in both parts, since nodes
 * refuse replacements below 10 %, at least what is suggested now, and never above the ceiling.
 * Returns: 0; -EDQUOT when 1/8 more would pass the ceiling: the last price stands. */
int settle_fee_next(
	const struct chain_fees *last,
	const struct chain_fees *suggested,
	struct u256 ceiling_wei,
	struct chain_fees *ret
) __attribute__((warn_unused_result));

/* gas_limit × max fee: what the account must hold. -EOVERFLOW. */
int settle_fee_cost(uint64_t gas_limit, const struct chain_fees *fees, struct u256 *ret)
	__attribute__((warn_unused_result));
