// SPDX-License-Identifier: Apache-2.0
//
// See pktgen_buyer.h. Section numbers are those of the WireGuard paper.
#include "perf/pktgen/pktgen_buyer.h"

#include "dataplane/wg/wg_primitives.h"

#include <string.h>

#define SPAN(at, n) ((struct wg_primitives_span){.data = (at), .len = (n)})
#define NO_AD SPAN(NULL, 0)
#define TAI64_UNIX_EPOCH 0x400000000000000aull

void pktgen_buyer_derive(struct pktgen_buyer *buyer, uint64_t seed, uint32_t i)
{
	uint64_t source[2] = {htole64(seed), htole64(i)};

	memset(buyer, 0, sizeof(*buyer));
	wg_primitives_hash(source, sizeof(source), buyer->private_key);
	buyer->private_key[0] &= 248; // RFC 7748 section 5
	buyer->private_key[31] = (buyer->private_key[31] & 127) | 64;
	wg_primitives_derive_public(buyer->private_key, buyer->public_key);
}

// H := Hash(H || data)
static void mix_hash(struct pktgen_buyer *buyer, const void *data, size_t len)
{
	uint8_t mixed[32 + 128];

	memcpy(mixed, buyer->hash, 32);
	memcpy(mixed + 32, data, len);
	wg_primitives_hash(mixed, 32 + len, buyer->hash);
}

// (C, k) := Kdf2(C, DH(private, public)); k may be NULL.
static void mix_dh(
	struct pktgen_buyer *buyer,
	const uint8_t private_key[32],
	const uint8_t *public_key,
	uint8_t *key
)
{
	uint8_t shared[32], unused[32];

	if (wg_primitives_x25519(private_key, public_key, shared) != 0)
		memset(shared, 0, sizeof(shared)); // the far side will not decrypt what follows
	wg_primitives_kdf2(
		buyer->chaining_key, shared, 32, buyer->chaining_key, key != NULL ? key : unused
	);
}

static void start_hash(struct pktgen_buyer *buyer)
{
	uint8_t mixed[32 + sizeof(WG_IDENTIFIER) - 1];

	wg_primitives_hash(WG_CONSTRUCTION, strlen(WG_CONSTRUCTION), buyer->chaining_key);
	memcpy(mixed, buyer->chaining_key, 32);
	memcpy(mixed + 32, WG_IDENTIFIER, strlen(WG_IDENTIFIER));
	wg_primitives_hash(mixed, sizeof(mixed), buyer->hash);
	mix_hash(buyer, buyer->node_public_key, 32);
}

static void label_hash(const char *label, const uint8_t public_key[32], uint8_t ret[32])
{
	uint8_t mixed[WG_LABEL_BYTES + 32];

	memcpy(mixed, label, WG_LABEL_BYTES);
	memcpy(mixed + WG_LABEL_BYTES, public_key, 32);
	wg_primitives_hash(mixed, sizeof(mixed), ret);
}

// Section 5.4.4.
static void macs_write(struct pktgen_buyer *buyer, struct wg_message_initiation *message)
{
	size_t covered = offsetof(struct wg_message_initiation, macs);
	uint8_t key[32];

	label_hash(WG_LABEL_MAC1, buyer->node_public_key, key);
	wg_primitives_mac(key, 32, message, covered, message->macs.mac1);
	memcpy(buyer->last_mac1, message->macs.mac1, 16);
	memset(message->macs.mac2, 0, 16);
	if (buyer->has_cookie)
		wg_primitives_mac(buyer->cookie, 16, message, covered + 16, message->macs.mac2);
}

