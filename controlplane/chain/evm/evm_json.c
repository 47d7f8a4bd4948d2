// SPDX-License-Identifier: Apache-2.0
//
// See evm_json.h.
#include "controlplane/chain/evm/evm_json.h"

#include "controlplane/chain/evm/evm_hex.h"

void evm_json_put_u256(struct json_writer *writer, const char *name, struct u256 value)
{
	char text[U256_DEC_SIZE];

	u256_format_dec(value, text);
	json_put_string(writer, name, text);
}

void evm_json_put_word(struct json_writer *writer, const char *name, const uint8_t word[32])
{
	char text[EVM_HEX_SIZE(32)];

	evm_hex_format(word, 32, text);
	json_put_string(writer, name, text);
}

void evm_json_put_address(
	struct json_writer *writer, const char *name, const uint8_t address[EVM_ADDRESS_SIZE]
)
{
	char text[EVM_ADDRESS_TEXT_SIZE];

	evm_address_format(address, text);
	json_put_string(writer, name, text);
}

void evm_json_put_padded(struct json_writer *writer, const char *name, const uint8_t padded[32])
{
	const uint8_t *address = padded + 32 - EVM_ADDRESS_SIZE;

	if (evm_address_is_zero(address))
		json_put_string(writer, name, NULL);
	else
		evm_json_put_address(writer, name, address);
}
