// SPDX-License-Identifier: Apache-2.0
//
// What a wrong file is told: every message word for word, with its line. A row is a text behind two
// correct lines, and all the messages that it must bring, in order; nothing else may be reported.
#include "config/config_load.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NODE "node: {name: exit-1}\n"
#define PORT_FIELDS "name: wan, devargs: net_ring0, role: both"
#define PORT "ports: [{" PORT_FIELDS ", address: 192.0.2.2/24, gateway: 192.0.2.1}]\n"
#define GOOD NODE PORT
#define MAX_MESSAGES 8

#define NETWORK "; allowed: an IPv4 network, such as 10.8.0.0/16"
#define UNICAST "; allowed: a unicast IPv4 address"
#define HOST "; allowed: an IPv4 address or DNS name, with or without :port"
#define TOP \
	"node, worker, memory, ports, wireguard, tunnel, nat, firewall, icmp, sessions, arp, " \
	"usage, store, api"
#define WORKER "count, cores, main_core, idle, sleep_us, burst"

struct row {
	const char *text;
	const char *messages[MAX_MESSAGES];
};

static struct config config;
static struct config_report report;

static void expect(const char *text, size_t text_len, const char *const *messages)
{
	uint32_t n = 0;
	bool is_refused = false;
	struct config before;
	int rc;

	memset(&config, 0xa5, sizeof(config));
	before = config;
	rc = config_load_text(&config, text, text_len, "f", &report);
	for (; n < MAX_MESSAGES && messages[n] != NULL; n++) {
		if (n < report.n_lines)
			assert_string_equal(report.lines[n].text, messages[n]);
		is_refused |= strstr(messages[n], ": warning: ") == NULL;
	}
	if (report.n_lines > n)
		fail_msg("unexpected: %s", report.lines[n].text);
	assert_int_equal(report.n_lines, n);
	assert_int_equal(rc, is_refused ? -EINVAL : 0);
	if (is_refused)
		assert_memory_equal(&config, &before, sizeof(config));
}

static void run_rows(const char *head, const struct row *rows, size_t n_rows)
{
	for (size_t i = 0; i < n_rows; i++) {
		char text[4096];

		snprintf(text, sizeof(text), "%s%s", head, rows[i].text);
		expect(text, strlen(text), rows[i].messages);
	}
}

static void test_unknown_keys(void **state)
{
	static const struct row rows[] = {
		{"worker:\n  idel: spin\n",
		 {"f:4: key 'worker.idel': unknown, did you mean 'worker.idle'?; "
		  "allowed: " WORKER}},
		{"worker: {cuont: 1}\n",
		 {"f:3: key 'worker.cuont': unknown, did you mean 'worker.count'?; "
		  "allowed: " WORKER}},
		{"sesions:\n  max: 3\n",
		 {"f:3: key 'sesions': unknown, did you mean 'sessions'?; allowed: " TOP}},
		{"worker: {mtu: 3}\n",
		 {"f:3: key 'worker.mtu': unknown, did you mean 'ports[].mtu'?; allowed: " WORKER}},
		{"worker: {colour: 3}\n", {"f:3: key 'worker.colour': unknown; allowed: " WORKER}},
		{"worker: {Count: 3}\n",
		 {"f:3: key 'worker.\"Count\"': unknown; allowed: " WORKER}},
		{"worker.count: 3\n", {"f:3: key '\"worker.count\"': unknown; allowed: " TOP}},
		{"\"\": 3\n", {"f:3: key '\"\"': unknown; allowed: " TOP}},
		{"<<: {count: 3}\n", {"f:3: key '\"<<\"': unknown; allowed: " TOP}},
		{"zzz: {a: {b: [1, 2]}}\n", {"f:3: key 'zzz': unknown; allowed: " TOP}},
	};

	(void)state;
	run_rows(GOOD, rows, TEST_N_ROWS(rows));
}

static void test_duplicate_keys(void **state)
{
	static const struct row rows[] = {
		{"worker:\n  count: 1\n  idle: spin\n  count: 1\n",
		 {"f:6: key 'worker.count': given a second time, first on line 4; allowed: once"}},
		{"tunnel: {mtu: 1400}\nnode: {name: other}\n",
		 {"f:4: key 'node': given a second time, first on line 1; allowed: once",
		  "f:4: key 'node.name': given a second time, first on line 1; allowed: once"}},
	};

	(void)state;
	run_rows(GOOD, rows, TEST_N_ROWS(rows));
}

