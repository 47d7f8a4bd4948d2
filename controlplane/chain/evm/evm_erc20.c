// SPDX-License-Identifier: Apache-2.0
//
// See evm_erc20.h.
#include "evm_erc20.h"

void evm_erc20_put_approve(
	struct evm_abi_writer *w, const uint8_t spender[EVM_ADDRESS_SIZE], struct u256 amount
)
{
	evm_abi_call(w, "approve(address,uint256)", 2);
	evm_abi_put_address(w, spender);
	evm_abi_put_u256(w, amount);
	evm_abi_end(w);
}

void evm_erc20_put_allowance(
	struct evm_abi_writer *w,
	const uint8_t owner[EVM_ADDRESS_SIZE],
	const uint8_t spender[EVM_ADDRESS_SIZE]
)
{
	evm_abi_call(w, "allowance(address,address)", 2);
	evm_abi_put_address(w, owner);
	evm_abi_put_address(w, spender);
	evm_abi_end(w);
}
