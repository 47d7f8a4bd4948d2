// SPDX-License-Identifier: Apache-2.0
//
// mac1, mac2 and cookie replies: both sides against each other, every bit of every field flipped,
// and a cookie used from another address or port, or after its secret has gone.
#include "dataplane/wg/wg_cookie.h"
#include "dataplane/wg/wg_primitives.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <string.h>

#define SEC WG_NS_PER_SEC
#define START (UINT64_C(1000) * SEC)

static const size_t message_lens[] = {
	sizeof(struct wg_message_initiation),
	sizeof(struct wg_message_response),
};

struct ends {
	struct wg_cookie cookie; // the node
	struct wg_cookie_jar jar; // a client of it
	struct wg_source source; // where the client sends from
	uint8_t message[sizeof(struct wg_message_initiation)];
	size_t len;
};

static void ends_init(struct ends *ends, size_t len)
{
	const struct wg_message_data head = {
		.type = htole32(len == sizeof(ends->message) ? 1 : 2),
		.receiver_index = htole32(0xa1b2c3d4), // the sender index of handshake messages
	};
	uint8_t public_key[WG_KEY_BYTES];

	wg_primitives_random(public_key, sizeof(public_key));
	wg_cookie_init(&ends->cookie, public_key);
	wg_cookie_jar_init(&ends->jar, public_key);
	ends->source = wg_source_ipv4(htobe32(0xc0000201), htobe16(40000));
	wg_primitives_random(ends->message, len);
	memcpy(ends->message, &head, 8);
	ends->len = len;
	wg_cookie_jar_add_macs(&ends->jar, ends->message, len, START);
}

static void reply(struct ends *ends, uint64_t now_ns, struct wg_message_cookie_reply *ret_reply)
{
	wg_cookie_create_reply(
		&ends->cookie, ends->message, ends->len, &ends->source, now_ns, ret_reply
	);
}

// The client gets a cookie and sends its message again with mac2.
static void exchange(struct ends *ends, uint64_t now_ns)
{
	struct wg_message_cookie_reply message;

	reply(ends, now_ns, &message);
	assert_int_equal(le32toh(message.type), 3);
	assert_int_equal(le32toh(message.receiver_index), 0xa1b2c3d4);
	assert_int_equal(wg_cookie_jar_consume_reply(&ends->jar, &message, now_ns), 0);
	wg_cookie_jar_add_macs(&ends->jar, ends->message, ends->len, now_ns);
}

static int verify_mac2(struct ends *ends, uint64_t now_ns)
{
	return wg_cookie_verify_mac2(
		&ends->cookie, ends->message, ends->len, &ends->source, now_ns
	);
}

static void test_macs_bit_flips(void **state)
{
	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(message_lens); i++) {
		struct ends ends;
		size_t mac1_end = message_lens[i] - WG_MAC_BYTES;

		ends_init(&ends, message_lens[i]);
		assert_int_equal(
			wg_cookie_verify_mac1(ends.cookie.mac1_key, ends.message, ends.len), 0
		);
		assert_int_equal(verify_mac2(&ends, START), -EBADMSG); // zeros
		exchange(&ends, START);
		assert_int_equal(verify_mac2(&ends, START), 0);
		for (size_t bit = 0; bit < ends.len * 8; bit++) {
			ends.message[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_equal(
				wg_cookie_verify_mac1(ends.cookie.mac1_key, ends.message, ends.len),
				bit / 8 < mac1_end ? -EBADMSG : 0
			);
			assert_int_equal(verify_mac2(&ends, START), -EBADMSG);
			ends.message[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		assert_int_equal(verify_mac2(&ends, START), 0);
	}
}

static void test_mac1_other_node(void **state)
{
	struct ends ends, other;

	(void)state;
	ends_init(&ends, sizeof(ends.message));
	ends_init(&other, sizeof(other.message));
	assert_int_equal(
		wg_cookie_verify_mac1(other.cookie.mac1_key, ends.message, ends.len), -EBADMSG
	);
}

static struct wg_source ipv6_source(uint8_t last, uint16_t port)
{
	const uint8_t address[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = last};

	return wg_source_ipv6(address, htobe16(port));
}

// A cookie holds for the source it was made for, and for no other.
static void test_bound_to_source(void **state)
{
	const uint8_t mapped[16] = {192, 0, 2, 1};
	const struct {
		struct wg_source made_for, used_from;
		int expected;
	} rows[] = {
		{wg_source_ipv4(htobe32(0xc0000201), htobe16(1)),
		 wg_source_ipv4(htobe32(0xc0000201), htobe16(1)),
		 0},
		{wg_source_ipv4(htobe32(0xc0000201), htobe16(1)),
		 wg_source_ipv4(htobe32(0xc0000201), htobe16(2)),
		 -EBADMSG},
		{wg_source_ipv4(htobe32(0xc0000201), htobe16(1)),
		 wg_source_ipv4(htobe32(0xc0000201), htobe16(257)),
		 -EBADMSG},
		{wg_source_ipv4(htobe32(0xc0000201), htobe16(1)),
		 wg_source_ipv4(htobe32(0xc0000202), htobe16(1)),
		 -EBADMSG},
		{wg_source_ipv4(htobe32(0xc0000201), htobe16(1)),
		 wg_source_ipv6(mapped, htobe16(1)),
		 -EBADMSG},
		{ipv6_source(1, 5), ipv6_source(1, 5), 0},
		{ipv6_source(1, 5), ipv6_source(2, 5), -EBADMSG},
		{ipv6_source(1, 5), ipv6_source(1, 6), -EBADMSG},
	};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		struct ends ends;

		ends_init(&ends, sizeof(ends.message));
		ends.source = rows[i].made_for;
		exchange(&ends, START);
		ends.source = rows[i].used_from;
		assert_int_equal(verify_mac2(&ends, START), rows[i].expected);
	}
}

// The secret is made at START; the cookie is taken and used at these offsets.
static const struct {
	uint64_t taken_ns, used_ns;
	int expected;
} age_rows[] = {
	{0, 0, 0},
	{0, 115 * SEC - 1, 0},
	{0, 120 * SEC - 1, 0},
	{0, 120 * SEC, -EBADMSG},
	{0, 120 * SEC + 1, -EBADMSG},
	{0, 10000 * SEC, -EBADMSG},
	// A cookie of an old secret is refused at once, however young it is.
	{119 * SEC, 120 * SEC - 1, 0},
	{119 * SEC, 120 * SEC, -EBADMSG},
	// The secret was renewed when the cookie was made.
	{120 * SEC, 239 * SEC, 0},
	{120 * SEC, 240 * SEC, -EBADMSG},
};

static void test_secret_age(void **state)
{
	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(age_rows); i++) {
		struct wg_message_cookie_reply unused;
		struct ends ends;

		ends_init(&ends, sizeof(ends.message));
		reply(&ends, START, &unused);
		exchange(&ends, START + age_rows[i].taken_ns);
		assert_int_equal(
			verify_mac2(&ends, START + age_rows[i].used_ns), age_rows[i].expected
		);
	}
}

