// SPDX-License-Identifier: Apache-2.0
//
// libFuzzer target for the ABI reader. The first bytes are a program of reads, the rest is the
// encoding: so every order of reads meets every encoding. What bytes and arrays promise must lie
// inside the input; each byte is touched, for AddressSanitizer to see.

#include "controlplane/chain/evm/evm_abi.h"

#include <stdlib.h>
#include <string.h>

#define PROGRAM_LEN 24

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint8_t sink;

static void read_bytes(struct evm_abi_reader *r)
{
	const uint8_t *bytes;
	size_t len;

	evm_abi_get_bytes(r, &bytes, &len);
	for (size_t i = 0; i < len; i++)
		sink ^= bytes[i];
}

// Runs the program on one frame; returns how many steps were used.
static size_t run(struct evm_abi_reader *r, const uint8_t *program, size_t n_steps)
{
	uint8_t word[EVM_ABI_WORD];
	size_t i = 0;

	while (i < n_steps) {
		uint8_t op = program[i++];
		struct evm_abi_reader inner;
		size_t n;

		switch (op % 9) {
		case 0:
			evm_abi_get_word(r, word);
			break;
		case 1:
			(void)evm_abi_get_u64(r);
			break;
		case 2:
			(void)evm_abi_get_i64(r);
			break;
		case 3:
			(void)evm_abi_get_bool(r);
			break;
		case 4:
			evm_abi_get_address(r, word);
			break;
		case 5:
			read_bytes(r);
			break;
		case 6:
			inner = evm_abi_enter_tuple(r, op / 9 % 8);
			i += run(&inner, program + i, n_steps - i);
			evm_abi_leave(r, &inner);
			break;
		case 7:
			inner = evm_abi_enter_array(r, op / 9 % 4, &n);
			if (n > r->len / EVM_ABI_WORD)
				abort();
			i += run(&inner, program + i, n_steps - i);
			evm_abi_leave(r, &inner);
			break;
		default:
			return i;
		}
	}
	return i;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct evm_abi_reader r;
	uint8_t *exact;

	if (size < PROGRAM_LEN + 1)
		return 0;
	exact = malloc(size - PROGRAM_LEN - 1 + 1);
	memcpy(exact, data + PROGRAM_LEN + 1, size - PROGRAM_LEN - 1);
	evm_abi_reader_init(&r, exact, size - PROGRAM_LEN - 1, data[PROGRAM_LEN] % 16);
	(void)run(&r, data, PROGRAM_LEN);
	free(exact);
	return 0;
}
