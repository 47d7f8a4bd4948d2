// SPDX-License-Identifier: Apache-2.0
//
// buyer_pace: at the interval, early when the credit runs out, later and later while nobody answers.
#include "controlplane/twctl/buyer_pace.h"
#include "tests/unit/test.h"

#define MS 1000000ull
#define SEC 1000000000ull
#define MB 1000000ull

static void test_interval(void **state)
{
	struct buyer_pace pace;

	(void)state;
	buyer_pace_init(&pace, 10 * SEC);
	assert_true(buyer_pace_check(&pace, 0, 0));
	buyer_pace_answered(&pace, SEC, 0, UINT64_MAX);
	assert_false(buyer_pace_check(&pace, SEC, 0));
	assert_false(buyer_pace_check(&pace, 11 * SEC - 1, 1000000 * MB));
	assert_true(buyer_pace_check(&pace, 11 * SEC, 0));
}

static void test_credit(void **state)
{
	static const struct {
		uint64_t credit, own;
		uint64_t in_ns;
		bool is_due;
	} rows[] = {
		{64 * MB, 116 * MB - 1, 9 * SEC, false},
		{64 * MB, 116 * MB, 9 * SEC, true},
		{64 * MB, 200 * MB, BUYER_PACE_GAP_NS - 1, false},
		{64 * MB, 200 * MB, BUYER_PACE_GAP_NS, true},
		// A count that went back, as none does.
		{64 * MB, 99 * MB, 9 * SEC, false},
		// Less is left than one step: the gate may close first, and the count stand still.
		{60000, 100 * MB, BUYER_PACE_SOON_NS - 1, false},
		{60000, 100 * MB, BUYER_PACE_SOON_NS, true},
		{0, 100 * MB, BUYER_PACE_SOON_NS, true},
	};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		struct buyer_pace pace;

		buyer_pace_init(&pace, 10 * SEC);
		buyer_pace_answered(&pace, SEC, 100 * MB, rows[i].credit);
		if (buyer_pace_check(&pace, SEC + rows[i].in_ns, rows[i].own) != rows[i].is_due)
			fail_msg("row %zu", i);
	}
}

static void test_back_off(void **state)
{
	static const uint64_t waits_ms[] = {
		500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000};
	struct buyer_pace pace;
	uint64_t now_ns = 0;

	(void)state;
	buyer_pace_init(&pace, 10 * SEC);
	buyer_pace_answered(&pace, now_ns, 0, 4 * MB);
	for (size_t i = 0; i < TEST_N_ROWS(waits_ms); i++) {
		buyer_pace_failed(&pace, now_ns);
		// However much passes meanwhile: a node that is down is not asked more often.
		assert_false(buyer_pace_check(&pace, now_ns + waits_ms[i] * MS - 1, 1000000 * MB));
		now_ns += waits_ms[i] * MS;
		assert_true(buyer_pace_check(&pace, now_ns, 0));
	}
	buyer_pace_answered(&pace, now_ns, 0, 4 * MB);
	buyer_pace_failed(&pace, now_ns);
	assert_true(buyer_pace_check(&pace, now_ns + 500 * MS, 0));
}

static void test_again(void **state)
{
	struct buyer_pace pace;

	(void)state;
	buyer_pace_init(&pace, 10 * SEC);
	buyer_pace_failed(&pace, 0);
	buyer_pace_again(&pace, SEC, 250 * MS);
	assert_false(buyer_pace_check(&pace, SEC + 249 * MS, 0));
	assert_true(buyer_pace_check(&pace, SEC + 250 * MS, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interval),
		cmocka_unit_test(test_credit),
		cmocka_unit_test(test_back_off),
		cmocka_unit_test(test_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
