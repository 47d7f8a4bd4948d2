// SPDX-License-Identifier: Apache-2.0
//
// One value: both ends of every range of the table, and the texts that a kind takes or refuses.
#include "config/config_format.h"
#include "config/config_value.h"
#include "tests/unit/test.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct config_key *lookup(const char *path)
{
	const struct config_key *key = config_keys_lookup(path);

	assert_non_null(key);
	return key;
}

static bool check_taken(const struct config_key *key, uint64_t value)
{
	char text[24];
	uint64_t field = 0;

	snprintf(text, sizeof(text), "%" PRIu64, value);
	if (config_value_parse(key, text, true, &field) != NULL)
		return false;
	assert_int_equal(config_value_load_uint(&field, key->size), value);
	return true;
}

static void test_ends_of_ranges(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < config_keys_n; i++) {
		const struct config_key *key = &config_keys[i];

		if (key->kind != CONFIG_UINT)
			continue;
		assert_true(check_taken(key, key->min));
		assert_true(check_taken(key, key->max));
		assert_false(check_taken(key, key->max + 1));
		if (key->min > 0)
			assert_false(check_taken(key, key->min - 1));
	}
}

// The field holds what the range allows.
static void test_field_sizes(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < config_keys_n; i++) {
		const struct config_key *key = &config_keys[i];
		uint64_t most = key->size == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * key->size) - 1;

		if (key->kind == CONFIG_UINT)
			assert_true(key->max <= most);
		if (key->kind == CONFIG_TEXT || key->kind == CONFIG_NAME ||
		    key->kind == CONFIG_PATH)
			assert_true(key->max < key->size);
	}
}

struct row {
	const char *path;
	const char *text;
	const char *written; // NULL = refused
};

#define TOKENS "chains[].batch.token_payout_thresholds"
#define DIGITS_38 "99999999999999999999999999999999999999"
#define ADDRESS "0x00000000000000000000000000000000DeaDBeef"

