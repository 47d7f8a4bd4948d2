// SPDX-License-Identifier: Apache-2.0
//
// The primitives against the vectors of their RFCs, and HMAC and KDF against Python's hmac and
// hashlib.
#include "test_wg_hex.h"

#include "dataplane/wg/wg_primitives.h"

#include <errno.h>

// RFC 7748, section 5.2, and Bob's key of section 6.1 (base point 9).
static const struct {
	const char *scalar;
	const char *u;
	const char *result;
} x25519_rows[] = {
	{"a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
	 "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
	 "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"},
	{"4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
	 "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
	 "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957"},
	{"5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
	 "0900000000000000000000000000000000000000000000000000000000000000",
	 "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"},
};

static void test_x25519_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(x25519_rows) / sizeof(x25519_rows[0]); i++) {
		uint8_t scalar[32], u[32], expected[32], result[32];

		test_wg_hex(x25519_rows[i].scalar, scalar, 32);
		test_wg_hex(x25519_rows[i].u, u, 32);
		test_wg_hex(x25519_rows[i].result, expected, 32);
		assert_int_equal(wg_primitives_x25519(scalar, u, result), 0);
		assert_memory_equal(result, expected, 32);
		if (u[0] == 9) {
			wg_primitives_derive_public(scalar, result);
			assert_memory_equal(result, expected, 32);
		}
	}
}

// RFC 7748, section 5.2: k, u = X25519(k, u), k, 1 and 1,000 times.
static void test_x25519_iterated(void **state)
{
	uint8_t k[32] = {9}, u[32] = {9}, once[32], thousand[32], result[32];

	(void)state;
	test_wg_hex("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079", once, 32);
	test_wg_hex(
		"684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51", thousand, 32
	);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(wg_primitives_x25519(k, u, result), 0);
		memcpy(u, k, 32);
		memcpy(k, result, 32);
		if (i == 0)
			assert_memory_equal(k, once, 32);
	}
	assert_memory_equal(k, thousand, 32);
}

// Points of low order (RFC 7748, section 6.1: the result is zero and must be refused).
static void test_x25519_low_order(void **state)
{
	static const char *const points[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
		uint8_t scalar[32], u[32], result[32], before[32];

		wg_primitives_generate_private(scalar);
		test_wg_hex(points[i], u, 32);
		memset(result, 0xa5, 32);
		memcpy(before, result, 32);
		assert_int_equal(wg_primitives_x25519(scalar, u, result), -EBADMSG);
		assert_memory_equal(result, before, 32);
	}
}

// RFC 7693, appendix E: the generator of its self-test's inputs.
static void selftest_seq(uint8_t *out, size_t len, uint32_t seed)
{
	uint32_t a = 0xDEAD4BADu * seed, b = 1;

	for (size_t i = 0; i < len; i++) {
		uint32_t t = a + b;

		a = b;
		b = t;
		out[i] = (uint8_t)(t >> 24);
	}
}

// RFC 7693, appendix B, and inputs of appendix E in the two forms that WireGuard uses; the digest
// of all digests was computed with Python's hashlib, by a program that also reproduces the RFC's
// own.
static void test_blake2s(void **state)
{
	static const size_t lens[] = {0, 3, 64, 65, 255, 1024};
	uint8_t data[1024], key[32], digests[6 * (32 + 16 + 16)], expected[32], result[32];
	size_t n = 0;

	(void)state;
	test_wg_hex(
		"508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982", expected, 32
	);
	wg_primitives_hash("abc", 3, result);
	assert_memory_equal(result, expected, 32);
	for (size_t i = 0; i < 6; i++) {
		selftest_seq(data, lens[i], (uint32_t)lens[i]);
		wg_primitives_hash(data, lens[i], digests + n);
		n += 32;
		for (size_t key_len = 16; key_len <= 32; key_len += 16) {
			selftest_seq(key, key_len, (uint32_t)key_len);
			wg_primitives_mac(key, key_len, data, lens[i], digests + n);
			n += 16;
		}
	}
	test_wg_hex(
		"9c9a72f4f5c83bcbc8b8626c272842a945fb7bdefdda770f1e1ec5a56be8b6f2", expected, 32
	);
	wg_primitives_hash(digests, n, result);
	assert_memory_equal(result, expected, 32);
	// The mixing form is the hash of the concatenation.
	wg_primitives_hash(digests, 96, expected);
	wg_primitives_hash_mix(digests, digests + 32, 64, result);
	assert_memory_equal(result, expected, 32);
}

