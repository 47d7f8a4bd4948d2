// SPDX-License-Identifier: Apache-2.0
//
// settle_batch: what goes along and when, by count, age, value, threshold and deadline, in
// its own asset, and in smaller parts after a failure.

#include "controlplane/settle/settle_batch.h"
#include "tests/unit/test.h"

#include <string.h>

#define NOW 1000000

static const uint8_t native[32];
static const uint8_t usdc[32] = {[31] = 0x0c};
static const uint8_t other[32] = {[31] = 0x0d};

static struct settle_item item(uint64_t id, uint64_t value, uint64_t queued_sec)
{
	return (struct settle_item){
		.id = id,
		.state = SETTLE_ITEM_QUEUED,
		.value = u256_from_u64(value),
		.queued_sec = queued_sec,
	};
}

static void test_when(void **state)
{
	static const struct {
		const char *what;
		size_t n;
		uint64_t value_each, age_sec, deadline_sec;
		uint32_t count, age_limit_sec;
		uint64_t value_limit, threshold;
		bool is_due;
	} rows[] = {
		{"nothing", 0, 0, 0, 0, 10, 0, 0, 0, false},
		{"young and small", 3, 5, 10, 0, 10, 60, 0, 0, false},
		{"full", 10, 5, 0, 0, 10, 60, 0, 0, true},
		{"more than full", 12, 5, 0, 0, 10, 60, 0, 0, true},
		{"old", 1, 5, 60, 0, 10, 60, 0, 0, true},
		{"valuable", 2, 50, 0, 0, 10, 60, 100, 0, true},
		{"not valuable enough", 2, 49, 0, 0, 10, 60, 100, 0, false},
		{"old but below the payout threshold", 2, 5, 99, 0, 10, 60, 0, 11, false},
		{"full but below the payout threshold", 10, 1, 99, 0, 10, 60, 0, 11, false},
		{"old and at the payout threshold", 2, 5, 60, 0, 10, 60, 0, 10, true},
		{"a deadline beats everything", 1, 0, 0, NOW + 100, 10, 60, 0, 11, true},
		{"a deadline that passed", 1, 0, 0, NOW - 1, 10, 60, 0, 11, true},
		{"a deadline far away", 1, 0, 0, NOW + 101, 10, 60, 0, 11, false},
	};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		struct settle_batch_limits limits = {
			.count = rows[i].count,
			.age_sec = rows[i].age_limit_sec,
			.value = u256_from_u64(rows[i].value_limit),
			.payout_threshold = u256_from_u64(rows[i].threshold),
			.deadline_margin_sec = 100,
		};
		struct settle_batch batch;

		settle_batch_init(&batch, &limits, CHAIN_CALL_FINALIZE, native, NOW);
		for (size_t j = 0; j < rows[i].n; j++) {
			struct settle_item it =
				item(j + 1, rows[i].value_each, NOW - rows[i].age_sec);

			it.deadline_sec = rows[i].deadline_sec;
			settle_batch_offer(&batch, &it);
		}
		assert_int_equal(batch.n, rows[i].n < rows[i].count ? rows[i].n : rows[i].count);
		if (settle_batch_is_due(&batch) != rows[i].is_due)
			fail_msg("%s", rows[i].what);
	}
}

