// SPDX-License-Identifier: Apache-2.0
//
// buyer_decide: the edges of the tolerance, claims that jump, and the clock of a held claim.
#include "controlplane/twctl/buyer_decide.h"
#include "tests/unit/test.h"

#include <errno.h>

#define SEC 1000000000ull
#define MB 1000000ull
#define GB 1000000000ull

static const struct buyer_decide_conf conf = {
	BUYER_DECIDE_BPS_DEFAULT, BUYER_DECIDE_FLOOR_BYTES, 3 * SEC};

static void test_limit(void **state)
{
	static const struct {
		uint64_t own_bytes;
		uint32_t tolerance_bps;
		int r;
		uint64_t limit;
	} rows[] = {
		{0, 100, 0, 4 * MB},
		{1, 100, 0, 4 * MB + 1},
		{400 * MB - 1, 100, 0, 404 * MB - 1},
		{400 * MB, 100, 0, 404 * MB},
		{400 * MB + 100, 100, 0, 404 * MB + 101},
		{10 * GB, 100, 0, 10100 * MB},
		{10 * GB, 0, 0, 10004 * MB},
		{10 * GB, 10000, 0, 20 * GB},
		{10 * GB, 10001, -EOVERFLOW, 0},
		{999999999999999999, 1, 0, 1000099999999999998},
		{UINT64_MAX - 4 * MB, 0, 0, UINT64_MAX},
		{UINT64_MAX - 4 * MB + 1, 0, -EOVERFLOW, 0},
		{UINT64_MAX, 10000, -EOVERFLOW, 0},
	};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		struct buyer_decide_conf c = conf;
		uint64_t limit = 0;
		int r;

		c.tolerance_bps = rows[i].tolerance_bps;
		r = buyer_decide_limit(&c, rows[i].own_bytes, &limit);
		if (r != rows[i].r || limit != rows[i].limit)
			fail_msg("row %zu: %d, %llu", i, r, (unsigned long long)limit);
	}
}

static enum buyer_decide_verdict ask(
	struct buyer_decide *decide, uint64_t claim, uint64_t own, uint64_t now_ns
)
{
	struct buyer_decide_input input = {claim, own, 10 * GB, now_ns};
	enum buyer_decide_verdict verdict;

	assert_int_equal(buyer_decide_next(decide, &conf, &input, &verdict), 0);
	return verdict;
}

static void test_claims(void **state)
{
	static const struct {
		uint64_t signed_bytes, claim, own;
		enum buyer_decide_verdict verdict;
	} rows[] = {
		{0, 0, 0, BUYER_DECIDE_IDLE},
		{0, 1, 0, BUYER_DECIDE_SIGN},
		{0, 4 * MB, 0, BUYER_DECIDE_SIGN},
		{0, 4 * MB + 1, 0, BUYER_DECIDE_HOLD},
		{0, 404 * MB, 400 * MB, BUYER_DECIDE_SIGN},
		{0, 404 * MB + 1, 400 * MB, BUYER_DECIDE_HOLD},
		{0, 1010 * MB, GB, BUYER_DECIDE_SIGN},
		{0, 1010 * MB + 1, GB, BUYER_DECIDE_HOLD},
		{GB, GB, GB, BUYER_DECIDE_IDLE},
		{GB, GB - 1, GB, BUYER_DECIDE_IDLE}, // the node forgot: no voucher goes down
		{GB, GB, 0, BUYER_DECIDE_IDLE}, // our count is gone: nothing new is asked
		{GB, GB + 1, 0, BUYER_DECIDE_HOLD},
		{0, 10 * GB, 10 * GB, BUYER_DECIDE_SIGN},
		{0, 10 * GB + 1, 10 * GB, BUYER_DECIDE_STOP_BOUGHT},
		{0, UINT64_MAX, GB, BUYER_DECIDE_STOP_BOUGHT},
		{0, GB, 2 * GB, BUYER_DECIDE_SIGN}, // we count more: only the claim is signed
	};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		struct buyer_decide decide = {.signed_bytes = rows[i].signed_bytes};
		enum buyer_decide_verdict verdict = ask(&decide, rows[i].claim, rows[i].own, SEC);

		if (verdict != rows[i].verdict)
			fail_msg("row %zu: %d", i, verdict);
		assert_int_equal(decide.signed_bytes, rows[i].signed_bytes);
	}
}

