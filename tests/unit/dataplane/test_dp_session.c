// SPDX-License-Identifier: Apache-2.0
//
// Quota, gate, expiry and rate of one session, on a clock that stands still: the limit is reached to
// the byte and never passed, whatever the order of admit, bill and return.
#include "common/abi_names.h"
#include "common/clock.h"
#include "dataplane/dp_session.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

#define NOW_NS (1000 * NS_PER_SEC)
#define GENERATION 7

struct rig {
	struct dp_session session;
	struct abi_session_slot slot;
	struct mail_limits limits;
};

static void rig_init(struct rig *rig, uint64_t limit_bytes, uint64_t base_bytes)
{
	memset(rig, 0, sizeof(*rig));
	rig->limits = (struct mail_limits){.limit_bytes = limit_bytes, .expires_ns = UINT64_MAX};
	struct mail mail = {
		.kind = MAIL_ADOPT,
		.gate = ABI_GATE_OPEN,
		.generation = GENERATION,
		.session = {.limits = rig->limits, .base_bytes = base_bytes},
	};
	dp_session_adopt(&rig->session, &rig->slot, &mail, NOW_NS);
}

static void set_limit(struct rig *rig, uint64_t limit_bytes)
{
	rig->limits.limit_bytes = limit_bytes;
	dp_session_set_limits(&rig->session, &rig->limits, NOW_NS);
}

static void test_quota_table(void **state)
{
	static const struct {
		const char *name;
		uint64_t limit, base;
		uint32_t packets[4]; // 0 ends
		enum dp_admission expected[4];
	} rows[] = {
		{"fits exactly", 300, 0, {100, 200}, {DP_ADMIT_BILLED, DP_ADMIT_BILLED}},
		{"one byte too many", 300, 0, {100, 201}, {DP_ADMIT_BILLED, DP_REFUSE_QUOTA}},
		{"a smaller packet after the first that does not fit",
		 300,
		 0,
		 {200, 101, 100},
		 {DP_ADMIT_BILLED, DP_REFUSE_QUOTA, DP_REFUSE_GATE}},
		{"base counts", 300, 250, {50, 1}, {DP_ADMIT_BILLED, DP_REFUSE_QUOTA}},
		{"base beyond the limit", 300, 301, {1}, {DP_REFUSE_QUOTA}},
		{"nothing bought", 0, 0, {1, 1}, {DP_REFUSE_QUOTA, DP_REFUSE_GATE}},
		{"no limit to speak of", UINT64_MAX, 0, {65535}, {DP_ADMIT_BILLED}},
	};

	(void)state;
	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		struct rig rig;

		rig_init(&rig, rows[r].limit, rows[r].base);
		for (unsigned i = 0; i < 4 && rows[r].packets[i] != 0; i++)
			assert_int_equal(
				dp_session_admit(&rig.session, rows[r].packets[i], i & 1, NOW_NS),
				rows[r].expected[i]
			);
	}
}

static void test_reserved_counts_until_returned(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 1000, 0);
	assert_int_equal(dp_session_admit(&rig.session, 600, false, NOW_NS), DP_ADMIT_BILLED);
	assert_int_equal(rig.slot.live.out_bytes, 0); // not before the NIC took it
	dp_session_return(&rig.session, 600);
	assert_int_equal(dp_session_admit(&rig.session, 1000, true, NOW_NS), DP_ADMIT_BILLED);
	dp_session_bill(&rig.session, 1000, true);
	assert_int_equal(rig.slot.live.in_bytes, 1000);
	assert_int_equal(rig.slot.live.in_pkts, 1);
	assert_int_equal(rig.slot.live.out_bytes, 0);
	assert_int_equal(rig.session.reserved_bytes, 0);
}

