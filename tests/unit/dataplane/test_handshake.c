// SPDX-License-Identifier: Apache-2.0
//
// The slow path's answers to handshake messages, with a client that is the initiator of wg_noise: what a
// good initiation leads to, and every drop reason of handshake.c.
#include "dataplane/handshake.h"
#include "dataplane/net/net_checksum.h"
#include "dataplane/wg/wg_cookie.h"
#include "dataplane/wg/wg_primitives.h"
#include "tests/rig/slow_rig.h"
#include "tests/unit/test.h"

#include <rte_rcu_qsbr.h>
#include <rte_ring.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define SLOT 3
#define GENERATION 9
#define CLIENT_ADDR 0x05000064u
#define CLIENT_PORT 4000
#define CLIENT_INDEX 0x11223344u

struct fixture {
	struct slow_rig *rig;
	struct wg_local client;
	struct wg_peer node; // as the client sees it
	struct wg_handshake handshake;
	struct wg_cookie_jar jar;
	uint64_t wall_ns; // of the client
};

static void client_init(struct fixture *fixture, struct wg_local *client)
{
	uint8_t private_key[WG_KEY_BYTES];

	wg_primitives_generate_private(private_key);
	wg_local_init(client, private_key);
	assert_int_equal(
		wg_peer_init(&fixture->node, client, fixture->rig->sp.local->public_key, NULL), 0
	);
}

static int setup_with(void **state, void (*adjust)(struct config *))
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	fixture->rig = slow_rig_create(adjust);
	fixture->wall_ns = 1700000000 * NS_PER_SEC;
	client_init(fixture, &fixture->client);
	wg_cookie_jar_init(&fixture->jar, fixture->rig->sp.local->public_key);
	assert_int_equal(
		slow_rig_command(
			fixture->rig,
			slow_rig_add_command(SLOT, GENERATION, fixture->client.public_key)
		),
		ABI_ACK_OK
	);
	*state = fixture;
	return 0;
}

static int setup(void **state)
{
	return setup_with(state, NULL);
}

static void always_loaded(struct config *config)
{
	config->wireguard.under_load_handshakes = 1;
}

static int setup_loaded(void **state)
{
	return setup_with(state, always_loaded);
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	bool is_conserved = slow_rig_check_conservation(fixture->rig, 0);
	unsigned n_leaked = slow_rig_destroy(fixture->rig);
	free(fixture);
	assert_true(is_conserved);
	assert_int_equal(n_leaked, 0);
	return 0;
}

static struct wg_message_initiation initiate(struct fixture *fixture)
{
	struct wg_message_initiation message;
	uint8_t timestamp[WG_TIMESTAMP_BYTES];

	fixture->wall_ns += 50 * NS_PER_MS;
	wg_noise_tai64n(fixture->wall_ns, timestamp);
	assert_int_equal(
		wg_noise_create_initiation(
			&fixture->client,
			&fixture->node,
			CLIENT_INDEX,
			timestamp,
			&fixture->handshake,
			&message
		),
		WG_NOISE_OK
	);
	wg_cookie_jar_add_macs(
		&fixture->jar, &message, sizeof(message), fixture->rig->time.mono_ns
	);
	return message;
}

static void put(struct fixture *fixture, unsigned worker, const void *message, size_t len)
{
	const struct pkt_meta meta = {
		.slow_kind = PKT_SLOW_HANDSHAKE,
		.port = SLOW_RIG_TUNNEL,
		.remote_addr_be = htonl(CLIENT_ADDR),
		.remote_port_be = htons(CLIENT_PORT),
		.slot = PKT_SLOT_NONE,
	};

	slow_rig_put(fixture->rig, worker, &meta, message, len);
	slow_rig_run(fixture->rig);
}

static void put_initiation(struct fixture *fixture, const struct wg_message_initiation *message)
{
	put(fixture, 1, message, sizeof(*message));
}

