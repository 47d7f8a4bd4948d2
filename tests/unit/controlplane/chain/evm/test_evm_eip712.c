// SPDX-License-Identifier: Apache-2.0
//
// evm_eip712 against the EIP's own message "Mail", down to its signature; EIP-191's prefix.

#include "controlplane/chain/evm/evm_eip712.h"
#include "controlplane/chain/evm/evm_signer.h"
#include "tests/unit/test.h"
#include "tests/unit/vectors.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PERSON "Person(string name,address wallet)"
#define MAIL "Mail(Person from,Person to,string contents)" PERSON

static void assert_hex(const struct json_value *doc, const char *name, const uint8_t actual[32])
{
	uint8_t expected[32];

	assert_int_equal(vectors_hex(doc, name, expected, sizeof(expected)), 32);
	assert_memory_equal(actual, expected, sizeof(expected));
}

static void put_person(struct evm_eip712_struct *s, const char *name, uint8_t byte)
{
	struct evm_eip712_struct person;
	uint8_t wallet[EVM_ADDRESS_SIZE], hash[EVM_KECCAK_SIZE];

	memset(wallet, byte, sizeof(wallet));
	if (byte == 0xcd) // 0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826
		memcpy(wallet,
		       "\xcd\x2a\x3d\x9f\x93\x8e\x13\xcd\x94\x7e\xc0\x5a\xbc\x7f\xe7\x34\xdf\x8d"
		       "\xd8\x26",
		       sizeof(wallet));
	evm_eip712_begin(&person, PERSON);
	evm_eip712_put_bytes(&person, name, strlen(name));
	evm_eip712_put_address(&person, wallet);
	evm_eip712_end(&person, hash);
	evm_eip712_put_word(s, hash);
}

static void test_mail(void **state)
{
	struct json_value *doc = vectors_load("evm_eip712");
	struct evm_eip712_domain domain = {
		.name = "Ether Mail", .version = "1", .chain_id = u256_from_u64(1)};
	uint8_t hash[EVM_KECCAK_SIZE], separator[EVM_KECCAK_SIZE], digest[EVM_KECCAK_SIZE];
	uint8_t key[EVM_KECCAK_SIZE], address[EVM_ADDRESS_SIZE], expected[EVM_ADDRESS_SIZE];
	uint8_t signature[EVM_SIGNER_SIGNATURE_SIZE];
	struct evm_eip712_struct s;
	struct evm_signer *signer;

	(void)state;
	evm_keccak_256(MAIL, strlen(MAIL), hash);
	assert_hex(doc, "type_hash", hash);
	evm_eip712_begin(&s, MAIL);
	put_person(&s, "Cow", 0xcd);
	put_person(&s, "Bob", 0xbb);
	evm_eip712_put_bytes(&s, "Hello, Bob!", 11);
	evm_eip712_end(&s, hash);
	assert_hex(doc, "struct_hash", hash);
	memset(domain.verifying_contract, 0xcc, EVM_ADDRESS_SIZE);
	evm_eip712_domain_separator(&domain, separator);
	assert_hex(doc, "domain_separator", separator);
	evm_eip712_digest(separator, hash, digest);
	assert_hex(doc, "digest", digest);

	evm_keccak_256("cow", 3, key);
	assert_int_equal(evm_signer_create(&signer, key), 0);
	evm_signer_address(signer, address);
	vectors_hex(doc, "address", expected, sizeof(expected));
	assert_memory_equal(address, expected, sizeof(expected));
	assert_int_equal(evm_signer_sign(signer, digest, signature), 0);
	assert_hex(doc, "r", signature);
	assert_hex(doc, "s", signature + 32);
	assert_int_equal(signature[64], vectors_u64(doc, "v"));
	evm_signer_destroy(signer);
	json_free(doc);
}

// Another chain, another contract, another version: another domain each time.
static void test_domains_differ(void **state)
{
	struct evm_eip712_domain domains[4] = {
		{.name = "Ether Mail", .version = "1", .chain_id = u256_from_u64(1)},
		{.name = "Ether Mail", .version = "1", .chain_id = u256_from_u64(2)},
		{.name = "Ether Mail", .version = "2", .chain_id = u256_from_u64(1)},
		{.name = "Ether Mail", .version = "1", .chain_id = u256_from_u64(1)},
	};
	uint8_t separators[4][EVM_KECCAK_SIZE];

	(void)state;
	domains[3].verifying_contract[19] = 1;
	for (size_t i = 0; i < 4; i++)
		evm_eip712_domain_separator(&domains[i], separators[i]);
	for (size_t i = 0; i < 4; i++) {
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(separators[i], separators[j], EVM_KECCAK_SIZE);
	}
}

static void test_personal(void **state)
{
	static const size_t lens[] = {0, 1, 9, 10, 99, 100, 1000};
	uint8_t text[1000], digest[EVM_KECCAK_SIZE], expected[EVM_KECCAK_SIZE];
	uint8_t whole[1100];

	(void)state;
	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < TEST_N_ROWS(lens); i++) {
		int n = sprintf((char *)whole, "%cEthereum Signed Message:\n%zu", 0x19, lens[i]);

		memcpy(whole + n, text, lens[i]);
		evm_keccak_256(whole, (size_t)n + lens[i], expected);
		evm_eip712_personal_digest(text, lens[i], digest);
		assert_memory_equal(digest, expected, sizeof(digest));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mail),
		cmocka_unit_test(test_domains_differ),
		cmocka_unit_test(test_personal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
