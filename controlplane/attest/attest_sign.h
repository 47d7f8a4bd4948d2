// SPDX-License-Identifier: Apache-2.0
//
// What the usage signer signs: a usage checkpoint's EIP-712 hash under a domain. A session of a chain
// has its escrow contract's domain (contracts/README.md, "What is hashed and signed"). A session of
// the operator's own has none on any chain; its domain is
//   EIP712Domain(name "tollwire node", version "1", chainId 0, verifyingContract 0)
// which no contract can have, so that neither signature can stand for the other. Pure; signing
// belongs to the signer's thread.
#pragma once

#include "controlplane/chain/evm/evm_signer.h"
#include "controlplane/usage/usage_checkpoint.h"

#include <stdint.h>

#define ATTEST_SIGNATURE_BYTES EVM_SIGNER_SIGNATURE_SIZE

// chain_id 0: a session of the operator's own; escrow is then ignored.
void attest_sign_domain(
	uint64_t chain_id,
	const uint8_t escrow[EVM_ADDRESS_SIZE],
	uint8_t separator[EVM_KECCAK_SIZE]
);

// Returns: 0; -EIO.
int attest_sign_checkpoint(
	const struct evm_signer *signer,
	const uint8_t separator[EVM_KECCAK_SIZE],
	const struct usage_checkpoint *checkpoint,
	uint8_t ret[ATTEST_SIGNATURE_BYTES]
) __attribute__((warn_unused_result));

// Returns: 0; -EBADMSG for another signer, domain or checkpoint, and for a malleable signature.
int attest_sign_verify(
	const uint8_t signer[EVM_ADDRESS_SIZE],
	const uint8_t separator[EVM_KECCAK_SIZE],
	const struct usage_checkpoint *checkpoint,
	const uint8_t signature[ATTEST_SIGNATURE_BYTES]
) __attribute__((warn_unused_result));