// The same limit again opens nothing; a raised one does.
static void test_gate_stays_closed_until_raised(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 100, 0);
	assert_int_equal(dp_session_admit(&rig.session, 60, false, NOW_NS), DP_ADMIT_BILLED);
	dp_session_bill(&rig.session, 60, false);
	assert_int_equal(dp_session_admit(&rig.session, 60, false, NOW_NS), DP_REFUSE_QUOTA);
	assert_int_equal(rig.slot.live.gate, ABI_GATE_QUOTA);
	assert_int_equal(dp_session_admit(&rig.session, 1, true, NOW_NS), DP_REFUSE_GATE);
	set_limit(&rig, 100);
	assert_int_equal(dp_session_admit(&rig.session, 1, true, NOW_NS), DP_REFUSE_GATE);
	set_limit(&rig, 101);
	assert_int_equal(rig.slot.live.gate, ABI_GATE_OPEN);
	assert_int_equal(dp_session_admit(&rig.session, 41, true, NOW_NS), DP_ADMIT_BILLED);
}

// A packet that was refused for the sake of one that then did not leave would have fitted: the gate
// must not stay closed on more than a packet's worth of quota.
static void test_returned_reservation_reopens(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 100, 0);
	assert_int_equal(dp_session_admit(&rig.session, 30, false, NOW_NS), DP_ADMIT_BILLED);
	assert_int_equal(dp_session_admit(&rig.session, 40, false, NOW_NS), DP_ADMIT_BILLED);
	assert_int_equal(dp_session_admit(&rig.session, 61, false, NOW_NS), DP_REFUSE_QUOTA);
	dp_session_return(&rig.session, 30); // 60 left: still too little
	assert_int_equal(rig.slot.live.gate, ABI_GATE_QUOTA);
	dp_session_return(&rig.session, 40);
	assert_int_equal(rig.slot.live.gate, ABI_GATE_OPEN);
	assert_int_equal(dp_session_admit(&rig.session, 100, false, NOW_NS), DP_ADMIT_BILLED);
	assert_int_equal(dp_session_admit(&rig.session, 1, false, NOW_NS), DP_REFUSE_QUOTA);
	// A gate that the control plane closed is not opened by a return.
	dp_session_set_gate(&rig.session, ABI_GATE_CLOSED, NOW_NS);
	dp_session_return(&rig.session, 100);
	assert_int_equal(rig.slot.live.gate, ABI_GATE_CLOSED);
}

static void test_lowered_limit_grants_nothing(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 1000, 0);
	assert_int_equal(dp_session_admit(&rig.session, 500, false, NOW_NS), DP_ADMIT_BILLED);
	dp_session_bill(&rig.session, 500, false);
	set_limit(&rig, 400);
	assert_int_equal(dp_session_admit(&rig.session, 1, false, NOW_NS), DP_REFUSE_QUOTA);
	set_limit(&rig, 499);
	assert_int_equal(dp_session_admit(&rig.session, 1, false, NOW_NS), DP_REFUSE_QUOTA);
	set_limit(&rig, 501);
	assert_int_equal(dp_session_admit(&rig.session, 1, false, NOW_NS), DP_ADMIT_BILLED);
}

static void test_gate_sources_are_independent(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 10, 0);
	assert_int_equal(dp_session_admit(&rig.session, 11, false, NOW_NS), DP_REFUSE_QUOTA);
	dp_session_set_gate(&rig.session, ABI_GATE_CLOSED, NOW_NS);
	assert_int_equal(rig.slot.live.gate, ABI_GATE_CLOSED);
	dp_session_set_gate(&rig.session, ABI_GATE_OPEN, NOW_NS);
	assert_int_equal(rig.slot.live.gate, ABI_GATE_QUOTA); // the quota still holds
	dp_session_set_gate(&rig.session, ABI_GATE_CLOSED, NOW_NS);
	set_limit(&rig, 1000);
	assert_int_equal(rig.slot.live.gate, ABI_GATE_CLOSED); // a top-up lifts no suspension
	assert_int_equal(dp_session_admit(&rig.session, 1, false, NOW_NS), DP_REFUSE_GATE);
	dp_session_set_gate(&rig.session, ABI_GATE_OPEN, NOW_NS);
	assert_int_equal(dp_session_admit(&rig.session, 1, false, NOW_NS), DP_ADMIT_BILLED);
}

