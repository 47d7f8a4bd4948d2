// SPDX-License-Identifier: Apache-2.0
//
// The manual clock moves only when it is told; the system's goes forward.
#include "common/clock.h"
#include "tests/unit/test.h"

#include <stddef.h>
#include <stdlib.h>

static void test_manual(void **state)
{
	struct clock_manual manual;
	struct clock clock;

	(void)state;
	clock_manual_init(&clock, &manual, 1700000000 * NS_PER_SEC);
	uint64_t start_ns = clock_mono_ns(&clock);
	assert_true(start_ns > 0); // 0 stays free for "never"
	assert_true(clock_mono_ns(&clock) == start_ns);
	clock_manual_advance(&manual, 1500 * NS_PER_MS);
	assert_true(clock_mono_ns(&clock) == start_ns + 1500000000ull);
	assert_true(clock_unix_ns(&clock) == 1700000001500000000ull);
	manual.unix_ns -= 3600 * NS_PER_SEC; // wall time may jump; intervals do not
	assert_true(clock_mono_ns(&clock) == start_ns + 1500000000ull);
}

static void test_system(void **state)
{
	(void)state;
	uint64_t first_ns = clock_mono_ns(&clock_system);
	assert_true(clock_mono_ns(&clock_system) >= first_ns);
	assert_true(clock_unix_ns(&clock_system) > 1600000000 * NS_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_manual),
		cmocka_unit_test(test_system),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
