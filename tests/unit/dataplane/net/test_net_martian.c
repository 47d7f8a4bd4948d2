// SPDX-License-Identifier: Apache-2.0
//
// net_martian: the edges of every built-in range, the operator's rules, and random rules against a
// linear longest-prefix search.
#include "dataplane/net/net_martian.h"
#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

struct row {
	const char *addr;
	bool is_refused;
};

static bool refused(const struct net_martian *martian, const char *addr)
{
	uint32_t be32;
	assert_int_equal(inet_pton(AF_INET, addr, &be32), 1);
	return net_martian_check_refused(martian, be32);
}

static const struct row builtin_rows[] = {
	{"0.0.0.0", true},	    {"0.255.255.255", true},	{"1.0.0.0", false},
	{"8.8.8.8", false},	    {"9.255.255.255", false},	{"10.0.0.0", true},
	{"10.255.255.255", true},   {"11.0.0.0", false},	{"100.63.255.255", false},
	{"100.64.0.0", true},	    {"100.127.255.255", true},	{"100.128.0.0", false},
	{"126.255.255.255", false}, {"127.0.0.1", true},	{"128.0.0.0", false},
	{"169.253.255.255", false}, {"169.254.169.254", true},	{"169.255.0.0", false},
	{"172.15.255.255", false},  {"172.16.0.0", true},	{"172.31.255.255", true},
	{"172.32.0.0", false},	    {"192.0.0.8", true},	{"192.0.1.0", false},
	{"192.0.2.1", true},	    {"192.167.255.255", false}, {"192.168.0.0", true},
	{"192.168.255.255", true},  {"192.169.0.0", false},	{"198.17.255.255", false},
	{"198.18.0.0", true},	    {"198.19.255.255", true},	{"198.20.0.0", false},
	{"198.51.100.7", true},	    {"203.0.113.9", true},	{"203.0.114.0", false},
	{"223.255.255.255", false}, {"224.0.0.0", true},	{"239.255.255.255", true},
	{"240.0.0.0", true},	    {"255.255.255.255", true},
};

static void test_builtin(void **state)
{
	(void)state;
	struct net_martian martian;
	assert_int_equal(net_martian_init(&martian, NULL, 0, NULL, 0), 0);
	for (size_t i = 0; i < sizeof(builtin_rows) / sizeof(builtin_rows[0]); i++) {
		if (refused(&martian, builtin_rows[i].addr) != builtin_rows[i].is_refused)
			fail_msg("%s", builtin_rows[i].addr);
	}
}

static struct net_martian_rule rule(const char *prefix, uint8_t len, bool is_allowed)
{
	struct net_martian_rule made = {.len = len, .is_allowed = is_allowed};
	assert_int_equal(inet_pton(AF_INET, prefix, &made.prefix_be32), 1);
	return made;
}

static void test_operator_rules(void **state)
{
	(void)state;
	struct net_martian martian;
	const struct net_martian_rule rules[] = {
		rule("10.1.0.0", 16, true), // a private range on purpose
		rule("10.1.2.0", 24, false), // but not its management part
		rule("5.5.0.0", 16, false),
		rule("192.168.0.0", 16, true), // as long as the built-in one
		rule("6.6.6.0", 24, true),
		rule("6.6.6.0", 24, false), // deny beats allow
		rule("7.7.7.7", 32, true), // an own address, on purpose
	};
	const uint32_t own_be32[] = {htonl(0x07070707), htonl(0x07070708)};
	assert_int_equal(net_martian_init(&martian, rules, 7, own_be32, 2), 0);
	assert_false(refused(&martian, "10.1.1.1"));
	assert_true(refused(&martian, "10.1.2.1"));
	assert_true(refused(&martian, "10.2.0.1"));
	assert_true(refused(&martian, "5.5.1.1"));
	assert_false(refused(&martian, "5.6.1.1"));
	assert_false(refused(&martian, "192.168.3.4"));
	assert_true(refused(&martian, "6.6.6.6"));
	assert_false(refused(&martian, "7.7.7.7"));
	assert_true(refused(&martian, "7.7.7.8"));
	assert_false(refused(&martian, "7.7.7.9"));
}

static void test_bad_rules(void **state)
{
	(void)state;
	struct net_martian martian;
	struct net_martian_rule many[NET_MARTIAN_MAX_RULES + 1];
	for (size_t i = 0; i < NET_MARTIAN_MAX_RULES + 1; i++)
		many[i] = rule("9.9.9.9", 32, false);
	assert_int_equal(net_martian_init(&martian, many, NET_MARTIAN_MAX_RULES, NULL, 0), 0);
	assert_int_equal(
		net_martian_init(&martian, many, NET_MARTIAN_MAX_RULES + 1, NULL, 0), -E2BIG
	);
	many[0].len = 33;
	assert_int_equal(net_martian_init(&martian, many, 1, NULL, 0), -EINVAL);
	many[0].len = 31; // 9.9.9.9 has a bit behind it
	assert_int_equal(net_martian_init(&martian, many, 1, NULL, 0), -EINVAL);
}

// The obvious way: look at every rule, keep the longest.
static bool slow_refused(const struct net_martian_rule *rules, size_t n, uint32_t addr)
{
	int best_len = -1;
	bool is_refused = false;
	for (size_t i = 0; i < n; i++) {
		uint32_t mask = rules[i].len == 0 ? 0 : ~0u << (32 - rules[i].len);
		if ((addr & mask) != ntohl(rules[i].prefix_be32))
			continue;
		if (rules[i].len > best_len || (rules[i].len == best_len && !rules[i].is_allowed)) {
			best_len = rules[i].len;
			is_refused = !rules[i].is_allowed;
		}
	}
	return is_refused;
}

static void test_against_slow_search(void **state)
{
	(void)state;
	srandom(3);
	for (int round = 0; round < 200; round++) {
		struct net_martian martian;
		struct net_martian_rule rules[40];
		// 0/0 allowed hides nothing that is longer; 1.0.0.0/8 has no built-in rule.
		for (size_t i = 0; i < 40; i++) {
			uint8_t len = (uint8_t)(8 + random() % 25);
			uint32_t addr =
				0x01000000u | ((uint32_t)random() & 0x00ffffff & (0x30303030u));
			rules[i].prefix_be32 = htonl(addr & (~0u << (32 - len)));
			rules[i].len = len;
			rules[i].is_allowed = random() & 1;
		}
		assert_int_equal(net_martian_init(&martian, rules, 40, NULL, 0), 0);
		for (int probe = 0; probe < 500; probe++) {
			uint32_t addr =
				0x01000000u | ((uint32_t)random() & 0x00ffffff & 0x30303033u);
			assert_int_equal(
				net_martian_check_refused(&martian, htonl(addr)),
				slow_refused(rules, 40, addr)
			);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_builtin),
		cmocka_unit_test(test_operator_rules),
		cmocka_unit_test(test_bad_rules),
		cmocka_unit_test(test_against_slow_search),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
