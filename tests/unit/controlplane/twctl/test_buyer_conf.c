// SPDX-License-Identifier: Apache-2.0
//
// buyer_conf: what client_conf_build writes is taken and written anew; commands, other keys and other
// nodes are not.
#include "controlplane/session/client_conf.h"
#include "controlplane/twctl/buyer_conf.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const uint8_t node_key[32] = {1, 2, 3};
static const uint8_t own_key[32] = {4, 5, 6};

// What a node sends, by the node's own code.
static size_t make(char text[BUYER_CONF_CAP], bool is_ipv6_blocked, const char *private_key)
{
	static struct config config;
	const struct client_conf conf = {
		.config = &config,
		.name = "alice",
		.client_public_key = own_key,
		.node_public_key = node_key,
		.private_key = private_key,
		.inner_addr = 0x0a08001c,
		.is_ipv6_blocked = is_ipv6_blocked,
	};
	int len;

	strcpy(config.node.endpoint.host, "vpn.example");
	config.node.endpoint.port = 51820;
	config.tunnel.mtu = 1420;
	config.tunnel.n_dns = 2;
	config.tunnel.dns[0] = 0x01010101;
	config.tunnel.dns[1] = 0x08080808;
	config.tunnel.persistent_keepalive_sec = 25;
	len = client_conf_build(text, BUYER_CONF_CAP, &conf);
	assert_true(len > 0);
	return (size_t)len;
}

static void test_there_and_back(void **state)
{
	char text[BUYER_CONF_CAP], built[BUYER_CONF_CAP], key[45], node[45],
		expected[BUYER_CONF_CAP];
	char why[BUYER_CONF_WHY];
	struct buyer_conf conf;

	(void)state;
	client_conf_key_text(key, own_key);
	client_conf_key_text(node, node_key);
	for (int six = 0; six < 2; six++) {
		size_t len = make(text, six, NULL);
		int n;

		assert_int_equal(buyer_conf_parse(&conf, text, len, why), 0);
		assert_int_equal(buyer_conf_verify_node(&conf, node_key), 0);
		assert_int_equal(buyer_conf_verify_node(&conf, own_key), -EBADMSG);
		n = buyer_conf_build(built, sizeof(built), &conf, own_key);
		snprintf(
			expected,
			sizeof(expected),
			"[Interface]\nPrivateKey = %s\nAddress = 10.8.0.28/32%s\n"
			"DNS = 1.1.1.1, 8.8.8.8\nMTU = 1420\n\n[Peer]\nPublicKey = %s\n"
			"Endpoint = vpn.example:51820\nAllowedIPs = 0.0.0.0/0%s\n"
			"PersistentKeepalive = 25\n",
			key,
			six ? ", fd74:6f6c:6c77::a08:1c/128" : "",
			node,
			six ? ", ::/0" : ""
		);
		assert_string_equal(built, expected);
		assert_int_equal(n, strlen(expected));
		assert_int_equal(buyer_conf_build(built, (size_t)n, &conf, own_key), -ENOSPC);
		assert_int_equal(built[0], 0);
	}
}

#define HEAD "[Interface]\nAddress = 10.8.0.28/32\n"
#define PEER_KEY "PublicKey = AQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
#define TAIL "[Peer]\n" PEER_KEY "Endpoint = 192.0.2.1:51820\nAllowedIPs = 0.0.0.0/0\n"

