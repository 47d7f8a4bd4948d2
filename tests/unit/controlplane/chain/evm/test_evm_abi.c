// SPDX-License-Identifier: Apache-2.0
//
// evm_abi: the specification's own examples, a batch of dynamic tuples there and back, every
// truncation and every flipped bit, and the writer's misuse.

#include "controlplane/chain/evm/evm_abi.h"
#include "controlplane/chain/evm/evm_hex.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void assert_encoding(const struct evm_abi_writer *w, const char *expected)
{
	char text[4096];

	assert_int_equal(evm_abi_finish(w), 0);
	assert_true(EVM_HEX_SIZE(w->len) <= sizeof(text));
	evm_hex_format(w->buf, w->len, text);
	assert_string_equal(text + 2, expected);
}

#define W0 "0000000000000000000000000000000000000000000000000000000000000000"
#define W(hex8) "00000000000000000000000000000000000000000000000000000000" hex8

// "Examples" of Solidity's Contract ABI Specification.
static void test_specification(void **state)
{
	static const uint8_t abc[EVM_ABI_WORD] = "abc", def[EVM_ABI_WORD] = "def";
	static const uint8_t digits[EVM_ABI_WORD] = "1234567890";
	uint8_t buf[1024];
	struct evm_abi_writer w;

	(void)state;
	evm_abi_writer_init(&w, buf, sizeof(buf));
	evm_abi_call(&w, "baz(uint32,bool)", 2);
	evm_abi_put_u64(&w, 69);
	evm_abi_put_bool(&w, true);
	evm_abi_end(&w);
	assert_encoding(&w, "cdcd77c0" W("00000045") W("00000001"));

	evm_abi_writer_init(&w, buf, sizeof(buf));
	evm_abi_call(&w, "bar(bytes3[2])", 2);
	evm_abi_put_word(&w, abc);
	evm_abi_put_word(&w, def);
	evm_abi_end(&w);
	assert_encoding(
		&w,
		"fce353f6"
		"6162630000000000000000000000000000000000000000000000000000000000"
		"6465660000000000000000000000000000000000000000000000000000000000"
	);

	evm_abi_writer_init(&w, buf, sizeof(buf));
	evm_abi_call(&w, "sam(bytes,bool,uint256[])", 3);
	evm_abi_put_bytes(&w, "dave", 4);
	evm_abi_put_bool(&w, true);
	evm_abi_array_begin(&w, 3, 3);
	for (uint64_t i = 1; i <= 3; i++)
		evm_abi_put_u64(&w, i);
	evm_abi_end(&w);
	evm_abi_end(&w);
	assert_encoding(
		&w,
		"a5643bf2" W("00000060") W("00000001") W("000000a0") W("00000004"
		) "6461766500000000000000000000000000000000000000000000000000000000" W("00000003")
			W("00000001") W("00000002") W("00000003")
	);

	evm_abi_writer_init(&w, buf, sizeof(buf));
	evm_abi_call(&w, "f(uint256,uint32[],bytes10,bytes)", 4);
	evm_abi_put_u64(&w, 0x123);
	evm_abi_array_begin(&w, 2, 2);
	evm_abi_put_u64(&w, 0x456);
	evm_abi_put_u64(&w, 0x789);
	evm_abi_end(&w);
	evm_abi_put_word(&w, digits);
	evm_abi_put_bytes(&w, "Hello, world!", 13);
	evm_abi_end(&w);
	assert_encoding(
		&w,
		"8be65246" W("00000123") W("00000080"
		) "3132333435363738393000000000000000000000000000000000000000000000" W("000000e0")
			W("00000002") W("00000456") W("00000789") W("0000000d"
			) "48656c6c6f2c20776f726c642100000000000000000000000000000000000000"
	);
}

