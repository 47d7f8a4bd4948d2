// SPDX-License-Identifier: Apache-2.0
//
// The steps of Noise_IKpsk2 with the tokens of the paper as comments: e, es, s, ss, {t} in the
// initiation, e, ee, se, psk, {} in the response. Each verb works on a struct wg_symmetric on its
// own stack and copies it out after its last check; one exit zeroes it. Slow path only.
#include "wg_noise.h"

#include "dataplane/wg/wg_cookie.h"
#include "dataplane/wg/wg_primitives.h"
#include "dataplane/wg/wg_symmetric.h"

#include <errno.h>
#include <string.h>

// The state both sides begin with: protocol name, identifier, the responder's static public key.
static void symmetric_init(
	struct wg_symmetric *state,
	const struct wg_local *local,
	const uint8_t responder_hash[WG_HASH_BYTES]
)
{
	memcpy(state->chaining_key, local->chaining_key, sizeof(state->chaining_key));
	memcpy(state->hash, responder_hash, sizeof(state->hash));
	memset(state->key, 0, sizeof(state->key));
}

static void symmetric_load(struct wg_symmetric *state, const struct wg_handshake *handshake)
{
	memcpy(state->chaining_key, handshake->chaining_key, sizeof(state->chaining_key));
	memcpy(state->hash, handshake->hash, sizeof(state->hash));
	memset(state->key, 0, sizeof(state->key));
}

static void symmetric_store(const struct wg_symmetric *state, struct wg_handshake *handshake)
{
	memcpy(handshake->chaining_key, state->chaining_key, sizeof(handshake->chaining_key));
	memcpy(handshake->hash, state->hash, sizeof(handshake->hash));
}

const char *wg_noise_result_name(enum wg_noise_result result)
{
	static const char *const names[] = {
#define X(id, name, help) [WG_NOISE_##id] = name,
		WG_NOISE_RESULTS(X)
#undef X
	};

	return (unsigned int)result < WG_NOISE_N_RESULTS ? names[result] : "unknown";
}

void wg_local_init(struct wg_local *local, const uint8_t private_key[WG_KEY_BYTES])
{
	memcpy(local->private_key, private_key, WG_KEY_BYTES);
	wg_primitives_derive_public(private_key, local->public_key);
	wg_primitives_hash(WG_CONSTRUCTION, strlen(WG_CONSTRUCTION), local->chaining_key);
	wg_primitives_hash_mix(
		local->chaining_key, WG_IDENTIFIER, strlen(WG_IDENTIFIER), local->identifier_hash
	);
	wg_primitives_hash_mix(
		local->identifier_hash, local->public_key, WG_KEY_BYTES, local->responder_hash
	);
	wg_primitives_hash_label(WG_LABEL_MAC1, local->public_key, local->mac1_key);
}

void wg_local_fini(struct wg_local *local)
{
	wg_primitives_zero(local, sizeof(*local));
}

int wg_peer_init(
	struct wg_peer *peer,
	const struct wg_local *local,
	const uint8_t public_key[WG_KEY_BYTES],
	const uint8_t *preshared_key
)
{
	uint8_t static_static[WG_KEY_BYTES];

	if (wg_primitives_x25519(local->private_key, public_key, static_static) < 0)
		return -EINVAL;
	memset(peer, 0, sizeof(*peer));
	memcpy(peer->public_key, public_key, WG_KEY_BYTES);
	if (preshared_key != NULL)
		memcpy(peer->preshared_key, preshared_key, WG_KEY_BYTES);
	memcpy(peer->static_static, static_static, sizeof(static_static));
	wg_primitives_hash_label(WG_LABEL_MAC1, public_key, peer->mac1_key);
	wg_primitives_zero(static_static, sizeof(static_static));
	return 0;
}

void wg_peer_fini(struct wg_peer *peer)
{
	wg_primitives_zero(peer, sizeof(*peer));
}

void wg_handshake_fini(struct wg_handshake *handshake)
{
	wg_primitives_zero(handshake, sizeof(*handshake));
}