// Section 5.4.2: e, es, s, ss, {t}.
void pktgen_buyer_initiate(
	struct pktgen_buyer *buyer, uint64_t unix_ns, struct wg_message_initiation *ret
)
{
	uint8_t key[32], timestamp[12];
	uint64_t seconds = htobe64(TAI64_UNIX_EPOCH + unix_ns / 1000000000);
	uint32_t nanoseconds = htobe32((uint32_t)(unix_ns % 1000000000));

	memcpy(timestamp, &seconds, 8);
	memcpy(timestamp + 8, &nanoseconds, 4);
	*ret = (struct wg_message_initiation
	){.type = htole32(WG_MESSAGE_INITIATION), .sender_index = htole32(buyer->index)};
	start_hash(buyer);
	wg_primitives_generate_private(buyer->ephemeral_private);
	wg_primitives_derive_public(buyer->ephemeral_private, ret->unencrypted_ephemeral);
	mix_hash(buyer, ret->unencrypted_ephemeral, 32);
	wg_primitives_kdf1(
		buyer->chaining_key, ret->unencrypted_ephemeral, 32, buyer->chaining_key
	);
	mix_dh(buyer, buyer->ephemeral_private, buyer->node_public_key, key);
	wg_primitives_aead_seal(
		key, 0, SPAN(buyer->hash, 32), SPAN(buyer->public_key, 32), ret->encrypted_static
	);
	mix_hash(buyer, ret->encrypted_static, sizeof(ret->encrypted_static));
	mix_dh(buyer, buyer->private_key, buyer->node_public_key, key);
	wg_primitives_aead_seal(
		key, 0, SPAN(buyer->hash, 32), SPAN(timestamp, 12), ret->encrypted_timestamp
	);
	mix_hash(buyer, ret->encrypted_timestamp, sizeof(ret->encrypted_timestamp));
	macs_write(buyer, ret);
}

static const char *mac1_check(
	const struct pktgen_buyer *buyer, const struct wg_message_response *message
)
{
	uint8_t key[32], mac[16];

	label_hash(WG_LABEL_MAC1, buyer->public_key, key);
	wg_primitives_mac(key, 32, message, offsetof(struct wg_message_response, macs), mac);
	return memcmp(mac, message->macs.mac1, 16) == 0 ? NULL : "response with a wrong mac1";
}

// Section 5.4.3: e, ee, se, psk, {}. The preshared key is zero: the generator's sessions have none.
static const char *response_read(
	struct pktgen_buyer *buyer, const struct wg_message_response *message
)
{
	static const uint8_t psk[32];
	uint8_t tau[32], key[32], nothing[1];
	const char *why = mac1_check(buyer, message);

	if (why != NULL)
		return why;
	mix_hash(buyer, message->unencrypted_ephemeral, 32);
	wg_primitives_kdf1(
		buyer->chaining_key, message->unencrypted_ephemeral, 32, buyer->chaining_key
	);
	mix_dh(buyer, buyer->ephemeral_private, message->unencrypted_ephemeral, NULL);
	mix_dh(buyer, buyer->private_key, message->unencrypted_ephemeral, NULL);
	wg_primitives_kdf3(buyer->chaining_key, SPAN(psk, 32), buyer->chaining_key, tau, key);
	mix_hash(buyer, tau, 32);
	struct wg_primitives_span sealed =
		SPAN(message->encrypted_nothing, sizeof(message->encrypted_nothing));
	if (wg_primitives_aead_open(key, 0, SPAN(buyer->hash, 32), sealed, nothing) != 0)
		return "response that does not authenticate";
	// Section 5.4.5: the initiator sends with the first and receives with the second.
	wg_primitives_kdf2(buyer->chaining_key, NULL, 0, buyer->send_key, buyer->recv_key);
	buyer->node_index = le32toh(message->sender_index);
	buyer->send_counter = 0;
	buyer->seen_next = 0;
	memset(buyer->seen, 0, sizeof(buyer->seen));
	buyer->is_connected = true;
	buyer->handshakes++;
	return NULL;
}

// An initiation that nobody answered in time was sent again, with keys of its own.
static bool is_late_response(
	const struct pktgen_buyer *buyer, const struct wg_message_response *message
)
{
	uint32_t index = le32toh(message->receiver_index);

	return index < buyer->index && (buyer->index - index) % BUYER_INDEX_STEP == 0;
}

