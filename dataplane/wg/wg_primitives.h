// SPDX-License-Identifier: Apache-2.0
//
// The cryptographic functions of the handshake, one call each, named as in section 5.4 of the
// paper. The only door to libb2 (BLAKE2s) and, in the data plane's WireGuard code, to libsodium.
// Stateless: any thread may call anything after wg_primitives_init(). Bulk transport data does not
// come here: see wg_aead.h. Shared with the packet generator.
#ifndef WG_PRIMITIVES_H
#define WG_PRIMITIVES_H

#include "dataplane/wg/wg_messages.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WG_PRIMITIVES_CHECKED __attribute__((warn_unused_result))

// Bytes that belong to the caller for the time of one call. {NULL, 0} is an empty input.
struct wg_primitives_span {
	const void *data;
	size_t len;
};

// Once per process, before anything else here; safe to repeat. -EIO if there is no source of
// randomness.
WG_PRIMITIVES_CHECKED int wg_primitives_init(void);

// HASH(data): BLAKE2s-256.
void wg_primitives_hash(const void *data, size_t len, uint8_t ret_hash[WG_HASH_BYTES]);
// HASH(first || data), the mixing step of Noise. ret_hash may be first.
void wg_primitives_hash_mix(
	const uint8_t first[WG_HASH_BYTES],
	const void *data,
	size_t len,
	uint8_t ret_hash[WG_HASH_BYTES]
);
// HASH(label || public_key), the keys of mac1 and of cookie replies. label is WG_LABEL_BYTES long.
void wg_primitives_hash_label(
	const char *label, const uint8_t public_key[WG_KEY_BYTES], uint8_t ret_hash[WG_HASH_BYTES]
);
// MAC(tag key, data): keyed BLAKE2s-128; key_len 1 to 32.
void wg_primitives_mac(
	const uint8_t *key,
	size_t key_len,
	const void *data,
	size_t len,
	uint8_t ret_mac[WG_MAC_BYTES]
);
// HMAC over BLAKE2s-256 (RFC 2104).
void wg_primitives_hmac(
	const uint8_t key[WG_KEY_BYTES],
	const void *data,
	size_t len,
	uint8_t ret_hash[WG_HASH_BYTES]
);
// KDF1, KDF2, KDF3 (HKDF, RFC 5869). Any ret may be chaining_key itself.
void wg_primitives_kdf1(
	const uint8_t chaining_key[WG_HASH_BYTES],
	const void *data,
	size_t len,
	uint8_t ret_first[WG_HASH_BYTES]
);
void wg_primitives_kdf2(
	const uint8_t chaining_key[WG_HASH_BYTES],
	const void *data,
	size_t len,
	uint8_t ret_first[WG_HASH_BYTES],
	uint8_t ret_second[WG_HASH_BYTES]
);
void wg_primitives_kdf3(
	const uint8_t chaining_key[WG_HASH_BYTES],
	struct wg_primitives_span input,
	uint8_t ret_first[WG_HASH_BYTES],
	uint8_t ret_second[WG_HASH_BYTES],
	uint8_t ret_third[WG_HASH_BYTES]
);

// DH(private, public), RFC 7748. -EBADMSG for the all-zero result of a low-order point; ret_shared
// is then untouched.
WG_PRIMITIVES_CHECKED int wg_primitives_x25519(
	const uint8_t private_key[WG_KEY_BYTES],
	const uint8_t public_key[WG_KEY_BYTES],
	uint8_t ret_shared[WG_KEY_BYTES]
);
void wg_primitives_generate_private(uint8_t ret_private[WG_KEY_BYTES]);
void wg_primitives_derive_public(
	const uint8_t private_key[WG_KEY_BYTES], uint8_t ret_public[WG_KEY_BYTES]
);

// AEAD(key, counter, plain, ad): ChaCha20-Poly1305 (RFC 8439) with iv = 32 zero bits || le64
// counter. ret_sealed has plain.len + WG_TAG_BYTES bytes and may start at plain.data.
void wg_primitives_aead_seal(
	const uint8_t key[WG_KEY_BYTES],
	uint64_t counter,
	struct wg_primitives_span ad,
	struct wg_primitives_span plain,
	uint8_t *ret_sealed
);
// sealed.len counts the tag. -EBADMSG if it is not authentic; ret_plain is then not to be read.
WG_PRIMITIVES_CHECKED int wg_primitives_aead_open(
	const uint8_t key[WG_KEY_BYTES],
	uint64_t counter,
	struct wg_primitives_span ad,
	struct wg_primitives_span sealed,
	uint8_t *ret_plain
);
// XAEAD: XChaCha20-Poly1305 with a random 24-byte iv, for cookie replies. Lengths as above.
void wg_primitives_xaead_seal(
	const uint8_t key[WG_KEY_BYTES],
	const uint8_t iv[WG_COOKIE_IV_BYTES],
	struct wg_primitives_span ad,
	struct wg_primitives_span plain,
	uint8_t *ret_sealed
);
WG_PRIMITIVES_CHECKED int wg_primitives_xaead_open(
	const uint8_t key[WG_KEY_BYTES],
	const uint8_t iv[WG_COOKIE_IV_BYTES],
	struct wg_primitives_span ad,
	struct wg_primitives_span sealed,
	uint8_t *ret_plain
);

// SipHash-2-4 under a secret key, for tables whose tuples a stranger chooses.
#define WG_PRIMITIVES_SHORTHASH_KEY_BYTES 16
uint64_t wg_primitives_shorthash(
	const uint8_t key[WG_PRIMITIVES_SHORTHASH_KEY_BYTES], const void *data, size_t len
);

void wg_primitives_random(void *ret_data, size_t len);
// Zeroes memory in a way the compiler cannot leave out.
void wg_primitives_zero(void *data, size_t len);
// 0 if both hold the same bytes, else -EBADMSG; in time that depends on len alone, and without a
// branch on the result.
WG_PRIMITIVES_CHECKED int wg_primitives_verify_equal(
	const void *left, const void *right, size_t len
);
// The same as a truth value.
bool wg_primitives_check_equal(const void *left, const void *right, size_t len);

#endif
