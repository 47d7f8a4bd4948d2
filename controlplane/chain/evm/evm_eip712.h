// SPDX-License-Identifier: Apache-2.0
//
// EIP-712 typed data, in the EIP's words: hashStruct(s) = keccak256(typeHash ‖ encodeData(s)), and
// what is signed is keccak256(0x19 01 ‖ domainSeparator ‖ hashStruct(message)); and EIP-191's
// personal message. Pure, no allocation, any thread.

#pragma once

#include "controlplane/chain/evm/evm_address.h"
#include "controlplane/chain/evm/evm_keccak.h"
#include "controlplane/chain/u256.h"

#include <stddef.h>
#include <stdint.h>

// The domain that our contracts and this node's checkpoints use: name, version, chainId and
// verifyingContract, no salt.
struct evm_eip712_domain {
	const char *name;
	const char *version;
	struct u256 chain_id;
	uint8_t verifying_contract[EVM_ADDRESS_SIZE];
};

// hashStruct under construction; its fields are put in the order of the type string.
struct evm_eip712_struct {
	struct evm_keccak keccak;
};

/* type is encodeType, e.g. "UsageVoucher(bytes32 sessionId,uint256 cumulativeBytes)". */
void evm_eip712_begin(struct evm_eip712_struct *s, const char *type);

/* Atomic types; put_word also takes a nested struct's hash. */
void evm_eip712_put_word(struct evm_eip712_struct *s, const uint8_t word[32]);
void evm_eip712_put_u256(struct evm_eip712_struct *s, struct u256 value);
void evm_eip712_put_u64(struct evm_eip712_struct *s, uint64_t value);
void evm_eip712_put_address(struct evm_eip712_struct *s, const uint8_t address[EVM_ADDRESS_SIZE]);

/* `bytes` and `string`: their hash is the field. */
void evm_eip712_put_bytes(struct evm_eip712_struct *s, const void *data, size_t len);

void evm_eip712_end(struct evm_eip712_struct *s, uint8_t struct_hash[EVM_KECCAK_SIZE]);

void evm_eip712_domain_separator(
	const struct evm_eip712_domain *domain, uint8_t separator[EVM_KECCAK_SIZE]
);

void evm_eip712_digest(
	const uint8_t separator[EVM_KECCAK_SIZE],
	const uint8_t struct_hash[EVM_KECCAK_SIZE],
	uint8_t digest[EVM_KECCAK_SIZE]
);

/* EIP-191 version 0x45, what wallets call personal_sign. */
void evm_eip712_personal_digest(const void *text, size_t len, uint8_t digest[EVM_KECCAK_SIZE]);