static void test_wrong_kinds(void **state)
{
	static const struct row rows[] = {
		{"worker: 5\n",
		 {"f:3: key 'worker': value '5' is not a mapping; allowed: lines of key: value, "
		  "indented"}},
		{"worker:\n",
		 {"f:3: key 'worker': value '' is not a mapping; allowed: lines of key: value, "
		  "indented"}},
		{"worker:\n  count: [1]\n",
		 {"f:4: key 'worker.count': value '[...]' is not a single value; allowed: 1 to 128 "
		  "workers"}},
		{"worker:\n  count: {a: 1}\n",
		 {"f:4: key 'worker.count': value '{...}' is not a single value; allowed: 1 to 128 "
		  "workers"}},
		{"worker:\n  cores: 1\n",
		 {"f:4: key 'worker.cores': value '1' is not a list: [a, b] or lines with a dash; "
		  "allowed: 0 to 1023"}},
		{"worker:\n  cores: [[1]]\n",
		 {"f:4: key 'worker.cores[0]': value '[...]' is not a single value; allowed: 0 to "
		  "1023"}},
		{"tunnel:\n  dns: [1.1.1.1, 2.2.2.2, 3.3.3.3, 4.4.4.4,\n    5.5.5.5]\n",
		 {"f:5: key 'tunnel.dns[4]': value '5.5.5.5' is one too many; allowed: at most 4 "
		  "values"}},
		{"worker:\n  count: \"2\"\n",
		 {"f:4: key 'worker.count': value '\"2\"' is a text; allowed: 1 to 128 workers"}},
		{"worker:\n  count: two\n",
		 {"f:4: key 'worker.count': value 'two' is not a whole number in decimal digits; "
		  "allowed: 1 to 128 workers"}},
		{"worker:\n  count:\n",
		 {"f:4: key 'worker.count': value '' is empty; allowed: 1 to 128 workers"}},
		{"worker:\n  count: ~\n",
		 {"f:4: key 'worker.count': value '~' is empty; allowed: 1 to 128 workers"}},
		{"worker:\n  count: -1\n",
		 {"f:4: key 'worker.count': value '-1' is not a whole number in decimal digits; "
		  "allowed: 1 to 128 workers"}},
		{"worker:\n  count: 1.5\n",
		 {"f:4: key 'worker.count': value '1.5' is not a whole number in decimal digits; "
		  "allowed: 1 to 128 workers"}},
		{"worker:\n  count: 010\n",
		 {"f:4: key 'worker.count': value '010' has a leading zero; allowed: 1 to 128 "
		  "workers"}},
		{"memory:\n  hugepages: yes\n",
		 {"f:4: key 'memory.hugepages': value 'yes' is neither true nor false; allowed: "
		  "true "
		  "or false"}},
		{"memory:\n  hugepages: \"true\"\n",
		 {"f:4: key 'memory.hugepages': value '\"true\"' is a text; allowed: true or "
		  "false"}},
		{"worker:\n  idle: doze\n",
		 {"f:4: key 'worker.idle': value 'doze' is not one of the choices; allowed: spin "
		  "or "
		  "sleep"}},
		{"worker:\n  idle: spin|sleep\n",
		 {"f:4: key 'worker.idle': value 'spin|sleep' is not one of the choices; allowed: "
		  "spin or sleep"}},
	};

	(void)state;
	run_rows(GOOD, rows, TEST_N_ROWS(rows));
}