// Everything of an initiation after mac1: finds and proves the sender, changes nothing but its
// outputs.
static enum wg_noise_result open_initiation(
	const struct wg_local *local,
	const struct wg_message_initiation *message,
	const struct wg_noise_lookup *lookup,
	struct wg_symmetric *state,
	uint8_t ret_timestamp[WG_TIMESTAMP_BYTES],
	struct wg_peer **ret_peer
)
{
	uint8_t static_public[WG_KEY_BYTES];

	symmetric_init(state, local, local->responder_hash);
	// e
	wg_symmetric_mix_ephemeral(state, message->unencrypted_ephemeral);
	// es
	if (wg_symmetric_mix_dh(state, local->private_key, message->unencrypted_ephemeral) < 0)
		return WG_NOISE_LOW_ORDER;
	// s
	if (wg_symmetric_decrypt_and_hash(
		    state,
		    message->encrypted_static,
		    sizeof(message->encrypted_static),
		    static_public
	    ) < 0)
		return WG_NOISE_DECRYPT;
	*ret_peer = lookup->by_public_key(lookup->context, static_public);
	if (*ret_peer == NULL)
		return WG_NOISE_UNKNOWN_PEER;
	// ss
	wg_symmetric_mix_key(state, (*ret_peer)->static_static);
	// {t}
	if (wg_symmetric_decrypt_and_hash(
		    state,
		    message->encrypted_timestamp,
		    sizeof(message->encrypted_timestamp),
		    ret_timestamp
	    ) < 0)
		return WG_NOISE_DECRYPT;
	return WG_NOISE_OK;
}

// Whether this authentic initiation is new, and not too soon after the last.
static enum wg_noise_result check_freshness(
	const struct wg_peer *peer, const uint8_t timestamp[WG_TIMESTAMP_BYTES], uint64_t now_ns
)
{
	// TAI64N is big-endian, so bytes compare as times.
	if (memcmp(timestamp, peer->latest_timestamp, WG_TIMESTAMP_BYTES) <= 0)
		return WG_NOISE_REPLAYED_TIMESTAMP;
	if (peer->has_initiation &&
	    (int64_t)(now_ns - peer->last_initiation_ns) < (int64_t)WG_INITIATION_MIN_GAP_NS)
		return WG_NOISE_FLOOD;
	return WG_NOISE_OK;
}

enum wg_noise_result wg_noise_consume_initiation(
	const struct wg_local *local,
	const void *data,
	size_t len,
	const struct wg_noise_lookup *lookup,
	uint64_t now_ns,
	struct wg_handshake *ret_handshake
)
{
	const struct wg_message_initiation *message = data;
	uint8_t timestamp[WG_TIMESTAMP_BYTES];
	enum wg_noise_result result;
	struct wg_symmetric state;
	struct wg_peer *peer = NULL;

	if (wg_message_classify(data, len) != WG_MESSAGE_INITIATION)
		return WG_NOISE_MALFORMED;
	if (wg_cookie_verify_mac1(local->mac1_key, data, len) < 0)
		return WG_NOISE_MAC1;
	result = open_initiation(local, message, lookup, &state, timestamp, &peer);
	if (result == WG_NOISE_OK)
		result = check_freshness(peer, timestamp, now_ns);
	if (result != WG_NOISE_OK)
		goto out_zero;

	// All is proved: commit.
	memcpy(peer->latest_timestamp, timestamp, sizeof(timestamp));
	peer->last_initiation_ns = now_ns;
	peer->has_initiation = true;
	memset(ret_handshake, 0, sizeof(*ret_handshake));
	symmetric_store(&state, ret_handshake);
	memcpy(ret_handshake->remote_ephemeral, message->unencrypted_ephemeral, WG_KEY_BYTES);
	ret_handshake->remote_index = le32toh(message->sender_index);
	ret_handshake->peer = peer;
	ret_handshake->state = WG_HANDSHAKE_CONSUMED_INITIATION;

out_zero:
	wg_primitives_zero(&state, sizeof(state));
	return result;
}

// covered: bytes before the macs, which mac1 follows.
static void write_mac1(const struct wg_peer *receiver, void *message, size_t covered)
{
	uint8_t *mac1 = (uint8_t *)message + covered;

	wg_primitives_mac(receiver->mac1_key, WG_HASH_BYTES, message, covered, mac1);
}

enum wg_noise_result wg_noise_create_response(
	struct wg_handshake *handshake,
	uint32_t local_index,
	struct wg_message_response *ret_message
)
{
	uint8_t ephemeral_private[WG_KEY_BYTES];
	enum wg_noise_result result;

	wg_primitives_generate_private(ephemeral_private);
	result = wg_noise_create_response_from(
		handshake, local_index, ephemeral_private, ret_message
	);
	wg_primitives_zero(ephemeral_private, sizeof(ephemeral_private));
	return result;
}

