// SPDX-License-Identifier: Apache-2.0
//
// The one door to libsecp256k1: holds one account's private key, signs digests, recovers signers.
// Signatures are RFC 6979 deterministic and low-s only (EIP-2); a high-s signature is refused when
// it is read, because it is another's signature made malleable. The key lives in its own locked
// page, out of core dumps, is wiped on destroy, and never leaves. Create and destroy on one thread;
// in between any thread may sign, several at once too, since signing changes nothing (libsecp256k1's
// rule for a constructed context). Recover needs no signer.

#pragma once

#include "controlplane/chain/evm/evm_address.h"
#include "controlplane/chain/evm/evm_keccak.h"
#include "controlplane/chain/evm/evm_tx.h"

#include <stddef.h>
#include <stdint.h>

#define EVM_SIGNER_KEY_SIZE 32
#define EVM_SIGNER_SIGNATURE_SIZE \
	65 // r, s, v with v = 27 + y parity: what contracts and wallets use

struct evm_signer;

/* Copies the key; the caller wipes its own.
 * Returns: 0; -EINVAL when the key is 0 or not below the group's order; -ENOMEM; -errno of mlock. */
int evm_signer_create(struct evm_signer **ret, const uint8_t key[EVM_SIGNER_KEY_SIZE])
	__attribute__((warn_unused_result));
void evm_signer_destroy(struct evm_signer *signer);

void evm_signer_address(const struct evm_signer *signer, uint8_t address[EVM_ADDRESS_SIZE]);

/* Returns: 0; -EIO when the library refuses (it never does with a valid key). */
int evm_signer_sign(
	const struct evm_signer *signer,
	const uint8_t digest[EVM_KECCAK_SIZE],
	uint8_t signature[EVM_SIGNER_SIGNATURE_SIZE]
) __attribute__((warn_unused_result));

/* Signs tx in place and writes its wire form; tx->signature is set.
 * Returns: 0; -EINVAL; -ENOSPC; -EIO. */
int evm_signer_sign_tx(
	const struct evm_signer *signer, struct evm_tx *tx, void *buf, size_t cap, size_t *ret_len
) __attribute__((warn_unused_result));

/* Who signed this digest. Refuses v other than 27 and 28, r or s out of range, and high s.
 * Returns: 0; -EBADMSG, address untouched. */
int evm_signer_recover(
	const uint8_t digest[EVM_KECCAK_SIZE],
	const uint8_t signature[EVM_SIGNER_SIGNATURE_SIZE],
	uint8_t address[EVM_ADDRESS_SIZE]
) __attribute__((warn_unused_result));

/* Whether this very account signed the digest; recover and compare.
 * Returns: 0; -EBADMSG. */
int evm_signer_verify(
	const uint8_t address[EVM_ADDRESS_SIZE],
	const uint8_t digest[EVM_KECCAK_SIZE],
	const uint8_t signature[EVM_SIGNER_SIGNATURE_SIZE]
) __attribute__((warn_unused_result));

/* The sender of a decoded transaction. scratch as for evm_tx_digest.
 * Returns: 0; -EBADMSG; -ENOSPC. */
int evm_signer_recover_tx(
	const struct evm_tx *tx, void *scratch, size_t cap, uint8_t address[EVM_ADDRESS_SIZE]
) __attribute__((warn_unused_result));