static void test_which(void **state)
{
	struct settle_batch_limits limits = {.count = CHAIN_BATCH_MAX};
	struct settle_item it = item(1, 1, NOW);
	struct settle_batch batch;

	(void)state;
	settle_batch_init(&batch, &limits, CHAIN_CALL_FINALIZE, native, NOW);
	it.state = SETTLE_ITEM_HELD;
	settle_batch_offer(&batch, &it);
	it.state = SETTLE_ITEM_DONE;
	settle_batch_offer(&batch, &it);
	it.state = SETTLE_ITEM_QUEUED;
	it.not_before_sec = NOW + 1;
	settle_batch_offer(&batch, &it);
	assert_int_equal(batch.n, 0);
	it.not_before_sec = NOW;
	settle_batch_offer(&batch, &it);
	it.id = 2;
	it.kind = CHAIN_CALL_PROPOSE; // another call
	settle_batch_offer(&batch, &it);
	assert_int_equal(batch.n, 1);
	assert_int_equal(batch.kind, CHAIN_CALL_FINALIZE);
	// Values that do not add up in 256 bits are above every threshold.
	it = item(3, 0, NOW);
	memset(&it.value, 0xff, sizeof(it.value));
	settle_batch_offer(&batch, &it);
	assert_int_equal(batch.n, 2);
	assert_int_equal(u256_bit_len(batch.value), 256);
}

// A full batch gives the places of what can wait to what cannot: deadlines first, and under a payout
// threshold what is worth more. Without a threshold the first stay.
static void test_full(void **state)
{
	static const struct {
		const char *what;
		uint64_t threshold, value, deadline_sec;
		bool is_taken, is_due;
	} rows[] = {
		{"as worthless", 50, 1, 0, false, false},
		{"worth more", 50, 60, 0, true, true},
		{"worth more, no threshold", 0, 60, 0, false, true},
		{"urgent", 50, 0, NOW, true, true},
		{"urgent, no threshold", 0, 0, NOW, true, true},
	};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		struct settle_batch_limits limits = {
			.count = 10,
			.payout_threshold = u256_from_u64(rows[i].threshold),
		};
		struct settle_item it = item(11, rows[i].value, NOW);
		struct settle_batch batch;
		bool is_taken = false;

		settle_batch_init(&batch, &limits, CHAIN_CALL_FINALIZE, native, NOW);
		for (uint64_t id = 1; id <= 10; id++) {
			struct settle_item dust = item(id, 1, NOW);

			settle_batch_offer(&batch, &dust);
		}
		it.deadline_sec = rows[i].deadline_sec;
		settle_batch_offer(&batch, &it);
		assert_int_equal(batch.n, 10);
		for (size_t j = 0; j < batch.n; j++)
			is_taken |= batch.ids[j] == 11;
		if (is_taken != rows[i].is_taken || settle_batch_is_due(&batch) != rows[i].is_due)
			fail_msg("%s", rows[i].what);
		if (is_taken)
			assert_true(u256_equal(batch.value, u256_from_u64(9 + rows[i].value)));
	}
}

// 10^18 of one asset may be worth less than 10^6 of another: each has its own sums and limits.
static void test_assets(void **state)
{
	static const struct {
		const char *what;
		const uint8_t *asset;
		uint64_t value;
		bool is_due;
	} rows[] = {
		{"native below its threshold", native, 99, false},
		{"native at its threshold", native, 100, true},
		{"a token below its own", usdc, 999, false},
		{"a token at its own", usdc, 1000, true},
		{"a token without one", other, 0, true},
	};
	struct settle_batch_limits limits = {
		.count = 10,
		.payout_threshold = u256_from_u64(100),
		.n_tokens = 1,
	};

	(void)state;
	memcpy(limits.tokens[0].asset, usdc, 32);
	limits.tokens[0].amounts.payout_threshold = u256_from_u64(1000);
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		struct settle_item own = item(1, rows[i].value, NOW),
				   foreign = item(2, 1 << 30, NOW);
		struct settle_batch batch;

		memcpy(own.asset, rows[i].asset, 32);
		memset(foreign.asset, 0x77, 32);
		settle_batch_init(&batch, &limits, CHAIN_CALL_FINALIZE, rows[i].asset, NOW);
		settle_batch_offer(&batch, &own);
		settle_batch_offer(&batch, &foreign);
		assert_int_equal(batch.n, 1);
		assert_true(u256_equal(batch.value, u256_from_u64(rows[i].value)));
		if (settle_batch_is_due(&batch) != rows[i].is_due)
			fail_msg("%s", rows[i].what);
	}
}

