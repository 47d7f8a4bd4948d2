// SPDX-License-Identifier: Apache-2.0
//
// What keys demand of each other.
#include "config/config_check.h"
#include "tests/unit/config/config_rows.h"

#include <errno.h>
#include <stdio.h>

#define NETWORK "; allowed: an IPv4 network, such as 10.8.0.0/16"

static void test_ports(void **state)
{
	static const struct config_row rows[] = {
		{"",
		 {"f:1: key 'ports': missing, and it has no default; allowed: a list of 1 or 2 "
		  "ports"}},
		{"ports: []\n",
		 {"f:2: key 'ports': missing, and it has no default; allowed: a list of 1 or 2 "
		  "ports"}},
		{"ports: {name: x}\n",
		 {"f:2: key 'ports': value '{...}' is not a list; allowed: a list of 1 or 2 ports",
		  "f:2: key 'ports': missing, and it has no default; allowed: a list of 1 or 2 "
		  "ports"}},
		{"ports:\n- name: wan\n  devargs: d\n- 7\n",
		 {"f:3: key 'ports[0].role': missing, and it has no default; allowed: tunnel, "
		  "internet or both",
		  "f:3: key 'ports[0].address': missing, and it has no default; allowed: an IPv4 "
		  "address and its prefix length, such as 192.0.2.2/24",
		  "f:5: key 'ports[1]': value '7' is not a mapping; allowed: name, devargs, role, "
		  "address, ..."}},
		{"ports: [{" CONFIG_ROWS_PORT_FIELDS ", address: 192.0.2.2/24}]\n",
		 {"f:2: key 'ports[0].gateway': value 'none' is none, but the port leads to the "
		  "internet; allowed: 192.0.2.1 to 192.0.2.254"}},
		{"ports: [{" CONFIG_ROWS_PORT_FIELDS
		 ", address: 192.0.2.2/24, gateway: 192.0.3.1}]\n",
		 {"f:2: key 'ports[0].gateway': value '192.0.3.1' is not on the port's subnet; "
		  "allowed: 192.0.2.1 to 192.0.2.254"}},
		{"ports: [{" CONFIG_ROWS_PORT_FIELDS
		 ", address: 192.0.2.2/24, gateway: 192.0.2.255}]\n",
		 {"f:2: key 'ports[0].gateway': value '192.0.2.255' is not on the port's subnet; "
		  "allowed: 192.0.2.1 to 192.0.2.254"}},
		{"ports: [{" CONFIG_ROWS_PORT_FIELDS
		 ", address: 192.0.2.2/24, gateway: 192.0.2.2}]\n",
		 {"f:2: key 'ports[0].gateway': value '192.0.2.2' is the port's own address; "
		  "allowed: "
		  "any other"}},
		{"ports: [{" CONFIG_ROWS_PORT_FIELDS
		 ", address: 192.0.2.0/24, gateway: 192.0.2.1}]\n",
		 {"f:2: key 'ports[0].address': value '192.0.2.0' is the network or broadcast "
		  "address "
		  "of its subnet; allowed: 192.0.2.1 to 192.0.2.254"}},
		{"ports:\n- {name: a, devargs: d, role: tunnel, address: 192.0.2.2/24}\n"
		 "- {name: b, devargs: e, role: tunnel, address: 198.51.100.2/24}\n",
		 {"f:2: key 'ports': value 'two ports' does not have one port for each side; "
		  "allowed: "
		  "one port with role both, or one with role tunnel and one with role internet"}},
		{"ports:\n- {name: a, devargs: d, role: tunnel, address: 192.0.2.2/24}\n"
		 "- {name: a, devargs: d, role: internet, address: 192.0.2.2/24, gateway: "
		 "192.0.2.1}\n",
		 {"f:4: key 'ports[1].name': value 'a' is the other port's name; allowed: any "
		  "other",
		  "f:4: key 'ports[1].devargs': value 'd' is the other port's device; allowed: any "
		  "other",
		  "f:4: key 'ports[1].address': value '192.0.2.2' is the other port's address; "
		  "allowed: any other"}},
		{"ports: [{" CONFIG_ROWS_PORT_FIELDS
		 ", address: 192.0.2.2/24, gateway: 192.0.2.1}, 1, 2]\n",
		 {"f:2: key 'ports[1]': value '1' is not a mapping; allowed: name, devargs, role, "
		  "address, ...",
		  "f:2: key 'ports[2]': value '2' is one port too many; allowed: 1 or 2 ports"}},
	};

	(void)state;
	config_rows_run(CONFIG_ROWS_NODE, rows, TEST_N_ROWS(rows));
}

