// SPDX-License-Identifier: Apache-2.0
//
// http_limit: the rate of one address over a long time, a burst of a minute's worth, connections, what
// counts as one address, and a table that is full.
#include "controlplane/http/http_limit.h"
#include "tests/unit/test.h"

#include <string.h>

#define SEC_US 1000000ull

static void mapped(uint8_t ret[16], uint32_t n)
{
	memset(ret, 0, 16);
	ret[10] = ret[11] = 0xff;
	for (int i = 0; i < 4; i++)
		ret[12 + i] = (uint8_t)(n >> (24 - 8 * i));
}

static void test_rate(void **state)
{
	static const uint32_t rates[] = {1, 7, 60, 1200, 1000000};
	uint8_t addr[16];

	(void)state;
	mapped(addr, 1);
	for (size_t i = 0; i < TEST_N_ROWS(rates); i++) {
		uint64_t now_us = 5 * SEC_US, n = 0;
		struct http_limit_entry *entry;
		struct http_limit limit;
		uint32_t wait;

		assert_int_equal(http_limit_init(&limit, 1, rates[i], 42), 0);
		entry = http_limit_connect(&limit, addr, now_us);
		while ((wait = http_limit_request(&limit, entry, now_us)) == 0)
			n++;
		assert_int_equal(n, rates[i]); // a minute's worth at once
		assert_in_range(wait, 1, 60);
		// After what it was told to wait, the next is welcome.
		assert_int_equal(http_limit_request(&limit, entry, now_us + wait * SEC_US), 0);
		// Ten minutes of asking all the time: what the rate gives, to one request.
		for (n = 0; now_us < 605 * SEC_US; now_us += SEC_US) {
			while (http_limit_request(&limit, entry, now_us) == 0)
				n++;
		}
		assert_in_range(n, 10ull * rates[i] * 99 / 100 - 1, 10ull * rates[i] + 1);
		http_limit_disconnect(entry);
		http_limit_fini(&limit);
	}
}

static void test_connections(void **state)
{
	static const uint8_t a[16] = {0x20, 0x01, [7] = 1, [15] = 1};
	static const uint8_t same[16] = {0x20, 0x01, [7] = 1, [15] = 2};
	static const uint8_t other[16] = {0x20, 0x01, [7] = 2, [15] = 1};
	struct http_limit_entry *first, *second;
	struct http_limit limit;
	uint8_t v4[16];

	(void)state;
	assert_int_equal(http_limit_init(&limit, 2, 60, 1), 0);
	first = http_limit_connect(&limit, a, 0);
	assert_non_null(first);
	assert_ptr_equal(http_limit_connect(&limit, same, 0), first); // of the same /64
	assert_null(http_limit_connect(&limit, a, 0));
	assert_non_null(http_limit_connect(&limit, other, 0));
	http_limit_disconnect(first);
	assert_ptr_equal(http_limit_connect(&limit, same, 0), first);
	// Neighbouring IPv4 addresses are strangers.
	mapped(v4, 0x0a000001);
	first = http_limit_connect(&limit, v4, 0);
	mapped(v4, 0x0a000002);
	second = http_limit_connect(&limit, v4, 0);
	assert_non_null(second);
	assert_ptr_not_equal(first, second);
	http_limit_fini(&limit);
}

// More addresses than places: who has a connection or a debt stays longest, nobody is lost.
static void test_full_table(void **state)
{
	struct http_limit_entry *debtor, *open;
	struct http_limit limit;
	uint32_t n_taken = 0;
	uint8_t addr[16];

	(void)state;
	assert_int_equal(http_limit_init(&limit, 4, 60, 7), 0);
	mapped(addr, 1);
	open = http_limit_connect(&limit, addr, 1);
	mapped(addr, 2);
	debtor = http_limit_connect(&limit, addr, 1);
	for (int i = 0; i < 60; i++)
		assert_int_equal(http_limit_request(&limit, debtor, 1), 0);
	http_limit_disconnect(debtor);
	for (uint32_t i = 0; i < 100000; i++) {
		struct http_limit_entry *entry;

		mapped(addr, 1000 + i);
		entry = http_limit_connect(&limit, addr, 1);
		n_taken += entry != NULL;
		if (entry != NULL)
			http_limit_disconnect(entry);
	}
	assert_int_equal(n_taken, 100000);
	mapped(addr, 1);
	assert_ptr_equal(http_limit_connect(&limit, addr, 1), open);
	assert_int_equal(open->n_conns, 2);
	mapped(addr, 2);
	debtor = http_limit_connect(&limit, addr, 1);
	assert_int_not_equal(http_limit_request(&limit, debtor, 1), 0); // not forgiven
	http_limit_fini(&limit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_connections),
		cmocka_unit_test(test_full_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
