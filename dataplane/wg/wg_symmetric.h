// SPDX-License-Identifier: Apache-2.0
//
// Noise's symmetric state (Noise specification, section 5.2), as the WireGuard handshake uses it:
// each key serves one encryption, so the counter is always zero. For wg_noise.c alone; its
// functions are the tokens and their parts.
#ifndef WG_SYMMETRIC_H
#define WG_SYMMETRIC_H

#include "dataplane/wg/wg_messages.h"

#include <stddef.h>
#include <stdint.h>

#define WG_SYMMETRIC_CHECKED __attribute__((warn_unused_result))

// Secret; on the stack of one verb, which zeroes it.
struct wg_symmetric {
	uint8_t chaining_key[WG_HASH_BYTES];
	uint8_t hash[WG_HASH_BYTES];
	uint8_t key[WG_KEY_BYTES]; // the last one derived
};

void wg_symmetric_mix_hash(struct wg_symmetric *state, const void *data, size_t len);
void wg_symmetric_mix_key(struct wg_symmetric *state, const uint8_t shared[WG_KEY_BYTES]);
// e: the ephemeral public key goes into hash and chaining key.
void wg_symmetric_mix_ephemeral(struct wg_symmetric *state, const uint8_t ephemeral[WG_KEY_BYTES]);
// ee, es, se: mixes in DH(private, public). -EBADMSG, and no change, if that is zero.
WG_SYMMETRIC_CHECKED int wg_symmetric_mix_dh(
	struct wg_symmetric *state,
	const uint8_t private_key[WG_KEY_BYTES],
	const uint8_t public_key[WG_KEY_BYTES]
);
// psk
void wg_symmetric_mix_psk(struct wg_symmetric *state, const uint8_t preshared_key[WG_KEY_BYTES]);
// ret_sealed has len + WG_TAG_BYTES bytes.
void wg_symmetric_encrypt_and_hash(
	struct wg_symmetric *state, const void *plain, size_t len, uint8_t *ret_sealed
);
// len counts the tag. -EBADMSG if not authentic.
WG_SYMMETRIC_CHECKED int wg_symmetric_decrypt_and_hash(
	struct wg_symmetric *state, const uint8_t *sealed, size_t len, void *ret_plain
);

#endif
