// SPDX-License-Identifier: Apache-2.0
//
// Seals and opens bursts of transport data: ChaCha20-Poly1305 (RFC 8439), empty additional data, iv
// = 32 zero bits || le64 counter. Each operation is independent of the others, has its own key, and
// works in place on one contiguous buffer. One struct wg_aead belongs to one thread. No allocation,
// lock or system call after create. What is behind this header is an engine file, one per build;
// nothing else in the data plane knows which.
//
// It checks no replay, changes no keypair and knows no packets: those come after its verdict.
#ifndef WG_AEAD_H
#define WG_AEAD_H

#include <stdint.h>

struct wg_aead;

// `data` has len + 16 bytes: the text, then the tag. len may be 0 (a keepalive), and any length up
// to 65,519.
struct wg_aead_op {
	const uint8_t *key; // 32 bytes, unchanged until the call returns
	uint64_t counter;
	uint8_t *data;
	uint32_t len; // of the text without the tag, sealing or opening
};

// Values of a verdict. Zero is the refusal, so that memory nobody wrote does not read as authentic.
enum wg_aead_verdict {
	WG_AEAD_FORGED = 0,
	WG_AEAD_AUTHENTIC = 1,
};

// Returns: 0, -ENOMEM, or -ENOTSUP if the processor lacks what the engine needs. Never in the
// packet path.
__attribute__((warn_unused_result)) int wg_aead_create(struct wg_aead **ret_aead);
// Wipes what the engine holds of keys. NULL is a no-op.
void wg_aead_destroy(struct wg_aead *aead);

// Encrypts len bytes at data and writes the tag at data + len, for each of n operations; n may be
// 0. A counter must never come twice with one key: taking it is wg_keypair_take_counters().
void wg_aead_seal(struct wg_aead *aead, const struct wg_aead_op ops[], unsigned int n);

// Decrypts len bytes at data and compares, in constant time, the 16 bytes at data + len with the
// computed tag. Out: ret_verdict[i] for each of n operations. The only maker of WG_AEAD_AUTHENTIC.
// Where the verdict is WG_AEAD_FORGED, data[0 … len + 15] is unspecified and must not be looked at.
void wg_aead_open(
	struct wg_aead *aead, const struct wg_aead_op ops[], uint8_t ret_verdict[], unsigned int n
);

#endif