// Takes a datagram that came down; checks that it is routable and says where it goes.
static size_t take_payload(struct fixture *fixture, unsigned worker, uint8_t payload[256])
{
	struct rte_mbuf *m = slow_rig_take(fixture->rig, worker);
	const struct pkt_meta *meta;
	struct net_l3l4 l3l4;
	size_t len;

	if (m == NULL)
		return 0;
	meta = pkt_meta(m);
	assert_int_equal(meta->verdict, PKT_PASS);
	assert_int_equal(meta->slow_kind, PKT_SLOW_HANDSHAKE);
	assert_int_equal(meta->port, SLOW_RIG_TUNNEL);
	assert_int_equal(meta->is_originated, 1);
	assert_int_equal(meta->n_bills, 0);
	assert_int_equal(meta->slot, PKT_SLOT_NONE);
	assert_int_equal(
		net_parse_ip(
			rte_pktmbuf_mtod(m, uint8_t *), m->data_len, NET_PARSE_IP_CHECKSUM, &l3l4
		),
		NET_OK
	);
	assert_int_equal(l3l4.src_be32, htonl(0x05000001));
	assert_int_equal(l3l4.dst_be32, htonl(CLIENT_ADDR));
	assert_int_equal(l3l4.src_port_be16, htons(SLOW_RIG_LISTEN_PORT));
	assert_int_equal(l3l4.dst_port_be16, htons(CLIENT_PORT));
	assert_int_equal(l3l4.total_len, m->data_len);
	len = m->data_len - 28u;
	assert_true(len <= 256);
	memcpy(payload, rte_pktmbuf_mtod_offset(m, uint8_t *, 28), len);
	rte_pktmbuf_free(m);
	return len;
}

static void assert_no_answer(struct fixture *fixture)
{
	for (unsigned i = 0; i < SLOW_RIG_N_WORKERS; i++)
		assert_null(slow_rig_take(fixture->rig, i));
}

static void assert_dropped(struct fixture *fixture, enum drop_reason reason)
{
	if (slow_rig_drops(fixture->rig, reason) != 1)
		fail_msg("not dropped as %s", abi_drop_name(reason));
	for (unsigned i = 0; i < N_DROP; i++)
		if (i != reason)
			assert_int_equal(slow_rig_drops(fixture->rig, i), 0);
}

// Completes a handshake as the client. Returns the client's keypair.
static struct wg_keypair complete(struct fixture *fixture, unsigned owner)
{
	struct wg_keypair keypair;
	uint8_t response[256];

	assert_int_equal(
		take_payload(fixture, owner, response), sizeof(struct wg_message_response)
	);
	assert_int_equal(
		wg_noise_consume_response(
			&fixture->client,
			response,
			sizeof(struct wg_message_response),
			&fixture->handshake
		),
		WG_NOISE_OK
	);
	assert_int_equal(
		wg_noise_begin_session(
			&fixture->handshake, 0, fixture->rig->time.mono_ns, &keypair
		),
		WG_NOISE_OK
	);
	return keypair;
}

static void test_first_handshake(void **state)
{
	struct fixture *fixture = *state;
	struct slow_rig *rig = fixture->rig;
	struct wg_message_initiation message = initiate(fixture);
	struct wg_keypair client;
	struct wg_index_ref ref;
	struct mail mail;

	slow_rig_count_events(rig, ABI_EVENT_ENDPOINT);
	put_initiation(fixture, &message);
	assert_int_equal(slow_rig_consumed(rig, CONSUMED_HANDSHAKE), 1);
	client = complete(fixture, 1);

	// The owner is the worker that the initiation came from: first the session, then the keypair.
	assert_true(slow_rig_take_mail(rig, 1, MAIL_ADOPT, &mail));
	assert_int_equal(mail.slot, SLOT);
	assert_int_equal(mail.generation, GENERATION);
	assert_int_equal(mail.gate, ABI_GATE_OPEN);
	assert_int_equal(mail.session.limits.limit_bytes, 1000000);
	assert_int_equal(mail.session.limits.expires_ns, UINT64_MAX);
	assert_int_equal(mail.session.inner_addr_be, htonl(0x0a080002 + SLOT));
	assert_true(slow_rig_take_mail(rig, 1, MAIL_INSTALL, &mail));
	assert_int_equal(mail.generation, GENERATION);
	assert_int_equal(mail.install.endpoint.addr_be, htonl(CLIENT_ADDR));
	assert_int_equal(mail.install.endpoint.port_be, htons(CLIENT_PORT));
	assert_memory_equal(mail.install.keypair->recv_key, client.send_key, 32);
	assert_memory_equal(mail.install.keypair->send_key, client.recv_key, 32);
	assert_int_equal(mail.install.keypair->remote_index, CLIENT_INDEX);
	assert_int_equal(mail.install.keypair->slot, SLOT);

	assert_true(wg_index_lookup(&rig->dp.index, client.remote_index, &ref));
	assert_ptr_equal(ref.handle, mail.install.keypair);
	assert_int_equal(ref.owner, 1);
	assert_int_equal(ref.slot, SLOT);
	assert_int_equal(rig->dp.segment.slots[SLOT].limits.owner, 1);
	assert_int_equal(rig->dp.segment.slots[SLOT].limits.endpoint_port_be, htons(CLIENT_PORT));
	assert_int_equal(slow_rig_count_events(rig, ABI_EVENT_ENDPOINT), 1);
	// It is complete when the client has shown its keys, not before.
	assert_int_equal(rig->sp.stats->handshakes_completed, 0);
}

