// SPDX-License-Identifier: Apache-2.0
//
// libFuzzer target for signatures as wallets write them: a text that is taken says the same when it is
// written as 65 or as 64 octets; what an account signed is another's, or nobody's, for any other digest;
// and of a signature and its malleated twin at most one holds (EIP-2).
#include "controlplane/chain/evm/evm_escrow.h"
#include "controlplane/chain/evm/evm_hex.h"
#include "controlplane/http/api_signature.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// n - s of secp256k1's order n.
static void negate(uint8_t s[32])
{
	static const uint8_t order[32] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xfe, 0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48,
		0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
	};
	int borrow = 0;

	for (int i = 31; i >= 0; i--) {
		int digit = order[i] - s[i] - borrow;

		borrow = digit < 0;
		s[i] = (uint8_t)(digit + (borrow ? 256 : 0));
	}
}

static void check_forms(const uint8_t signature[EVM_SIGNER_SIGNATURE_SIZE])
{
	uint8_t again[EVM_SIGNER_SIGNATURE_SIZE], bytes[64];
	char text[EVM_HEX_SIZE(EVM_SIGNER_SIGNATURE_SIZE)];

	evm_hex_format(signature, EVM_SIGNER_SIGNATURE_SIZE, text);
	if (api_signature_parse(text, again) < 0 || memcmp(again, signature, sizeof(again)) != 0)
		abort();
	// 64 octets hold s below 2^255 and v 27 or 28 alone.
	if ((signature[32] & 0x80) != 0 || (signature[64] != 27 && signature[64] != 28))
		return;
	evm_escrow_compact(signature, bytes, bytes + 32);
	evm_hex_format(bytes, sizeof(bytes), text);
	if (api_signature_parse(text, again) < 0 || memcmp(again, signature, sizeof(again)) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t signature[EVM_SIGNER_SIGNATURE_SIZE], digest[EVM_KECCAK_SIZE];
	uint8_t signer[EVM_ADDRESS_SIZE], other[EVM_ADDRESS_SIZE];
	char *text = malloc(size + 1);

	memcpy(text, data, size);
	text[size] = '\0';
	evm_keccak_256(text, size / 2, digest);
	if (api_signature_parse(text, signature) == 0) {
		check_forms(signature);
		if (evm_signer_recover(digest, signature, signer) == 0) {
			if (evm_signer_verify(signer, digest, signature) < 0)
				abort();
			digest[0] ^= 1;
			if (evm_signer_recover(digest, signature, other) == 0 &&
			    memcmp(signer, other, sizeof(other)) == 0)
				abort();
			digest[0] ^= 1;
			negate(signature + 32);
			signature[64] ^= 27 ^ 28;
			if (evm_signer_recover(digest, signature, other) == 0)
				abort();
		}
	}
	free(text);
	return 0;
}
