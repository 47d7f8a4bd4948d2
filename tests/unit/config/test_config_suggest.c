// SPDX-License-Identifier: Apache-2.0
#include "config/config_suggest.h"
#include "tests/unit/test.h"

static void test_nearest(void **state)
{
	static const struct {
		const char *path;
		const char *meant;
	} rows[] = {
		{"worker.count", "worker.count"},
		{"worker.cnt", "worker.count"}, // insertions
		{"worker.mian_core", "worker.main_core"}, // a swap
		{"worker.main-core", "worker.main_core"}, // a substitution
		{"ports[].nmae", "ports[].name"},
		{"nat.timeouts.udp_secs", "nat.timeouts.udp_sec"}, // a deletion
		{"port", "ports[]"},
		{"chain", "chains[]"},
		{"chains[].endpoint", "chains[].endpoints"},
		{"chains[].confirmation", "chains[].confirmations"},
		{"chains[].confirmations.settel", "chains[].confirmations.settle"},
		{"nat.timeout", "nat.timeouts"},
		{"node.listen_port", "wireguard.listen_port"}, // right name, wrong section
		{"tunnel.handshake_burst", "wireguard.handshake_burst"},
		{"worker.qqqqq", NULL},
		{"x", NULL},
		{"worker.a_name_that_is_longer_than_every_key_of_the_table", NULL},
	};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		const char *meant = config_suggest_key(rows[i].path);

		if (rows[i].meant == NULL)
			assert_null(meant);
		else
			assert_string_equal(meant, rows[i].meant);
	}
}

static void test_siblings(void **state)
{
	char names[320], few[8];

	(void)state;
	config_suggest_siblings("arp.x", names, sizeof(names));
	assert_string_equal(names, "timeout_sec, retry_ms, hold_packets");
	config_suggest_siblings("nat.timeouts.x", names, sizeof(names));
	assert_string_equal(names, "udp_sec, tcp_established_sec, tcp_transitory_sec, icmp_sec");
	config_suggest_siblings("nosuch.x", names, sizeof(names));
	assert_string_equal(names, "");
	config_suggest_siblings("arp.x", few, sizeof(few));
	assert_string_equal(few, "timeout");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_siblings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
