// SPDX-License-Identifier: Apache-2.0
//
// Noise's symmetric state: how one token of a handshake changes hash, chaining key and key. It
// knows no messages and no peers. Slow path only; the state belongs to the caller, who zeroes it.
#include "wg_symmetric.h"

#include "dataplane/wg/wg_primitives.h"

#include <string.h>

void wg_symmetric_mix_hash(struct wg_symmetric *state, const void *data, size_t len)
{
	wg_primitives_hash_mix(state->hash, data, len, state->hash);
}

void wg_symmetric_mix_ephemeral(struct wg_symmetric *state, const uint8_t ephemeral[WG_KEY_BYTES])
{
	wg_symmetric_mix_hash(state, ephemeral, WG_KEY_BYTES);
	wg_primitives_kdf1(state->chaining_key, ephemeral, WG_KEY_BYTES, state->chaining_key);
}

void wg_symmetric_mix_key(struct wg_symmetric *state, const uint8_t shared[WG_KEY_BYTES])
{
	wg_primitives_kdf2(
		state->chaining_key, shared, WG_KEY_BYTES, state->chaining_key, state->key
	);
}

int wg_symmetric_mix_dh(
	struct wg_symmetric *state,
	const uint8_t private_key[WG_KEY_BYTES],
	const uint8_t public_key[WG_KEY_BYTES]
)
{
	uint8_t shared[WG_KEY_BYTES];
	int ret;

	ret = wg_primitives_x25519(private_key, public_key, shared);
	if (ret == 0)
		wg_symmetric_mix_key(state, shared);
	wg_primitives_zero(shared, sizeof(shared));
	return ret;
}

void wg_symmetric_mix_psk(struct wg_symmetric *state, const uint8_t preshared_key[WG_KEY_BYTES])
{
	uint8_t temp[WG_HASH_BYTES];

	wg_primitives_kdf3(
		state->chaining_key,
		(struct wg_primitives_span){preshared_key, WG_KEY_BYTES},
		state->chaining_key,
		temp,
		state->key
	);
	wg_symmetric_mix_hash(state, temp, sizeof(temp));
	wg_primitives_zero(temp, sizeof(temp));
}

void wg_symmetric_encrypt_and_hash(
	struct wg_symmetric *state, const void *plain, size_t len, uint8_t *ret_sealed
)
{
	wg_primitives_aead_seal(
		state->key,
		0,
		(struct wg_primitives_span){state->hash, sizeof(state->hash)},
		(struct wg_primitives_span){plain, len},
		ret_sealed
	);
	wg_symmetric_mix_hash(state, ret_sealed, len + WG_TAG_BYTES);
}

int wg_symmetric_decrypt_and_hash(
	struct wg_symmetric *state, const uint8_t *sealed, size_t len, void *ret_plain
)
{
	int ret;

	ret = wg_primitives_aead_open(
		state->key,
		0,
		(struct wg_primitives_span){state->hash, sizeof(state->hash)},
		(struct wg_primitives_span){sealed, len},
		ret_plain
	);
	if (ret == 0)
		wg_symmetric_mix_hash(state, sealed, len);
	return ret;
}
