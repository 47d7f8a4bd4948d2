// SPDX-License-Identifier: Apache-2.0
//
// buyer_meter: the sum across restarts of the tool, resets of the interface and reboots, never more than
// what was there to count.
#include "controlplane/twctl/buyer_meter.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <string.h>

#define BOOT_1 "11111111-1111-1111-1111-111111111111"
#define BOOT_2 "22222222-2222-2222-2222-222222222222"

static struct buyer_meter_sample make(
	const char *boot, uint32_t ifindex, uint64_t out_bytes, uint64_t in_bytes
)
{
	struct buyer_meter_sample sample = {"", ifindex, out_bytes, in_bytes, 0};

	strcpy(sample.boot_id, boot);
	return sample;
}

static void test_sum(void **state)
{
	const struct {
		const char *what;
		struct buyer_meter_sample sample;
		uint64_t out_bytes, in_bytes; // expected afterwards
	} rows[] = {
		{"the mark", make(BOOT_1, 5, 1000, 2000), 0, 0},
		{"nothing passed", make(BOOT_1, 5, 1000, 2000), 0, 0},
		{"traffic", make(BOOT_1, 5, 1100, 2300), 100, 300},
		{"one way only", make(BOOT_1, 5, 1100, 2301), 100, 301},
		{"reset to 0", make(BOOT_1, 5, 0, 0), 100, 301},
		{"counts on", make(BOOT_1, 5, 10, 20), 110, 321},
		{"reset, and already past it in one direction",
		 make(BOOT_1, 5, 5, 4000),
		 115,
		 4321},
		{"and in the other", make(BOOT_1, 5, 6, 100), 121, 4421},
		{"made anew with higher counters", make(BOOT_1, 6, 70, 9000), 191, 13421},
		{"rebooted, same number", make(BOOT_2, 6, 80, 9100), 271, 22521},
		{"counts on", make(BOOT_2, 6, 81, 9102), 272, 22523},
	};
	struct buyer_meter meter = {0}, kept;
	uint64_t sum;

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		// The tool restarts before every sample: all that it knows is what it kept.
		memcpy(&kept, &meter, sizeof(kept));
		assert_int_equal(buyer_meter_add(&kept, &rows[i].sample, false), 0);
		memcpy(&meter, &kept, sizeof(meter));
		if (meter.out_bytes != rows[i].out_bytes || meter.in_bytes != rows[i].in_bytes)
			fail_msg(
				"%s: %llu, %llu",
				rows[i].what,
				(unsigned long long)meter.out_bytes,
				(unsigned long long)meter.in_bytes
			);
	}
	assert_int_equal(buyer_meter_sum(&meter, &sum), 0);
	assert_int_equal(sum, 272 + 22523);
}

static void test_new_interface(void **state)
{
	struct buyer_meter_sample sample = make(BOOT_1, 5, 10, 20);
	struct buyer_meter meter = {0};

	(void)state;
	assert_int_equal(buyer_meter_add(&meter, &sample, true), 0);
	assert_int_equal(meter.out_bytes, 10);
	assert_int_equal(meter.in_bytes, 20);
	// Only a first sample can be of a new one: a second time counts nothing twice.
	assert_int_equal(buyer_meter_add(&meter, &sample, true), 0);
	assert_int_equal(meter.out_bytes, 10);
	assert_int_equal(meter.in_bytes, 20);
}

// The kernel's WireGuard interface: what it wraps around packets is in no sum, and a sample in mid-packet
// is no reset.
static void test_extra(void **state)
{
	static const struct {
		uint64_t in_bytes, extra_bytes, sum;
	} rows[] = {
		{10000, 3200, 0},
		{11452, 3232, 1420},
		{11452, 3264, 1388}, // the next packet's extra is here, its octets are not
		{12904, 3264, 2840},
		{1452, 32, 4260}, // made anew
		{1452, 0, 5712}, // that too: packets do not become fewer
	};
	struct buyer_meter meter = {0};
	uint64_t sum;

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		struct buyer_meter_sample sample = make(BOOT_1, 5, 0, rows[i].in_bytes);

		sample.extra_bytes = rows[i].extra_bytes;
		assert_int_equal(buyer_meter_add(&meter, &sample, false), 0);
		assert_int_equal(buyer_meter_sum(&meter, &sum), 0);
		assert_int_equal(sum, rows[i].sum);
	}
}

static void test_overflow(void **state)
{
	struct buyer_meter_sample sample = make(BOOT_1, 5, UINT64_MAX, 0);
	struct buyer_meter meter = {0}, before;
	uint64_t sum = 7;

	(void)state;
	assert_int_equal(buyer_meter_add(&meter, &sample, true), 0);
	before = meter;
	sample = make(BOOT_1, 6, 1, 1);
	assert_int_equal(buyer_meter_add(&meter, &sample, false), -EOVERFLOW);
	assert_memory_equal(&meter, &before, sizeof(meter));
	sample = make(BOOT_1, 5, UINT64_MAX, 1);
	assert_int_equal(buyer_meter_add(&meter, &sample, false), 0);
	assert_int_equal(buyer_meter_sum(&meter, &sum), -EOVERFLOW);
	assert_int_equal(sum, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sum),
		cmocka_unit_test(test_new_interface),
		cmocka_unit_test(test_extra),
		cmocka_unit_test(test_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
