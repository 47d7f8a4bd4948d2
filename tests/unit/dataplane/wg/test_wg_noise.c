// SPDX-License-Identifier: Apache-2.0
//
// The handshake: against captured handshakes of wireguard-go, both of our roles against each other,
// freshness, states and responses. Initiations that are refused are in test_wg_noise_refused.
#include "wg_ends.h"

#include "dataplane/wg/wg_aead.h"
#include "tests/vectors/wg_handshake_vectors.h"

#include <errno.h>

static void check_vector(const struct wg_handshake_vector *vector, struct wg_aead *aead)
{
	uint8_t private_key[32], psk[32], ephemeral[32], timestamp[12], key[32], plain[64];
	uint8_t initiation[148], expected[92], data[256], verdict;
	struct wg_message_response response;
	const struct wg_message_data *head = (const struct wg_message_data *)data;
	struct wg_handshake handshake;
	struct wg_keypair keypair;
	struct wg_aead_op op;
	struct wg_local client;
	struct ends ends = {0};
	size_t data_len, plain_len;

	test_wg_hex(vector->initiator_private, private_key, 32);
	wg_local_init(&client, private_key);
	test_wg_hex(vector->responder_private, private_key, 32);
	wg_local_init(&ends.server, private_key);
	test_wg_hex(vector->preshared_key, psk, 32);
	assert_int_equal(wg_peer_init(&ends.server_peer, &ends.server, client.public_key, psk), 0);

	assert_int_equal(test_wg_hex(vector->initiation, initiation, 148), 148);
	assert_int_equal(consume(&ends, initiation, 148, NOW_NS, &handshake), WG_NOISE_OK);
	test_wg_hex(vector->timestamp, timestamp, 12);
	assert_memory_equal(ends.server_peer.latest_timestamp, timestamp, 12);

	test_wg_hex(vector->responder_ephemeral, ephemeral, 32);
	assert_int_equal(
		wg_noise_create_response_from(
			&handshake, vector->responder_index, ephemeral, &response
		),
		WG_NOISE_OK
	);
	assert_int_equal(test_wg_hex(vector->response, expected, 92), 92);
	assert_memory_equal(&response, expected, 92);

	assert_int_equal(wg_noise_begin_session(&handshake, 5, NOW_NS, &keypair), WG_NOISE_OK);
	test_wg_hex(vector->receive_key, key, 32);
	assert_memory_equal(keypair.recv_key, key, 32);
	test_wg_hex(vector->send_key, key, 32);
	assert_memory_equal(keypair.send_key, key, 32);
	assert_int_equal(keypair.local_index, vector->responder_index);
	assert_false(keypair.is_initiator);

	// The first data message of wireguard-go opens with these keys.
	data_len = test_wg_hex(vector->data, data, sizeof(data));
	plain_len = test_wg_hex(vector->plain, plain, sizeof(plain));
	assert_int_equal(wg_message_classify(data, data_len), WG_MESSAGE_DATA);
	assert_int_equal(le32toh(head->receiver_index), keypair.local_index);
	op = (struct wg_aead_op){
		keypair.recv_key,
		le64toh(head->counter),
		data + sizeof(*head),
		(uint32_t)(data_len - WG_MESSAGE_DATA_OVERHEAD_BYTES),
	};
	wg_aead_open(aead, &op, &verdict, 1);
	assert_int_equal(verdict, WG_AEAD_AUTHENTIC);
	assert_int_equal(op.len, plain_len);
	assert_memory_equal(op.data, plain, plain_len);
}

static void test_wireguard_go_vectors(void **state)
{
	struct wg_aead *aead;

	(void)state;
	assert_int_equal(wg_aead_create(&aead), 0);
	for (size_t i = 0; i < sizeof(wg_handshake_vectors) / sizeof(wg_handshake_vectors[0]); i++)
		check_vector(&wg_handshake_vectors[i], aead);
	wg_aead_destroy(aead);
}

static void check_zero(const void *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		assert_int_equal(((const uint8_t *)data)[i], 0);
}

