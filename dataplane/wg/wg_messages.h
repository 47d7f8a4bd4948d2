// SPDX-License-Identifier: Apache-2.0
//
// The WireGuard protocol on one page: every constant in the words of the paper (Donenfeld,
// "WireGuard: Next Generation Kernel Network Tunnel", NDSS 2017, sections 5 and 6) and every
// message as it stands on the wire. Header only and free of state, so that the packet generator
// shares it with the data plane. It does not say what a message means: handshakes are wg_noise.h,
// macs and cookies wg_cookie.h.
#ifndef WG_MESSAGES_H
#define WG_MESSAGES_H

#include <assert.h>
#include <endian.h>
#include <stddef.h>
#include <stdint.h>

typedef uint32_t le32;
typedef uint64_t le64;

#define WG_NS_PER_SEC UINT64_C(1000000000)

// Section 6.1, table of constants.
#define WG_REKEY_AFTER_MESSAGES (UINT64_C(1) << 60)
#define WG_REJECT_AFTER_MESSAGES (UINT64_MAX - (UINT64_C(1) << 13)) // 2^64 - 2^13 - 1
#define WG_REKEY_AFTER_TIME_SEC 120
#define WG_REJECT_AFTER_TIME_SEC 180
#define WG_REKEY_ATTEMPT_TIME_SEC 90
#define WG_REKEY_TIMEOUT_SEC 5
#define WG_KEEPALIVE_TIMEOUT_SEC 10
// Section 6.3: keys are erased after REJECT_AFTER_TIME x 3 without a new keypair.
#define WG_ERASE_AFTER_TIME_SEC (3 * WG_REJECT_AFTER_TIME_SEC)
// Section 5.4.7: the secret behind cookies changes every two minutes.
#define WG_COOKIE_SECRET_MAX_AGE_SEC 120
// A cookie is not used in its last seconds, so that it does not expire in flight.
#define WG_COOKIE_SECRET_LATENCY_SEC 5
// Section 6.1: an initiation is sent again after REKEY_TIMEOUT plus up to this much jitter.
#define WG_REKEY_TIMEOUT_JITTER_MAX_MS 334
// Section 5.1: at most this many initiations of one peer are answered, so one per 20 ms.
#define WG_INITIATIONS_PER_SECOND 50
#define WG_INITIATION_MIN_GAP_NS (WG_NS_PER_SEC / WG_INITIATIONS_PER_SECOND)
// Section 5.4.6: inner packets are padded with zeros to a multiple of this, within the MTU.
#define WG_PADDING_MULTIPLE 16
// Replay window, RFC 6479: one 64-bit word of the ring is always the one being entered.
#define WG_REPLAY_RING_BITS 8192
#define WG_REPLAY_WINDOW (WG_REPLAY_RING_BITS - 64)

enum {
	WG_KEY_BYTES = 32,
	WG_HASH_BYTES = 32,
	WG_TAG_BYTES = 16,
	WG_MAC_BYTES = 16,
	WG_COOKIE_BYTES = 16,
	WG_COOKIE_IV_BYTES = 24,
	WG_TIMESTAMP_BYTES = 12,
};

// Section 5.4, the strings that bind a handshake to this protocol and its version.
#define WG_CONSTRUCTION "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s"
#define WG_IDENTIFIER "WireGuard v1 zx2c4 Jason@zx2c4.com"
#define WG_LABEL_MAC1 "mac1----"
#define WG_LABEL_COOKIE "cookie--"
#define WG_LABEL_BYTES 8

// Values of the first four bytes: one byte of type and three reserved zeros read as one le32, as
// Linux does, so that a set reserved bit is a malformed message and not a variant of a known one.
enum wg_message_type {
	WG_MESSAGE_INVALID = 0,
	WG_MESSAGE_INITIATION = 1,
	WG_MESSAGE_RESPONSE = 2,
	WG_MESSAGE_COOKIE_REPLY = 3,
	WG_MESSAGE_DATA = 4,
};