static void test_ranges(void **state)
{
	static const struct row rows[] = {
		{"worker: {count: 0}\n",
		 {"f:3: key 'worker.count': value '0' is out of range; allowed: 1 to 128 workers"}},
		{"usage: {checkpoint_bytes: 18446744073709551616}\n",
		 {"f:3: key 'usage.checkpoint_bytes': value '18446744073709551616' is out of "
		  "range; "
		  "allowed: 1000 to 1000000000000 bytes"}},
		{"wireguard: {listen_port: 65536}\n",
		 {"f:3: key 'wireguard.listen_port': value '65536' is out of range; allowed: 1 to "
		  "65535"}},
		// The RFC's lower ends.
		{"nat: {timeouts: {udp_sec: 119}}\n",
		 {"f:3: key 'nat.timeouts.udp_sec': value '119' is out of range; allowed: 120 to "
		  "86400 seconds"}},
		{"nat: {timeouts: {tcp_established_sec: 7439}}\n",
		 {"f:3: key 'nat.timeouts.tcp_established_sec': value '7439' is out of range; "
		  "allowed: 7440 to 604800 seconds"}},
		{"nat: {timeouts: {tcp_transitory_sec: 239}}\n",
		 {"f:3: key 'nat.timeouts.tcp_transitory_sec': value '239' is out of range; "
		  "allowed: "
		  "240 to 86400 seconds"}},
		{"nat: {timeouts: {icmp_sec: 59}}\n",
		 {"f:3: key 'nat.timeouts.icmp_sec': value '59' is out of range; allowed: 60 to "
		  "86400 "
		  "seconds"}},
		{"firewall: {allow: [10.0.0.1/8]}\n",
		 {"f:3: key 'firewall.allow[0]': value '10.0.0.1/8' has bits set beyond its prefix "
		  "length" NETWORK}},
		{"firewall: {deny: [10.0.0.0]}\n",
		 {"f:3: key 'firewall.deny[0]': value '10.0.0.0' is not an IPv4 address with a "
		  "prefix "
		  "length" NETWORK}},
		{"tunnel: {dns: [1.1.1.256]}\n",
		 {"f:3: key 'tunnel.dns[0]': value '1.1.1.256' is not an IPv4 address" UNICAST}},
		{"tunnel: {dns: ['224.0.0.1']}\n",
		 {"f:3: key 'tunnel.dns[0]': value '\"224.0.0.1\"' is an address that no host can "
		  "have" UNICAST}},
		{"api: {socket_mode: 0666}\n",
		 {"f:3: key 'api.socket_mode': value '0666' lets everybody in; allowed: octal, "
		  "read "
		  "and write for the owner, nothing for others"}},
		{"api: {socket_mode: 0460}\n",
		 {"f:3: key 'api.socket_mode': value '0460' keeps its owner out; allowed: octal, "
		  "read "
		  "and write for the owner, nothing for others"}},
	};

	(void)state;
	run_rows(GOOD, rows, TEST_N_ROWS(rows));
}

static void test_node(void **state)
{
	static const struct row rows[] = {
		{"node: {name: x, endpoint: 'h:0'}\n",
		 {"f:2: key 'node.endpoint': value '\"h:0\"' has no port from 1 to 65535 behind "
		  "the "
		  "colon" HOST}},
		{"node: {name: x, endpoint: 1.2.3}\n",
		 {"f:2: key 'node.endpoint': value '1.2.3' is neither an IPv4 address nor a DNS "
		  "name" HOST}},
		{"node: {name: x, endpoint: '[2001:db8::1]:51820'}\n",
		 {"f:2: key 'node.endpoint': value '\"[2001:db8::1]:51820\"' has no port from 1 to "
		  "65535 behind the colon" HOST}},
		{"node: {name: '', state_dir: var}\n",
		 {"f:2: key 'node.name': value '\"\"' is empty; allowed: 1 to 32 bytes of text",
		  "f:2: key 'node.state_dir': value 'var' is not an absolute path; allowed: an "
		  "absolute path of 1 to 127 bytes"}},
		{"node: {name: \"a\\nb\"}\n",
		 {"f:2: key 'node.name': value '\"a?b\"' holds control characters; allowed: 1 to "
		  "32 "
		  "bytes of text"}},
		{"node: {region: x}\n",
		 {"f:2: key 'node.name': missing, and it has no default; allowed: 1 to 32 bytes of "
		  "text"}},
		{"",
		 {"f:1: key 'node.name': missing, and it has no default; allowed: 1 to 32 bytes "
		  "of text"}},
	};

	(void)state;
	run_rows(PORT, rows, TEST_N_ROWS(rows));
}

