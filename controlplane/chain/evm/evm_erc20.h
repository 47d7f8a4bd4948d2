// SPDX-License-Identifier: Apache-2.0
//
// ERC-20, as far as a payment needs it. Pure; any thread.
#pragma once

#include "controlplane/chain/evm/evm_abi.h"

/* Call data; 128 octets suffice for each. */
void evm_erc20_put_approve(
	struct evm_abi_writer *w, const uint8_t spender[EVM_ADDRESS_SIZE], struct u256 amount
);
void evm_erc20_put_allowance(
	struct evm_abi_writer *w,
	const uint8_t owner[EVM_ADDRESS_SIZE],
	const uint8_t spender[EVM_ADDRESS_SIZE]
);