static void test_expiry_edges(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 1000, 0);
	rig.limits.expires_ns = NOW_NS + 10;
	set_limit(&rig, 1000);
	assert_int_equal(dp_session_admit(&rig.session, 1, false, NOW_NS + 9), DP_ADMIT_BILLED);
	assert_int_equal(dp_session_admit(&rig.session, 1, false, NOW_NS + 10), DP_REFUSE_EXPIRED);
	assert_int_equal(rig.slot.live.gate, ABI_GATE_EXPIRED);
	rig.limits.expires_ns = NOW_NS + 20;
	dp_session_set_limits(&rig.session, &rig.limits, NOW_NS + 11);
	assert_int_equal(rig.slot.live.gate, ABI_GATE_OPEN);
	// The scan's word does not outlive an extension that came before it.
	dp_session_set_gate(&rig.session, ABI_GATE_EXPIRED, NOW_NS + 12);
	assert_int_equal(rig.slot.live.gate, ABI_GATE_OPEN);
	dp_session_set_gate(&rig.session, ABI_GATE_EXPIRED, NOW_NS + 20);
	assert_int_equal(rig.slot.live.gate, ABI_GATE_EXPIRED);
}

static void test_throttle_bills_nothing(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 100, 0);
	rig.limits.is_throttled_on_quota = true;
	rig.limits.free_rate_kbps = 8; // 1000 bytes a second
	set_limit(&rig, 100);
	assert_int_equal(dp_session_admit(&rig.session, 101, false, NOW_NS), DP_ADMIT_FREE);
	assert_int_equal(rig.slot.live.gate, ABI_GATE_THROTTLED);
	assert_int_equal(rig.session.reserved_bytes, 0);
	uint32_t passed = 101;
	while (dp_session_admit(&rig.session, 101, false, NOW_NS) == DP_ADMIT_FREE)
		passed += 101;
	assert_true(passed <= DP_BUCKET_MIN_BURST_BYTES);
	assert_int_equal(dp_session_admit(&rig.session, 101, false, NOW_NS), DP_REFUSE_RATE);
	assert_int_equal(dp_session_admit(&rig.session, 101, true, NOW_NS), DP_ADMIT_FREE);
	set_limit(&rig, 200);
	assert_int_equal(dp_session_admit(&rig.session, 101, false, NOW_NS), DP_ADMIT_BILLED);
}

static void test_throttled_to_nothing_is_closed(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 100, 0);
	dp_session_set_gate(&rig.session, ABI_GATE_THROTTLED, NOW_NS);
	assert_int_equal(dp_session_admit(&rig.session, 1, false, NOW_NS), DP_REFUSE_RATE);
}

static void test_rate_refusal_costs_no_quota(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, UINT64_MAX, 0);
	rig.limits.rate_out_kbps = 8;
	set_limit(&rig, UINT64_MAX);
	while (dp_session_admit(&rig.session, 1000, false, NOW_NS) == DP_ADMIT_BILLED)
		;
	uint64_t reserved = rig.session.reserved_bytes;
	assert_int_equal(dp_session_admit(&rig.session, 1000, false, NOW_NS), DP_REFUSE_RATE);
	assert_int_equal(rig.session.reserved_bytes, reserved);
	assert_int_equal(rig.slot.live.gate, ABI_GATE_OPEN);
	assert_int_equal(dp_session_admit(&rig.session, 1000, true, NOW_NS), DP_ADMIT_BILLED);
	assert_int_equal(
		dp_session_admit(&rig.session, 1000, false, NOW_NS + NS_PER_SEC), DP_ADMIT_BILLED
	);
}

// Asked every microsecond at a rate that makes a byte in eight of them, the bucket still fills.
static void test_bucket_keeps_fractions(void **state)
{
	struct dp_bucket bucket = {0};
	uint64_t now_ns = NOW_NS;
	uint64_t taken = 0;

	(void)state;
	dp_bucket_set(&bucket, 1000, now_ns); // 125,000 bytes a second
	while (dp_bucket_check(&bucket, 1, now_ns))
		dp_bucket_take(&bucket, 1);
	for (unsigned i = 0; i < 500000; i++) {
		now_ns += NS_PER_US;
		if (dp_bucket_check(&bucket, 1, now_ns)) {
			dp_bucket_take(&bucket, 1);
			taken++;
		}
	}
	assert_in_range(taken, 62499, 62500); // half a second's worth
}

