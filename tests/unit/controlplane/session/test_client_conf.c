// SPDX-License-Identifier: Apache-2.0
//
// client_conf: the text itself, and that wg-quick(8) and wg(8) take it.
#include "controlplane/session/client_conf.h"
#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct config config;
static uint8_t client_key[32], node_key[32];

static int set_up(void **state)
{
	(void)state;
	strcpy(config.node.endpoint.host, "vpn.example.net");
	config.node.endpoint.port = 51820;
	config.tunnel.mtu = 1420;
	config.tunnel.dns[0] = 0x01010101;
	config.tunnel.dns[1] = 0x08080808;
	config.tunnel.n_dns = 2;
	config.tunnel.persistent_keepalive_sec = 25;
	for (int i = 0; i < 32; i++) {
		client_key[i] = (uint8_t)i;
		node_key[i] = (uint8_t)(255 - i);
	}
	return 0;
}

#define CLIENT_KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define NODE_KEY "//79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eA="
#define PRIVATE_KEY "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="

static struct client_conf row(const char *private_key, bool is_ipv6_blocked)
{
	return (struct client_conf){
		.config = &config,
		.name = "alice",
		.client_public_key = client_key,
		.node_public_key = node_key,
		.private_key = private_key,
		.inner_addr = 0x0a08001c,
		.is_ipv6_blocked = is_ipv6_blocked,
	};
}

static void test_text(void **state)
{
	struct client_conf conf = row(PRIVATE_KEY, false);
	char text[CLIENT_CONF_CAP];
	int len = client_conf_build(text, sizeof(text), &conf);

	(void)state;
	assert_true(len > 0);
	assert_int_equal(len, strlen(text));
	assert_string_equal(
		text,
		"# tollwire session alice\n"
		"[Interface]\n"
		"PrivateKey = " PRIVATE_KEY "\n"
		"Address = 10.8.0.28/32\n"
		"DNS = 1.1.1.1, 8.8.8.8\n"
		"MTU = 1420\n"
		"\n"
		"[Peer]\n"
		"PublicKey = " NODE_KEY "\n"
		"Endpoint = vpn.example.net:51820\n"
		"AllowedIPs = 0.0.0.0/0\n"
		"PersistentKeepalive = 25\n"
	);
}

static void test_variants(void **state)
{
	struct client_conf conf = row(NULL, true);
	char text[CLIENT_CONF_CAP];

	(void)state;
	conf.has_psk = true;
	config.tunnel.n_dns = 0;
	config.tunnel.persistent_keepalive_sec = 0;
	assert_true(client_conf_build(text, sizeof(text), &conf) > 0);
	set_up(NULL);
	assert_string_equal(
		text,
		"# tollwire session alice\n"
		"[Interface]\n"
		"# The private key that belongs to " CLIENT_KEY "\n"
		"PrivateKey = " CLIENT_CONF_KEY_PLACEHOLDER "\n"
		"Address = 10.8.0.28/32, fd74:6f6c:6c77::a08:1c/128\n"
		"MTU = 1420\n"
		"\n"
		"[Peer]\n"
		"PublicKey = " NODE_KEY "\n"
		"PresharedKey = " CLIENT_CONF_PSK_PLACEHOLDER "\n"
		"Endpoint = vpn.example.net:51820\n"
		"AllowedIPs = 0.0.0.0/0, ::/0\n"
	);
}

static void test_too_small_a_buffer_is_wiped(void **state)
{
	struct client_conf conf = row(PRIVATE_KEY, true);
	char text[CLIENT_CONF_CAP];
	int len = client_conf_build(text, sizeof(text), &conf);

	(void)state;
	for (int cap = 0; cap <= len; cap++) {
		char small[CLIENT_CONF_CAP];

		memset(small, 'x', sizeof(small));
		assert_int_equal(client_conf_build(small, (size_t)cap, &conf), -ENOSPC);
		assert_null(memmem(small, (size_t)cap, "PrivateKey", 10));
		assert_int_equal(small[cap], 'x');
	}
	assert_int_equal(client_conf_build(text, (size_t)len + 1, &conf), len);
}

// Writes the configuration, strips it with wg-quick and feeds it to wg. The interface does not exist:
// wg(8) parses the whole file first, so what it complains about tells how far it came.
static void run_wg(const char *private_key, bool is_ipv6_blocked, char *out, size_t out_cap)
{
	struct client_conf conf = row(private_key, is_ipv6_blocked);
	char dir[] = "/tmp/test_client_conf.XXXXXX", text[CLIENT_CONF_CAP];
	char file[64], command[256];
	FILE *pipe;
	int fd;

	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/tw.conf", dir);
	assert_true(client_conf_build(text, sizeof(text), &conf) > 0);
	fd = creat(file, 0600);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	snprintf(
		command,
		sizeof(command),
		"wg-quick strip %s > %s/stripped && wg setconf nosuchif0 %s/stripped 2>&1; rm -rf "
		"%s",
		file,
		dir,
		dir,
		dir
	);
	pipe = popen(command, "r");
	out[fread(out, 1, out_cap - 1, pipe)] = '\0';
	pclose(pipe);
}

static void test_wg_takes_it(void **state)
{
	char out[4096];

	(void)state;
	// A host name would be resolved.
	strcpy(config.node.endpoint.host, "192.0.2.1");
	for (int is_ipv6_blocked = 0; is_ipv6_blocked < 2; is_ipv6_blocked++) {
		run_wg(PRIVATE_KEY, is_ipv6_blocked, out, sizeof(out));
		if (strstr(out, "Unable to modify interface") == NULL ||
		    strstr(out, "pars") != NULL)
			fail_msg("wg: %s", out);
	}
	// The placeholder is no key: a client with it refuses instead of failing in silence.
	run_wg(NULL, false, out, sizeof(out));
	if (strstr(out, "not the correct length") == NULL)
		fail_msg("wg: %s", out);
	set_up(NULL);
}

static void test_key_text(void **state)
{
	static const char *const bad[] = {
		"",
		"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
		"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8==",
		"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=", // spare bits
		"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8A",
		"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdH=8=",
		"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd-_8=",
		" AECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
	};
	uint8_t key[32];
	char text[45];

	(void)state;
	for (int round = 0; round < 256; round++) {
		uint8_t in[32];

		for (int i = 0; i < 32; i++)
			in[i] = (uint8_t)(round * (i + 7) + i * i);
		client_conf_key_text(text, in);
		assert_int_equal(client_conf_key_parse(key, text), 0);
		assert_memory_equal(key, in, 32);
	}
	client_conf_key_text(text, client_key);
	assert_string_equal(text, CLIENT_KEY);
	memset(key, 7, sizeof(key));
	for (size_t i = 0; i < TEST_N_ROWS(bad); i++)
		assert_int_equal(client_conf_key_parse(key, bad[i]), -EINVAL);
	assert_int_equal(key[0], 7); // untouched
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_variants),
		cmocka_unit_test(test_too_small_a_buffer_is_wiped),
		cmocka_unit_test(test_wg_takes_it),
		cmocka_unit_test(test_key_text),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
