// SPDX-License-Identifier: Apache-2.0
//
// Every drop reason of handshake.c, and that a refusal changes nothing.
#include "tests/unit/dataplane/handshake_fixture.h"

#include <rte_ring.h>

static void test_mac1_each_bit(void **state)
{
	struct fixture *fixture = *state;
	struct wg_message_initiation message = initiate(fixture);

	for (size_t bit = 32; bit < offsetof(struct wg_message_initiation, macs.mac2) * 8;
	     bit += 7) {
		struct wg_message_initiation forged = message;

		((uint8_t *)&forged)[bit / 8] ^= 1u << bit % 8;
		put_initiation(fixture, &forged);
	}
	assert_no_answer(fixture);
	assert_int_equal(
		slow_rig_drops(fixture->rig, DROP_WG_MAC1),
		(offsetof(struct wg_message_initiation, macs.mac2) * 8 - 32 + 6) / 7
	);
	// Nothing has changed: the good one is answered, and no forgery used up the source's limit.
	put_initiation(fixture, &message);
	complete(fixture, 1);
}

static void test_unexpected(void **state)
{
	struct fixture *fixture = *state;
	const struct wg_message_response response = {.type = htole32(WG_MESSAGE_RESPONSE)};
	const struct wg_message_cookie_reply reply = {.type = htole32(WG_MESSAGE_COOKIE_REPLY)};

	put(fixture, 0, &response, sizeof(response));
	put(fixture, 0, &reply, sizeof(reply));
	assert_int_equal(slow_rig_drops(fixture->rig, DROP_WG_UNEXPECTED), 2);
	assert_no_answer(fixture);
}

static void test_no_handshake_message(void **state)
{
	struct fixture *fixture = *state;
	struct wg_message_initiation message = initiate(fixture);

	put(fixture, 0, &message, sizeof(message) - 1);
	assert_dropped(fixture, DROP_WG_TYPE);
	assert_no_answer(fixture);
}

static void test_unknown_peer(void **state)
{
	struct fixture *fixture = *state;
	struct wg_message_initiation message;

	client_init(fixture, &fixture->client); // another key
	message = initiate(fixture);
	put_initiation(fixture, &message);
	assert_dropped(fixture, DROP_WG_UNKNOWN_PEER);
	assert_no_answer(fixture);
}

static void test_wrong_static(void **state)
{
	struct fixture *fixture = *state;
	struct wg_message_initiation message = initiate(fixture);

	message.encrypted_static[5] ^= 1; // with a mac1 that is right again
	wg_cookie_jar_add_macs(
		&fixture->jar, &message, sizeof(message), fixture->rig->time.mono_ns
	);
	put_initiation(fixture, &message);
	assert_dropped(fixture, DROP_WG_HANDSHAKE_AUTH);
	assert_no_answer(fixture);
}

static void test_replay(void **state)
{
	struct fixture *fixture = *state;
	struct wg_message_initiation message = initiate(fixture);

	put_initiation(fixture, &message);
	complete(fixture, 1);
	slow_rig_advance(fixture->rig, NS_PER_SEC);
	put_initiation(fixture, &message);
	assert_dropped(fixture, DROP_WG_INITIATION_REPLAY);
	assert_no_answer(fixture);
}

static void test_flood_of_one_peer(void **state)
{
	struct fixture *fixture = *state;
	struct wg_message_initiation message = initiate(fixture);

	put_initiation(fixture, &message);
	complete(fixture, 1);
	slow_rig_advance(fixture->rig, WG_INITIATION_MIN_GAP_NS - 1);
	message = initiate(fixture);
	put_initiation(fixture, &message);
	assert_dropped(fixture, DROP_WG_INITIATION_FLOOD);
	assert_no_answer(fixture);
	slow_rig_advance(fixture->rig, 1);
	put_initiation(fixture, &message);
	complete(fixture, 1);
}

