// SPDX-License-Identifier: Apache-2.0
//
// The handshake limiter: rate and burst of one source, what counts as one source, and that a flood
// of sources, or one flooder, never limits another.
#include "dataplane/wg/wg_primitives.h"
#include "dataplane/wg/wg_ratelimit.h"
#include "tests/unit/test.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MS UINT64_C(1000000)
#define START (UINT64_C(1000000) * MS)

static struct wg_ratelimit limiter;
static void *memory;

static void start(uint32_t n_entries, uint32_t per_sec, uint32_t burst)
{
	const struct wg_ratelimit_config config = {per_sec, burst};

	free(memory);
	memory = aligned_alloc(64, (wg_ratelimit_memory_bytes(n_entries) + 63) / 64 * 64);
	assert_non_null(memory);
	assert_int_equal(wg_ratelimit_init(&limiter, memory, n_entries, &config), 0);
}

static struct wg_source ipv4(uint32_t address)
{
	return wg_source_ipv4(htobe32(address), htobe16(1234));
}

static unsigned int take_many(const struct wg_source *source, unsigned int n, uint64_t now_ns)
{
	unsigned int taken = 0;

	for (unsigned int i = 0; i < n; i++)
		taken += wg_ratelimit_take(&limiter, source, now_ns);
	return taken;
}

// One source, 20 per second, burst 5: at each time it tries ten.
static const struct {
	uint64_t at_ns;
	unsigned int taken;
} rate_rows[] = {
	{0, 5},
	{50 * MS - 1, 0},
	{50 * MS, 1},
	{99 * MS, 0},
	{100 * MS, 1},
	{200 * MS, 2},
	{449 * MS, 4},
	{450 * MS, 1},
	{10000 * MS, 5}, // never more than the burst
	{10000 * MS, 0},
	{9000 * MS, 0}, // a clock reading from before gives nothing
	{10050 * MS, 1},
};

static void test_rate(void **state)
{
	const struct wg_source source = ipv4(0xc0000201);

	(void)state;
	start(64, WG_RATELIMIT_DEFAULT_PER_SEC, WG_RATELIMIT_DEFAULT_BURST);
	for (size_t i = 0; i < TEST_N_ROWS(rate_rows); i++)
		assert_int_equal(
			take_many(&source, 10, START + rate_rows[i].at_ns), rate_rows[i].taken
		);
}

static const struct {
	uint32_t n_entries, per_sec, burst;
	int expected;
} config_rows[] = {
	{64, 20, 5, 0},
	{64, 1, 1, 0},
	{64, 1000000, 1000000, 0},
	{64, 0, 5, -EINVAL},
	{64, 20, 0, -EINVAL},
	{64, 1000001, 5, -EINVAL},
	{64, 20, 1000001, -EINVAL},
	{0, 20, 5, -EINVAL},
	{4, 20, 5, -EINVAL},
	{63, 20, 5, -EINVAL},
	{UINT32_C(1) << 25, 20, 5, -EINVAL},
};

static void test_config(void **state)
{
	static _Alignas(64) uint8_t space[64 * sizeof(struct wg_ratelimit_entry)];

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(config_rows); i++) {
		const struct wg_ratelimit_config config = {
			config_rows[i].per_sec, config_rows[i].burst};
		struct wg_ratelimit one;

		assert_int_equal(
			wg_ratelimit_init(&one, space, config_rows[i].n_entries, &config),
			config_rows[i].expected
		);
	}
}

static struct wg_source ipv6(uint8_t upper, uint8_t lower, uint16_t port)
{
	const uint8_t address[16] = {
		0x20, 0x01, 0x0d, 0xb8, [7] = upper, [8] = lower, [15] = lower};

	return wg_source_ipv6(address, htobe16(port));
}

// A /32 or a /64 is one source, whatever its port.
static void test_identity(void **state)
{
	const struct {
		struct wg_source first, second;
		bool is_same;
	} rows[] = {
		{ipv4(0x0a000001), ipv4(0x0a000001), true},
		{ipv4(0x0a000001), ipv4(0x0a000002), false},
		{wg_source_ipv4(htobe32(1), htobe16(1)),
		 wg_source_ipv4(htobe32(1), htobe16(2)),
		 true},
		{ipv6(1, 1, 1), ipv6(1, 2, 1), true},
		{ipv6(1, 1, 1), ipv6(1, 1, 2), true},
		{ipv6(1, 1, 1), ipv6(2, 1, 1), false},
		{ipv4(0x20010db8),
		 wg_source_ipv6((const uint8_t[16]){0x20, 0x01, 0x0d, 0xb8}, 0),
		 false},
	};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		start(1024, 20, 5);
		assert_int_equal(take_many(&rows[i].first, 10, START), 5);
		assert_int_equal(take_many(&rows[i].second, 10, START), rows[i].is_same ? 0 : 5);
	}
}

// One source floods for ten seconds; a second one, at ten a second, is never refused.
static void test_one_flooder(void **state)
{
	const struct wg_source flooder = ipv4(0xc6336401), buyer = ipv4(0xc0000201);
	unsigned int n_flooder = 0;

	(void)state;
	start(WG_RATELIMIT_WAYS, 20, 5); // one set: they meet in it
	for (uint64_t ms = 0; ms < 10000; ms++) {
		n_flooder += take_many(&flooder, 20, START + ms * MS);
		if (ms % 100 == 0)
			assert_int_equal(take_many(&buyer, 1, START + ms * MS), 1);
	}
	assert_in_range(n_flooder, 5 + 199, 5 + 200);
}

// Far more sources than entries: each newcomer and each returning buyer gets its burst.
static void test_many_flooders(void **state)
{
	const struct wg_source buyer = ipv4(0xc0000201);

	(void)state;
	start(64, 20, 5);
	for (uint32_t i = 0; i < 20000; i++) {
		const struct wg_source source = ipv4(0x0b000000 + i);

		assert_int_equal(take_many(&source, 1, START + i * MS), 1);
		if (i % 100 == 0)
			assert_int_equal(take_many(&buyer, 1, START + i * MS), 1);
	}
}

// In a full set the newcomer replaces the one idle longest, and the others keep their empty
// buckets.
static void test_oldest_is_replaced(void **state)
{
	(void)state;
	start(WG_RATELIMIT_WAYS, 1, 2);
	for (uint32_t i = 0; i < WG_RATELIMIT_WAYS; i++) {
		const struct wg_source source = ipv4(i + 1);

		assert_int_equal(take_many(&source, 5, START + i), 2);
	}
	{
		const struct wg_source newcomer = ipv4(100), oldest = ipv4(1);

		assert_int_equal(take_many(&newcomer, 5, START + 100), 2);
		for (uint32_t i = 1; i < WG_RATELIMIT_WAYS; i++) {
			const struct wg_source source = ipv4(i + 1);

			assert_int_equal(take_many(&source, 5, START + 101 + i), 0);
		}
		assert_int_equal(take_many(&oldest, 5, START + 200), 2); // was forgotten
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_one_flooder),
		cmocka_unit_test(test_many_flooders),
		cmocka_unit_test(test_oldest_is_replaced),
	};
	int ret;

	if (wg_primitives_init() < 0)
		return 1;
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	free(memory);
	return ret;
}