static void test_ports(void **state)
{
	static const struct row rows[] = {
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
		{"ports: [{" PORT_FIELDS ", address: 192.0.2.2/24}]\n",
		 {"f:2: key 'ports[0].gateway': value 'none' is none, but the port leads to the "
		  "internet; allowed: 192.0.2.1 to 192.0.2.254"}},
		{"ports: [{" PORT_FIELDS ", address: 192.0.2.2/24, gateway: 192.0.3.1}]\n",
		 {"f:2: key 'ports[0].gateway': value '192.0.3.1' is not on the port's subnet; "
		  "allowed: 192.0.2.1 to 192.0.2.254"}},
		{"ports: [{" PORT_FIELDS ", address: 192.0.2.2/24, gateway: 192.0.2.255}]\n",
		 {"f:2: key 'ports[0].gateway': value '192.0.2.255' is not on the port's subnet; "
		  "allowed: 192.0.2.1 to 192.0.2.254"}},
		{"ports: [{" PORT_FIELDS ", address: 192.0.2.2/24, gateway: 192.0.2.2}]\n",
		 {"f:2: key 'ports[0].gateway': value '192.0.2.2' is the port's own address; "
		  "allowed: "
		  "any other"}},
		{"ports: [{" PORT_FIELDS ", address: 192.0.2.0/24, gateway: 192.0.2.1}]\n",
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
		{"ports: [{" PORT_FIELDS ", address: 192.0.2.2/24, gateway: 192.0.2.1}, 1, 2]\n",
		 {"f:2: key 'ports[1]': value '1' is not a mapping; allowed: name, devargs, role, "
		  "address, ...",
		  "f:2: key 'ports[2]': value '2' is one port too many; allowed: 1 or 2 ports"}},
	};

	(void)state;
	run_rows(NODE, rows, TEST_N_ROWS(rows));
}

static void test_cross_checks(void **state)
{
	static const struct row rows[] = {
		{"worker: {count: 2, cores: [1]}\n",
		 {"f:3: key 'worker.cores': value '1' (its number of cores) is not one core a "
		  "worker; "
		  "allowed: as many as worker.count, 2"}},
		{"worker:\n  count: 3\n  cores: [1, 0, 1]\n",
		 {"f:5: key 'worker.cores[1]': value '0' is worker.main_core, which the slow path "
		  "needs for itself; allowed: any core but 0",
		  "f:5: key 'worker.cores[2]': value '1' stands in the list twice; allowed: once "
		  "1"}},
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
		 {"f:3: warning: key 'sessions.max': value '300' times nat.ports_per_session 256 "
		  "is "
		  "76800 external ports, and the pool has 64512: sessions beyond 252 may find no "
		  "port; add nat.external_addresses"}},
		{"tunnel: {dns: [10.8.0.1]}\n",
		 {"f:3: warning: key 'tunnel.dns[0]': value '10.8.0.1' is a name server that "
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
	run_rows(GOOD, rows, TEST_N_ROWS(rows));
}

// A wrong value is reported once; checks that would build on it stay silent.
static void test_no_consequential_errors(void **state)
{
	static const struct row rows[] = {
		{"tunnel: {network: 300.0.0.0/8, address: 9.9.9.9}\n",
		 {"f:3: key 'tunnel.network': value '300.0.0.0/8' is not an IPv4 address with a "
		  "prefix length" NETWORK}},
		{"worker: {count: 900, cores: [1, 2]}\n",
		 {"f:3: key 'worker.count': value '900' is out of range; allowed: 1 to 128 "
		  "workers"}},
		// Two mistakes that have nothing to do with each other: both.
		{"worker: {count: 900}\ntunnel: {address: 9.9.9.9}\n",
		 {"f:3: key 'worker.count': value '900' is out of range; allowed: 1 to 128 workers",
		  "f:4: key 'tunnel.address': value '9.9.9.9' is no host's address in "
		  "tunnel.network; allowed: 10.8.0.1 to 10.8.255.254"}},
	};

	(void)state;
	run_rows(GOOD, rows, TEST_N_ROWS(rows));
}

static void test_host(void **state)
{
	char path[] = "/tmp/test_config_load.XXXXXX";
	int fd = mkstemp(path);
	char text[256], message[256];
	long n_cpus = sysconf(_SC_NPROCESSORS_CONF);

	(void)state;
	assert_true(fd >= 0);
	snprintf(text, sizeof(text), "%sworker:\n  cores: [1023]\n", GOOD);
	assert_int_equal(write(fd, text, strlen(text)), (int)strlen(text));
	assert_int_equal(config_load(&config, path, &report), n_cpus > 1023 ? 0 : -EINVAL);
	snprintf(
		message,
		sizeof(message),
		"%s:4: key 'worker.cores[0]': value '1023' is a core that this host lacks; "
		"allowed: "
		"0 to %ld",
		path,
		n_cpus - 1
	);
	if (n_cpus <= 1023)
		assert_string_equal(report.lines[0].text, message);
	close(fd);
	unlink(path);
}

static void test_unreadable_files(void **state)
{
	(void)state;
	assert_int_equal(config_load(&config, "/nonexistent.yaml", &report), -ENOENT);
	assert_int_equal(report.n_errors, 1);
	assert_string_equal(
		report.lines[0].text, "/nonexistent.yaml: cannot be read: No such file or directory"
	);
	assert_int_equal(config_load(&config, "/", &report), -EISDIR);
	assert_int_equal(config_load(&config, "/dev/zero", &report), -EFBIG);
}

// More mistakes than the report has lines for: all are counted, none is written beyond its end.
static void test_many_mistakes(void **state)
{
	static char text[40000];
	size_t len = (size_t)sprintf(text, "%s", GOOD);

	(void)state;
	for (int i = 0; i < 1000; i++)
		len += (size_t)sprintf(text + len, "unknown_key_%d: 1\n", i);
	assert_int_equal(config_load_text(&config, text, len, "f", &report), -EINVAL);
	assert_int_equal(report.n_errors, 1000);
	assert_int_equal(report.n_lines, CONFIG_REPORT_MAX);
	assert_int_equal(report.lines[CONFIG_REPORT_MAX - 1].line, 2 + CONFIG_REPORT_MAX);
}

static void test_defaults(void **state)
{
	(void)state;
	assert_int_equal(config_load_text(&config, GOOD, strlen(GOOD), "f", &report), 0);
	assert_int_equal(report.n_lines, 0);
	assert_string_equal(config.node.endpoint.host, "192.0.2.2");
	assert_int_equal(config.node.endpoint.port, 51820);
	assert_int_equal(config.worker.n_cores, 1);
	assert_int_equal(config.worker.cores[0], 1);
	assert_string_equal(config.wireguard.private_key_file, "/var/lib/tollwire/wireguard.key");
	assert_string_equal(config.api.socket, "/run/tollwire/control.sock");
	assert_int_equal(config.api.socket_mode, 0660);
	assert_int_equal(config.tunnel.network.addr, 0x0a080000);
	assert_int_equal(config.tunnel.network.prefix_len, 16);
	assert_int_equal(config.tunnel.n_dns, 2);
	assert_int_equal(config.tunnel.dns[1], 0x08080808);
	assert_int_equal(config.nat.n_external_addresses, 1);
	assert_int_equal(config.nat.external_addresses[0], 0xc0000202);
	assert_int_equal(config.nat.timeouts.tcp_established_sec, 7440);
	assert_int_equal(config.tunnel_port_idx, 0);
	assert_int_equal(config.internet_port_idx, 0);
	assert_int_equal(config.usage.checkpoint_bytes, 100000000);
}

// Defaults that depend on other keys follow them.
static void test_derived(void **state)
{
	static const char text[] =
		"node: {name: x, state_dir: /s, runtime_dir: /r, endpoint: vpn.example.com}\n"
		"worker: {count: 3, main_core: 2}\n"
		"wireguard: {listen_port: 4500, psk_dir: /elsewhere}\n"
		"memory: {mbufs: 32768}\n"
		"ports:\n"
		"- {name: in, devargs: a, role: internet, address: 192.0.2.2/31, gateway: "
		"192.0.2.3}\n"
		"- {name: tun, devargs: b, role: tunnel, address: 198.51.100.7/24}\n";

	(void)state;
	assert_int_equal(config_load_text(&config, text, strlen(text), "f", &report), 0);
	assert_string_equal(config.node.endpoint.host, "vpn.example.com");
	assert_int_equal(config.node.endpoint.port, 4500);
	assert_int_equal(config.worker.n_cores, 3);
	assert_int_equal(config.worker.cores[0], 1);
	assert_int_equal(config.worker.cores[1], 3);
	assert_int_equal(config.worker.cores[2], 4);
	assert_int_equal(config.internet_port_idx, 0);
	assert_int_equal(config.tunnel_port_idx, 1);
	assert_int_equal(config.nat.external_addresses[0], 0xc0000202);
	assert_int_equal(config.ports[1].gateway, 0);
	assert_string_equal(config.wireguard.private_key_file, "/s/wireguard.key");
	assert_string_equal(config.wireguard.psk_dir, "/elsewhere");
	assert_string_equal(config.store.path, "/s/store");
	assert_string_equal(config.api.socket, "/r/control.sock");
}

// A socket's path has 107 bytes (sun_path), and a long runtime_dir must not cut it.
static void test_long_socket_path(void **state)
{
	char text[512];

	(void)state;
	snprintf(text, sizeof(text), "%snode: {name: x, runtime_dir: /%0100d}\n", PORT, 0);
	assert_int_equal(config_load_text(&config, text, strlen(text), "f", &report), -EINVAL);
	assert_string_equal(
		report.lines[0].text,
		"f:1: key 'api.socket': value is too long once it is absolute; allowed: a shorter "
		"one"
	);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unknown_keys),
		cmocka_unit_test(test_duplicate_keys),
		cmocka_unit_test(test_wrong_kinds),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_node),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_cross_checks),
		cmocka_unit_test(test_no_consequential_errors),
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_unreadable_files),
		cmocka_unit_test(test_many_mistakes),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_derived),
		cmocka_unit_test(test_long_socket_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