static void test_cross_checks(void **state)
{
	static const struct config_row rows[] = {
		{"worker: {count: 2}\n",
		 {"f:3: key 'worker.count': value '2' is out of range; allowed: 1 worker"}},
		{"worker: {cores: [1, 2]}\n",
		 {"f:3: key 'worker.cores': value '2' (its number of cores) is not one core a "
		  "worker; "
		  "allowed: as many as worker.count, 1"}},
		{"worker:\n  cores: [0]\n",
		 {"f:4: key 'worker.cores[0]': value '0' is worker.main_core, which the slow path "
		  "needs for itself; allowed: any core but 0"}},
		{"memory: {mbufs: 1024}\n",
		 {"f:3: key 'memory.mbufs': value '1024' does not fill the descriptors of all "
		  "queues; "
		  "allowed: at least 2112"}},
		{"memory: {size_mb: 64, mbufs: 65536}\n",
		 {"f:3: key 'memory.size_mb': value '64' does not hold memory.mbufs of "
		  "memory.mbuf_bytes; allowed: more than 149"}},
		{"tunnel: {mtu: 1441}\n",
		 {"f:3: key 'tunnel.mtu': value '1441' leaves no room for the 60 bytes of "
		  "WireGuard "
		  "in the tunnel port's mtu; allowed: at most 1440"}},
		{"tunnel: {network: 10.9.0.0/16}\n",
		 {"f:3: key 'tunnel.address': value '10.8.0.1' is no host's address in "
		  "tunnel.network; allowed: 10.9.0.1 to 10.9.255.254"}},
		{"tunnel: {address: 10.8.255.255}\n",
		 {"f:3: key 'tunnel.address': value '10.8.255.255' is no host's address in "
		  "tunnel.network; allowed: 10.8.0.1 to 10.8.255.254"}},
		{"tunnel: {network: 10.8.0.0/31}\n",
		 {"f:3: key 'tunnel.network': value '10.8.0.0/31' has a prefix length of no use; "
		  "allowed: /8 to /30"}},
		{"tunnel: {network: 10.8.0.0/29}\nsessions: {max: 6}\n",
		 {"f:4: key 'sessions.max': value '6' is more than tunnel.network 10.8.0.0/29 has "
		  "addresses; allowed: at most 5"}},
		{"tunnel: {network: 192.0.0.0/16, address: 192.0.0.1}\n",
		 {"f:3: key 'tunnel.network': value '192.0.0.0/16' overlaps the subnet "
		  "192.0.2.2/24 "
		  "of port wan; allowed: a network of its own"}},
		{"nat: {external_addresses: [192.0.2.3, 192.0.2.3, 192.0.2.1, 192.0.2.255]}\n",
		 {"f:3: key 'nat.external_addresses[1]': value '192.0.2.3' is in the list twice; "
		  "allowed: any other",
		  "f:3: key 'nat.external_addresses[2]': value '192.0.2.1' is the internet port's "
		  "gateway; allowed: any other",
		  "f:3: key 'nat.external_addresses[3]': value '192.0.2.255' is the network or "
		  "broadcast address of the internet port; allowed: 192.0.2.1 to 192.0.2.254"}},
		{"nat: {external_addresses: [10.8.0.9]}\n",
		 {"f:3: key 'nat.external_addresses[0]': value '10.8.0.9' is inside "
		  "tunnel.network; "
		  "allowed: any other"}},
		{"nat: {port_min: 2000, port_max: 1999}\n",
		 {"f:3: key 'nat.port_max': value '1999' is below nat.port_min; allowed: at least "
		  "2000"}},
		{"nat: {port_min: 2000, port_max: 2099, ports_per_session: 101}\n",
		 {"f:3: key 'nat.ports_per_session': value '101' is more than one worker's share "
		  "of "
		  "nat.port_min to nat.port_max; allowed: at most 100"}},
		{"sessions: {max: 300}\n",
		 {CONFIG_ROWS_WARNING
		  "f:3: key 'sessions.max': value '300' times nat.ports_per_session 256 "
		  "is "
		  "76800 external ports, and the pool has 64512: sessions beyond 252 may find no "
		  "port; add nat.external_addresses"}},
		{"tunnel: {dns: [10.8.0.1]}\n",
		 {CONFIG_ROWS_WARNING
		  "f:3: key 'tunnel.dns[0]': value '10.8.0.1' is a name server that "
		  "buyers "
		  "may not reach: add it to firewall.allow"}},
		{"tunnel: {dns: [10.8.0.1]}\nfirewall: {allow: [10.8.0.1/32]}\n", {NULL}},
		{"firewall:\n  deny:\n  - 10.0.0.0/8\n  - 10.0.0.0/8\n",
		 {"f:6: key 'firewall.deny[1]': value '10.0.0.0/8' is in the list twice; allowed: "
		  "any "
		  "other"}},
		{"usage: {poll_interval_ms: 2001, checkpoint_interval_sec: 2}\n",
		 {"f:3: key 'usage.poll_interval_ms': value '2001' is longer than "
		  "usage.checkpoint_interval_sec; allowed: at most 2000"}},
		{"arp: {retry_ms: 1000, timeout_sec: 1}\n",
		 {"f:3: key 'arp.retry_ms': value '1000' is not shorter than arp.timeout_sec; "
		  "allowed: below 1000"}},
	};

	(void)state;
	config_rows_run(CONFIG_ROWS_GOOD, rows, TEST_N_ROWS(rows));
}