static void test_refused(void **state)
{
	static const struct {
		const char *text;
		int r;
	} rows[] = {
		{HEAD TAIL, 0},
		{HEAD "\n# PostUp = id\n" TAIL, 0},
		{HEAD "PostUp = id\n" TAIL, -EBADMSG},
		{HEAD "PreUp = id\n" TAIL, -EBADMSG},
		{HEAD "PostDown = id\n" TAIL, -EBADMSG},
		{HEAD "Table = off\n" TAIL, -EBADMSG},
		{HEAD "SaveConfig = true\n" TAIL, -EBADMSG},
		{HEAD "FwMark = 1\n" TAIL, -EBADMSG},
		{HEAD "DNS = 1.1.1.1\rPostUp = id\n" TAIL, -EBADMSG},
		{HEAD "DNS = example.org\n" TAIL, -EBADMSG}, // wg-quick takes it as a search domain
		{HEAD "DNS = 1.1.1.1, 1.1.1.1, 1.1.1.1, 1.1.1.1, 1.1.1.1\n" TAIL, -EBADMSG},
		{HEAD "DNS = \n" TAIL, -EBADMSG},
		{HEAD "MTU = 575\n" TAIL, -EBADMSG},
		{HEAD "MTU = 9001\n" TAIL, -EBADMSG},
		{HEAD "MTU = 1420x\n" TAIL, -EBADMSG},
		{HEAD "MTU = 1420\nMTU = 1420\n" TAIL, -EBADMSG},
		{HEAD "PrivateKey = AQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n" TAIL, -EBADMSG},
		{HEAD TAIL TAIL, -EBADMSG},
		{TAIL, -EBADMSG},
		{HEAD, -EBADMSG},
		{"", -EBADMSG},
		{"[Interface]\nAddress = 10.8.0.28/24\n" TAIL, -EBADMSG},
		{"[Interface]\nAddress = 10.8.0.28\n" TAIL, -EBADMSG},
		{"[Interface]\nAddress = \n" TAIL, -EBADMSG},
		{"[Interface]\nAddress = 10.8.0.28/32, fd00::1/64\n" TAIL, -EBADMSG},
		{"[Interface]\nAddress = 10.8.0.28/32, fd00::1/128, fd00::2/128\n" TAIL, -EBADMSG},
		{HEAD "[Peer]\n" PEER_KEY
		      "Endpoint = [2001:db8::1]:51820\nAllowedIPs = 0.0.0.0/0\n",
		 0},
		{HEAD "[Peer]\n" PEER_KEY "Endpoint = 2001:db8::1:51820\nAllowedIPs = 0.0.0.0/0\n",
		 -EBADMSG},
		{HEAD "[Peer]\n" PEER_KEY "Endpoint = $(id):51820\nAllowedIPs = 0.0.0.0/0\n",
		 -EBADMSG},
		{HEAD "[Peer]\n" PEER_KEY "Endpoint = -x:51820\nAllowedIPs = 0.0.0.0/0\n",
		 -EBADMSG},
		{HEAD "[Peer]\n" PEER_KEY "Endpoint = a:0\nAllowedIPs = 0.0.0.0/0\n", -EBADMSG},
		{HEAD "[Peer]\n" PEER_KEY "Endpoint = a\nAllowedIPs = 0.0.0.0/0\n", -EBADMSG},
		{HEAD "[Peer]\n" PEER_KEY "Endpoint = a:1\nAllowedIPs = 10.0.0.0/8\n", -EBADMSG},
		{HEAD "[Peer]\n" PEER_KEY "Endpoint = a:1\n", -EBADMSG},
		{HEAD "[Peer]\nEndpoint = a:1\nAllowedIPs = 0.0.0.0/0\n", -EBADMSG},
	};
	char why[BUYER_CONF_WHY];
	struct buyer_conf conf;

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		int r = buyer_conf_parse(&conf, rows[i].text, strlen(rows[i].text), why);

		if (r != rows[i].r)
			fail_msg("row %zu: %d", i, r);
	}
}

// Cut and turned at each octet: no crash, and whatever is taken is written without a line that runs
// anything.
static void test_damaged(void **state)
{
	char text[BUYER_CONF_CAP], built[BUYER_CONF_CAP], why[BUYER_CONF_WHY];
	struct buyer_conf conf;
	size_t len = make(text, true, NULL);

	(void)state;
	for (size_t cut = 0; cut < len; cut++)
		(void)!buyer_conf_parse(&conf, text, cut, why);
	for (size_t bit = 0; bit < 8 * len; bit++) {
		text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
		if (buyer_conf_parse(&conf, text, len, why) == 0) {
			assert_true(buyer_conf_build(built, sizeof(built), &conf, own_key) > 0);
			assert_null(strstr(built, "Up"));
			assert_null(strstr(built, "#"));
		}
		text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