enum wg_noise_result wg_noise_create_response_from(
	struct wg_handshake *handshake,
	uint32_t local_index,
	const uint8_t ephemeral_private[WG_KEY_BYTES],
	struct wg_message_response *ret_message
)
{
	enum wg_noise_result result = WG_NOISE_LOW_ORDER;
	struct wg_message_response message = {
		.type = htole32(WG_MESSAGE_RESPONSE),
		.sender_index = htole32(local_index),
		.receiver_index = htole32(handshake->remote_index),
	};
	struct wg_symmetric state;

	if (handshake->state != WG_HANDSHAKE_CONSUMED_INITIATION)
		return WG_NOISE_STATE;
	symmetric_load(&state, handshake);
	// e
	wg_primitives_derive_public(ephemeral_private, message.unencrypted_ephemeral);
	wg_symmetric_mix_ephemeral(&state, message.unencrypted_ephemeral);
	// ee
	if (wg_symmetric_mix_dh(&state, ephemeral_private, handshake->remote_ephemeral) < 0)
		goto out_zero;
	// se
	if (wg_symmetric_mix_dh(&state, ephemeral_private, handshake->peer->public_key) < 0)
		goto out_zero;
	// psk
	wg_symmetric_mix_psk(&state, handshake->peer->preshared_key);
	// {}
	wg_symmetric_encrypt_and_hash(&state, NULL, 0, message.encrypted_nothing);
	write_mac1(handshake->peer, &message, offsetof(struct wg_message_response, macs));

	symmetric_store(&state, handshake);
	handshake->local_index = local_index;
	handshake->state = WG_HANDSHAKE_CREATED_RESPONSE;
	*ret_message = message;
	result = WG_NOISE_OK;

out_zero:
	wg_primitives_zero(&state, sizeof(state));
	return result;
}

enum wg_noise_result wg_noise_create_initiation(
	const struct wg_local *local,
	struct wg_peer *peer,
	uint32_t local_index,
	const uint8_t timestamp[WG_TIMESTAMP_BYTES],
	struct wg_handshake *ret_handshake,
	struct wg_message_initiation *ret_message
)
{
	enum wg_noise_result result = WG_NOISE_LOW_ORDER;
	struct wg_message_initiation message = {
		.type = htole32(WG_MESSAGE_INITIATION),
		.sender_index = htole32(local_index),
	};
	uint8_t ephemeral_private[WG_KEY_BYTES], responder_hash[WG_HASH_BYTES];
	struct wg_symmetric state;

	wg_primitives_hash_mix(
		local->identifier_hash, peer->public_key, WG_KEY_BYTES, responder_hash
	);
	symmetric_init(&state, local, responder_hash);
	// e
	wg_primitives_generate_private(ephemeral_private);
	wg_primitives_derive_public(ephemeral_private, message.unencrypted_ephemeral);
	wg_symmetric_mix_ephemeral(&state, message.unencrypted_ephemeral);
	// es
	if (wg_symmetric_mix_dh(&state, ephemeral_private, peer->public_key) < 0)
		goto out_zero;
	// s
	wg_symmetric_encrypt_and_hash(
		&state, local->public_key, WG_KEY_BYTES, message.encrypted_static
	);
	// ss
	wg_symmetric_mix_key(&state, peer->static_static);
	// {t}
	wg_symmetric_encrypt_and_hash(
		&state, timestamp, WG_TIMESTAMP_BYTES, message.encrypted_timestamp
	);
	write_mac1(peer, &message, offsetof(struct wg_message_initiation, macs));

	memset(ret_handshake, 0, sizeof(*ret_handshake));
	symmetric_store(&state, ret_handshake);
	memcpy(ret_handshake->ephemeral_private, ephemeral_private, WG_KEY_BYTES);
	ret_handshake->local_index = local_index;
	ret_handshake->peer = peer;
	ret_handshake->state = WG_HANDSHAKE_CREATED_INITIATION;
	*ret_message = message;
	result = WG_NOISE_OK;

out_zero:
	wg_primitives_zero(ephemeral_private, sizeof(ephemeral_private));
	wg_primitives_zero(&state, sizeof(state));
	return result;
}