// Only expiry refuses a handshake: a session at its quota keeps its tunnel.
static void test_expired(void **state)
{
	struct fixture *fixture = *state;
	struct slow_rig *rig = fixture->rig;
	struct wg_message_initiation message;

	assert_int_equal(
		slow_rig_command(
			rig,
			(struct abi_command){
				.kind = ABI_COMMAND_SET_LIMITS,
				.slot = SLOT,
				.generation = GENERATION,
				.expires_unix_sec = rig->time.unix_ns / NS_PER_SEC + 10,
			}
		),
		ABI_ACK_OK
	);
	message = initiate(fixture); // limit 0: nothing passes, yet the handshake is answered
	put_initiation(fixture, &message);
	complete(fixture, 1);
	slow_rig_advance(rig, 11 * NS_PER_SEC);
	message = initiate(fixture);
	put_initiation(fixture, &message);
	assert_dropped(fixture, DROP_WG_SESSION_CLOSED);
	assert_no_answer(fixture);
}

static void test_source_limit_then_cookie(void **state)
{
	struct fixture *fixture = *state;
	struct slow_rig *rig = fixture->rig;
	struct wg_message_initiation message;
	uint8_t reply[256];

	for (unsigned i = 0; i < rig->config.wireguard.handshake_burst; i++) {
		message = initiate(fixture);
		put_initiation(fixture, &message);
		if (i == 0)
			complete(fixture, 1); // the others come within 20 ms of it
	}
	message = initiate(fixture);
	put_initiation(fixture, &message);
	assert_int_equal(slow_rig_drops(rig, DROP_WG_RATE_SOURCE), 1);
	assert_int_equal(rig->sp.stats->cookies_sent, 1);
	// Whoever receives at that address gets a limit of its own.
	assert_int_equal(take_payload(fixture, 1, reply), sizeof(struct wg_message_cookie_reply));
	assert_int_equal(
		wg_cookie_jar_consume_reply(
			&fixture->jar, (struct wg_message_cookie_reply *)reply, rig->time.mono_ns
		),
		0
	);
	clock_manual_advance(&rig->time, WG_INITIATION_MIN_GAP_NS);
	message = initiate(fixture);
	put_initiation(fixture, &message);
	complete(fixture, 1);
	assert_int_equal(slow_rig_drops(rig, DROP_WG_RATE_SOURCE), 1);
	// That limit holds too.
	for (unsigned i = 0; i < rig->config.wireguard.handshake_burst; i++) {
		message = initiate(fixture);
		put_initiation(fixture, &message);
	}
	assert_int_equal(slow_rig_drops(rig, DROP_WG_RATE_SOURCE), 2);
	assert_int_equal(rig->sp.stats->cookies_sent, 1);
}

static void test_under_load(void **state)
{
	struct fixture *fixture = *state;
	struct slow_rig *rig = fixture->rig;
	struct wg_message_initiation message = initiate(fixture);
	uint8_t reply[256];

	put_initiation(fixture, &message);
	assert_dropped(fixture, DROP_WG_UNDER_LOAD);
	assert_int_equal(rig->sp.stats->under_load, 1);
	assert_int_equal(slow_rig_consumed(rig, CONSUMED_HANDSHAKE), 0);
	assert_int_equal(take_payload(fixture, 1, reply), sizeof(struct wg_message_cookie_reply));
	assert_int_equal(
		wg_cookie_jar_consume_reply(
			&fixture->jar, (struct wg_message_cookie_reply *)reply, rig->time.mono_ns
		),
		0
	);
	message = initiate(fixture); // with mac2
	put_initiation(fixture, &message);
	complete(fixture, 1);
	assert_dropped(fixture, DROP_WG_UNDER_LOAD);
	slow_rig_advance(rig, HANDSHAKE_LOAD_HOLD_NS);
	assert_int_equal(rig->sp.stats->under_load, 0);
}