// g(uint256[][],string[]) with ([[1, 2], [3]], ["one", "two", "three"]) of the same page.
static void test_nested_arrays(void **state)
{
	static const char *const names[] = {"one", "two", "three"};
	uint8_t buf[1024];
	struct evm_abi_writer w;

	(void)state;
	evm_abi_writer_init(&w, buf, sizeof(buf));
	evm_abi_call(&w, "g(uint256[][],string[])", 2);
	evm_abi_array_begin(&w, 2, 2);
	evm_abi_array_begin(&w, 2, 2);
	evm_abi_put_u64(&w, 1);
	evm_abi_put_u64(&w, 2);
	evm_abi_end(&w);
	evm_abi_array_begin(&w, 1, 1);
	evm_abi_put_u64(&w, 3);
	evm_abi_end(&w);
	evm_abi_end(&w);
	evm_abi_array_begin(&w, 3, 3);
	for (size_t i = 0; i < 3; i++)
		evm_abi_put_bytes(&w, names[i], strlen(names[i]));
	evm_abi_end(&w);
	evm_abi_end(&w);
	assert_encoding(
		&w,
		"2289b18c" W("00000040") W("00000140") W("00000002") W("00000040") W("000000a0"
		) W("00000002") W("00000001") W("00000002") W("00000001") W("00000003") W("00000003"
		) W("00000060") W("000000a0") W("000000e0") W("00000003"
		) "6f6e650000000000000000000000000000000000000000000000000000000000" W("00000003"
		) "74776f0000000000000000000000000000000000000000000000000000000000" W("00000005"
		) "7468726565000000000000000000000000000000000000000000000000000000"
	);
}

#define N_ITEMS 3

// (address, int64, (uint64, bytes)[] , bool): everything that the reader knows.
static size_t write_batch(uint8_t *buf, size_t cap)
{
	static const uint8_t address[EVM_ADDRESS_SIZE] = {0xde, 0xad, [19] = 1};
	struct evm_abi_writer w;

	evm_abi_writer_init(&w, buf, cap);
	evm_abi_begin(&w, 4);
	evm_abi_put_address(&w, address);
	evm_abi_put_i64(&w, -5);
	evm_abi_array_begin(&w, N_ITEMS, N_ITEMS);
	for (size_t i = 0; i < N_ITEMS; i++) {
		uint8_t signature[65];

		memset(signature, (int)i + 1, sizeof(signature));
		evm_abi_tuple_begin(&w, 2);
		evm_abi_put_u64(&w, i);
		evm_abi_put_bytes(&w, signature, i == 2 ? 0 : sizeof(signature));
		evm_abi_end(&w);
	}
	evm_abi_end(&w);
	evm_abi_put_bool(&w, true);
	evm_abi_end(&w);
	return evm_abi_finish(&w) < 0 ? 0 : w.len;
}

// Returns the reader's error; asserts the content only when there is none and want_content.
static int read_batch(const uint8_t *data, size_t len, bool want_content)
{
	uint8_t address[EVM_ADDRESS_SIZE];
	struct evm_abi_reader r, items;
	size_t n, total = 0;
	int64_t number;
	bool yes;

	evm_abi_reader_init(&r, data, len, 4);
	evm_abi_get_address(&r, address);
	number = evm_abi_get_i64(&r);
	items = evm_abi_enter_array(&r, 1, &n);
	for (size_t i = 0; i < n; i++) {
		struct evm_abi_reader item = evm_abi_enter_tuple(&items, 2);
		const uint8_t *signature;
		size_t signature_len;
		uint64_t idx = evm_abi_get_u64(&item);

		evm_abi_get_bytes(&item, &signature, &signature_len);
		for (size_t j = 0; j < signature_len; j++)
			total += signature[j];
		if (want_content)
			assert_int_equal(idx, i);
		evm_abi_leave(&items, &item);
	}
	evm_abi_leave(&r, &items);
	yes = evm_abi_get_bool(&r);
	if (want_content) {
		assert_int_equal(n, N_ITEMS);
		assert_int_equal(address[1], 0xad);
		assert_true(number == -5);
		assert_true(yes);
		assert_int_equal(total, 65 * 3);
	}
	return r.error;
}

