// SPDX-License-Identifier: Apache-2.0
//
// Constant time of what compares secrets: the tag of transport data, mac1 and mac2. Secrets are
// marked as undefined memory, so that valgrind reports every branch and every address that depends
// on them (libsecp256k1's method). Verdicts are public and are marked defined before they are
// looked at.
//
//   ctime_wg           must run without a report
//   ctime_wg --leaky   compares as nobody should, and must be reported: the control of the method
#include "dataplane/wg/wg_aead.h"
#include "dataplane/wg/wg_cookie.h"
#include "dataplane/wg/wg_primitives.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <valgrind/memcheck.h>

#define SECRET(memory, len) VALGRIND_MAKE_MEM_UNDEFINED(memory, len)
#define PUBLIC(memory, len) VALGRIND_MAKE_MEM_DEFINED(memory, len)

static int failures;

static void expect(bool is_right, const char *what)
{
	if (!is_right) {
		fprintf(stderr, "ctime_wg: %s\n", what);
		failures++;
	}
}

// The received tag is public, the computed one (what an attacker is after) comes from the secret
// key.
static void tag_compare(struct wg_aead *aead)
{
	for (uint32_t len = 0; len <= 300; len += 20) {
		for (int bit = -1; bit < 128; bit += 43) {
			uint8_t key[32] = {3}, data[300 + WG_TAG_BYTES] = {0}, verdict;
			struct wg_aead_op op = {key, 9, data, len};

			wg_aead_seal(aead, &op, 1);
			if (bit >= 0)
				data[len + (uint32_t)bit / 8] ^= (uint8_t)(1 << bit % 8);
			SECRET(key, sizeof(key));
			wg_aead_open(aead, &op, &verdict, 1);
			PUBLIC(&verdict, sizeof(verdict));
			expect((verdict == WG_AEAD_AUTHENTIC) == (bit < 0), "tag verdict");
		}
	}
}

static void mac_compare(void)
{
	const struct wg_source source = wg_source_ipv4(1, 2);
	uint8_t public_key[WG_KEY_BYTES] = {5}, message[sizeof(struct wg_message_initiation)] = {1};
	struct wg_message_cookie_reply reply;
	struct wg_cookie_jar jar;
	struct wg_cookie cookie;
	int ret;

	wg_cookie_init(&cookie, public_key);
	wg_cookie_jar_init(&jar, public_key);
	wg_cookie_jar_add_macs(&jar, message, sizeof(message), 1);
	wg_cookie_create_reply(&cookie, message, sizeof(message), &source, 1, &reply);
	expect(wg_cookie_jar_consume_reply(&jar, &reply, 1) == 0, "cookie reply");
	wg_cookie_jar_add_macs(&jar, message, sizeof(message), 1);
	SECRET(cookie.secret, sizeof(cookie.secret));
	SECRET(cookie.mac1_key, sizeof(cookie.mac1_key));
	for (size_t at = 115; at < sizeof(message); at++) {
		message[at] ^= 0x10;
		ret = wg_cookie_verify_mac1(cookie.mac1_key, message, sizeof(message));
		PUBLIC(&ret, sizeof(ret));
		expect(ret == (at < 132 ? -EBADMSG : 0), "mac1 verdict");
		ret = wg_cookie_verify_mac2(&cookie, message, sizeof(message), &source, 2);
		PUBLIC(&ret, sizeof(ret));
		expect(ret == -EBADMSG, "mac2 verdict");
		message[at] ^= 0x10;
	}
	ret = wg_cookie_verify_mac2(&cookie, message, sizeof(message), &source, 2);
	PUBLIC(&ret, sizeof(ret));
	expect(ret == 0, "mac2 verdict");
}

static void leaky_compare(void)
{
	uint8_t key[32] = {1}, mac[WG_MAC_BYTES], received[WG_MAC_BYTES] = {0};
	volatile int n_equal = 0;

	SECRET(key, sizeof(key));
	wg_primitives_mac(key, sizeof(key), "message", 7, mac);
	for (size_t i = 0; i < sizeof(mac) && mac[i] == received[i]; i++)
		n_equal++;
}

int main(int argc, char **argv)
{
	struct wg_aead *aead;

	if (!RUNNING_ON_VALGRIND || wg_primitives_init() < 0 || wg_aead_create(&aead) < 0) {
		fprintf(stderr, "ctime_wg: to be run under valgrind\n");
		return 1;
	}
	if (argc > 1 && strcmp(argv[1], "--leaky") == 0) {
		leaky_compare();
	} else {
		tag_compare(aead);
		mac_compare();
	}
	wg_aead_destroy(aead);
	return failures != 0;
}
