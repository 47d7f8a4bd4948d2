// SPDX-License-Identifier: Apache-2.0
//
// What is written loads again to the same.
#include "config/config_load.h"
#include "config/config_write.h"
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void test_round_trip(void **state)
{
	static const char *const texts[] = {
		"node: {name: x}\n"
		"ports: [{name: wan, devargs: d, role: both, address: 192.0.2.2/24, gateway: "
		"192.0.2.1}]\n",
		// Texts that YAML would take for something else.
		"node: {name: 'null', region: '~', endpoint: vpn.example.com:1}\n"
		"ports:\n"
		"- {name: '12', devargs: 'a: b # c', role: tunnel, address: 192.0.2.2/24}\n"
		"- {name: 'on', devargs: \"\\\"{x}\\\\\", role: internet, address: "
		"198.51.100.2/24, "
		"gateway: 198.51.100.1, promiscuous: true, checksum_offload: 'off'}\n"
		"nat: {external_addresses: [198.51.100.2, 198.51.100.3], timeouts: {udp_sec: "
		"200}}\n"
		"firewall: {allow: [10.0.0.0/8, 192.168.0.0/16]}\n"
		"usage: {checkpoint_bytes: 1000000000000}\n"
		"api: {socket_mode: 0600}\n"
		"chains:\n"
		"- name: '1'\n"
		"  id: 9007199254740991\n"
		"  endpoints: ['https://u:p@a.example/k?a=b&c=~#x', https://b.example]\n"
		"  escrow: 0x00000000000000000000000000000000DeaDBeef\n"
		"  node_id: 3\n"
		"  confirmations: {settle: 1000}\n"
		"  batch: {payout_threshold_gwei: 1000000000000000, count: 1, "
		"token_payout_thresholds: [0x00000000000000000000000000000000DeaDBeef=5000000, "
		"0x00000000000000000000000000000000deadbee0=1]}\n"
		"- name: two\n"
		"  id: 1\n"
		"  endpoints: [http://localhost]\n"
		"  escrow: '0x00000000000000000000000000000000DeaDBeef'\n"
		"  node_id: 3\n"
		"  confirmations: {provision: 1}\n"
		"  key_file: two.key\n",
	};
	static struct config config, again;
	static struct config_report report;

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(texts); i++) {
		char *text = NULL;
		size_t len = 0;
		FILE *out = open_memstream(&text, &len);

		assert_non_null(out);
		assert_int_equal(
			config_load_text(&config, texts[i], strlen(texts[i]), "f", &report), 0
		);
		assert_int_equal(config_write_yaml(&config, out), 0);
		assert_int_equal(fclose(out), 0);
		if (config_load_text(&again, text, len, "again", &report) != 0)
			fail_msg("%s", report.lines[0].text);
		assert_memory_equal(&config, &again, sizeof(config));
		free(text);
	}
}

static void test_full_device(void **state)
{
	static struct config config;
	FILE *out = fopen("/dev/full", "w");

	(void)state;
	assert_non_null(out);
	setbuf(out, NULL);
	config.n_ports = 1;
	assert_true(config_write_yaml(&config, out) < 0);
	fclose(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_full_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