#define CHAIN(rest) "  - {name: a, id: 1, escrow: " ESCROW ", node_id: 1, " rest "}\n"
#define CHAIN_B(rest) "  - {name: b, id: 2, escrow: " ESCROW ", node_id: 1, " rest "}\n"
#define ESCROW "0x00000000000000000000000000000000DeaDBeef"
#define LOCAL "endpoints: ['http://127.0.0.1:8545']"
#define ESCROW_LOWER "0x00000000000000000000000000000000deadbeef"
#define OTHER "0x00000000000000000000000000000000deadbee0"
#define TOKENS "; allowed: TOKEN=AMOUNT: 0x and 40 hex digits, 1 to 10^38 - 1 of the smallest unit"
#define URL "; allowed: http://host or https://host, with or without :port and path"

static void test_chains(void **state)
{
	static const struct config_row rows[] = {
		{"chains: []\n", {NULL}},
		{"chains:\n" CHAIN(LOCAL) CHAIN_B("endpoints: [https://x, https://y]"), {NULL}},
		{"chains: {name: a}\n",
		 {"f:3: key 'chains': value '{...}' is not a list; allowed: a list of up to 8 "
		  "chains"}},
		{"chain: {id: 1}\n",
		 {"f:3: key 'chain': unknown, did you mean 'chains'?; allowed: node, worker, "
		  "memory, ports, wireguard, tunnel, nat, firewall, icmp, sessions, arp, usage, "
		  "retention, chains, voucher, store, api"}},
		{"chains:\n  - 7\n",
		 {"f:4: key 'chains[0]': value '7' is not a mapping; allowed: name, id, endpoints, "
		  "escrow, ..."}},
		{"chains:\n  - name: a\n    id: 1\n",
		 {"f:4: key 'chains[0].endpoints': missing, and it has no default" URL,
		  "f:4: key 'chains[0].escrow': missing, and it has no default; allowed: 0x and 40 "
		  "hex digits"}},
		{"chains:\n" CHAIN(LOCAL) CHAIN_B("endpoints: [https://x, 'wss://y']"),
		 {"f:5: key 'chains[1].endpoints[1]': value '\"wss://y\"' starts with neither "
		  "http:// nor https://" URL}},
		{"chains:\n" CHAIN(LOCAL) CHAIN_B(LOCAL),
		 {"f:5: key 'chains[1].endpoints[0]': value 'http://127.0.0.1:8545' is "
		  "chains[0].endpoints[0] too; allowed: each endpoint once"}},
		{"chains:\n" CHAIN("endpoints: [https://h/SECRET, https://h/SECRET]"),
		 {"f:4: key 'chains[0].endpoints[1]': value 'https://h' is chains[0].endpoints[0] "
		  "too; allowed: each endpoint once"}},
		{"chains:\n" CHAIN(LOCAL) CHAIN("endpoints: [http://localhost]"),
		 {"f:5: key 'chains[1].name': value 'a' is the name of chains[0]; allowed: any "
		  "other",
		  "f:5: key 'chains[1].id': value '1' is the id of chains[0], a; allowed: one "
		  "entry a chain"}},
		{"chains:\n" CHAIN("endpoints: []"),
		 {"f:4: key 'chains[0].endpoints': value '[]' is empty; allowed: 1 to 8 URLs"}},
		{"chains:\n" CHAIN("endpoints: https://x"),
		 {"f:4: key 'chains[0].endpoints': value 'https://x' is not a list: [a, b] or "
		  "lines with a dash" URL}},
		{"chains:\n" CHAIN(LOCAL) CHAIN_B("endpiont: [https://x]"),
		 {"f:5: key 'chains[1].endpiont': unknown, did you mean 'chains[1].endpoints'?; "
		  "allowed: name, id, endpoints, escrow, node_id, deployed_block, key_file, "
		  "password_file, poll_ms, fee_ceiling_gwei, low_balance_gwei, confirmations, "
		  "batch",
		  "f:5: key 'chains[1].endpoints': missing, and it has no default" URL}},
		{"chains:\n" CHAIN(LOCAL ", confirmations: {setle: 3}"),
		 {"f:4: key 'chains[0].confirmations.setle': unknown, did you mean "
		  "'chains[0].confirmations.settle'?; allowed: provision, settle"}},
		{"chains:\n" CHAIN(LOCAL) CHAIN_B("endpoints: ['http://[::1]'], bacth: {count: 3}"),
		 {"f:5: key 'chains[1].bacth': unknown, did you mean 'chains[1].batch'?; allowed: "
		  "name, id, endpoints, escrow, node_id, deployed_block, key_file, password_file, "
		  "poll_ms, fee_ceiling_gwei, low_balance_gwei, confirmations, batch"}},
		{"chains:\n" CHAIN(LOCAL ", confirmations: 3"),
		 {"f:4: key 'chains[0].confirmations': value '3' is not a mapping; allowed: lines "
		  "of key: value, indented"}},
		{"chains:\n" CHAIN(LOCAL ", batch: {count: 101}"),
		 {"f:4: key 'chains[0].batch.count': value '101' is out of range; allowed: 1 to "
		  "100 settlements"}},
		{"chains:\n" CHAIN(LOCAL ", batch: {token_payout_thresholds: [" ESCROW "=5000000]}"
		 ),
		 {NULL}},
		{"chains:\n" CHAIN(LOCAL ", batch: {token_payout_thresholds: " ESCROW "=5}"),
		 {"f:4: key 'chains[0].batch.token_payout_thresholds': value '" ESCROW
		  "=5' is not a list: [a, b] or lines with a dash" TOKENS}},
		{"chains:\n" CHAIN(LOCAL
		 ) CHAIN_B("endpoints: ['http://[::1]'], batch: {token_payout_thresholds: [" ESCROW
			   "=5, usdc=5, " ESCROW ", " OTHER "=1.5]}"),
		 {"f:5: key 'chains[1].batch.token_payout_thresholds[1]': value 'usdc=5' does not "
		  "start with 0x" TOKENS,
		  "f:5: key 'chains[1].batch.token_payout_thresholds[2]': value '" ESCROW
		  "' has no = between a token and an amount" TOKENS,
		  "f:5: key 'chains[1].batch.token_payout_thresholds[3]': value '" OTHER
		  "=1.5' has an amount that is not a whole number in decimal digits" TOKENS}},
		{"chains:\n" CHAIN(LOCAL ", batch: {token_payout_thresholds: [" ESCROW "=5, " OTHER
					 "=7, " ESCROW_LOWER "=6]}"),
		 {"f:4: key 'chains[0].batch.token_payout_thresholds[2]': value '" ESCROW_LOWER
		  "' has a threshold in token_payout_thresholds[0]; allowed: each token once"}},
		{"chains:\n" CHAIN(LOCAL ", Name: x"),
		 {"f:4: key 'chains[0].\"Name\"': unknown; allowed: name, id, endpoints, escrow, "
		  "node_id, deployed_block, key_file, password_file, poll_ms, fee_ceiling_gwei, "
		  "low_balance_gwei, confirmations, batch"}},
		{"chains:\n" CHAIN("endpoints: ['http://10.0.0.1', https://x]"),
		 {CONFIG_ROWS_WARNING
		  "f:4: key 'chains[0].endpoints[0]': value 'http://10.0.0.1' lets whoever is on "
		  "the way forge payments; use https"}},
		{"chains:\n" CHAIN("endpoints: ['http://127.1.example:80', https://x]"),
		 {CONFIG_ROWS_WARNING
		  "f:4: key 'chains[0].endpoints[0]': value 'http://127.1.example:80' lets whoever "
		  "is on the way forge payments; use https"}},
		{"chains:\n" CHAIN("endpoints: [https://x]"),
		 {CONFIG_ROWS_WARNING
		  "f:4: key 'chains[0].endpoints': value 'one URL' leaves nobody to notice when it "
		  "is wrong; add one of another provider"}},
		{"chains:\n  - {name: a, id: 1, escrow: " ESCROW ", " LOCAL "}\n",
		 {CONFIG_ROWS_WARNING
		  "f:4: key 'chains[0].node_id': value '0' is nobody's: nothing can be bought "
		  "here; run twctl chain register"}},
		{"chains:\n" CHAIN(LOCAL ", confirmations: {provision: 5, settle: 3}"),
		 {CONFIG_ROWS_WARNING
		  "f:4: key 'chains[0].confirmations.settle': value '3' is below "
		  "confirmations.provision 5: a settlement would count as done before a purchase "
		  "as made"}},
	};

	(void)state;
	config_rows_run(CONFIG_ROWS_GOOD, rows, TEST_N_ROWS(rows));
}