static void test_wrong_mac2_gets_a_cookie(void **state)
{
	struct fixture *fixture = *state;
	struct wg_message_initiation message = initiate(fixture);
	uint8_t reply[256];

	memset(message.macs.mac2, 0x55, sizeof(message.macs.mac2));
	put_initiation(fixture, &message);
	assert_dropped(fixture, DROP_WG_UNDER_LOAD);
	assert_int_equal(take_payload(fixture, 1, reply), sizeof(struct wg_message_cookie_reply));
}

static void test_no_index(void **state)
{
	struct fixture *fixture = *state;
	struct wg_message_initiation message = initiate(fixture);
	uint32_t index;

	while (wg_index_allot(&fixture->rig->dp.index, &index) == 0)
		;
	put_initiation(fixture, &message);
	assert_dropped(fixture, DROP_WG_INDEX_EXHAUSTED);
	assert_no_answer(fixture);
	// The keypair went back.
	assert_int_equal(fixture->rig->sp.keypairs.n_free, fixture->rig->sp.keypairs.n_objects);
}

static void test_no_keypair(void **state)
{
	struct fixture *fixture = *state;
	struct wg_message_initiation message = initiate(fixture);

	while (secret_pool_take(&fixture->rig->sp.keypairs) != NULL)
		;
	put_initiation(fixture, &message);
	assert_dropped(fixture, DROP_WG_INDEX_EXHAUSTED);
	assert_no_answer(fixture);
}

// A full ring down refuses the handshake before anything is handed over: nothing is lost.
static void test_mail_full(void **state)
{
	struct fixture *fixture = *state;
	struct slow_rig *rig = fixture->rig;
	struct wg_message_initiation message = initiate(fixture);

	while (mail_room_down(&rig->dp.mailboxes[1]) > 1)
		mail_send_down(&rig->dp.mailboxes[1], &(struct mail){.kind = MAIL_KEEPALIVE});
	put_initiation(fixture, &message);
	assert_dropped(fixture, DROP_RING_FULL);
	assert_no_answer(fixture);
	assert_int_equal(rig->sp.keypairs.n_free, rig->sp.keypairs.n_objects);
	assert_int_equal(rig->sp.peers.peers[SLOT].owner, ABI_OWNER_NONE);
}

static void test_packet_ring_full(void **state)
{
	struct fixture *fixture = *state;
	struct slow_rig *rig = fixture->rig;
	struct wg_message_initiation message = initiate(fixture);
	struct rte_mbuf *filler = rte_pktmbuf_alloc(rig->dp.pool);
	struct rte_ring *ring = rig->dp.mailboxes[1].down_pkts;
	struct rte_mbuf *m;

	while (rte_ring_enqueue(ring, filler) == 0)
		;
	put_initiation(fixture, &message);
	assert_dropped(fixture, DROP_RING_FULL); // the response, which the node had made
	assert_int_equal(slow_rig_consumed(rig, CONSUMED_HANDSHAKE), 1);
	assert_int_equal(rig->sp.stats->originated_pkts, 1);
	while (rte_ring_dequeue(ring, (void **)&m) == 0)
		;
	rte_pktmbuf_free(filler);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(test_mac1_each_bit),
		ROW(test_unexpected),
		ROW(test_no_handshake_message),
		ROW(test_unknown_peer),
		ROW(test_wrong_static),
		ROW(test_replay),
		ROW(test_flood_of_one_peer),
		ROW(test_expired),
		ROW(test_source_limit_then_cookie),
		cmocka_unit_test_setup_teardown(test_under_load, setup_loaded, teardown),
		cmocka_unit_test_setup_teardown(
			test_wrong_mac2_gets_a_cookie, setup_loaded, teardown
		),
		ROW(test_no_index),
		ROW(test_no_keypair),
		ROW(test_mail_full),
		ROW(test_packet_ring_full),
	};

	slow_rig_eal();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
