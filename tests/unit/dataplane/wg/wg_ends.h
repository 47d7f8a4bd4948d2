// SPDX-License-Identifier: Apache-2.0
//
// Two ends of a handshake with one peer each, for the tests of wg_noise.
#pragma once

#include "test_wg_hex.h"

#include "dataplane/wg/wg_noise.h"
#include "dataplane/wg/wg_primitives.h"

#define NOW_NS (UINT64_C(1000) * WG_NS_PER_SEC)
#define WALL_NS (UINT64_C(1700000000) * WG_NS_PER_SEC)

// Two ends with one peer each.
struct ends {
	struct wg_local client, server;
	struct wg_peer client_peer; // the server, as the client knows it
	struct wg_peer server_peer; // the client, as the server knows it
	unsigned int n_lookups;
};

static inline struct wg_peer *lookup_server_peer(
	void *context, const uint8_t public_key[WG_KEY_BYTES]
)
{
	struct ends *ends = context;

	ends->n_lookups++;
	return memcmp(public_key, ends->server_peer.public_key, WG_KEY_BYTES) == 0
		? &ends->server_peer
		: NULL;
}

static inline void ends_init(struct ends *ends, const uint8_t *psk)
{
	uint8_t private_key[WG_KEY_BYTES];

	memset(ends, 0, sizeof(*ends));
	wg_primitives_generate_private(private_key);
	wg_local_init(&ends->client, private_key);
	wg_primitives_generate_private(private_key);
	wg_local_init(&ends->server, private_key);
	assert_int_equal(
		wg_peer_init(&ends->client_peer, &ends->client, ends->server.public_key, psk), 0
	);
	assert_int_equal(
		wg_peer_init(&ends->server_peer, &ends->server, ends->client.public_key, psk), 0
	);
}

static inline enum wg_noise_result consume(
	struct ends *ends, const void *data, size_t len, uint64_t now_ns, struct wg_handshake *ret
)
{
	struct wg_noise_lookup lookup = {lookup_server_peer, ends};

	return wg_noise_consume_initiation(&ends->server, data, len, &lookup, now_ns, ret);
}

static inline void initiate(
	struct ends *ends,
	uint64_t wall_ns,
	struct wg_handshake *ret_handshake,
	struct wg_message_initiation *ret_message
)
{
	uint8_t timestamp[WG_TIMESTAMP_BYTES];

	wg_noise_tai64n(wall_ns, timestamp);
	assert_int_equal(
		wg_noise_create_initiation(
			&ends->client,
			&ends->client_peer,
			0x11223344,
			timestamp,
			ret_handshake,
			ret_message
		),
		WG_NOISE_OK
	);
}

static inline void remac(const struct wg_local *receiver, void *message, size_t len)
{
	size_t covered = len - sizeof(struct wg_message_macs);

	wg_primitives_mac(
		receiver->mac1_key, WG_HASH_BYTES, message, covered, (uint8_t *)message + covered
	);
}
