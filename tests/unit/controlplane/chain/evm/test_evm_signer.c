// SPDX-License-Identifier: Apache-2.0
//
// evm_signer: keys at the edges of the group, low s, the malleable twin of a signature, every
// flipped bit of one.

#include "controlplane/chain/evm/evm_signer.h"
#include "controlplane/chain/u256.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <string.h>

// The order of secp256k1 (SEC 2, section 2.4.1).
static const uint8_t order[32] = {
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xfe, 0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48,
	0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
};

static void test_keys(void **state)
{
	uint8_t key[32] = {0}, address[EVM_ADDRESS_SIZE];
	char text[EVM_ADDRESS_TEXT_SIZE];
	struct evm_signer *signer = NULL;

	(void)state;
	assert_int_equal(evm_signer_create(&signer, key), -EINVAL);
	assert_int_equal(evm_signer_create(&signer, order), -EINVAL);
	assert_null(signer);
	memcpy(key, order, sizeof(key));
	key[31]--;
	assert_int_equal(evm_signer_create(&signer, key), 0);
	evm_signer_destroy(signer);
	memset(key, 0, sizeof(key));
	key[31] = 1;
	assert_int_equal(evm_signer_create(&signer, key), 0);
	evm_signer_address(signer, address);
	evm_address_format(address, text);
	assert_string_equal(text, "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf");
	evm_signer_destroy(signer);
	evm_signer_destroy(NULL);
}

static void test_low_s_and_twin(void **state)
{
	static const uint8_t key[32] = {[0] = 0x46, [31] = 7};
	uint8_t self[EVM_ADDRESS_SIZE], address[EVM_ADDRESS_SIZE];
	struct evm_signer *signer;
	struct u256 n = u256_from_be(order), half;

	(void)state;
	assert_int_equal(u256_div(n, u256_from_u64(2), &half), 0);
	assert_int_equal(evm_signer_create(&signer, key), 0);
	evm_signer_address(signer, self);
	for (uint64_t i = 0; i < 200; i++) {
		uint8_t digest[EVM_KECCAK_SIZE], signature[EVM_SIGNER_SIGNATURE_SIZE];
		struct u256 s, twin;

		evm_keccak_256(&i, sizeof(i), digest);
		assert_int_equal(evm_signer_sign(signer, digest, signature), 0);
		assert_int_equal(evm_signer_verify(self, digest, signature), 0);
		s = u256_from_be(signature + 32);
		assert_true(u256_compare(s, half) <= 0);
		// (r, n - s, other v) is what the curve accepts as well and we must not.
		assert_int_equal(u256_sub(n, s, &twin), 0);
		u256_to_be(twin, signature + 32);
		signature[64] = (uint8_t)(27 + 28 - signature[64]);
		assert_int_equal(evm_signer_recover(digest, signature, address), -EBADMSG);
	}
	evm_signer_destroy(signer);
}

static void test_flipped(void **state)
{
	static const uint8_t key[32] = {[31] = 5};
	static const uint8_t digest[EVM_KECCAK_SIZE] = {1, 2, 3};
	uint8_t self[EVM_ADDRESS_SIZE], signature[EVM_SIGNER_SIGNATURE_SIZE];
	uint8_t other[EVM_KECCAK_SIZE] = {1, 2, 4};
	struct evm_signer *signer;

	(void)state;
	assert_int_equal(evm_signer_create(&signer, key), 0);
	evm_signer_address(signer, self);
	assert_int_equal(evm_signer_sign(signer, digest, signature), 0);
	assert_int_equal(evm_signer_verify(self, other, signature), -EBADMSG);
	for (size_t bit = 0; bit < 8 * sizeof(signature); bit++) {
		signature[bit / 8] = (uint8_t)(signature[bit / 8] ^ (1 << (bit % 8)));
		assert_int_equal(evm_signer_verify(self, digest, signature), -EBADMSG);
		signature[bit / 8] = (uint8_t)(signature[bit / 8] ^ (1 << (bit % 8)));
	}
	for (int v = 0; v < 256; v++) {
		int expected = signature[64] == v ? 0 : -EBADMSG;
		uint8_t copy[EVM_SIGNER_SIGNATURE_SIZE];

		memcpy(copy, signature, sizeof(copy));
		copy[64] = (uint8_t)v;
		assert_int_equal(evm_signer_verify(self, digest, copy), expected);
	}
	assert_int_equal(evm_signer_verify(self, digest, signature), 0);
	evm_signer_destroy(signer);
}

static void test_out_of_range(void **state)
{
	static const uint8_t digest[EVM_KECCAK_SIZE] = {9};
	uint8_t signature[EVM_SIGNER_SIGNATURE_SIZE], address[EVM_ADDRESS_SIZE] = {0};

	(void)state;
	memset(signature, 0, sizeof(signature));
	signature[64] = 27;
	assert_int_equal(evm_signer_recover(digest, signature, address), -EBADMSG); // r = s = 0
	signature[31] = 1;
	assert_int_equal(evm_signer_recover(digest, signature, address), -EBADMSG); // s = 0
	signature[63] = 1;
	memcpy(signature, order, 32);
	assert_int_equal(evm_signer_recover(digest, signature, address), -EBADMSG); // r = n
	assert_true(evm_address_is_zero(address));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_low_s_and_twin),
		cmocka_unit_test(test_flipped),
		cmocka_unit_test(test_out_of_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
