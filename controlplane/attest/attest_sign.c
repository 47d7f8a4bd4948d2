// SPDX-License-Identifier: Apache-2.0
//
// Digests of checkpoints, signed and checked. Pure.
#include "controlplane/attest/attest_sign.h"

#include "controlplane/chain/evm/evm_eip712.h"
#include "controlplane/chain/evm/evm_escrow.h"

void attest_sign_domain(
	uint64_t chain_id,
	const uint8_t escrow[EVM_ADDRESS_SIZE],
	uint8_t separator[EVM_KECCAK_SIZE]
)
{
	const struct evm_eip712_domain own = {.name = "tollwire node", .version = "1"};

	if (chain_id == 0)
		evm_eip712_domain_separator(&own, separator);
	else
		evm_escrow_domain(chain_id, escrow, separator);
}

static void digest(
	const uint8_t separator[EVM_KECCAK_SIZE],
	const struct usage_checkpoint *checkpoint,
	uint8_t ret[EVM_KECCAK_SIZE]
)
{
	uint8_t hash[EVM_KECCAK_SIZE];

	usage_checkpoint_hash(checkpoint, hash);
	evm_eip712_digest(separator, hash, ret);
}

int attest_sign_checkpoint(
	const struct evm_signer *signer,
	const uint8_t separator[EVM_KECCAK_SIZE],
	const struct usage_checkpoint *checkpoint,
	uint8_t ret[ATTEST_SIGNATURE_BYTES]
)
{
	uint8_t signed_digest[EVM_KECCAK_SIZE];

	digest(separator, checkpoint, signed_digest);
	return evm_signer_sign(signer, signed_digest, ret);
}

int attest_sign_verify(
	const uint8_t signer[EVM_ADDRESS_SIZE],
	const uint8_t separator[EVM_KECCAK_SIZE],
	const struct usage_checkpoint *checkpoint,
	const uint8_t signature[ATTEST_SIGNATURE_BYTES]
)
{
	uint8_t signed_digest[EVM_KECCAK_SIZE];

	digest(separator, checkpoint, signed_digest);
	return evm_signer_verify(signer, signed_digest, signature);
}
