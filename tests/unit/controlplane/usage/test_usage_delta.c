// SPDX-License-Identifier: Apache-2.0
//
// Arithmetic of ledgers, one row per step, and a random walk against a slow model.
#include "common/clock.h"
#include "controlplane/usage/usage_delta.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t boot_a[16] = {0xa}, boot_b[16] = {0xb};

static unsigned observe(struct usage_ledger *ledger, uint64_t out, uint64_t in)
{
	return usage_delta_observe(ledger, &(struct usage_count){out, in});
}

static void assert_total(const struct usage_ledger *ledger, uint64_t out, uint64_t in)
{
	const struct usage_count total = usage_delta_total(ledger);

	assert_true(total.out_bytes == out);
	assert_true(total.in_bytes == in);
}

static void test_life_over_boots(void **state)
{
	struct usage_ledger ledger = {0};

	(void)state;
	assert_total(&ledger, 0, 0);
	assert_true(usage_delta_open(&ledger, boot_a, 3, 7));
	assert_false(usage_delta_open(&ledger, boot_b, 3, 7)); // one boot at a time
	assert_memory_equal(ledger.boot_id, boot_a, 16);
	assert_int_equal(observe(&ledger, 100, 10), 0);
	assert_int_equal(observe(&ledger, 100, 10), 0);
	assert_total(&ledger, 100, 10);
	usage_delta_close(&ledger);
	usage_delta_close(&ledger); // twice adds nothing
	assert_total(&ledger, 100, 10);
	assert_int_equal(observe(&ledger, 500, 500), 0); // closed: not its boot any more
	assert_total(&ledger, 100, 10);
	assert_true(usage_delta_open(&ledger, boot_b, 3, 7));
	assert_int_equal(observe(&ledger, 1, 2), 0);
	assert_total(&ledger, 101, 12);
}

static void test_what_is_refused(void **state)
{
	static const struct {
		uint64_t base, boot, live;
		unsigned found;
		uint64_t total;
	} rows[] = {
		{0, 5, 5, 0, 5},
		{0, 5, 4, USAGE_DELTA_REGRESSED, 5},
		{0, UINT64_MAX, 0, USAGE_DELTA_REGRESSED, UINT64_MAX},
		{0, 0, UINT64_MAX, 0, UINT64_MAX},
		{1, 0, UINT64_MAX, USAGE_DELTA_OVERFLOW, 1},
		{1, 0, UINT64_MAX - 1, 0, UINT64_MAX},
		{UINT64_MAX, 0, 1, USAGE_DELTA_OVERFLOW, UINT64_MAX},
		{UINT64_MAX - 9, 9, 10, USAGE_DELTA_OVERFLOW, UINT64_MAX},
	};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		struct usage_ledger out = {.base = {rows[i].base, 1}, .boot = {rows[i].boot, 1}};
		struct usage_ledger in = {.base = {1, rows[i].base}, .boot = {1, rows[i].boot}};
		out.is_open = in.is_open = true;
		assert_int_equal(observe(&out, rows[i].live, 1), rows[i].found);
		assert_total(&out, rows[i].total, 2); // the other direction goes on
		assert_int_equal(observe(&in, 1, rows[i].live), rows[i].found);
		assert_total(&in, 2, rows[i].total);
	}
}

static void test_never_goes_down(void **state)
{
	struct usage_ledger ledger = {0};
	struct usage_count before = {0};
	unsigned seed = 12345;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		switch (rand_r(&seed) % 8) {
		case 0:
			usage_delta_close(&ledger);
			break;
		case 1:
			usage_delta_open(&ledger, boot_a, 0, 1);
			break;
		default:
			observe(&ledger, (uint64_t)rand_r(&seed), (uint64_t)rand_r(&seed));
		}
		const struct usage_count now = usage_delta_total(&ledger);
		assert_true(now.out_bytes >= before.out_bytes);
		assert_true(now.in_bytes >= before.in_bytes);
		before = now;
	}
	assert_true(before.out_bytes > 0);
}

static void test_sum_and_rate(void **state)
{
	(void)state;
	assert_int_equal(usage_delta_sum(&(struct usage_count){1, 2}), 3);
	assert_true(usage_delta_sum(&(struct usage_count){UINT64_MAX, 1}) == UINT64_MAX);
	assert_int_equal(usage_delta_rate(0, 1000, NS_PER_SEC), 8000);
	assert_int_equal(usage_delta_rate(0, 1000, NS_PER_SEC / 2), 16000);
	assert_int_equal(usage_delta_rate(0, 1000, 0), 0);
	assert_int_equal(usage_delta_rate(5, 4, NS_PER_SEC), 0);
	assert_true(usage_delta_rate(0, UINT64_MAX, 1) == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life_over_boots),
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_never_goes_down),
		cmocka_unit_test(test_sum_and_rate),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