static void test_confirmation(void **state)
{
	struct fixture *fixture = *state;
	struct slow_rig *rig = fixture->rig;
	struct wg_message_initiation message = initiate(fixture);

	put_initiation(fixture, &message);
	complete(fixture, 1);
	slow_rig_count_events(rig, ABI_EVENT_HANDSHAKE);
	mail_send_up(
		&rig->dp.mailboxes[1],
		&(struct mail){.kind = MAIL_CONFIRMED, .slot = SLOT, .generation = GENERATION}
	);
	mail_send_up( // of a session that is no more
		&rig->dp.mailboxes[1],
		&(struct mail){.kind = MAIL_CONFIRMED, .slot = SLOT, .generation = GENERATION + 1}
	);
	slow_rig_run(rig);
	assert_int_equal(rig->sp.stats->handshakes_completed, 1);
	assert_int_equal(slow_rig_count_events(rig, ABI_EVENT_HANDSHAKE), 1);
	assert_int_equal(
		rig->dp.segment.slots[SLOT].limits.last_handshake_unix_ns, rig->time.unix_ns
	);
}

// The owner stays whichever worker a later handshake comes from.
static void test_owner_is_kept(void **state)
{
	struct fixture *fixture = *state;
	struct slow_rig *rig = fixture->rig;
	struct wg_message_initiation message = initiate(fixture);
	struct wg_index_ref ref;
	struct wg_keypair client;
	struct mail mail;

	put_initiation(fixture, &message);
	complete(fixture, 1);
	slow_rig_advance(rig, NS_PER_SEC);
	message = initiate(fixture);
	put(fixture, 0, &message, sizeof(message));
	client = complete(fixture, 1);
	assert_false(slow_rig_take_mail(rig, 0, MAIL_INSTALL, &mail));
	assert_true(slow_rig_take_mail(rig, 1, MAIL_ADOPT, &mail));
	assert_true(slow_rig_take_mail(rig, 1, MAIL_INSTALL, &mail));
	assert_false(slow_rig_take_mail(rig, 1, MAIL_ADOPT, &mail)); // adopted once
	assert_true(wg_index_lookup(&rig->dp.index, client.remote_index, &ref));
	assert_int_equal(ref.owner, 1);
}

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

// What the owner gives back is unlinked at once, and reused after a grace period only.
static void test_keypair_comes_back(void **state)
{
	struct fixture *fixture = *state;
	struct slow_rig *rig = fixture->rig;
	struct wg_message_initiation message = initiate(fixture);
	struct wg_keypair client;
	struct wg_index_ref ref;
	uint32_t n_free_indices;
	struct mail mail;

	put_initiation(fixture, &message);
	client = complete(fixture, 1);
	assert_true(slow_rig_take_mail(rig, 1, MAIL_INSTALL, &mail));
	n_free_indices = rig->dp.index.n_free;
	mail_send_up(
		&rig->dp.mailboxes[1],
		&(struct mail){
			.kind = MAIL_KEYPAIR_FREE,
			.slot = SLOT,
			.generation = GENERATION,
			.keypair = mail.install.keypair,
		}
	);
	slow_rig_run(rig);
	assert_false(wg_index_lookup(&rig->dp.index, client.remote_index, &ref));
	assert_int_equal(rig->dp.index.n_free, n_free_indices);
	assert_memory_equal(mail.install.keypair->send_key, client.recv_key, 32);
	rte_rcu_qsbr_quiescent(rig->dp.qsbr, 0); // one of two workers
	slow_rig_run(rig);
	assert_int_equal(rig->dp.index.n_free, n_free_indices);
	slow_rig_quiesce(rig);
	slow_rig_run(rig);
	assert_int_equal(rig->dp.index.n_free, n_free_indices + 1);
	assert_int_equal(rig->sp.keypairs.n_free, rig->sp.keypairs.n_objects);
	for (size_t i = 0; i < sizeof(struct wg_keypair); i++)
		assert_int_equal(((uint8_t *)mail.install.keypair)[i], 0);
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(test_first_handshake),
		ROW(test_confirmation),
		ROW(test_owner_is_kept),
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
		ROW(test_keypair_comes_back),
	};

	slow_rig_eal();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
