// SPDX-License-Identifier: Apache-2.0
//
// Every way in which an initiation can be wrong. After each refusal the peer must be byte for byte as
// it was.
#include "wg_ends.h"

#include <errno.h>

// Whatever is wrong, the peer and the caller's handshake stay as they were.
static void check_refused(
	struct ends *ends, const void *data, size_t len, enum wg_noise_result expected
)
{
	struct wg_handshake handshake, handshake_before;
	struct wg_peer peer_before = ends->server_peer;
	enum wg_noise_result result;

	memset(&handshake, 0x3c, sizeof(handshake));
	handshake_before = handshake;
	result = consume(ends, data, len, NOW_NS + WG_NS_PER_SEC, &handshake);
	if (result != expected)
		print_error(
			"%s instead of %s\n",
			wg_noise_result_name(result),
			wg_noise_result_name(expected)
		);
	assert_int_equal(result, expected);
	assert_memory_equal(&ends->server_peer, &peer_before, sizeof(peer_before));
	assert_memory_equal(&handshake, &handshake_before, sizeof(handshake));
}

static void test_initiation_truncated(void **state)
{
	uint8_t bytes[sizeof(struct wg_message_initiation) + 64] = {0};
	struct wg_handshake initiator;
	struct ends ends;

	(void)state;
	ends_init(&ends, NULL);
	initiate(&ends, WALL_NS, &initiator, (struct wg_message_initiation *)bytes);
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		if (len != sizeof(struct wg_message_initiation))
			check_refused(&ends, bytes, len, WG_NOISE_MALFORMED);
	}
}

// Each bit flipped, first as it is (mac1 refuses, or the type does), then with mac1 made right
// again, so that what lies behind it is tested: only the sender index and mac2 are not
// authenticated by the Noise part itself.
static void test_initiation_bits(void **state)
{
	struct wg_message_initiation initiation, flipped;
	struct wg_handshake initiator, responder;
	uint8_t *bytes = (uint8_t *)&flipped;
	struct ends ends, fresh;

	(void)state;
	ends_init(&ends, NULL);
	fresh = ends;
	initiate(&ends, WALL_NS, &initiator, &initiation);
	for (size_t bit = 0; bit < sizeof(initiation) * 8; bit++) {
		size_t byte = bit / 8;
		bool is_mac2 = byte >= offsetof(struct wg_message_initiation, macs.mac2);
		bool is_mac1 = !is_mac2 && byte >= offsetof(struct wg_message_initiation, macs);
		bool is_index = byte >= 4 && byte < 8;

		flipped = initiation;
		bytes[byte] ^= (uint8_t)(1 << bit % 8);
		if (!is_mac2)
			check_refused(
				&ends,
				&flipped,
				sizeof(flipped),
				byte < 4 ? WG_NOISE_MALFORMED : WG_NOISE_MAC1
			);
		if (is_mac1 || byte < 4)
			continue;
		remac(&ends.server, &flipped, sizeof(flipped));
		// X25519 ignores the top bit of a point (RFC 7748, section 5), but the hash does
		// not.
		if (!is_index && !is_mac2) {
			check_refused(&ends, &flipped, sizeof(flipped), WG_NOISE_DECRYPT);
			continue;
		}
		assert_int_equal(
			consume(&ends, &flipped, sizeof(flipped), NOW_NS, &responder), WG_NOISE_OK
		);
		ends.server_peer = fresh.server_peer;
	}
}

static void test_initiation_unknown_peer(void **state)
{
	struct wg_message_initiation initiation;
	struct wg_handshake initiator;
	struct ends ends, other;

	(void)state;
	ends_init(&ends, NULL);
	ends_init(&other, NULL);
	initiate(&ends, WALL_NS, &initiator, &initiation);
	ends.server_peer = other.server_peer;
	check_refused(&ends, &initiation, sizeof(initiation), WG_NOISE_UNKNOWN_PEER);
	assert_int_equal(ends.n_lookups, 1);
}

// A client that knows our public key and a peer's public key, but not the peer's private key:
// static-static differs.
static void test_initiation_impersonation(void **state)
{
	struct wg_message_initiation initiation;
	struct wg_handshake initiator;
	struct ends ends, victim;

	(void)state;
	ends_init(&ends, NULL);
	ends_init(&victim, NULL);
	assert_int_equal(
		wg_peer_init(&ends.server_peer, &ends.server, victim.client.public_key, NULL), 0
	);
	memcpy(ends.client.public_key, victim.client.public_key, WG_KEY_BYTES);
	initiate(&ends, WALL_NS, &initiator, &initiation);
	check_refused(&ends, &initiation, sizeof(initiation), WG_NOISE_DECRYPT);
}

static void test_initiation_low_order_ephemeral(void **state)
{
	struct wg_message_initiation initiation;
	struct wg_handshake initiator;
	struct ends ends;

	(void)state;
	ends_init(&ends, NULL);
	initiate(&ends, WALL_NS, &initiator, &initiation);
	for (uint8_t u = 0; u < 2; u++) {
		memset(initiation.unencrypted_ephemeral, 0, WG_KEY_BYTES);
		initiation.unencrypted_ephemeral[0] = u;
		remac(&ends.server, &initiation, sizeof(initiation));
		check_refused(&ends, &initiation, sizeof(initiation), WG_NOISE_LOW_ORDER);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_initiation_truncated),
		cmocka_unit_test(test_initiation_bits),
		cmocka_unit_test(test_initiation_unknown_peer),
		cmocka_unit_test(test_initiation_impersonation),
		cmocka_unit_test(test_initiation_low_order_ephemeral),
	};

	if (wg_primitives_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
