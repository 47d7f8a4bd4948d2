// SPDX-License-Identifier: Apache-2.0
//
// The responder's side of handshake messages, and what an initiator would do with replies. The
// first byte of the input says how the rest becomes a datagram, since random bytes alone never get
// past mac1:
//   raw      as it is
//   remac    with a right mac1
//   crafted  properly sealed by a stranger who chooses ephemeral key, static key and timestamp
// Besides not crashing: a refusal leaves peer and handshake as they were, an acceptance raises the
// timestamp.
#include "dataplane/wg/wg_cookie.h"
#include "dataplane/wg/wg_noise.h"
#include "dataplane/wg/wg_primitives.h"
#include "dataplane/wg/wg_symmetric.h"
#include "tests/vectors/wg_handshake_vectors.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum mode {
	MODE_RAW,
	MODE_REMAC,
	MODE_CRAFTED,
	N_MODES,
};

enum { DATAGRAM_MAX = 2048 };

static struct wg_local client, server;
static struct wg_peer fresh_peer;

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void unhex(const char *hex, uint8_t *ret_bytes)
{
	for (size_t i = 0; hex[2 * i] != '\0'; i++) {
		const char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

		ret_bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
}

// The keys of the captured handshake, so that the capture is an input that is accepted.
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	uint8_t key[WG_KEY_BYTES], preshared_key[WG_KEY_BYTES];

	(void)argc;
	(void)argv;
	must(wg_primitives_init() == 0);
	unhex(wg_handshake_vectors[0].initiator_private, key);
	wg_local_init(&client, key);
	unhex(wg_handshake_vectors[0].responder_private, key);
	wg_local_init(&server, key);
	unhex(wg_handshake_vectors[0].preshared_key, preshared_key);
	must(wg_peer_init(&fresh_peer, &server, client.public_key, preshared_key) == 0);
	return 0;
}

static struct wg_peer *lookup(void *context, const uint8_t public_key[WG_KEY_BYTES])
{
	struct wg_peer *peer = context;

	return memcmp(public_key, peer->public_key, WG_KEY_BYTES) == 0 ? peer : NULL;
}

// From 76 bytes of input: ephemeral private key, static public key, timestamp.
static size_t craft(const uint8_t *data, size_t size, uint8_t *ret_datagram)
{
	struct wg_message_initiation *message = (struct wg_message_initiation *)ret_datagram;
	struct wg_symmetric state;
	uint8_t input[76] = {0};

	memcpy(input, data, size < sizeof(input) ? size : sizeof(input));
	memset(message, 0, sizeof(*message));
	message->type = htole32(WG_MESSAGE_INITIATION);
	memcpy(state.chaining_key, server.chaining_key, sizeof(state.chaining_key));
	memcpy(state.hash, server.responder_hash, sizeof(state.hash));
	wg_primitives_derive_public(input, message->unencrypted_ephemeral);
	wg_symmetric_mix_ephemeral(&state, message->unencrypted_ephemeral);
	must(wg_symmetric_mix_dh(&state, input, server.public_key) == 0);
	wg_symmetric_encrypt_and_hash(&state, input + 32, WG_KEY_BYTES, message->encrypted_static);
	wg_symmetric_mix_key(&state, fresh_peer.static_static);
	wg_symmetric_encrypt_and_hash(
		&state, input + 64, WG_TIMESTAMP_BYTES, message->encrypted_timestamp
	);
	return sizeof(*message);
}

static void remac(const struct wg_local *receiver, uint8_t *datagram, size_t len)
{
	enum wg_message_type type = wg_message_classify(datagram, len);

	if (type != WG_MESSAGE_INITIATION && type != WG_MESSAGE_RESPONSE)
		return;
	wg_primitives_mac(
		receiver->mac1_key,
		WG_HASH_BYTES,
		datagram,
		len - sizeof(struct wg_message_macs),
		datagram + len - sizeof(struct wg_message_macs)
	);
}

