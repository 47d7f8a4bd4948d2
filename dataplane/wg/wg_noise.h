// SPDX-License-Identifier: Apache-2.0
//
// The handshake, Noise_IKpsk2 (paper, section 5.4), in the five verbs of WireGuard:
// create_initiation, consume_initiation, create_response, consume_response, begin_session. The slow
// path runs it; a struct wg_peer has one user at a time. Everything is computed on copies: peer and
// handshake change only after the last check, and a refusal, whatever its reason, changes nothing.
// Secrets are zeroed on every exit.
//
// It does not look at mac2, load or sources (wg_cookie.h, wg_ratelimit.h), and does not send.
#ifndef WG_NOISE_H
#define WG_NOISE_H

#include "dataplane/wg/wg_keypair.h"
#include "dataplane/wg/wg_messages.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// id, name, help
#define WG_NOISE_RESULTS(X) \
	X(OK, "ok", "accepted") \
	X(MALFORMED, "malformed", "type or length is not that of the message") \
	X(MAC1, "mac1", "mac1 is not that of this node's public key") \
	X(LOW_ORDER, "low_order", "a Diffie-Hellman result was zero") \
	X(DECRYPT, "decrypt", "an encrypted field is not authentic") \
	X(UNKNOWN_PEER, "unknown_peer", "no peer has this static public key") \
	X(REPLAYED_TIMESTAMP, \
	  "replayed_timestamp", \
	  "timestamp not greater than the latest accepted") \
	X(FLOOD, "flood", "less than 20 ms after the peer's last initiation") \
	X(STATE, "state", "the handshake is not in the state that this step needs")

enum wg_noise_result {
#define X(id, name, help) WG_NOISE_##id,
	WG_NOISE_RESULTS(X)
#undef X
		WG_NOISE_N_RESULTS,
};

#define WG_NOISE_CHECKED __attribute__((warn_unused_result))

// Static identity of this node, with what can be computed once. Holds a secret.
struct wg_local {
	uint8_t private_key[WG_KEY_BYTES];
	uint8_t public_key[WG_KEY_BYTES];
	uint8_t chaining_key[WG_HASH_BYTES]; // HASH(CONSTRUCTION)
	uint8_t identifier_hash[WG_HASH_BYTES]; // HASH(chaining_key || IDENTIFIER)
	uint8_t responder_hash[WG_HASH_BYTES]; // HASH(identifier_hash || public_key)
	uint8_t mac1_key[WG_HASH_BYTES]; // HASH("mac1----" || public_key)
};

// What the handshake knows of a peer. Holds secrets. Written by the slow path.
struct wg_peer {
	uint8_t public_key[WG_KEY_BYTES];
	uint8_t preshared_key[WG_KEY_BYTES]; // zeros: none
	uint8_t static_static[WG_KEY_BYTES]; // DH(our static, theirs)
	uint8_t mac1_key[WG_HASH_BYTES]; // HASH("mac1----" || public_key)
	uint8_t latest_timestamp[WG_TIMESTAMP_BYTES]; // greatest TAI64N accepted; zeros: none
	bool has_initiation; // an initiation was accepted, at
	uint64_t last_initiation_ns;
};

enum wg_handshake_state {
	WG_HANDSHAKE_ZEROED = 0,
	WG_HANDSHAKE_CREATED_INITIATION,
	WG_HANDSHAKE_CONSUMED_INITIATION,
	WG_HANDSHAKE_CREATED_RESPONSE,
	WG_HANDSHAKE_CONSUMED_RESPONSE,
};

// A handshake under way. The responder's lives on the stack of one function of the slow path, the
// initiator's as long as it waits for a response. Holds secrets.
struct wg_handshake {
	enum wg_handshake_state state;
	uint32_t local_index; // host order
	uint32_t remote_index; // host order
	struct wg_peer *peer;
	uint8_t chaining_key[WG_HASH_BYTES];
	uint8_t hash[WG_HASH_BYTES];
	uint8_t remote_ephemeral[WG_KEY_BYTES]; // responder
	uint8_t ephemeral_private[WG_KEY_BYTES]; // initiator
};

// How consume_initiation finds a peer: by static public key; NULL if there is none.
struct wg_noise_lookup {
	struct wg_peer *(*by_public_key)(void *context, const uint8_t public_key[WG_KEY_BYTES]);
	void *context;
};

// The name of a result, for counters and logs.
const char *wg_noise_result_name(enum wg_noise_result result);

void wg_local_init(struct wg_local *local, const uint8_t private_key[WG_KEY_BYTES]);
void wg_local_fini(struct wg_local *local);

// preshared_key may be NULL. -EINVAL if public_key is of low order: no handshake with it could be
// secret.
WG_NOISE_CHECKED int wg_peer_init(
	struct wg_peer *peer,
	const struct wg_local *local,
	const uint8_t public_key[WG_KEY_BYTES],
	const uint8_t *preshared_key
);
void wg_peer_fini(struct wg_peer *peer);

// Responder. data is a UDP payload. WG_NOISE_OK: *ret_handshake is ready for a response, and the
// peer (ret_handshake->peer) has its new latest timestamp. Else both are as they were.
WG_NOISE_CHECKED enum wg_noise_result wg_noise_consume_initiation(
	const struct wg_local *local,
	const void *data,
	size_t len,
	const struct wg_noise_lookup *lookup,
	uint64_t now_ns,
	struct wg_handshake *ret_handshake
);

// Responder. local_index is the receiver index that the keypair will have. mac2 is zero.
WG_NOISE_CHECKED enum wg_noise_result wg_noise_create_response(
	struct wg_handshake *handshake,
	uint32_t local_index,
	struct wg_message_response *ret_message
);
// The same with a given ephemeral private key: for test vectors, and for ephemerals made ahead in
// batches. A key must serve one handshake only.
WG_NOISE_CHECKED enum wg_noise_result wg_noise_create_response_from(
	struct wg_handshake *handshake,
	uint32_t local_index,
	const uint8_t ephemeral_private[WG_KEY_BYTES],
	struct wg_message_response *ret_message
);

// Initiator. timestamp is TAI64N, see wg_noise_tai64n(). mac2 is zero.
WG_NOISE_CHECKED enum wg_noise_result wg_noise_create_initiation(
	const struct wg_local *local,
	struct wg_peer *peer,
	uint32_t local_index,
	const uint8_t timestamp[WG_TIMESTAMP_BYTES],
	struct wg_handshake *ret_handshake,
	struct wg_message_initiation *ret_message
);

// Initiator. The caller has found the handshake by the message's receiver index; it is compared
// again.
WG_NOISE_CHECKED enum wg_noise_result wg_noise_consume_response(
	const struct wg_local *local, const void *data, size_t len, struct wg_handshake *handshake
);

// Both roles: derives the transport keys, fills all of *ret_keypair, and zeroes the handshake. slot
// is stored.
WG_NOISE_CHECKED enum wg_noise_result wg_noise_begin_session(
	struct wg_handshake *handshake,
	uint32_t slot,
	uint64_t now_ns,
	struct wg_keypair *ret_keypair
);

void wg_handshake_fini(struct wg_handshake *handshake);

// TAI64N label of a wall-clock time in ns since 1970, rounded down to 2^24 ns (about 17 ms), so
// that it is no exact clock for a stranger to read and yet rises from one permitted initiation to
// the next.
void wg_noise_tai64n(uint64_t unix_ns, uint8_t ret_timestamp[WG_TIMESTAMP_BYTES]);

#endif
