// SPDX-License-Identifier: Apache-2.0
//
// See evm_erc1271.h. An account without code answers with nothing, which is no yes.
#include "evm_erc1271.h"

#include <string.h>

void evm_erc1271_put_call(
	struct evm_abi_writer *w,
	const uint8_t digest[EVM_KECCAK_SIZE],
	const uint8_t *signature,
	size_t len
)
{
	evm_abi_call(w, "isValidSignature(bytes32,bytes)", 2);
	evm_abi_put_word(w, digest);
	evm_abi_put_bytes(w, signature, len);
	evm_abi_end(w);
}

bool evm_erc1271_check_answer(const uint8_t *answer, size_t len)
{
	// bytes4(keccak256("isValidSignature(bytes32,bytes)")), as a word
	static const uint8_t magic[EVM_ABI_WORD] = {0x16, 0x26, 0xba, 0x7e};

	return len == sizeof(magic) && memcmp(answer, magic, sizeof(magic)) == 0;
}
