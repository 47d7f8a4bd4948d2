// SPDX-License-Identifier: Apache-2.0
//
// Typed transactions (EIP-2718): access list (type 1, EIP-2930) and dynamic fee (type 2, EIP-1559).
// Encodes for signing and for the wire, and decodes the wire form strictly, so that what the outbox
// stored can be checked before it is sent again. Signing itself is evm_signer's. Pure, no
// allocation, any thread.

#pragma once

#include "controlplane/chain/evm/evm_address.h"
#include "controlplane/chain/evm/evm_keccak.h"
#include "controlplane/chain/evm/evm_rlp.h"
#include "controlplane/chain/u256.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVM_TX_ACCESS_LIST 0x01
#define EVM_TX_DYNAMIC_FEE 0x02

struct evm_tx_signature {
	uint8_t r[32];
	uint8_t s[32];
	uint8_t y_parity; // 0 or 1
};

struct evm_tx {
	uint8_t type; // EVM_TX_*
	uint64_t chain_id;
	uint64_t account_nonce;
	struct u256 max_priority_fee_per_gas_wei; // type 2 only
	struct u256 max_fee_per_gas_wei; // type 2; in type 1 this is gasPrice
	uint64_t gas_limit;
	bool is_create; // no recipient: data is init code
	uint8_t to[EVM_ADDRESS_SIZE]; // unless is_create
	struct u256 value_wei;
	const uint8_t *data; // caller's memory; after decode, into the decoded bytes
	size_t data_len;
	const uint8_t *access_list; // the list's RLP payload, see evm_tx_access_list_put
	size_t access_list_len;
	struct evm_tx_signature signature;
};

/* Appends one entry to an access list's payload. */
void evm_tx_access_list_put(
	struct evm_rlp_writer *w,
	const uint8_t address[EVM_ADDRESS_SIZE],
	const uint8_t (*storage_keys)[32],
	size_t n_storage_keys
);

/* What the sender signs: keccak256(type ‖ rlp(fields)). scratch holds the encoding, cap ≥ data_len +
 * access_list_len + 256 suffices.
 * Returns: 0; -EINVAL for an unknown type; -ENOSPC. */
int evm_tx_digest(
	const struct evm_tx *tx, void *scratch, size_t cap, uint8_t digest[EVM_KECCAK_SIZE]
) __attribute__((warn_unused_result));

/* The wire form with signature, what eth_sendRawTransaction takes.
 * Returns: 0; -EINVAL; -ENOSPC. */
int evm_tx_encode(const struct evm_tx *tx, void *buf, size_t cap, size_t *ret_len)
	__attribute__((warn_unused_result));

/* Returns: 0; -EBADMSG for anything that evm_tx_encode would not have written. */
int evm_tx_decode(struct evm_tx *ret, const void *raw, size_t len)
	__attribute__((warn_unused_result));

/* The transaction's name on chain: keccak256 of the wire form. */
void evm_tx_hash(const void *raw, size_t len, uint8_t hash[EVM_KECCAK_SIZE]);
