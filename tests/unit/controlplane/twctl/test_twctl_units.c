// SPDX-License-Identifier: Apache-2.0
//
// twctl_units: what is a size, a duration, a rate, and what is refused rather than rounded.
#include "controlplane/twctl/twctl_units.h"
#include "tests/unit/test.h"

#include <errno.h>

struct row {
	const char *text;
	int r;
	uint64_t value;
};

static void run_rows(
	const struct row *rows, size_t n, int (*parse)(const char *text, uint64_t *ret)
)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t value = 77;
		int r = parse(rows[i].text, &value);

		if (r != rows[i].r || value != (r == 0 ? rows[i].value : 77))
			fail_msg("'%s': %d, %llu", rows[i].text, r, (unsigned long long)value);
	}
}

static void test_sizes(void **state)
{
	static const struct row rows[] = {
		{"0", 0, 0},
		{"1", 0, 1},
		{"500B", 0, 500},
		{"1kB", 0, 1000},
		{"5MB", 0, 5000000},
		{"10GB", 0, 10000000000},
		{"10 GB", 0, 10000000000},
		{"1TB", 0, 1000000000000},
		{"1KiB", 0, 1024},
		{"1MiB", 0, 1048576},
		{"1GiB", 0, 1073741824},
		{"1TiB", 0, 1099511627776},
		{"1.5GB", 0, 1500000000},
		{"0.000000001GB", 0, 1},
		{"0.5KiB", 0, 512},
		{"9223372036854775807", 0, INT64_MAX},
		{"18446744073709551615B", 0, UINT64_MAX},
		{"18446744073709551616", -ERANGE, 0},
		{"18446744073709551615kB", -ERANGE, 0},
		{"99999999999999999999GB", -ERANGE, 0},
		{"0.5B", -ERANGE, 0},
		{"0.0000000001GB", -ERANGE, 0},
		{"0.0000000000001GB", -ERANGE, 0},
		{"", -EINVAL, 0},
		{"GB", -EINVAL, 0},
		{"-1GB", -EINVAL, 0},
		{"+1GB", -EINVAL, 0},
		{" 1GB", -EINVAL, 0},
		{"1  GB", -EINVAL, 0},
		{"1GB ", -EINVAL, 0},
		{"1.GB", -EINVAL, 0},
		{".5GB", -EINVAL, 0},
		{"1,5GB", -EINVAL, 0},
		{"1Gb", -EINVAL, 0}, // bits are not bytes
		{"1gb", -EINVAL, 0},
		{"1KB", -EINVAL, 0},
		{"1e9", -EINVAL, 0},
		{"0x10", -EINVAL, 0},
		{"1GBGB", -EINVAL, 0},
	};

	(void)state;
	run_rows(rows, TEST_N_ROWS(rows), twctl_units_parse_size);
}

static void test_durations(void **state)
{
	static const struct row rows[] = {
		{"90s", 0, 90},
		{"10m", 0, 600},
		{"24h", 0, 86400},
		{"30d", 0, 2592000},
		{"1w", 0, 604800},
		{"1d12h", 0, 129600},
		{"1d2h3m4s", 0, 93784},
		{"1.5h", 0, 5400},
		{"3600", 0, 3600},
		{"0.5s", -ERANGE, 0},
		{"99999999999999999999s", -ERANGE, 0},
		{"18446744073709551615d", -ERANGE, 0},
		{"", -EINVAL, 0},
		{"h", -EINVAL, 0},
		{"1m1h", -EINVAL, 0},
		{"1h1h", -EINVAL, 0},
		{"1h30", -EINVAL, 0},
		{"1 h", -EINVAL, 0},
		{"1M", -EINVAL, 0},
		{"1ms", -EINVAL, 0},
		{"-1h", -EINVAL, 0},
		{"1hour", -EINVAL, 0},
	};

	(void)state;
	run_rows(rows, TEST_N_ROWS(rows), twctl_units_parse_duration);
}

static void test_rates(void **state)
{
	static const struct row rows[] = {
		{"0", 0, 0},
		{"unlimited", 0, 0},
		{"64kbps", 0, 64},
		{"50Mbps", 0, 50000},
		{"2.5Gbps", 0, 2500000},
		{"0.5kbps", -ERANGE, 0},
		{"50", -EINVAL, 0}, // of what?
		{"50M", -EINVAL, 0},
		{"50MBps", -EINVAL, 0},
		{"", -EINVAL, 0},
	};

	(void)state;
	run_rows(rows, TEST_N_ROWS(rows), twctl_units_parse_rate);
}

static void test_texts(void **state)
{
	static const struct {
		uint64_t value;
		const char *size, *rate, *duration;
	} rows[] = {
		{0, "0 B", "0 bps", "0s"},
		{59, "59 B", "59 bps", "59s"},
		{60, "60 B", "60 bps", "1m 0s"},
		{999, "999 B", "999 bps", "16m 39s"},
		{1000, "1.00 kB", "1.00 kbps", "16m 40s"},
		{3661, "3.66 kB", "3.66 kbps", "1h 1m"},
		{99949, "99.9 kB", "99.9 kbps", "1d 3h"},
		{999499, "999 kB", "999 kbps", "11d 13h"},
		{999500, "1.00 MB", "1.00 Mbps", "11d 13h"},
		{5200000000, "5.20 GB", "5.20 Gbps", "60185d 4h"},
		{UINT64_MAX, "18.4 EB", "18446744 Tbps", "213503982334601d 7h"},
	};
	char text[TWCTL_UNITS_TEXT];

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		assert_string_equal(twctl_units_size(text, rows[i].value), rows[i].size);
		assert_string_equal(twctl_units_rate(text, rows[i].value), rows[i].rate);
		assert_string_equal(twctl_units_duration(text, rows[i].value), rows[i].duration);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