static void test_hold(void **state)
{
	struct buyer_decide decide = {0};

	(void)state;
	// What was in flight arrives in time.
	assert_int_equal(ask(&decide, 20 * MB, MB, 10 * SEC), BUYER_DECIDE_HOLD);
	assert_int_equal(ask(&decide, 20 * MB, MB, 13 * SEC - 1), BUYER_DECIDE_HOLD);
	assert_int_equal(ask(&decide, 20 * MB, 16 * MB, 13 * SEC - 1), BUYER_DECIDE_SIGN);
	decide.signed_bytes = 20 * MB;
	// It does not: a claim that rises further buys no time.
	assert_int_equal(ask(&decide, 30 * MB, 16 * MB, 20 * SEC), BUYER_DECIDE_HOLD);
	assert_int_equal(ask(&decide, 40 * MB, 16 * MB, 22 * SEC), BUYER_DECIDE_HOLD);
	assert_int_equal(ask(&decide, 50 * MB, 16 * MB, 23 * SEC), BUYER_DECIDE_STOP_LOSS);
	// The hold of a claim that was right after all is over.
	assert_int_equal(ask(&decide, 50 * MB, 50 * MB, 24 * SEC), BUYER_DECIDE_SIGN);
	decide.signed_bytes = 50 * MB;
	assert_int_equal(ask(&decide, 60 * MB, 50 * MB, 90 * SEC), BUYER_DECIDE_HOLD);
	// So is one that the node took back.
	assert_int_equal(ask(&decide, 50 * MB, 50 * MB, 91 * SEC), BUYER_DECIDE_IDLE);
	assert_int_equal(ask(&decide, 60 * MB, 50 * MB, 99 * SEC), BUYER_DECIDE_HOLD);
	// A restart of the host: the clock begins again.
	assert_int_equal(ask(&decide, 60 * MB, 50 * MB, SEC), BUYER_DECIDE_HOLD);
	assert_int_equal(ask(&decide, 60 * MB, 50 * MB, 4 * SEC - 1), BUYER_DECIDE_HOLD);
	assert_int_equal(ask(&decide, 60 * MB, 50 * MB, 4 * SEC), BUYER_DECIDE_STOP_LOSS);
}

static void test_no_patience(void **state)
{
	struct buyer_decide_conf c = conf;
	struct buyer_decide_input input = {5 * MB, 0, GB, 7};
	struct buyer_decide decide = {0};
	enum buyer_decide_verdict verdict;

	(void)state;
	c.hold_ns = 0;
	assert_int_equal(buyer_decide_next(&decide, &c, &input, &verdict), 0);
	assert_int_equal(verdict, BUYER_DECIDE_STOP_LOSS);
	input.own_bytes = UINT64_MAX;
	assert_int_equal(buyer_decide_next(&decide, &c, &input, &verdict), -EOVERFLOW);
}

static void test_loss(void **state)
{
	(void)state;
	assert_int_equal(buyer_decide_loss(&(struct buyer_decide_input){10, 4, 0, 0}), 6);
	assert_int_equal(buyer_decide_loss(&(struct buyer_decide_input){4, 4, 0, 0}), 0);
	assert_int_equal(buyer_decide_loss(&(struct buyer_decide_input){4, 10, 0, 0}), 0);
}

// Ten thousand steps of a node that claims a little more each time: never does a signature go beyond
// own count and tolerance.
static void test_bound(void **state)
{
	struct buyer_decide decide = {0};
	uint64_t claim = 0, own = 0, limit;
	uint32_t seed = 1;

	(void)state;
	for (int i = 0; i < 10000; i++) {
		seed = seed * 1664525 + 1013904223;
		own += seed >> 16;
		claim += (seed >> 16) + (seed >> 20);
		if (ask(&decide, claim, own, (uint64_t)i * SEC) == BUYER_DECIDE_SIGN)
			decide.signed_bytes = claim;
		assert_int_equal(buyer_decide_limit(&conf, own, &limit), 0);
		assert_true(decide.signed_bytes <= limit);
	}
	assert_true(decide.signed_bytes > 0 && decide.signed_bytes < claim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_hold),
		cmocka_unit_test(test_no_patience),
		cmocka_unit_test(test_loss),
		cmocka_unit_test(test_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
