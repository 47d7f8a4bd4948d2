// SPDX-License-Identifier: Apache-2.0
//
// settle_fee: a replacement is never refused for too little, and nothing passes the ceiling.

#include "controlplane/settle/settle_fee.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <string.h>

static struct chain_fees fees(uint64_t max_fee, uint64_t priority)
{
	return (struct chain_fees){u256_from_u64(max_fee), u256_from_u64(priority)};
}

static void assert_fees(const struct chain_fees *actual, uint64_t max_fee, uint64_t priority)
{
	assert_true(u256_equal(actual->max_fee_wei, u256_from_u64(max_fee)));
	assert_true(u256_equal(actual->max_priority_fee_wei, u256_from_u64(priority)));
}

static void test_first(void **state)
{
	// Twice 50 and a tip of 3: a block asks 53 now.
	struct chain_fees suggested = fees(103, 3), made;

	(void)state;
	assert_int_equal(settle_fee_first(&suggested, u256_from_u64(103), &made), 0);
	assert_fees(&made, 103, 3);
	assert_int_equal(settle_fee_first(&suggested, u256_from_u64(102), &made), 0);
	assert_fees(&made, 102, 3);
	assert_int_equal(settle_fee_first(&suggested, u256_from_u64(53), &made), 0);
	assert_fees(&made, 53, 3);
	assert_int_equal(settle_fee_first(&suggested, u256_from_u64(52), &made), -EDQUOT);
	suggested = fees(104, 3); // rounded up
	assert_int_equal(settle_fee_first(&suggested, u256_from_u64(53), &made), -EDQUOT);
	suggested = fees(100, 60); // the tip alone is most of it
	assert_int_equal(settle_fee_first(&suggested, u256_from_u64(80), &made), 0);
	assert_fees(&made, 80, 60);
	assert_int_equal(settle_fee_first(&suggested, u256_from_u64(79), &made), -EDQUOT);
	suggested = fees(10, 30); // no node accepts a tip above the fee
	assert_int_equal(settle_fee_first(&suggested, u256_from_u64(99), &made), 0);
	assert_fees(&made, 10, 10);
	assert_int_equal(settle_fee_first(&suggested, u256_from_u64(9), &made), -EDQUOT);
}

static void test_next(void **state)
{
	static const struct {
		uint64_t last[2], suggested[2], ceiling;
		int r;
		uint64_t next[2];
	} rows[] = {
		{{800, 80}, {100, 10}, 10000, 0, {900, 90}}, // one eighth
		{{801, 81}, {100, 10}, 10000, 0, {902, 92}}, // rounded up
		{{800, 80}, {2000, 200}, 10000, 0, {2000, 200}}, // the market went further
		{{800, 80}, {2000, 200}, 1000, 0, {1000, 200}}, // as far as the ceiling lets
		{{800, 80}, {2000, 1500}, 1000, 0, {1000, 1000}}, // the tip with it
		{{800, 80}, {2000, 200}, 899, -EDQUOT, {0, 0}}, // less than 1/8 is refused by nodes
		{{800, 80}, {100, 10}, 900, 0, {900, 90}},
		{{1, 0}, {0, 0}, 10, 0, {2, 1}}, // always more, also from nothing
	};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		struct chain_fees last = fees(rows[i].last[0], rows[i].last[1]);
		struct chain_fees suggested = fees(rows[i].suggested[0], rows[i].suggested[1]);
		struct chain_fees next = fees(0, 0);
		int r = settle_fee_next(&last, &suggested, u256_from_u64(rows[i].ceiling), &next);

		if (r != rows[i].r)
			fail_msg("row %zu: %d", i, r);
		assert_fees(&next, rows[i].next[0], rows[i].next[1]);
	}
}

static void test_overflow(void **state)
{
	struct chain_fees last = fees(1, 1), next;
	struct u256 max, cost;

	(void)state;
	memset(&max, 0xff, sizeof(max));
	last.max_fee_wei = max;
	assert_int_equal(settle_fee_next(&last, &last, max, &next), -EDQUOT);
	assert_int_equal(settle_fee_first(&last, max, &next), 0);
	last.max_priority_fee_wei = max;
	assert_int_equal(settle_fee_first(&last, u256_from_u64(9), &next), -EDQUOT);
	assert_int_equal(settle_fee_cost(2, &last, &cost), -EOVERFLOW);
	assert_int_equal(settle_fee_cost(1, &last, &cost), 0);
	assert_true(u256_equal(cost, max));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first),
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