// Both handshake messages end in this: mac1 covers all bytes before it, mac2 all bytes before
// itself.
struct wg_message_macs {
	uint8_t mac1[WG_MAC_BYTES];
	uint8_t mac2[WG_MAC_BYTES];
} __attribute__((packed));

struct wg_message_initiation {
	le32 type;
	le32 sender_index;
	uint8_t unencrypted_ephemeral[WG_KEY_BYTES];
	uint8_t encrypted_static[WG_KEY_BYTES + WG_TAG_BYTES];
	uint8_t encrypted_timestamp[WG_TIMESTAMP_BYTES + WG_TAG_BYTES];
	struct wg_message_macs macs;
} __attribute__((packed));

struct wg_message_response {
	le32 type;
	le32 sender_index;
	le32 receiver_index;
	uint8_t unencrypted_ephemeral[WG_KEY_BYTES];
	uint8_t encrypted_nothing[WG_TAG_BYTES];
	struct wg_message_macs macs;
} __attribute__((packed));

struct wg_message_cookie_reply {
	le32 type;
	le32 receiver_index;
	uint8_t iv[WG_COOKIE_IV_BYTES];
	uint8_t encrypted_cookie[WG_COOKIE_BYTES + WG_TAG_BYTES];
} __attribute__((packed));

// The header of transport data; the sealed inner packet (empty for a keepalive) and its tag follow.
struct wg_message_data {
	le32 type;
	le32 receiver_index;
	le64 counter;
} __attribute__((packed));

static_assert(sizeof(struct wg_message_macs) == 32, "wire format");
static_assert(sizeof(struct wg_message_initiation) == 148, "wire format");
static_assert(sizeof(struct wg_message_response) == 92, "wire format");
static_assert(sizeof(struct wg_message_cookie_reply) == 64, "wire format");
static_assert(sizeof(struct wg_message_data) == 16, "wire format");
static_assert(offsetof(struct wg_message_initiation, macs) == 116, "wire format");
static_assert(offsetof(struct wg_message_response, macs) == 60, "wire format");
static_assert(offsetof(struct wg_message_response, sender_index) == 4, "cookie replies rely on it");
static_assert(
	offsetof(struct wg_message_initiation, sender_index) == 4, "cookie replies rely on it"
);

#define WG_MESSAGE_DATA_MIN_BYTES (sizeof(struct wg_message_data) + WG_TAG_BYTES)
// What a data message adds to the padded inner packet, without outer IP and UDP.
#define WG_MESSAGE_DATA_OVERHEAD_BYTES (sizeof(struct wg_message_data) + WG_TAG_BYTES)

// Type of a UDP payload of `len` bytes, or WG_MESSAGE_INVALID if type, reserved bytes or length do
// not fit. Any alignment. A type other than WG_MESSAGE_INVALID means that the struct of that type
// may be read; nothing more.
static inline enum wg_message_type wg_message_classify(const void *data, size_t len)
{
	const struct wg_message_data *head = data;

	if (len < WG_MESSAGE_DATA_MIN_BYTES)
		return WG_MESSAGE_INVALID;
	switch (le32toh(head->type)) {
	case WG_MESSAGE_DATA:
		return WG_MESSAGE_DATA;
	case WG_MESSAGE_INITIATION:
		return len == sizeof(struct wg_message_initiation) ? WG_MESSAGE_INITIATION
								   : WG_MESSAGE_INVALID;
	case WG_MESSAGE_RESPONSE:
		return len == sizeof(struct wg_message_response) ? WG_MESSAGE_RESPONSE
								 : WG_MESSAGE_INVALID;
	case WG_MESSAGE_COOKIE_REPLY:
		return len == sizeof(struct wg_message_cookie_reply) ? WG_MESSAGE_COOKIE_REPLY
								     : WG_MESSAGE_INVALID;
	default: // not our enum: four bytes from the network
		return WG_MESSAGE_INVALID;
	}
}

#endif
