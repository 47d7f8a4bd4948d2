// SPDX-License-Identifier: Apache-2.0
//
// Thin: each function is one libsodium or libb2 call, or the HMAC and HKDF made of them. The only
// file of the data plane's WireGuard code that includes either library. Stack copies of secrets are
// zeroed before returning.
#include "wg_primitives.h"

#include <blake2.h>
#include <sodium.h>

#include <errno.h>
#include <string.h>

enum { BLAKE2S_BLOCK = 64 };

int wg_primitives_init(void)
{
	return sodium_init() < 0 ? -EIO : 0;
}

void wg_primitives_hash(const void *data, size_t len, uint8_t ret_hash[WG_HASH_BYTES])
{
	blake2s_state state;

	blake2s_init(&state, WG_HASH_BYTES);
	blake2s_update(&state, data, len);
	blake2s_final(&state, ret_hash, WG_HASH_BYTES);
	sodium_memzero(&state, sizeof(state));
}

void wg_primitives_hash_mix(
	const uint8_t first[WG_HASH_BYTES],
	const void *data,
	size_t len,
	uint8_t ret_hash[WG_HASH_BYTES]
)
{
	blake2s_state state;

	blake2s_init(&state, WG_HASH_BYTES);
	blake2s_update(&state, first, WG_HASH_BYTES);
	blake2s_update(&state, data, len);
	blake2s_final(&state, ret_hash, WG_HASH_BYTES);
	sodium_memzero(&state, sizeof(state));
}

void wg_primitives_hash_label(
	const char *label, const uint8_t public_key[WG_KEY_BYTES], uint8_t ret_hash[WG_HASH_BYTES]
)
{
	uint8_t input[WG_LABEL_BYTES + WG_KEY_BYTES];

	memcpy(input, label, WG_LABEL_BYTES);
	memcpy(input + WG_LABEL_BYTES, public_key, WG_KEY_BYTES);
	wg_primitives_hash(input, sizeof(input), ret_hash);
}

void wg_primitives_mac(
	const uint8_t *key,
	size_t key_len,
	const void *data,
	size_t len,
	uint8_t ret_mac[WG_MAC_BYTES]
)
{
	blake2s_state state;

	blake2s_init_key(&state, WG_MAC_BYTES, key, key_len);
	blake2s_update(&state, data, len);
	blake2s_final(&state, ret_mac, WG_MAC_BYTES);
	sodium_memzero(&state, sizeof(state));
}

// One of HMAC's two passes: HASH(key ^ pad || data).
static void hmac_pass(
	const uint8_t key[WG_KEY_BYTES], uint8_t pad, struct wg_primitives_span in, uint8_t *ret
)
{
	uint8_t block[BLAKE2S_BLOCK];
	blake2s_state state;

	memset(block, pad, sizeof(block));
	for (unsigned int i = 0; i < WG_KEY_BYTES; i++)
		block[i] ^= key[i];
	blake2s_init(&state, WG_HASH_BYTES);
	blake2s_update(&state, block, sizeof(block));
	blake2s_update(&state, in.data, in.len);
	blake2s_final(&state, ret, WG_HASH_BYTES);
	sodium_memzero(&state, sizeof(state));
	sodium_memzero(block, sizeof(block));
}

void wg_primitives_hmac(
	const uint8_t key[WG_KEY_BYTES],
	const void *data,
	size_t len,
	uint8_t ret_hash[WG_HASH_BYTES]
)
{
	uint8_t inner[WG_HASH_BYTES];

	hmac_pass(key, 0x36, (struct wg_primitives_span){data, len}, inner);
	hmac_pass(key, 0x5c, (struct wg_primitives_span){inner, sizeof(inner)}, ret_hash);
	sodium_memzero(inner, sizeof(inner));
}

// HKDF with n outputs of 32 bytes: T(i) = HMAC(prk, T(i - 1) || i). RFC 5869, section 2.3, empty
// info.
static void kdf(
	const uint8_t *chaining_key, struct wg_primitives_span input, uint8_t *ret[], unsigned int n
)
{
	uint8_t prk[WG_HASH_BYTES], block[WG_HASH_BYTES + 1];

	wg_primitives_hmac(chaining_key, input.data, input.len, prk);
	block[0] = 1;
	wg_primitives_hmac(prk, block, 1, block);
	memcpy(ret[0], block, WG_HASH_BYTES);
	for (unsigned int i = 1; i < n; i++) {
		block[WG_HASH_BYTES] = (uint8_t)(i + 1);
		wg_primitives_hmac(prk, block, sizeof(block), block);
		memcpy(ret[i], block, WG_HASH_BYTES);
	}
	sodium_memzero(prk, sizeof(prk));
	sodium_memzero(block, sizeof(block));
}

void wg_primitives_kdf1(
	const uint8_t chaining_key[WG_HASH_BYTES],
	const void *data,
	size_t len,
	uint8_t ret_first[WG_HASH_BYTES]
)
{
	kdf(chaining_key, (struct wg_primitives_span){data, len}, (uint8_t *[]){ret_first}, 1);
}