static void test_hmac_and_kdf(void **state)
{
	static const char *const kdf_hex[] = {
		"87b7f70b24183c6db5dc4f6d9f4c47cdb203321aa2a0bef714896adb3107a040",
		"538a02e1eb2e31b7e4d4b82476d1fe2acf50085d3fb584537279195f5d1f5824",
		"9ad858025593be88de0f9442a589cfe84a88dc19e4753d93684d1c5efc4837f9",
	};
	const struct wg_primitives_span input = {"input", 5};
	uint8_t key[32], expected[3][32], result[3][32];

	(void)state;
	for (uint8_t i = 0; i < 32; i++)
		key[i] = i;
	test_wg_hex(
		"82623be5bc0a391b24dce53e67d028eff92d586de0485ac37822e597d049c74f", expected[0], 32
	);
	wg_primitives_hmac(key, "abc", 3, result[0]);
	assert_memory_equal(result[0], expected[0], 32);
	for (int i = 0; i < 3; i++)
		test_wg_hex(kdf_hex[i], expected[i], 32);
	wg_primitives_kdf1(key, "input", 5, result[0]);
	assert_memory_equal(result, expected, 32);
	memset(result, 0, sizeof(result));
	wg_primitives_kdf2(key, "input", 5, result[0], result[1]);
	assert_memory_equal(result, expected, 64);
	memset(result, 0, sizeof(result));
	wg_primitives_kdf3(key, input, result[0], result[1], result[2]);
	assert_memory_equal(result, expected, 96);
	// The chaining key may be replaced in place.
	wg_primitives_kdf2(key, "input", 5, key, result[1]);
	assert_memory_equal(key, expected[0], 32);
	assert_memory_equal(result[1], expected[1], 32);
}

// RFC 8439, appendix A.5; its nonce is our iv for counter 0x0807060504030201.
static const char a5_key[] = "1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0";
static const char a5_plain[] =
	"Internet-Drafts are draft documents valid for a maximum of six months and may be updated, "
	"replaced, or obsoleted by other documents at any time. It is inappropriate to use "
	"Internet-Drafts as reference material or to cite them other than as /\xe2\x80\x9cwork in "
	"progress./\xe2\x80\x9d";
static const char a5_sealed[] =
	"64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb24c6cfc18755d43eea09ee94e"
	"382d26b0bdb7b73c321b0100d4f03b7f355894cf332f830e710b97ce98c8a84abd0b948114ad176e008d33bd"
	"60f982b1ff37c8559797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4b9166c76"
	"7b804d46a59b5216cde7a4e99040c5a40433225ee282a1b0a06c523eaf4534d7f83fa1155b0047718cbc546a"
	"0d072b04b3564eea1b422273f548271a0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a67276"
	"27097a1049e617d91d361094fa68f0ff77987130305beaba2eda04df997b714d6c6f2c29a6ad5cb4022b0270"
	"9beead9d67890cbb22392336fea1851f38";