// The client stops using a cookie 5 s before its secret can have gone.
static const struct {
	uint64_t age_ns;
	bool has_mac2;
} jar_rows[] = {
	{0, true},
	{115 * SEC - 1, true},
	{115 * SEC, false},
	{200 * SEC, false},
};

static void test_jar_age(void **state)
{
	const uint8_t zeros[WG_MAC_BYTES] = {0};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(jar_rows); i++) {
		struct ends ends;
		const uint8_t *mac2;

		ends_init(&ends, sizeof(ends.message));
		exchange(&ends, START);
		wg_cookie_jar_add_macs(
			&ends.jar, ends.message, ends.len, START + jar_rows[i].age_ns
		);
		mac2 = ends.message + ends.len - WG_MAC_BYTES;
		assert_int_equal(memcmp(mac2, zeros, WG_MAC_BYTES) != 0, jar_rows[i].has_mac2);
	}
}

// Every bit of a reply: type and receiver index are the caller's to check, all else is
// authenticated.
static void test_reply_bit_flips(void **state)
{
	struct wg_message_cookie_reply message, flipped;
	struct wg_cookie_jar before;
	struct ends ends;

	(void)state;
	ends_init(&ends, sizeof(ends.message));
	reply(&ends, START, &message);
	before = ends.jar;
	for (size_t bit = 8 * 8; bit < sizeof(message) * 8; bit++) {
		flipped = message;
		((uint8_t *)&flipped)[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(wg_cookie_jar_consume_reply(&ends.jar, &flipped, START), -EBADMSG);
		assert_memory_equal(&ends.jar, &before, sizeof(before));
	}
	assert_int_equal(wg_cookie_jar_consume_reply(&ends.jar, &message, START), 0);
	// One reply answers one message.
	assert_int_equal(wg_cookie_jar_consume_reply(&ends.jar, &message, START), -EBADMSG);
}

// A reply to another message (its mac1 differs) is refused: nobody can plant a cookie.
static void test_reply_to_another_message(void **state)
{
	struct wg_message_cookie_reply message;
	struct ends ends;

	(void)state;
	ends_init(&ends, sizeof(ends.message));
	reply(&ends, START, &message);
	ends.message[50] ^= 1;
	wg_cookie_jar_add_macs(&ends.jar, ends.message, ends.len, START);
	assert_int_equal(wg_cookie_jar_consume_reply(&ends.jar, &message, START), -EBADMSG);
}

static void test_fini(void **state)
{
	struct wg_cookie cookie, cookie_zero;
	struct ends ends;

	(void)state;
	ends_init(&ends, sizeof(ends.message));
	exchange(&ends, START);
	cookie = ends.cookie;
	memset(&cookie_zero, 0, sizeof(cookie_zero));
	wg_cookie_fini(&cookie);
	assert_memory_equal(&cookie, &cookie_zero, sizeof(cookie));
	wg_cookie_jar_fini(&ends.jar);
	assert_false(ends.jar.has_cookie);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_macs_bit_flips),
		cmocka_unit_test(test_mac1_other_node),
		cmocka_unit_test(test_bound_to_source),
		cmocka_unit_test(test_secret_age),
		cmocka_unit_test(test_jar_age),
		cmocka_unit_test(test_reply_bit_flips),
		cmocka_unit_test(test_reply_to_another_message),
		cmocka_unit_test(test_fini),
	};

	if (wg_primitives_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