// The fastest rate that a command can name.
static void test_bucket_at_the_greatest_rate(void **state)
{
	struct dp_bucket bucket = {0};
	uint64_t per_sec = (uint64_t)UINT32_MAX * 1000 / 8, taken = 0;

	(void)state;
	dp_bucket_set(&bucket, UINT32_MAX, NOW_NS);
	bucket.tokens_bytes = 0;
	for (unsigned ms = 1; ms <= 50; ms++) {
		dp_bucket_check(&bucket, 1, NOW_NS + ms * NS_PER_MS);
		taken += bucket.tokens_bytes;
		bucket.tokens_bytes = 0;
	}
	// A nanosecond is 537 bytes at this rate, and each step rounds by up to one.
	assert_in_range(taken, per_sec / 20, per_sec / 20 + 50 * 537);
}

// Repeating a command must not refill the bucket.
static void test_bucket_set_grants_nothing(void **state)
{
	struct dp_bucket bucket = {0};

	(void)state;
	dp_bucket_set(&bucket, 8, NOW_NS);
	dp_bucket_take(&bucket, DP_BUCKET_MIN_BURST_BYTES);
	dp_bucket_set(&bucket, 8, NOW_NS);
	assert_false(dp_bucket_check(&bucket, 1, NOW_NS));
	assert_true(dp_bucket_check(&bucket, 1, NOW_NS - 1) == false); // a clock that went back
}

// Against the rule itself: at every moment billed + reserved <= limit, and the counters only rise.
static void test_random_orders(void **state)
{
	struct rig rig;
	uint64_t limit = 50000, last = 0;
	uint32_t held[64];
	unsigned n_held = 0;

	(void)state;
	srandom(1);
	rig_init(&rig, limit, 1234);
	for (unsigned i = 0; i < 200000; i++) {
		uint32_t bytes = 1 + (uint32_t)(random() % 1500);
		unsigned action = (unsigned)random() % 16;

		if (action < 8 && n_held < 64) {
			if (dp_session_admit(&rig.session, bytes, false, NOW_NS) == DP_ADMIT_BILLED)
				held[n_held++] = bytes;
		} else if (action < 14 && n_held > 0) {
			dp_session_bill(&rig.session, held[--n_held], false);
		} else if (n_held > 0) {
			dp_session_return(&rig.session, held[--n_held]);
		}
		if (i % 1000 == 0)
			set_limit(&rig, limit += (uint64_t)random() % 100000);
		uint64_t billed = 1234 + rig.slot.live.out_bytes;
		assert_true(billed + rig.session.reserved_bytes <= limit);
		assert_true(billed >= last);
		last = billed;
	}
	assert_true(last > 1234);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quota_table),
		cmocka_unit_test(test_reserved_counts_until_returned),
		cmocka_unit_test(test_gate_stays_closed_until_raised),
		cmocka_unit_test(test_returned_reservation_reopens),
		cmocka_unit_test(test_lowered_limit_grants_nothing),
		cmocka_unit_test(test_gate_sources_are_independent),
		cmocka_unit_test(test_expiry_edges),
		cmocka_unit_test(test_throttle_bills_nothing),
		cmocka_unit_test(test_throttled_to_nothing_is_closed),
		cmocka_unit_test(test_rate_refusal_costs_no_quota),
		cmocka_unit_test(test_bucket_keeps_fractions),
		cmocka_unit_test(test_bucket_at_the_greatest_rate),
		cmocka_unit_test(test_bucket_set_grants_nothing),
		cmocka_unit_test(test_random_orders),
	};

	return cmocka_run_group_tests_name("dp_session", tests, NULL, NULL);
}
