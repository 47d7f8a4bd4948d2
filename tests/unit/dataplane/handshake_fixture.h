// SPDX-License-Identifier: Apache-2.0
//
// A client that shakes hands with the slow path in slow_rig: the initiator of wg_noise, with a session
// in SLOT. Included by the tests of handshake.c; cmocka's assertions end a test that goes wrong here.
#pragma once

#include "dataplane/net/net_checksum.h"
#include "dataplane/wg/wg_cookie.h"
#include "dataplane/wg/wg_primitives.h"
#include "tests/rig/slow_rig.h"
#include "tests/unit/test.h"

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

static inline void client_init(struct fixture *fixture, struct wg_local *client)
{
	uint8_t private_key[WG_KEY_BYTES];

	wg_primitives_generate_private(private_key);
	wg_local_init(client, private_key);
	assert_int_equal(
		wg_peer_init(&fixture->node, client, fixture->rig->sp.local->public_key, NULL), 0
	);
}

static inline int setup_with(void **state, void (*adjust)(struct config *))
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

static inline int setup(void **state)
{
	return setup_with(state, NULL);
}

static inline void always_loaded(struct config *config)
{
	config->wireguard.under_load_handshakes = 1;
}

static inline int setup_loaded(void **state)
{
	return setup_with(state, always_loaded);
}

static inline int teardown(void **state)
{
	struct fixture *fixture = *state;

	bool is_conserved = slow_rig_check_conservation(fixture->rig, 0);
	unsigned n_leaked = slow_rig_destroy(fixture->rig);
	free(fixture);
	assert_true(is_conserved);
	assert_int_equal(n_leaked, 0);
	return 0;
}

static inline struct wg_message_initiation initiate(struct fixture *fixture)
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

static inline void put(struct fixture *fixture, unsigned worker, const void *message, size_t len)
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

static inline void put_initiation(
	struct fixture *fixture, const struct wg_message_initiation *message
)
{
	put(fixture, 1, message, sizeof(*message));
}

// Takes a datagram that came down; checks that it is routable and says where it goes.
static inline size_t take_payload(struct fixture *fixture, unsigned worker, uint8_t payload[256])
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

static inline void assert_no_answer(struct fixture *fixture)
{
	for (unsigned i = 0; i < SLOW_RIG_N_WORKERS; i++)
		assert_null(slow_rig_take(fixture->rig, i));
}

static inline void assert_dropped(struct fixture *fixture, enum drop_reason reason)
{
	if (slow_rig_drops(fixture->rig, reason) != 1)
		fail_msg("not dropped as %s", abi_drop_name(reason));
	for (unsigned i = 0; i < N_DROP; i++)
		if (i != reason)
			assert_int_equal(slow_rig_drops(fixture->rig, i), 0);
}

// Completes a handshake as the client. Returns the client's keypair.
static inline struct wg_keypair complete(struct fixture *fixture, unsigned owner)
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

#define ROW(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