void wg_primitives_kdf2(
	const uint8_t chaining_key[WG_HASH_BYTES],
	const void *data,
	size_t len,
	uint8_t ret_first[WG_HASH_BYTES],
	uint8_t ret_second[WG_HASH_BYTES]
)
{
	kdf(chaining_key,
	    (struct wg_primitives_span){data, len},
	    (uint8_t *[]){ret_first, ret_second},
	    2);
}

void wg_primitives_kdf3(
	const uint8_t chaining_key[WG_HASH_BYTES],
	struct wg_primitives_span input,
	uint8_t ret_first[WG_HASH_BYTES],
	uint8_t ret_second[WG_HASH_BYTES],
	uint8_t ret_third[WG_HASH_BYTES]
)
{
	kdf(chaining_key, input, (uint8_t *[]){ret_first, ret_second, ret_third}, 3);
}

int wg_primitives_x25519(
	const uint8_t private_key[WG_KEY_BYTES],
	const uint8_t public_key[WG_KEY_BYTES],
	uint8_t ret_shared[WG_KEY_BYTES]
)
{
	uint8_t shared[WG_KEY_BYTES];
	int ret = -EBADMSG;

	// libsodium refuses the zero result (RFC 7748, section 6.1) and known low-order points.
	if (crypto_scalarmult_curve25519(shared, private_key, public_key) == 0) {
		memcpy(ret_shared, shared, sizeof(shared));
		ret = 0;
	}
	sodium_memzero(shared, sizeof(shared));
	return ret;
}

void wg_primitives_generate_private(uint8_t ret_private[WG_KEY_BYTES])
{
	randombytes_buf(ret_private, WG_KEY_BYTES);
	ret_private[0] &= 248;
	ret_private[31] = (ret_private[31] & 127) | 64;
}

void wg_primitives_derive_public(
	const uint8_t private_key[WG_KEY_BYTES], uint8_t ret_public[WG_KEY_BYTES]
)
{
	// Cannot fail: the base point is not of low order.
	(void)crypto_scalarmult_curve25519_base(ret_public, private_key);
}

static void counter_iv(uint64_t counter, uint8_t ret_iv[12])
{
	le64 wire = htole64(counter);

	memset(ret_iv, 0, 4);
	memcpy(ret_iv + 4, &wire, sizeof(wire));
}

void wg_primitives_aead_seal(
	const uint8_t key[WG_KEY_BYTES],
	uint64_t counter,
	struct wg_primitives_span ad,
	struct wg_primitives_span plain,
	uint8_t *ret_sealed
)
{
	uint8_t iv[12];

	counter_iv(counter, iv);
	crypto_aead_chacha20poly1305_ietf_encrypt(
		ret_sealed, NULL, plain.data, plain.len, ad.data, ad.len, NULL, iv, key
	);
}

int wg_primitives_aead_open(
	const uint8_t key[WG_KEY_BYTES],
	uint64_t counter,
	struct wg_primitives_span ad,
	struct wg_primitives_span sealed,
	uint8_t *ret_plain
)
{
	uint8_t iv[12];

	counter_iv(counter, iv);
	return crypto_aead_chacha20poly1305_ietf_decrypt(
		       ret_plain, NULL, NULL, sealed.data, sealed.len, ad.data, ad.len, iv, key
	       ) == 0
		? 0
		: -EBADMSG;
}

void wg_primitives_xaead_seal(
	const uint8_t key[WG_KEY_BYTES],
	const uint8_t iv[WG_COOKIE_IV_BYTES],
	struct wg_primitives_span ad,
	struct wg_primitives_span plain,
	uint8_t *ret_sealed
)
{
	crypto_aead_xchacha20poly1305_ietf_encrypt(
		ret_sealed, NULL, plain.data, plain.len, ad.data, ad.len, NULL, iv, key
	);
}

int wg_primitives_xaead_open(
	const uint8_t key[WG_KEY_BYTES],
	const uint8_t iv[WG_COOKIE_IV_BYTES],
	struct wg_primitives_span ad,
	struct wg_primitives_span sealed,
	uint8_t *ret_plain
)
{
	return crypto_aead_xchacha20poly1305_ietf_decrypt(
		       ret_plain, NULL, NULL, sealed.data, sealed.len, ad.data, ad.len, iv, key
	       ) == 0
		? 0
		: -EBADMSG;
}

uint64_t wg_primitives_shorthash(
	const uint8_t key[WG_PRIMITIVES_SHORTHASH_KEY_BYTES], const void *data, size_t len
)
{
	uint64_t hash;

	static_assert(sizeof(hash) == crypto_shorthash_BYTES, "SipHash-2-4");
	static_assert(
		WG_PRIMITIVES_SHORTHASH_KEY_BYTES == crypto_shorthash_KEYBYTES, "SipHash-2-4"
	);
	crypto_shorthash((unsigned char *)&hash, data, len, key);
	return hash;
}

void wg_primitives_random(void *ret_data, size_t len)
{
	randombytes_buf(ret_data, len);
}

void wg_primitives_zero(void *data, size_t len)
{
	sodium_memzero(data, len);
}

int wg_primitives_verify_equal(const void *left, const void *right, size_t len)
{
	// sodium_memcmp() gives 0 or -1.
	return sodium_memcmp(left, right, len) & -EBADMSG;
}

bool wg_primitives_check_equal(const void *left, const void *right, size_t len)
{
	return sodium_memcmp(left, right, len) == 0;
}
