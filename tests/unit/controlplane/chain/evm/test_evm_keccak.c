// SPDX-License-Identifier: Apache-2.0
//
// evm_keccak against published values, and one-shot against every way to split the input around
// the block size. The tests in tests/evm/ compare all lengths with an independent library.

#include "controlplane/chain/evm/evm_keccak.h"
#include "tests/unit/test.h"
#include "tests/unit/vectors.h"

#include <string.h>

static void test_vectors(void **state)
{
	struct json_value *doc = vectors_load("evm_keccak");
	const struct json_value *rows = json_member(doc, "rows");
	size_t n_rows = 0;

	(void)state;
	for (const struct json_value *row = json_first(rows); row != NULL; row = json_next(row)) {
		uint8_t in[256], expected[32], digest[EVM_KECCAK_SIZE];
		size_t len = vectors_hex(row, "in", in, sizeof(in));

		vectors_hex(row, "out", expected, sizeof(expected));
		evm_keccak_256(in, len, digest);
		assert_memory_equal(digest, expected, sizeof(digest));
		n_rows++;
	}
	assert_int_equal(n_rows, 4);
	json_free(doc);
}

static void test_splits(void **state)
{
	uint8_t data[3 * EVM_KECCAK_RATE + 1], whole[EVM_KECCAK_SIZE], parts[EVM_KECCAK_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 31 + 7);
	for (size_t len = 0; len <= sizeof(data); len++) {
		evm_keccak_256(data, len, whole);
		for (size_t cut = 0; cut <= len; cut += 17) {
			struct evm_keccak k;

			evm_keccak_init(&k);
			evm_keccak_update(&k, data, cut);
			evm_keccak_update(&k, data + cut, len - cut);
			evm_keccak_final(&k, parts);
			assert_memory_equal(whole, parts, sizeof(whole));
		}
	}
}

static void test_state_is_wiped(void **state)
{
	static const struct evm_keccak zero;
	uint8_t digest[EVM_KECCAK_SIZE];
	struct evm_keccak k;

	(void)state;
	evm_keccak_init(&k);
	evm_keccak_update(&k, "secret", 6);
	evm_keccak_final(&k, digest);
	assert_memory_equal(&k, &zero, sizeof(k));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_splits),
		cmocka_unit_test(test_state_is_wiped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
