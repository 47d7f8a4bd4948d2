// SPDX-License-Identifier: Apache-2.0
//
// See api_signature.h.
#include "api_signature.h"

#include "controlplane/chain/evm/evm_escrow.h"
#include "controlplane/chain/evm/evm_hex.h"

#include <errno.h>
#include <string.h>

#define COMPACT_SIZE 64 // EIP-2098
#define TEXT_MAX EVM_HEX_SIZE(EVM_SIGNER_SIGNATURE_SIZE)
#define ANY_TEXT_MAX EVM_HEX_SIZE(API_SIGNATURE_MAX)

int api_signature_parse(const char *text, uint8_t signature[EVM_SIGNER_SIGNATURE_SIZE])
{
	uint8_t bytes[EVM_SIGNER_SIGNATURE_SIZE];
	size_t len;

	if (evm_hex_parse_bytes(text, bytes, sizeof(bytes), &len) < 0)
		return -EINVAL;
	if (len == COMPACT_SIZE) {
		evm_escrow_expand(bytes, bytes + 32, signature);
		return 0;
	}
	if (len != EVM_SIGNER_SIGNATURE_SIZE)
		return -EINVAL;
	if (bytes[64] < 2)
		bytes[64] += 27; // hardware wallets write the y parity
	memcpy(signature, bytes, sizeof(bytes));
	return 0;
}

void api_signature_read(struct json_reader *reader, uint8_t signature[EVM_SIGNER_SIGNATURE_SIZE])
{
	const char *text = json_reader_string(reader, "signature", 1, TEXT_MAX);

	if (text != NULL && api_signature_parse(text, signature) < 0)
		json_reader_fail(
			reader,
			"signature",
			"65 bytes, or 64 of EIP-2098, in hex with 0x are expected"
		);
}

void api_signature_read_any(struct json_reader *reader, bool has_wallets, struct api_signature *ret)
{
	const char *text = json_reader_string(reader, "signature", 1, ANY_TEXT_MAX);

	ret->len = 0;
	ret->is_account = text != NULL && api_signature_parse(text, ret->account) == 0;
	if (text == NULL)
		return;
	if (evm_hex_parse_bytes(text, ret->bytes, sizeof(ret->bytes), &ret->len) < 0)
		json_reader_fail(reader, "signature", "octets in hex with 0x are expected");
	else if (!ret->is_account && !has_wallets)
		json_reader_fail(
			reader,
			"signature",
			"65 bytes, or 64 of EIP-2098, in hex with 0x are expected"
		);
}
