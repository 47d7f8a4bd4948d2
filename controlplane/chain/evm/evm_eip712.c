// SPDX-License-Identifier: Apache-2.0
//
// EIP-712 struct hashes, domain separator and digest; EIP-191 personal messages.

#include "evm_eip712.h"

#include <stdio.h>
#include <string.h>

void evm_eip712_begin(struct evm_eip712_struct *s, const char *type)
{
	uint8_t type_hash[EVM_KECCAK_SIZE];

	evm_keccak_256(type, strlen(type), type_hash);
	evm_keccak_init(&s->keccak);
	evm_eip712_put_word(s, type_hash);
}

void evm_eip712_put_word(struct evm_eip712_struct *s, const uint8_t word[32])
{
	evm_keccak_update(&s->keccak, word, 32);
}

void evm_eip712_put_u256(struct evm_eip712_struct *s, struct u256 value)
{
	uint8_t word[32];

	u256_to_be(value, word);
	evm_eip712_put_word(s, word);
}

void evm_eip712_put_u64(struct evm_eip712_struct *s, uint64_t value)
{
	evm_eip712_put_u256(s, u256_from_u64(value));
}

void evm_eip712_put_address(struct evm_eip712_struct *s, const uint8_t address[EVM_ADDRESS_SIZE])
{
	uint8_t word[32] = {0};

	memcpy(word + sizeof(word) - EVM_ADDRESS_SIZE, address, EVM_ADDRESS_SIZE);
	evm_eip712_put_word(s, word);
}

void evm_eip712_put_bytes(struct evm_eip712_struct *s, const void *data, size_t len)
{
	uint8_t hash[EVM_KECCAK_SIZE];

	evm_keccak_256(data, len, hash);
	evm_eip712_put_word(s, hash);
}

void evm_eip712_end(struct evm_eip712_struct *s, uint8_t struct_hash[EVM_KECCAK_SIZE])
{
	evm_keccak_final(&s->keccak, struct_hash);
}

void evm_eip712_domain_separator(
	const struct evm_eip712_domain *domain, uint8_t separator[EVM_KECCAK_SIZE]
)
{
	struct evm_eip712_struct s;

	evm_eip712_begin(
		&s,
		"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
	);
	evm_eip712_put_bytes(&s, domain->name, strlen(domain->name));
	evm_eip712_put_bytes(&s, domain->version, strlen(domain->version));
	evm_eip712_put_u256(&s, domain->chain_id);
	evm_eip712_put_address(&s, domain->verifying_contract);
	evm_eip712_end(&s, separator);
}

void evm_eip712_digest(
	const uint8_t separator[EVM_KECCAK_SIZE],
	const uint8_t struct_hash[EVM_KECCAK_SIZE],
	uint8_t digest[EVM_KECCAK_SIZE]
)
{
	static const uint8_t prefix[2] = {0x19, 0x01};
	struct evm_keccak k;

	evm_keccak_init(&k);
	evm_keccak_update(&k, prefix, sizeof(prefix));
	evm_keccak_update(&k, separator, EVM_KECCAK_SIZE);
	evm_keccak_update(&k, struct_hash, EVM_KECCAK_SIZE);
	evm_keccak_final(&k, digest);
}

void evm_eip712_personal_digest(const void *text, size_t len, uint8_t digest[EVM_KECCAK_SIZE])
{
	struct evm_keccak k;
	char prefix[64];
	int n = snprintf(
		prefix,
		sizeof(prefix),
		"\x19"
		"Ethereum Signed Message:\n%zu",
		len
	);

	evm_keccak_init(&k);
	evm_keccak_update(&k, prefix, (size_t)n);
	evm_keccak_update(&k, text, len);
	evm_keccak_final(&k, digest);
}
