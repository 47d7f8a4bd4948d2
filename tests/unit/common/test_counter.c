// SPDX-License-Identifier: Apache-2.0
//
// Counters and sequence counts on one thread: what a reader sees of a writer that died in the middle.
// Two threads at once stand in tests/stress/.
#include "common/counter.h"
#include "tests/unit/test.h"

#include <stdlib.h>

static void test_counter(void **state)
{
	uint64_t counter = UINT64_MAX - 1;

	(void)state;
	counter_add(&counter, 1);
	assert_true(counter_read(&counter) == UINT64_MAX);
	counter_set(&counter, 7);
	assert_int_equal(counter_read(&counter), 7);
}

static void test_record_round_trip(void **state)
{
	uint64_t shared[4] = {0}, copy[4];
	uint32_t seq = UINT32_MAX - 1; // wraps from even to even

	(void)state;
	for (uint64_t i = 1; i < 5; i++) {
		const uint64_t want[4] = {i, i * 2, i * 3, i * 4};
		seqcount_write(&seq, shared, want, sizeof(want));
		assert_true(seqcount_read(&seq, copy, shared, sizeof(copy)));
		assert_memory_equal(copy, want, sizeof(want));
	}
}

static void test_dead_writer_ends_the_read(void **state)
{
	uint64_t shared[2] = {1, 2}, copy[2];
	uint32_t seq = 0;

	(void)state;
	seqcount_write_begin(&seq); // and here it died
	shared[0] = 3;
	assert_false(seqcount_read(&seq, copy, shared, sizeof(copy)));
	seqcount_write_end(&seq);
	assert_true(seqcount_read(&seq, copy, shared, sizeof(copy)));
	assert_int_equal(copy[0], 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counter),
		cmocka_unit_test(test_record_round_trip),
		cmocka_unit_test(test_dead_writer_ends_the_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