// Everything of a response after mac1.
static enum wg_noise_result open_response(
	const struct wg_local *local,
	const struct wg_message_response *message,
	const struct wg_handshake *handshake,
	struct wg_symmetric *state
)
{
	uint8_t nothing[1];

	// e
	wg_symmetric_mix_ephemeral(state, message->unencrypted_ephemeral);
	// ee
	if (wg_symmetric_mix_dh(
		    state, handshake->ephemeral_private, message->unencrypted_ephemeral
	    ) < 0)
		return WG_NOISE_LOW_ORDER;
	// se
	if (wg_symmetric_mix_dh(state, local->private_key, message->unencrypted_ephemeral) < 0)
		return WG_NOISE_LOW_ORDER;
	// psk
	wg_symmetric_mix_psk(state, handshake->peer->preshared_key);
	// {}
	if (wg_symmetric_decrypt_and_hash(
		    state, message->encrypted_nothing, sizeof(message->encrypted_nothing), nothing
	    ) < 0)
		return WG_NOISE_DECRYPT;
	return WG_NOISE_OK;
}

enum wg_noise_result wg_noise_consume_response(
	const struct wg_local *local, const void *data, size_t len, struct wg_handshake *handshake
)
{
	const struct wg_message_response *message = data;
	enum wg_noise_result result;
	struct wg_symmetric state;

	if (wg_message_classify(data, len) != WG_MESSAGE_RESPONSE)
		return WG_NOISE_MALFORMED;
	if (wg_cookie_verify_mac1(local->mac1_key, data, len) < 0)
		return WG_NOISE_MAC1;
	if (handshake->state != WG_HANDSHAKE_CREATED_INITIATION ||
	    le32toh(message->receiver_index) != handshake->local_index)
		return WG_NOISE_STATE;
	symmetric_load(&state, handshake);
	result = open_response(local, message, handshake, &state);
	if (result == WG_NOISE_OK) {
		symmetric_store(&state, handshake);
		handshake->remote_index = le32toh(message->sender_index);
		handshake->state = WG_HANDSHAKE_CONSUMED_RESPONSE;
		wg_primitives_zero(
			handshake->ephemeral_private, sizeof(handshake->ephemeral_private)
		);
	}
	wg_primitives_zero(&state, sizeof(state));
	return result;
}

enum wg_noise_result wg_noise_begin_session(
	struct wg_handshake *handshake,
	uint32_t slot,
	uint64_t now_ns,
	struct wg_keypair *ret_keypair
)
{
	bool is_initiator = handshake->state == WG_HANDSHAKE_CONSUMED_RESPONSE;
	uint8_t *initiator_to_responder, *responder_to_initiator;

	if (!is_initiator && handshake->state != WG_HANDSHAKE_CREATED_RESPONSE)
		return WG_NOISE_STATE;
	memset(ret_keypair, 0, sizeof(*ret_keypair));
	initiator_to_responder = is_initiator ? ret_keypair->send_key : ret_keypair->recv_key;
	responder_to_initiator = is_initiator ? ret_keypair->recv_key : ret_keypair->send_key;
	wg_primitives_kdf2(
		handshake->chaining_key, NULL, 0, initiator_to_responder, responder_to_initiator
	);
	ret_keypair->created_ns = now_ns;
	ret_keypair->local_index = handshake->local_index;
	ret_keypair->remote_index = handshake->remote_index;
	ret_keypair->slot = slot;
	ret_keypair->is_initiator = is_initiator;
	ret_keypair->can_send = true;
	ret_keypair->can_receive = true;
	wg_replay_init(&ret_keypair->replay);
	wg_handshake_fini(handshake);
	return WG_NOISE_OK;
}

void wg_noise_tai64n(uint64_t unix_ns, uint8_t ret_timestamp[WG_TIMESTAMP_BYTES])
{
	const uint64_t tai64_epoch = UINT64_C(0x400000000000000a); // 1970 in TAI64
	const uint32_t rounding_ns = 1 << 24;
	uint64_t be_sec = htobe64(tai64_epoch + unix_ns / WG_NS_PER_SEC);
	uint32_t be_ns = htobe32((uint32_t)(unix_ns % WG_NS_PER_SEC) & ~(rounding_ns - 1));

	memcpy(ret_timestamp, &be_sec, sizeof(be_sec));
	memcpy(ret_timestamp + sizeof(be_sec), &be_ns, sizeof(be_ns));
}
