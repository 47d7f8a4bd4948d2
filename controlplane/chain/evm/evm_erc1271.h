// SPDX-License-Identifier: Apache-2.0
//
// ERC-1271: whether a contract says that a signature is its own. The call runs a stranger's code: give
// it EVM_ERC1271_GAS_MAX. Pure; any thread.
#pragma once

#include "controlplane/chain/evm/evm_abi.h"
#include "controlplane/chain/evm/evm_keccak.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVM_ERC1271_GAS_MAX 3000000u // a passkey checked in Solidity takes about a third of it

/* isValidSignature(digest, signature); the signature's length and 256 octets suffice. */
void evm_erc1271_put_call(
	struct evm_abi_writer *w,
	const uint8_t digest[EVM_KECCAK_SIZE],
	const uint8_t *signature,
	size_t len
);

/* Whether it answered with the magic value and nothing else. */
bool evm_erc1271_check_answer(const uint8_t *answer, size_t len);
