// SPDX-License-Identifier: Apache-2.0
//
// How what stands on a chain is written in our JSON: as text, since a number there holds 53 bits. What
// is read back from it is u256.h's, evm_hex.h's and evm_address.h's. Pure; any thread.
#pragma once

#include "controlplane/chain/evm/evm_address.h"
#include "controlplane/chain/u256.h"
#include "controlplane/json/json.h"

#include <stdint.h>

// An amount or a number, in decimal digits.
void evm_json_put_u256(struct json_writer *writer, const char *name, struct u256 value);

// 32 octets (a hash, a session's id, a root): 0x and 64 digits.
void evm_json_put_word(struct json_writer *writer, const char *name, const uint8_t word[32]);

// With check sum (EIP-55).
void evm_json_put_address(
	struct json_writer *writer, const char *name, const uint8_t address[EVM_ADDRESS_SIZE]
);

// The same of a left-padded one; null for the zero address, which is nobody, or the native coin.
void evm_json_put_padded(struct json_writer *writer, const char *name, const uint8_t padded[32]);