static void respond(struct wg_handshake *handshake)
{
	struct wg_message_response response;
	struct wg_keypair keypair;

	must(wg_noise_create_response(handshake, 1, &response) == WG_NOISE_OK);
	must(wg_noise_begin_session(handshake, 0, 1, &keypair) == WG_NOISE_OK);
}

static void consume_initiation(const uint8_t *datagram, size_t len)
{
	struct wg_peer peer = fresh_peer;
	const struct wg_noise_lookup by = {lookup, &peer};
	struct wg_handshake handshake, before;
	enum wg_noise_result result;

	memset(&handshake, 0, sizeof(handshake));
	before = handshake;
	result = wg_noise_consume_initiation(&server, datagram, len, &by, 1, &handshake);
	must((result == WG_NOISE_MALFORMED) ==
	     (wg_message_classify(datagram, len) != WG_MESSAGE_INITIATION));
	if (result != WG_NOISE_OK) {
		must(memcmp(&peer, &fresh_peer, sizeof(peer)) == 0);
		must(memcmp(&handshake, &before, sizeof(before)) == 0);
		return;
	}
	must(memcmp(peer.latest_timestamp, fresh_peer.latest_timestamp, WG_TIMESTAMP_BYTES) > 0);
	// Once only.
	must(wg_noise_consume_initiation(&server, datagram, len, &by, WG_NS_PER_SEC, &before) ==
	     WG_NOISE_REPLAYED_TIMESTAMP);
	respond(&handshake);
}

static void consume_response(const uint8_t *datagram, size_t len)
{
	struct wg_handshake handshake = {
		.state = WG_HANDSHAKE_CREATED_INITIATION,
		.peer = &fresh_peer,
		.ephemeral_private = {1},
	};
	struct wg_handshake before = handshake;

	// Without the initiation's chaining key nobody can make a response that is accepted.
	must(wg_noise_consume_response(&server, datagram, len, &handshake) != WG_NOISE_OK);
	must(memcmp(&handshake, &before, sizeof(before)) == 0);
}

static void use_cookies(const uint8_t *datagram, size_t len)
{
	const struct wg_source source = wg_source_ipv4(1, 2);
	enum wg_message_type type = wg_message_classify(datagram, len);
	struct wg_message_cookie_reply reply;
	struct wg_cookie_jar jar;
	struct wg_cookie cookie;

	wg_cookie_init(&cookie, server.public_key);
	wg_cookie_jar_init(&jar, server.public_key);
	if (type == WG_MESSAGE_INITIATION || type == WG_MESSAGE_RESPONSE) {
		must(wg_cookie_verify_mac2(&cookie, datagram, len, &source, 1) < 0);
		wg_cookie_create_reply(&cookie, datagram, len, &source, 1, &reply);
		must(wg_cookie_jar_consume_reply(&jar, &reply, 1) < 0);
	}
	if (type == WG_MESSAGE_COOKIE_REPLY) {
		memcpy(&reply, datagram, sizeof(reply));
		jar.has_last_mac1 = true;
		must(wg_cookie_jar_consume_reply(&jar, &reply, 1) < 0);
		must(!jar.has_cookie);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t datagram[DATAGRAM_MAX];
	uint8_t *exact;
	size_t len;

	if (size == 0 || size > DATAGRAM_MAX)
		return 0;
	len = size - 1;
	memcpy(datagram, data + 1, len);
	if (data[0] % N_MODES == MODE_CRAFTED)
		len = craft(data + 1, size - 1, datagram);
	if (data[0] % N_MODES != MODE_RAW)
		remac(&server, datagram, len);
	// A buffer of just this size, so that the sanitizer sees a read beyond it.
	exact = malloc(len > 0 ? len : 1);
	must(exact != NULL);
	memcpy(exact, datagram, len);
	consume_initiation(exact, len);
	consume_response(exact, len);
	use_cookies(exact, len);
	free(exact);
	return 0;
}