static void test_both_roles(void **state)
{
	uint8_t psk[32] = {1, 2, 3};

	(void)state;
	for (int with_psk = 0; with_psk < 2; with_psk++) {
		struct wg_handshake initiator, responder;
		struct wg_keypair client_keypair, server_keypair;
		struct wg_message_initiation initiation;
		struct wg_message_response response;
		struct ends ends;

		ends_init(&ends, with_psk ? psk : NULL);
		initiate(&ends, WALL_NS, &initiator, &initiation);
		assert_int_equal(
			consume(&ends, &initiation, sizeof(initiation), NOW_NS, &responder),
			WG_NOISE_OK
		);
		assert_int_equal(responder.remote_index, 0x11223344);
		assert_int_equal(
			wg_noise_create_response(&responder, 0x55667788, &response), WG_NOISE_OK
		);
		assert_int_equal(
			wg_noise_consume_response(
				&ends.client, &response, sizeof(response), &initiator
			),
			WG_NOISE_OK
		);
		assert_int_equal(
			wg_noise_begin_session(&initiator, 1, NOW_NS, &client_keypair), WG_NOISE_OK
		);
		assert_int_equal(
			wg_noise_begin_session(&responder, 2, NOW_NS + 1, &server_keypair),
			WG_NOISE_OK
		);
		assert_memory_equal(client_keypair.send_key, server_keypair.recv_key, 32);
		assert_memory_equal(client_keypair.recv_key, server_keypair.send_key, 32);
		assert_memory_not_equal(client_keypair.recv_key, client_keypair.send_key, 32);
		assert_int_equal(client_keypair.remote_index, server_keypair.local_index);
		assert_int_equal(server_keypair.remote_index, client_keypair.local_index);
		assert_true(client_keypair.is_initiator);
		assert_false(server_keypair.is_initiator);
		assert_true(server_keypair.can_send && server_keypair.can_receive);
		assert_int_equal(server_keypair.slot, 2);
		assert_true(server_keypair.created_ns == NOW_NS + 1);
		check_zero(&initiator, sizeof(initiator));
		check_zero(&responder, sizeof(responder));
	}
}

// Offsets to the first accepted initiation, and what becomes of a second one.
static const struct {
	int64_t wall_ms;
	uint64_t after_ns;
	enum wg_noise_result expected;
} freshness_rows[] = {
	{0, WG_NS_PER_SEC, WG_NOISE_REPLAYED_TIMESTAMP},
	{-1000, WG_NS_PER_SEC, WG_NOISE_REPLAYED_TIMESTAMP},
	{-86400000, WG_NS_PER_SEC, WG_NOISE_REPLAYED_TIMESTAMP},
	{0, 0, WG_NOISE_REPLAYED_TIMESTAMP},
	{1000, 0, WG_NOISE_FLOOD},
	{1000, WG_INITIATION_MIN_GAP_NS - 1, WG_NOISE_FLOOD},
	{1000, WG_INITIATION_MIN_GAP_NS, WG_NOISE_OK},
	{1000, WG_INITIATION_MIN_GAP_NS + 1, WG_NOISE_OK},
	{20, WG_INITIATION_MIN_GAP_NS, WG_NOISE_OK},
};

static void check_freshness_row(size_t i, uint64_t first_ns)
{
	uint64_t second_ns = first_ns + freshness_rows[i].after_ns;
	struct wg_message_initiation first, second;
	struct wg_handshake initiator, responder;
	struct wg_peer before;
	struct ends ends;

	ends_init(&ends, NULL);
	initiate(&ends, WALL_NS, &initiator, &first);
	initiate(
		&ends,
		WALL_NS + (uint64_t)(freshness_rows[i].wall_ms * 1000000),
		&initiator,
		&second
	);
	assert_int_equal(consume(&ends, &first, sizeof(first), first_ns, &responder), WG_NOISE_OK);
	before = ends.server_peer;
	assert_int_equal(
		consume(&ends, &second, sizeof(second), second_ns, &responder),
		freshness_rows[i].expected
	);
	if (freshness_rows[i].expected != WG_NOISE_OK)
		assert_memory_equal(&ends.server_peer, &before, sizeof(before));
	else
		assert_memory_not_equal(&ends.server_peer, &before, sizeof(before));
}

static void test_initiation_freshness(void **state)
{
	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(freshness_rows); i++) {
		check_freshness_row(i, 0); // "never" is not a time
		check_freshness_row(i, NOW_NS);
	}
}

static void test_response_bits(void **state)
{
	struct wg_handshake initiator, responder, before;
	struct wg_message_initiation initiation;
	struct wg_message_response response, flipped;
	uint8_t *bytes = (uint8_t *)&flipped;
	struct ends ends;

	(void)state;
	ends_init(&ends, NULL);
	initiate(&ends, WALL_NS, &initiator, &initiation);
	assert_int_equal(
		consume(&ends, &initiation, sizeof(initiation), NOW_NS, &responder), WG_NOISE_OK
	);
	assert_int_equal(wg_noise_create_response(&responder, 7, &response), WG_NOISE_OK);
	before = initiator;
	for (size_t len = 0; len < sizeof(response); len++)
		assert_int_equal(
			wg_noise_consume_response(&ends.client, &response, len, &initiator),
			WG_NOISE_MALFORMED
		);
	for (size_t bit = 0; bit < offsetof(struct wg_message_response, macs.mac2) * 8; bit++) {
		size_t byte = bit / 8;

		flipped = response;
		bytes[byte] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(
			wg_noise_consume_response(
				&ends.client, &flipped, sizeof(flipped), &initiator
			),
			byte < 4 ? WG_NOISE_MALFORMED : WG_NOISE_MAC1
		);
		assert_memory_equal(&initiator, &before, sizeof(before));
		if (byte < 8 || byte >= offsetof(struct wg_message_response, macs))
			continue;
		remac(&ends.client, &flipped, sizeof(flipped));
		assert_int_equal(
			wg_noise_consume_response(
				&ends.client, &flipped, sizeof(flipped), &initiator
			),
			byte < 12 ? WG_NOISE_STATE : WG_NOISE_DECRYPT
		);
		assert_memory_equal(&initiator, &before, sizeof(before));
	}
	assert_int_equal(
		wg_noise_consume_response(&ends.client, &response, sizeof(response), &initiator),
		WG_NOISE_OK
	);
	// A response is good once.
	assert_int_equal(
		wg_noise_consume_response(&ends.client, &response, sizeof(response), &initiator),
		WG_NOISE_STATE
	);
}

