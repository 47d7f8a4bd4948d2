// SPDX-License-Identifier: Apache-2.0
//
// nat_conf: what a NAT is not made of; each member is named when it is wrong.
#include "nat_fixture.h"

#include "tests/unit/test.h"

struct conf_row {
	const char *member;
	size_t offset;
	uint64_t value;
	size_t size;
};

#define BAD(member, bad) \
	{ \
#member, offsetof(struct nat_conf, member), bad, \
			sizeof(((struct nat_conf *)0)->member) \
	}

static void test_conf_refused(void **state)
{
	(void)state;
	static const struct conf_row rows[] = {
		BAD(n_sessions, 0),
		BAD(n_mappings, 0),
		BAD(n_mappings, 400000),
		BAD(n_filters, 0),
		BAD(n_external, 0),
		BAD(n_external, 17),
		BAD(external_be32, 0),
		BAD(port_lo, 0),
		BAD(session_mapping_limit, 0),
		BAD(session_filter_limit, 0),
		BAD(n_reserved, 33),
		BAD(udp_timeout_ns, NAT_UDP_TIMEOUT_MIN_NS - 1), // RFC 4787 REQ-5
		BAD(tcp_established_timeout_ns,
		    NAT_TCP_ESTABLISHED_TIMEOUT_MIN_NS - 1), // RFC 5382 REQ-5
		BAD(tcp_transitory_timeout_ns,
		    NAT_TCP_TRANSITORY_TIMEOUT_MIN_NS - 1), // RFC 5382 REQ-5
		BAD(icmp_timeout_ns, NAT_ICMP_TIMEOUT_MIN_NS - 1), // RFC 5508 REQ-2
	};
	struct nat_conf conf;
	fix_conf(&conf);
	assert_null(nat_conf_invalid(&conf));
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		fix_conf(&conf);
		size_t size = rows[i].size <= 8 ? rows[i].size : 4;
		memcpy((uint8_t *)&conf + rows[i].offset, &rows[i].value, size);
		const char *member = nat_conf_invalid(&conf);
		assert_non_null(member);
		assert_string_equal(member, rows[i].member);
		assert_int_equal(nat_mem_size(&conf), 0);
		assert_null(nat_init(NULL, &conf));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conf_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