// Section 5.4.7.
static const char *cookie_read(
	struct pktgen_buyer *buyer, const struct wg_message_cookie_reply *message
)
{
	uint8_t key[32];

	label_hash(WG_LABEL_COOKIE, buyer->node_public_key, key);
	struct wg_primitives_span sealed =
		SPAN(message->encrypted_cookie, sizeof(message->encrypted_cookie));
	if (wg_primitives_xaead_open(
		    key, message->iv, SPAN(buyer->last_mac1, 16), sealed, buyer->cookie
	    ) != 0)
		return "cookie reply that does not authenticate";
	buyer->has_cookie = true;
	return NULL;
}

static const char *counter_note(struct pktgen_buyer *buyer, uint64_t counter)
{
	if (counter >= buyer->seen_next) {
		for (uint64_t c = buyer->seen_next;
		     c < counter && c - buyer->seen_next < BUYER_WINDOW;
		     c++)
			buyer->seen[c % BUYER_WINDOW / 64] &= ~(1ull << c % 64);
		buyer->seen_next = counter + 1;
	} else if (buyer->seen_next - counter > BUYER_WINDOW) {
		return "counter older than the generator remembers";
	} else if (buyer->seen[counter % BUYER_WINDOW / 64] & 1ull << counter % 64) {
		return "send counter used twice";
	}
	buyer->seen[counter % BUYER_WINDOW / 64] |= 1ull << counter % 64;
	return NULL;
}

static int data_read(
	struct pktgen_buyer *buyer,
	const uint8_t *message,
	size_t len,
	uint8_t *inner,
	const char **why
)
{
	const struct wg_message_data *head = (const struct wg_message_data *)message;
	struct wg_primitives_span sealed = SPAN(message + sizeof(*head), len - sizeof(*head));
	uint64_t counter = le64toh(head->counter);

	if (!buyer->is_connected || le32toh(head->receiver_index) != buyer->index)
		*why = "transport data for another index";
	else if (wg_primitives_aead_open(buyer->recv_key, counter, NO_AD, sealed, inner) != 0)
		*why = "transport data that does not authenticate";
	else
		*why = counter_note(buyer, counter);
	if (*why != NULL)
		return -1;
	size_t inner_len = sealed.len - WG_TAG_BYTES;
	if (inner_len == 0)
		buyer->keepalives++;
	return (int)inner_len;
}

int pktgen_buyer_read(
	struct pktgen_buyer *buyer, uint8_t *message, size_t len, uint8_t *inner, const char **why
)
{
	*why = "message of an unknown type or length";
	switch (wg_message_classify(message, len)) {
	case WG_MESSAGE_RESPONSE:
		if (is_late_response(buyer, (const struct wg_message_response *)message)) {
			buyer->late_responses++;
			*why = NULL;
			break;
		}
		*why = response_read(buyer, (const struct wg_message_response *)message);
		break;
	case WG_MESSAGE_COOKIE_REPLY:
		*why = cookie_read(buyer, (const struct wg_message_cookie_reply *)message);
		break;
	case WG_MESSAGE_DATA:
		return data_read(buyer, message, len, inner, why);
	case WG_MESSAGE_INITIATION:
	case WG_MESSAGE_INVALID:
		break;
	}
	return *why == NULL ? 0 : -1;
}

size_t pktgen_buyer_seal(struct pktgen_buyer *buyer, const uint8_t *inner, size_t len, uint8_t *at)
{
	struct wg_message_data *head = (struct wg_message_data *)at;
	uint8_t *text = at + sizeof(*head);
	size_t padded = (len + 15) & ~(size_t)15;

	head->type = htole32(WG_MESSAGE_DATA);
	head->receiver_index = htole32(buyer->node_index);
	head->counter = htole64(buyer->send_counter);
	if (len != 0)
		memcpy(text, inner, len);
	memset(text + len, 0, padded - len);
	wg_primitives_aead_seal(
		buyer->send_key, buyer->send_counter++, NO_AD, SPAN(text, padded), text
	);
	return sizeof(*head) + padded + WG_TAG_BYTES;
}
