// SPDX-License-Identifier: Apache-2.0
//
// EIP-55: digit i is upper case when nibble i of Keccak-256 of the lower-case text is ≥ 8.

#include "evm_address.h"

#include "evm_hex.h"
#include "evm_keccak.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

void evm_address_format(const uint8_t address[EVM_ADDRESS_SIZE], char dst[EVM_ADDRESS_TEXT_SIZE])
{
	uint8_t hash[EVM_KECCAK_SIZE];
	char *digits = dst + 2;

	evm_hex_format(address, EVM_ADDRESS_SIZE, dst);
	evm_keccak_256(digits, 2 * EVM_ADDRESS_SIZE, hash);
	for (int i = 0; i < 2 * EVM_ADDRESS_SIZE; i++) {
		unsigned int nibble = i % 2 == 0 ? hash[i / 2] >> 4 : hash[i / 2] & 0xf;

		if (nibble >= 8)
			digits[i] = (char)toupper((unsigned char)digits[i]);
	}
}

int evm_address_parse(const char *src, uint8_t ret[EVM_ADDRESS_SIZE])
{
	uint8_t address[EVM_ADDRESS_SIZE];
	char checked[EVM_ADDRESS_TEXT_SIZE];
	bool has_lower = false, has_upper = false;

	if (evm_hex_parse(src, address, sizeof(address)) < 0)
		return -EINVAL;
	for (const char *p = src + 2; *p != '\0'; p++) {
		has_lower |= islower((unsigned char)*p) != 0;
		has_upper |= isupper((unsigned char)*p) != 0;
	}
	evm_address_format(address, checked);
	if (has_lower && has_upper && strcmp(src, checked) != 0)
		return -EBADMSG;
	memcpy(ret, address, sizeof(address));
	return 0;
}

bool evm_address_is_zero(const uint8_t address[EVM_ADDRESS_SIZE])
{
	static const uint8_t zero[EVM_ADDRESS_SIZE];

	return memcmp(address, zero, sizeof(zero)) == 0;
}