static void test_aead_rfc8439(void **state)
{
	const uint64_t counter = UINT64_C(0x0807060504030201);
	uint8_t key[32], ad[12], expected[512], sealed[512], plain[512];
	size_t plain_len = sizeof(a5_plain) - 1, sealed_len;
	struct wg_primitives_span ad_span = {ad, sizeof(ad)};

	(void)state;
	test_wg_hex(a5_key, key, sizeof(key));
	test_wg_hex("f33388860000000000004e91", ad, sizeof(ad));
	sealed_len = test_wg_hex(a5_sealed, expected, sizeof(expected));
	assert_int_equal(sealed_len, plain_len + WG_TAG_BYTES);
	wg_primitives_aead_seal(
		key, counter, ad_span, (struct wg_primitives_span){a5_plain, plain_len}, sealed
	);
	assert_memory_equal(sealed, expected, sealed_len);
	assert_int_equal(
		wg_primitives_aead_open(
			key,
			counter,
			ad_span,
			(struct wg_primitives_span){sealed, sealed_len},
			plain
		),
		0
	);
	assert_memory_equal(plain, a5_plain, plain_len);
	for (size_t bit = 0; bit < sealed_len * 8; bit++) {
		sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(
			wg_primitives_aead_open(
				key,
				counter,
				ad_span,
				(struct wg_primitives_span){sealed, sealed_len},
				plain
			),
			-EBADMSG
		);
		sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t len = 0; len < sealed_len; len++)
		assert_int_equal(
			wg_primitives_aead_open(
				key,
				counter,
				ad_span,
				(struct wg_primitives_span){sealed, len},
				plain
			),
			-EBADMSG
		);
}

// draft-irtf-cfrg-xchacha-03, appendix A.3.1.
static void test_xaead_draft(void **state)
{
	static const char text[] =
		"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for "
		"the future, sunscreen would be it.";
	uint8_t key[32], iv[24], ad[12], tag[16], sealed[256], plain[256];
	size_t len = sizeof(text) - 1;

	(void)state;
	test_wg_hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f", key, 32);
	test_wg_hex("404142434445464748494a4b4c4d4e4f5051525354555657", iv, 24);
	test_wg_hex("50515253c0c1c2c3c4c5c6c7", ad, 12);
	test_wg_hex("c0875924c1c7987947deafd8780acf49", tag, 16);
	wg_primitives_xaead_seal(
		key,
		iv,
		(struct wg_primitives_span){ad, 12},
		(struct wg_primitives_span){text, len},
		sealed
	);
	assert_memory_equal(sealed + len, tag, 16);
	assert_int_equal(
		wg_primitives_xaead_open(
			key,
			iv,
			(struct wg_primitives_span){ad, 12},
			(struct wg_primitives_span){sealed, len + 16},
			plain
		),
		0
	);
	assert_memory_equal(plain, text, len);
	sealed[0] ^= 1;
	assert_int_equal(
		wg_primitives_xaead_open(
			key,
			iv,
			(struct wg_primitives_span){ad, 12},
			(struct wg_primitives_span){sealed, len + 16},
			plain
		),
		-EBADMSG
	);
}

// SipHash-2-4, vector of the paper's appendix A: key 00…0f, input 00…0e.
static void test_shorthash(void **state)
{
	uint8_t key[16], data[15];

	(void)state;
	for (uint8_t i = 0; i < 16; i++)
		key[i] = i;
	memcpy(data, key, sizeof(data));
	assert_true(
		wg_primitives_shorthash(key, data, sizeof(data)) == UINT64_C(0xa129ca6149be45e5)
	);
}

static void test_equal_and_zero(void **state)
{
	uint8_t left[16] = {1}, right[16] = {1}, zeros[16] = {0};

	(void)state;
	assert_true(wg_primitives_check_equal(left, right, 16));
	for (int bit = 0; bit < 128; bit++) {
		right[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(wg_primitives_check_equal(left, right, 16));
		right[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	wg_primitives_zero(left, 16);
	assert_memory_equal(left, zeros, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_x25519_vectors),
		cmocka_unit_test(test_x25519_iterated),
		cmocka_unit_test(test_x25519_low_order),
		cmocka_unit_test(test_blake2s),
		cmocka_unit_test(test_hmac_and_kdf),
		cmocka_unit_test(test_aead_rfc8439),
		cmocka_unit_test(test_xaead_draft),
		cmocka_unit_test(test_shorthash),
		cmocka_unit_test(test_equal_and_zero),
	};

	if (wg_primitives_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