static void test_batch(void **state)
{
	uint8_t buf[2048], small[2048];
	size_t len = write_batch(buf, sizeof(buf));

	(void)state;
	assert_int_not_equal(len, 0);
	assert_int_equal(read_batch(buf, len, true), 0);
	for (size_t cap = 0; cap < len; cap++)
		assert_int_equal(write_batch(small, cap), 0);
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *exact = malloc(cut + (cut == 0));

		memcpy(exact, buf, cut);
		assert_int_equal(read_batch(exact, cut, false), -EBADMSG);
		free(exact);
	}
	for (size_t bit = 0; bit < 8 * len; bit++) {
		uint8_t *exact = malloc(len);

		memcpy(exact, buf, len);
		exact[bit / 8] = (uint8_t)(exact[bit / 8] ^ (1 << (bit % 8)));
		(void)read_batch(exact, len, false);
		free(exact);
	}
}

static void test_refused_words(void **state)
{
	static const struct {
		const char *what;
		int at;
		uint8_t byte;
	} rows[] = {
		{"address above 20 bytes", 0, 1},
		{"int64 out of range", 32, 0x7f},
		{"offset beyond the data", 64 + 30, 0xff},
		{"offset of 2^255", 64, 0x80},
		{"element count of 2^63", 4 * 32 + 24, 0x80},
		{"bool of 3", 3 * 32 + 31, 3},
		{"dirty padding", 4 * 32 + 32 + 3 * 32 + 2 * 32 + 32 + 65, 1},
	};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		uint8_t buf[2048];
		size_t len = write_batch(buf, sizeof(buf));

		buf[rows[i].at] = rows[i].byte;
		if (read_batch(buf, len, false) != -EBADMSG)
			fail_msg("accepted: %s", rows[i].what);
	}
}

static void test_element_without_head(void **state)
{
	uint8_t buf[64] = {0};
	struct evm_abi_reader r;
	size_t n = 7;

	(void)state;
	buf[31] = 32;
	memset(buf + 32, 0xff, 32);
	buf[32] = 0;
	evm_abi_reader_init(&r, buf, sizeof(buf), 1);
	(void)evm_abi_enter_array(&r, 0, &n);
	assert_int_equal(r.error, -EBADMSG);
	assert_int_equal(n, 0);
}

// A tuple whose offset points at itself must end, at the depth limit.
static void test_self_reference(void **state)
{
	uint8_t buf[32] = {0};
	struct evm_abi_reader r;
	int depth = 0;

	(void)state;
	evm_abi_reader_init(&r, buf, sizeof(buf), 1);
	while (r.error == 0) {
		r = evm_abi_enter_tuple(&r, 1);
		depth++;
	}
	assert_int_equal(depth, EVM_ABI_DEPTH_MAX);
}

static void test_misuse(void **state)
{
	uint8_t buf[1024];
	struct evm_abi_writer w;

	(void)state;
	evm_abi_writer_init(&w, buf, sizeof(buf));
	evm_abi_put_u64(&w, 1); // no frame
	assert_int_equal(evm_abi_finish(&w), -EINVAL);

	evm_abi_writer_init(&w, buf, sizeof(buf));
	evm_abi_begin(&w, 1);
	evm_abi_put_u64(&w, 1);
	evm_abi_put_u64(&w, 2); // one too many
	assert_int_equal(evm_abi_finish(&w), -EOVERFLOW);

	evm_abi_writer_init(&w, buf, sizeof(buf));
	evm_abi_begin(&w, 2);
	evm_abi_put_u64(&w, 1);
	evm_abi_end(&w); // one too few
	assert_int_equal(evm_abi_finish(&w), -EINVAL);

	evm_abi_writer_init(&w, buf, sizeof(buf));
	evm_abi_begin(&w, 0);
	assert_int_equal(evm_abi_finish(&w), -EINVAL); // left open
	evm_abi_end(&w);
	evm_abi_end(&w);
	assert_int_equal(evm_abi_finish(&w), -EINVAL);

	evm_abi_writer_init(&w, buf, sizeof(buf));
	for (int i = 0; i <= EVM_ABI_DEPTH_MAX; i++)
		evm_abi_begin(&w, 0);
	assert_int_equal(evm_abi_finish(&w), -EOVERFLOW);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_specification),
		cmocka_unit_test(test_nested_arrays),
		cmocka_unit_test(test_batch),
		cmocka_unit_test(test_refused_words),
		cmocka_unit_test(test_element_without_head),
		cmocka_unit_test(test_self_reference),
		cmocka_unit_test(test_misuse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
