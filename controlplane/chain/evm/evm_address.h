// SPDX-License-Identifier: Apache-2.0
//
// EVM addresses as text. Pure; any thread.

#pragma once

#include <stdbool.h>
#include <stdint.h>

#define EVM_ADDRESS_SIZE 20
#define EVM_ADDRESS_TEXT_SIZE 43 // 0x, 40 digits, terminating zero

/* EIP-55 mixed-case checksum, with 0x. */
void evm_address_format(const uint8_t address[EVM_ADDRESS_SIZE], char dst[EVM_ADDRESS_TEXT_SIZE]);

/* 0x and 40 digits, all lower case, all upper case, or a correct EIP-55 checksum.
 * Returns: 0; -EINVAL for anything else; -EBADMSG for a wrong checksum (a typing error, very
 * likely, and money sent to it is gone). */
int evm_address_parse(const char *src, uint8_t ret[EVM_ADDRESS_SIZE])
	__attribute__((warn_unused_result));

bool evm_address_is_zero(const uint8_t address[EVM_ADDRESS_SIZE]);