static void test_too_many_chains(void **state)
{
	char text[2000];
	size_t len = (size_t)sprintf(text, CONFIG_ROWS_GOOD "chains:\n");
	static struct config config;
	static struct config_report report;

	(void)state;
	for (int i = 0; i < 9; i++) {
		len += (size_t)sprintf(
			text + len,
			"- {name: c%d, id: %d, escrow: '" ESCROW "', node_id: 1, endpoints: "
			"['http://localhost:%d']}\n",
			i,
			i + 1,
			i + 1
		);
		if (i < 8)
			assert_int_equal(config_load_text(&config, text, len, "f", &report), 0);
	}
	assert_int_equal(config.n_chains, 8);
	assert_int_equal(config_load_text(&config, text, len, "f", &report), -EINVAL);
	assert_int_equal(report.n_lines, 1);
	assert_string_equal(
		report.lines[0].text,
		"f:12: key 'chains[8]': value '{...}' is one chain too many; allowed: up to 8 "
		"chains"
	);
}

// A wrong value is reported once; checks that would build on it stay silent.
static void test_no_consequential_errors(void **state)
{
	static const struct config_row rows[] = {
		{"tunnel: {network: 300.0.0.0/8, address: 9.9.9.9}\n",
		 {"f:3: key 'tunnel.network': value '300.0.0.0/8' is not an IPv4 address with a "
		  "prefix length" NETWORK}},
		{"worker: {count: 900, cores: [1, 2]}\n",
		 {"f:3: key 'worker.count': value '900' is out of range; allowed: 1 worker"}},
		// Two mistakes that have nothing to do with each other: both.
		{"worker: {count: 900}\ntunnel: {address: 9.9.9.9}\n",
		 {"f:3: key 'worker.count': value '900' is out of range; allowed: 1 worker",
		  "f:4: key 'tunnel.address': value '9.9.9.9' is no host's address in "
		  "tunnel.network; allowed: 10.8.0.1 to 10.8.255.254"}},
	};

	(void)state;
	config_rows_run(CONFIG_ROWS_GOOD, rows, TEST_N_ROWS(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_cross_checks),
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_too_many_chains),
		cmocka_unit_test(test_no_consequential_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
