// SPDX-License-Identifier: Apache-2.0
//
// What a wrong file is told about single keys, with its line; and what a correct one gets.
#include "config/config_load.h"
#include "tests/unit/config/config_rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NETWORK "; allowed: an IPv4 network, such as 10.8.0.0/16"
#define UNICAST "; allowed: a unicast IPv4 address"
#define HOST "; allowed: an IPv4 address or DNS name, with or without :port"
#define TOP \
	"node, worker, memory, ports, wireguard, tunnel, nat, firewall, icmp, sessions, arp, " \
	"usage, retention, chains, voucher, store, api"
#define WORKER "count, cores, main_core, idle, sleep_us, burst"

static struct config config;
static struct config_report report;

static void test_unknown_keys(void **state)
{
	static const struct config_row rows[] = {
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
	config_rows_run(CONFIG_ROWS_GOOD, rows, TEST_N_ROWS(rows));
}

static void test_duplicate_keys(void **state)
{
	static const struct config_row rows[] = {
		{"worker:\n  count: 1\n  idle: spin\n  count: 1\n",
		 {"f:6: key 'worker.count': given a second time, first on line 4; allowed: once"}},
		{"tunnel: {mtu: 1400}\nnode: {name: other}\n",
		 {"f:4: key 'node': given a second time, first on line 1; allowed: once",
		  "f:4: key 'node.name': given a second time, first on line 1; allowed: once"}},
	};

	(void)state;
	config_rows_run(CONFIG_ROWS_GOOD, rows, TEST_N_ROWS(rows));
}

static void test_wrong_kinds(void **state)
{
	static const struct config_row rows[] = {
		{"worker: 5\n",
		 {"f:3: key 'worker': value '5' is not a mapping; allowed: lines of key: value, "
		  "indented"}},
		{"worker:\n",
		 {"f:3: key 'worker': value '' is not a mapping; allowed: lines of key: value, "
		  "indented"}},
		{"worker:\n  count: [1]\n",
		 {"f:4: key 'worker.count': value '[...]' is not a single value; allowed: 1 "
		  "worker"}},
		{"worker:\n  count: {a: 1}\n",
		 {"f:4: key 'worker.count': value '{...}' is not a single value; allowed: 1 "
		  "worker"}},
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
		 {"f:4: key 'worker.count': value '\"2\"' is a text; allowed: 1 worker"}},
		{"worker:\n  count: two\n",
		 {"f:4: key 'worker.count': value 'two' is not a whole number in decimal digits; "
		  "allowed: 1 worker"}},
		{"worker:\n  count:\n",
		 {"f:4: key 'worker.count': value '' is empty; allowed: 1 worker"}},
		{"worker:\n  count: ~\n",
		 {"f:4: key 'worker.count': value '~' is empty; allowed: 1 worker"}},
		{"worker:\n  count: -1\n",
		 {"f:4: key 'worker.count': value '-1' is not a whole number in decimal digits; "
		  "allowed: 1 worker"}},
		{"worker:\n  count: 1.5\n",
		 {"f:4: key 'worker.count': value '1.5' is not a whole number in decimal digits; "
		  "allowed: 1 worker"}},
		{"worker:\n  count: 010\n",
		 {"f:4: key 'worker.count': value '010' has a leading zero; allowed: 1 worker"}},
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
	config_rows_run(CONFIG_ROWS_GOOD, rows, TEST_N_ROWS(rows));
}

static void test_ranges(void **state)
{
	static const struct config_row rows[] = {
		{"worker: {count: 0}\n",
		 {"f:3: key 'worker.count': value '0' is out of range; allowed: 1 worker"}},
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
		{"api: {listen: '127.0.0.1'}\n",
		 {"f:3: key 'api.listen': value '\"127.0.0.1\"' has no port; allowed: an address "
		  "and "
		  "port, such as 127.0.0.1:8080 or [::]:8443, or none"}},
		{"api: {listen: '0.0.0.0:8080'}\n",
		 {CONFIG_ROWS_WARNING
		  "f:3: key 'api.tls': value 'false' leaves tokens readable on the way to "
		  "api.listen; set it, or listen on 127.0.0.1 behind a proxy that speaks TLS"}},
		{"api: {max_connections: 8, connections_per_address: 64}\n", {NULL}},
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
	config_rows_run(CONFIG_ROWS_GOOD, rows, TEST_N_ROWS(rows));
}

static void test_node(void **state)
{
	static const struct config_row rows[] = {
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
	config_rows_run(CONFIG_ROWS_PORT, rows, TEST_N_ROWS(rows));
}

static void test_host(void **state)
{
	char path[] = "/tmp/test_config_load.XXXXXX";
	int fd = mkstemp(path);
	char text[256], message[256];
	long n_cpus = sysconf(_SC_NPROCESSORS_CONF);

	(void)state;
	assert_true(fd >= 0);
	snprintf(text, sizeof(text), "%sworker:\n  cores: [1023]\n", CONFIG_ROWS_GOOD);
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
	size_t len = (size_t)sprintf(text, "%s", CONFIG_ROWS_GOOD);

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
	assert_int_equal(
		config_load_text(&config, CONFIG_ROWS_GOOD, strlen(CONFIG_ROWS_GOOD), "f", &report),
		0
	);
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
	assert_int_equal(config.api.n_auth_domains, 1);
	assert_string_equal(config.api.auth_domains[0], "192.0.2.2");
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
		"worker: {main_core: 1}\n"
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
	assert_int_equal(config.worker.n_cores, 1);
	assert_int_equal(config.worker.cores[0], 2);
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
	snprintf(
		text, sizeof(text), "%snode: {name: x, runtime_dir: /%0100d}\n", CONFIG_ROWS_PORT, 0
	);
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
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_unreadable_files),
		cmocka_unit_test(test_many_mistakes),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_derived),
		cmocka_unit_test(test_long_socket_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