// A preshared key that the two sides do not share shows in the response, not before.
static void test_wrong_preshared_key(void **state)
{
	struct wg_handshake initiator, responder;
	struct wg_message_initiation initiation;
	struct wg_message_response response;
	struct ends ends;

	(void)state;
	ends_init(&ends, NULL);
	ends.server_peer.preshared_key[31] ^= 1;
	initiate(&ends, WALL_NS, &initiator, &initiation);
	assert_int_equal(
		consume(&ends, &initiation, sizeof(initiation), NOW_NS, &responder), WG_NOISE_OK
	);
	assert_int_equal(wg_noise_create_response(&responder, 7, &response), WG_NOISE_OK);
	assert_int_equal(
		wg_noise_consume_response(&ends.client, &response, sizeof(response), &initiator),
		WG_NOISE_DECRYPT
	);
}

// Verbs out of order.
static void test_states(void **state)
{
	struct wg_handshake handshake = {0}, initiator;
	struct wg_message_initiation initiation;
	struct wg_message_response response;
	struct wg_keypair keypair;
	struct ends ends;

	(void)state;
	ends_init(&ends, NULL);
	assert_int_equal(wg_noise_create_response(&handshake, 1, &response), WG_NOISE_STATE);
	assert_int_equal(wg_noise_begin_session(&handshake, 1, 1, &keypair), WG_NOISE_STATE);
	initiate(&ends, WALL_NS, &initiator, &initiation);
	assert_int_equal(wg_noise_begin_session(&initiator, 1, 1, &keypair), WG_NOISE_STATE);
	assert_int_equal(wg_noise_create_response(&initiator, 1, &response), WG_NOISE_STATE);
	assert_int_equal(
		consume(&ends, &initiation, sizeof(initiation), NOW_NS, &handshake), WG_NOISE_OK
	);
	assert_int_equal(wg_noise_begin_session(&handshake, 1, 1, &keypair), WG_NOISE_STATE);
	assert_int_equal(wg_noise_create_response(&handshake, 1, &response), WG_NOISE_OK);
	assert_int_equal(wg_noise_create_response(&handshake, 1, &response), WG_NOISE_STATE);
	assert_int_equal(wg_noise_begin_session(&handshake, 1, 1, &keypair), WG_NOISE_OK);
	assert_int_equal(wg_noise_begin_session(&handshake, 1, 1, &keypair), WG_NOISE_STATE);
}

static void test_low_order_peer(void **state)
{
	uint8_t zero[WG_KEY_BYTES] = {0};
	struct wg_peer peer;
	struct ends ends;

	(void)state;
	ends_init(&ends, NULL);
	assert_int_equal(wg_peer_init(&peer, &ends.server, zero, NULL), -EINVAL);
	zero[0] = 1;
	assert_int_equal(wg_peer_init(&peer, &ends.server, zero, NULL), -EINVAL);
}

static void test_tai64n(void **state)
{
	uint8_t expected[12], earlier[12], later[12];

	(void)state;
	test_wg_hex("400000000000000a00000000", expected, 12);
	wg_noise_tai64n(0, earlier);
	assert_memory_equal(earlier, expected, 12);
	test_wg_hex("400000006553f10a00000000", expected, 12);
	// 1,700,000,000 s; below 2^24 ns nothing of the time shows.
	wg_noise_tai64n(WALL_NS + (1 << 24) - 1, earlier);
	assert_memory_equal(earlier, expected, 12);
	for (uint64_t i = 1; i < 200; i++) {
		wg_noise_tai64n(WALL_NS + i * WG_INITIATION_MIN_GAP_NS, later);
		assert_true(memcmp(later, earlier, 12) > 0);
		memcpy(earlier, later, 12);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wireguard_go_vectors),
		cmocka_unit_test(test_both_roles),
		cmocka_unit_test(test_initiation_freshness),
		cmocka_unit_test(test_response_bits),
		cmocka_unit_test(test_wrong_preshared_key),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_low_order_peer),
		cmocka_unit_test(test_tai64n),
	};

	if (wg_primitives_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