// What was in a batch that failed goes in smaller ones, at once; kinds without a batch go alone.
static void test_split(void **state)
{
	static const struct {
		const char *what;
		enum chain_call_kind kind;
		uint32_t batch_max[5]; // of the items that are offered, in this order
		size_t n; // how many are taken
	} rows[] = {
		{"whole", CHAIN_CALL_FINALIZE, {0, 0, 0, 0, 0}, 5},
		{"halves", CHAIN_CALL_FINALIZE, {2, 2, 2, 2, 2}, 2},
		{"alone", CHAIN_CALL_EXECUTE, {1, 1, 0, 0, 0}, 1},
		{"not behind others", CHAIN_CALL_FINALIZE, {0, 1, 0, 0, 0}, 4},
		{"the least of all", CHAIN_CALL_FINALIZE, {0, 3, 2, 0, 0}, 3},
		{"claims", CHAIN_CALL_CLAIM, {0, 0, 0, 0, 0}, 1},
		{"attestations", CHAIN_CALL_FINALIZE_ATTESTED, {0, 0, 0, 0, 0}, 1},
		{"disputes", CHAIN_CALL_RESOLVE, {0, 0, 0, 0, 0}, 1},
	};
	struct settle_batch_limits limits = {
		.count = 10, .payout_threshold = u256_from_u64(1000), .age_sec = 60};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		struct settle_batch batch;
		bool is_split = false;

		settle_batch_init(&batch, &limits, rows[i].kind, native, NOW);
		for (size_t j = 0; j < 5; j++) {
			struct settle_item it = item(j + 1, 1, NOW);

			it.kind = rows[i].kind;
			it.batch_max = rows[i].batch_max[j];
			settle_batch_offer(&batch, &it);
		}
		for (size_t j = 0; j < batch.n; j++)
			is_split |= rows[i].batch_max[batch.ids[j] - 1] != 0;
		if (batch.n != rows[i].n || settle_batch_is_due(&batch) != is_split)
			fail_msg("%s: %zu taken", rows[i].what, batch.n);
	}
}

static void test_order(void **state)
{
	struct settle_batch_limits limits = {.count = 10, .deadline_margin_sec = 100};
	struct settle_batch old, young, urgent;
	struct settle_item a = item(1, 1, NOW - 50), b = item(2, 1, NOW - 10), c = b;

	(void)state;
	c.deadline_sec = NOW;
	settle_batch_init(&old, &limits, CHAIN_CALL_FINALIZE, native, NOW);
	settle_batch_offer(&old, &a);
	settle_batch_init(&young, &limits, CHAIN_CALL_FINALIZE, native, NOW);
	settle_batch_offer(&young, &b);
	settle_batch_init(&urgent, &limits, CHAIN_CALL_FINALIZE, native, NOW);
	settle_batch_offer(&urgent, &c);
	assert_true(settle_batch_is_before(&old, &young));
	assert_false(settle_batch_is_before(&young, &old));
	assert_true(settle_batch_is_before(&urgent, &old));
	assert_false(settle_batch_is_before(&old, &urgent));
	assert_false(settle_batch_is_before(&old, &old));
}

// An item queued "later than now" (the chain went back, or never seen) has no age.
static void test_time_going_back(void **state)
{
	struct settle_batch_limits limits = {.count = 10, .age_sec = 60};
	struct settle_item it = item(1, 1, NOW + 5000), never = item(2, 1, 0);
	struct settle_batch batch;

	(void)state;
	settle_batch_init(&batch, &limits, CHAIN_CALL_FINALIZE, native, NOW);
	settle_batch_offer(&batch, &it);
	settle_batch_offer(&batch, &never);
	assert_int_equal(batch.n, 2);
	assert_false(settle_batch_is_due(&batch));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_when),
		cmocka_unit_test(test_which),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_assets),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_time_going_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
