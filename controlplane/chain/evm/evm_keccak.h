// SPDX-License-Identifier: Apache-2.0
//
// Keccak-256 as Ethereum uses it: the Keccak submission's padding (0x01), not FIPS 202's SHA3-256
// (0x06). Pure, no allocation, any thread; not constant time in the length of the input only.

#pragma once

#include <stddef.h>
#include <stdint.h>

#define EVM_KECCAK_SIZE 32
#define EVM_KECCAK_RATE 136 // bytes per permutation: 200 - 2 * 32

struct evm_keccak {
	uint64_t lanes[25];
	size_t fill; // bytes absorbed into the current block, < EVM_KECCAK_RATE
};

void evm_keccak_init(struct evm_keccak *k);
void evm_keccak_update(struct evm_keccak *k, const void *data, size_t len);

/* Wipes k: the state may have absorbed a secret (a keystore's MAC key). */
void evm_keccak_final(struct evm_keccak *k, uint8_t digest[EVM_KECCAK_SIZE]);

void evm_keccak_256(const void *data, size_t len, uint8_t digest[EVM_KECCAK_SIZE]);
