// SPDX-License-Identifier: Apache-2.0
//
// Private key operations through libsecp256k1's recovery module. Each signer has its own context,
// blinded with fresh randomness; public operations use the library's static context.

#include "evm_signer.h"

#include <secp256k1.h>
#include <secp256k1_recovery.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#define EVM_SIGNER_V_BASE 27

// Lives alone at the start of its own locked mapping.
struct evm_signer {
	secp256k1_context *context;
	uint8_t key[EVM_SIGNER_KEY_SIZE];
	uint8_t address[EVM_ADDRESS_SIZE];
};

static void evm_signer_address_of(const secp256k1_pubkey *public_key, uint8_t *address)
{
	uint8_t point[65], hash[EVM_KECCAK_SIZE];
	size_t len = sizeof(point);

	// The address is the hash of the two coordinates, without the 0x04 that announces them.
	(void)secp256k1_ec_pubkey_serialize(
		secp256k1_context_static, point, &len, public_key, SECP256K1_EC_UNCOMPRESSED
	);
	evm_keccak_256(point + 1, sizeof(point) - 1, hash);
	memcpy(address, hash + EVM_KECCAK_SIZE - EVM_ADDRESS_SIZE, EVM_ADDRESS_SIZE);
}

static int evm_signer_init(struct evm_signer *signer, const uint8_t key[EVM_SIGNER_KEY_SIZE])
{
	secp256k1_pubkey public_key;
	uint8_t blind[32];
	int ok;

	signer->context = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
	if (signer->context == NULL)
		return -ENOMEM;
	if (getrandom(blind, sizeof(blind), 0) != sizeof(blind))
		return -EIO;
	ok = secp256k1_context_randomize(signer->context, blind);
	explicit_bzero(blind, sizeof(blind));
	if (!ok)
		return -EIO;
	if (!secp256k1_ec_pubkey_create(signer->context, &public_key, key))
		return -EINVAL;
	memcpy(signer->key, key, EVM_SIGNER_KEY_SIZE);
	evm_signer_address_of(&public_key, signer->address);
	return 0;
}

int evm_signer_create(struct evm_signer **ret, const uint8_t key[EVM_SIGNER_KEY_SIZE])
{
	struct evm_signer *signer;
	int r;

	signer = mmap(
		NULL, sizeof(*signer), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0
	);
	if (signer == MAP_FAILED)
		return -ENOMEM;
	if (mlock(signer, sizeof(*signer)) < 0 ||
	    madvise(signer, sizeof(*signer), MADV_DONTDUMP) < 0)
		r = -errno;
	else
		r = evm_signer_init(signer, key);
	if (r < 0) {
		evm_signer_destroy(signer);
		return r;
	}
	*ret = signer;
	return 0;
}

void evm_signer_destroy(struct evm_signer *signer)
{
	if (signer == NULL)
		return;
	secp256k1_context_destroy(signer->context);
	explicit_bzero(signer, sizeof(*signer));
	munmap(signer, sizeof(*signer));
}

void evm_signer_address(const struct evm_signer *signer, uint8_t address[EVM_ADDRESS_SIZE])
{
	memcpy(address, signer->address, EVM_ADDRESS_SIZE);
}

int evm_signer_sign(
	const struct evm_signer *signer,
	const uint8_t digest[EVM_KECCAK_SIZE],
	uint8_t signature[EVM_SIGNER_SIGNATURE_SIZE]
)
{
	secp256k1_ecdsa_recoverable_signature made;
	uint8_t rs[64];
	int recovery_id;

	// The library's signatures are low-s and, by default, RFC 6979.
	if (!secp256k1_ecdsa_sign_recoverable(
		    signer->context, &made, digest, signer->key, NULL, NULL
	    ))
		return -EIO;
	(void)secp256k1_ecdsa_recoverable_signature_serialize_compact(
		signer->context, rs, &recovery_id, &made
	);
	// Ids 2 and 3 mean r ≥ the order, which nobody has met and Ethereum cannot express.
	if (recovery_id > 1)
		return -EIO;
	memcpy(signature, rs, sizeof(rs));
	signature[64] = (uint8_t)(EVM_SIGNER_V_BASE + recovery_id);
	return 0;
}

int evm_signer_sign_tx(
	const struct evm_signer *signer, struct evm_tx *tx, void *buf, size_t cap, size_t *ret_len
)
{
	uint8_t digest[EVM_KECCAK_SIZE], signature[EVM_SIGNER_SIGNATURE_SIZE];
	int r;

	r = evm_tx_digest(tx, buf, cap, digest);
	if (r < 0)
		return r;
	r = evm_signer_sign(signer, digest, signature);
	if (r < 0)
		return r;
	memcpy(tx->signature.r, signature, 32);
	memcpy(tx->signature.s, signature + 32, 32);
	tx->signature.y_parity = (uint8_t)(signature[64] - EVM_SIGNER_V_BASE);
	return evm_tx_encode(tx, buf, cap, ret_len);
}

int evm_signer_recover(
	const uint8_t digest[EVM_KECCAK_SIZE],
	const uint8_t signature[EVM_SIGNER_SIGNATURE_SIZE],
	uint8_t address[EVM_ADDRESS_SIZE]
)
{
	const secp256k1_context *context = secp256k1_context_static;
	secp256k1_ecdsa_recoverable_signature recoverable;
	secp256k1_ecdsa_signature plain;
	secp256k1_pubkey public_key;
	int recovery_id = signature[64] - EVM_SIGNER_V_BASE;

	if (recovery_id != 0 && recovery_id != 1)
		return -EBADMSG;
	if (!secp256k1_ecdsa_recoverable_signature_parse_compact(
		    context, &recoverable, signature, recovery_id
	    ))
		return -EBADMSG;
	(void)secp256k1_ecdsa_recoverable_signature_convert(context, &plain, &recoverable);
	// normalize says whether there was something to do: s was in the upper half.
	if (secp256k1_ecdsa_signature_normalize(context, NULL, &plain))
		return -EBADMSG;
	if (!secp256k1_ecdsa_recover(context, &public_key, &recoverable, digest))
		return -EBADMSG;
	evm_signer_address_of(&public_key, address);
	return 0;
}

int evm_signer_verify(
	const uint8_t address[EVM_ADDRESS_SIZE],
	const uint8_t digest[EVM_KECCAK_SIZE],
	const uint8_t signature[EVM_SIGNER_SIGNATURE_SIZE]
)
{
	uint8_t signed_by[EVM_ADDRESS_SIZE];

	if (evm_signer_recover(digest, signature, signed_by) < 0)
		return -EBADMSG;
	return memcmp(signed_by, address, EVM_ADDRESS_SIZE) == 0 ? 0 : -EBADMSG;
}

int evm_signer_recover_tx(
	const struct evm_tx *tx, void *scratch, size_t cap, uint8_t address[EVM_ADDRESS_SIZE]
)
{
	uint8_t digest[EVM_KECCAK_SIZE], signature[EVM_SIGNER_SIGNATURE_SIZE];
	int r;

	r = evm_tx_digest(tx, scratch, cap, digest);
	if (r < 0)
		return r == -ENOSPC ? r : -EBADMSG;
	memcpy(signature, tx->signature.r, 32);
	memcpy(signature + 32, tx->signature.s, 32);
	signature[64] = (uint8_t)(EVM_SIGNER_V_BASE + tx->signature.y_parity);
	return evm_signer_recover(digest, signature, address);
}