static void test_texts(void **state)
{
	static const struct row rows[] = {
		{"tunnel.address", "10.8.0.1", "10.8.0.1"},
		{"tunnel.address", "010.8.0.1", NULL},
		{"tunnel.address", "10.8.0", NULL},
		{"tunnel.address", "10.8.0.1.", NULL},
		{"tunnel.address", "10.8.0.1 ", NULL},
		{"tunnel.address", "10.8.0.256", NULL},
		{"tunnel.address", "0.0.0.0", NULL},
		{"tunnel.address", "127.0.0.1", NULL},
		{"tunnel.address", "239.1.1.1", NULL},
		{"tunnel.address", "255.255.255.255", NULL},
		{"tunnel.address", "none", NULL},
		{"ports[].gateway", "none", "none"},
		{"ports[].gateway", "192.0.2.1", "192.0.2.1"},
		{"ports[].address", "192.0.2.2/24", "192.0.2.2/24"},
		{"ports[].address", "192.0.2.2/32", "192.0.2.2/32"},
		{"ports[].address", "192.0.2.2/33", NULL},
		{"ports[].address", "192.0.2.2", NULL},
		{"ports[].address", "192.0.2.2/", NULL},
		{"ports[].address", "192.0.2.2/024", NULL},
		{"ports[].address", "192.0.2.2/-1", NULL},
		{"tunnel.network", "0.0.0.0/0", "0.0.0.0/0"},
		{"tunnel.network", "10.0.0.0/8", "10.0.0.0/8"},
		{"tunnel.network", "10.1.0.0/8", NULL},
		{"node.endpoint", "vpn.example.com:443", "vpn.example.com:443"},
		{"node.endpoint", "192.0.2.1:65535", "192.0.2.1:65535"},
		{"node.endpoint", "a-b.c", "a-b.c:0"},
		{"node.endpoint", "192.0.2.1:", NULL},
		{"node.endpoint", "192.0.2.1:65536", NULL},
		{"node.endpoint", ":51820", NULL},
		{"node.endpoint", "-a.example", NULL},
		{"node.endpoint", "a-.example", NULL},
		{"node.endpoint", "a..example", NULL},
		{"node.endpoint", "a.example.", NULL},
		{"node.endpoint", "1.2.3.400", NULL},
		{"node.endpoint", "example.123", NULL},
		{"node.endpoint", "ex ample.com", NULL},
		{"api.listen", "none", "none"},
		{"api.listen", "127.0.0.1:8080", "127.0.0.1:8080"},
		{"api.listen", "0.0.0.0:65535", "0.0.0.0:65535"},
		{"api.listen", "[::]:443", "[::]:443"},
		{"api.listen", "[2001:db8::0:1]:1", "[2001:db8::1]:1"},
		{"api.listen", "127.0.0.1", NULL},
		{"api.listen", "127.0.0.1:", NULL},
		{"api.listen", "127.0.0.1:0", NULL},
		{"api.listen", "127.0.0.1:65536", NULL},
		{"api.listen", "127.0.0.1:80x", NULL},
		{"api.listen", ":8080", NULL},
		{"api.listen", "::1:8080", NULL},
		{"api.listen", "[::1]", NULL},
		{"api.listen", "[::1:8080", NULL},
		{"api.listen", "[]:8080", NULL},
		{"api.listen", "[127.0.0.1]:8080", NULL},
		{"api.listen", "localhost:8080", NULL},
		{"api.socket_mode", "0660", "0660"},
		{"api.socket_mode", "600", "0600"},
		{"api.socket_mode", "0680", NULL},
		{"api.socket_mode", "0661", NULL},
		{"api.socket_mode", "1660", NULL},
		{"api.socket_mode", "0", NULL},
		{"ports[].name", "wan_0-b", "wan_0-b"},
		{"ports[].name", "Wan", NULL},
		{"ports[].name", "wan 0", NULL},
		{"ports[].name", "a123456789b123456789c123456789d12", NULL},
		{"node.name", "Zürich \xe2\x9c\x93", "Zürich \xe2\x9c\x93"},
		{"node.name", "bell\a", NULL},
		{"node.name", "c1 \xc2\x85", NULL},
		{"node.state_dir", "/var/lib", "/var/lib"},
		{"node.state_dir", "./here", NULL},
		{"worker.idle", "sleep", "sleep"},
		{"worker.idle", "sle", NULL},
		{"worker.idle", "", NULL},
		{"chains[].endpoints", "http://127.0.0.1:8545", "http://127.0.0.1:8545"},
		{"chains[].endpoints",
		 "https://[2001:db8::1]:1/v3/K?x=y",
		 "https://[2001:db8::1]:1/v3/K?x=y"},
		{"chains[].endpoints",
		 "https://u:p%40@rpc.example.com",
		 "https://u:p%40@rpc.example.com"},
		{"chains[].endpoints", "https://[::1]", "https://[::1]"},
		{"chains[].endpoints", "ws://rpc.example.com", NULL},
		{"chains[].endpoints", "HTTPS://rpc.example.com", NULL},
		{"chains[].endpoints", "rpc.example.com", NULL},
		{"chains[].endpoints", "https://", NULL},
		{"chains[].endpoints", "https:///v3", NULL},
		{"chains[].endpoints", "https://:8545", NULL},
		{"chains[].endpoints", "https://user@", NULL},
		{"chains[].endpoints", "https://[::1", NULL},
		{"chains[].endpoints", "https://h/]", "https://h/]"},
		{"chains[].endpoints", "https://[h/]", NULL},
		{"chains[].endpoints", "https://h:0", NULL},
		{"chains[].endpoints", "https://h:65536", NULL},
		{"chains[].endpoints", "https://h:80x/", NULL},
		{"chains[].endpoints", "https://h:/", NULL},
		{"chains[].endpoints", "https://a,https://b", NULL},
		{"chains[].endpoints", "https://a b", NULL},
		{"chains[].endpoints", "https://a\xc3\xa9", NULL},
		{"chains[].escrow", ADDRESS, ADDRESS},
		{"chains[].escrow", "0x00000000000000000000000000000000deadbee", NULL},
		{"chains[].escrow", "0x00000000000000000000000000000000deadbeeff", NULL},
		{"chains[].escrow", "0x00000000000000000000000000000000deadbeeg", NULL},
		{"chains[].escrow", "00000000000000000000000000000000deadbeef00", NULL},
		{"chains[].escrow", "0x0000000000000000000000000000000000000000", NULL},
		{TOKENS, ADDRESS "=1", ADDRESS "=1"},
		{TOKENS, ADDRESS "=" DIGITS_38, ADDRESS "=" DIGITS_38},
		{TOKENS, ADDRESS "=" DIGITS_38 "0", NULL},
		{TOKENS, ADDRESS "=0", NULL},
		{TOKENS, ADDRESS "=01", NULL},
		{TOKENS, ADDRESS "=", NULL},
		{TOKENS, ADDRESS "=1.5", NULL},
		{TOKENS, ADDRESS "=-1", NULL},
		{TOKENS, ADDRESS "=1=1", NULL},
		{TOKENS, ADDRESS " = 1", NULL},
		{TOKENS, ADDRESS, NULL},
		{TOKENS, "=1", NULL},
		{TOKENS, "usdc=1", NULL},
		{TOKENS, ADDRESS "0=1", NULL},
		{TOKENS, "0x00000000000000000000000000000000deadbee=1", NULL},
		{TOKENS, "0x0000000000000000000000000000000000000000=1", NULL},
		{"worker.count", "+1", NULL},
		{"worker.count", "1e1", NULL},
		{"worker.count", "0x1", NULL},
		{"worker.count", "1_0", NULL},
	};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		const struct config_key *key = lookup(rows[i].path);
		char field[CONFIG_URL_CAP], before[CONFIG_URL_CAP], written[CONFIG_FORMAT_CAP];
		const char *wrong;

		memset(field, 0xa5, sizeof(field));
		memcpy(before, field, sizeof(field));
		wrong = config_value_parse(key, rows[i].text, true, field);
		if (rows[i].written == NULL) {
			if (wrong == NULL)
				fail_msg("%s took '%s'", rows[i].path, rows[i].text);
			assert_memory_equal(field, before, sizeof(field));
			continue;
		}
		if (wrong != NULL)
			fail_msg("%s: '%s' %s", rows[i].path, rows[i].text, wrong);
		config_format_value(key, field, written, sizeof(written));
		assert_string_equal(written, rows[i].written);
	}
}

// Endpoints have keys of the provider in their path or user: the log shows neither.
static void test_shown(void **state)
{
	static const struct {
		const char *url;
		const char *shown;
	} rows[] = {
		{"https://rpc.example.com/v3/SECRET", "https://rpc.example.com"},
		{"https://rpc.example.com?key=SECRET", "https://rpc.example.com"},
		{"https://rpc.example.com#SECRET", "https://rpc.example.com"},
		{"http://SECRET:SECRET@[::1]:8545/", "http://[::1]:8545"},
		{"http://SECRET@SECRET@h", "http://h"},
		{"http://h/@SECRET", "http://h"},
	};
	char shown[CONFIG_FORMAT_CAP];

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		config_format_shown(
			lookup("chains[].endpoints"), rows[i].url, shown, sizeof(shown)
		);
		assert_string_equal(shown, rows[i].shown);
	}
	config_format_shown(lookup("chains[].escrow"), ADDRESS, shown, sizeof(shown));
	assert_string_equal(shown, ADDRESS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends_of_ranges),
		cmocka_unit_test(test_field_sizes),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
