// SPDX-License-Identifier: Apache-2.0
//
// The cursors: byte order, the sticky error, and a read of every field cut at every byte.
#include "common/cursor.h"
#include "tests/unit/test.h"

#include <stdlib.h>

static const uint8_t bytes[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a,
				0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11, 0x12, 0x13, 0x14,
				0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d};

static void test_reads_in_order(void **state)
{
	struct cursor cur;

	(void)state;
	cursor_init(&cur, bytes, sizeof(bytes));
	assert_int_equal(cursor_u8(&cur), 0x01);
	assert_int_equal(cursor_be16(&cur), 0x0203);
	assert_int_equal(cursor_le16(&cur), 0x0504);
	assert_int_equal(cursor_be32(&cur), 0x06070809);
	assert_int_equal(cursor_le32(&cur), 0x0d0c0b0a);
	assert_true(cursor_be64(&cur) == 0x0e0f101112131415ull);
	assert_true(cursor_le64(&cur) == 0x1d1c1b1a19181716ull);
	assert_true(cursor_is_done(&cur));
	assert_int_equal(cursor_left(&cur), 0);
}

static void test_each_truncation_fails_and_sticks(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof(bytes); len++) {
		struct cursor cur;
		uint8_t exact[sizeof(bytes)]; // so that a sanitizer sees a read beyond len

		memcpy(exact, bytes, len);
		cursor_init(&cur, exact, len);
		cursor_u8(&cur);
		cursor_be16(&cur);
		cursor_le16(&cur);
		cursor_be32(&cur);
		cursor_le32(&cur);
		cursor_be64(&cur);
		uint64_t last = cursor_le64(&cur);
		assert_false(cursor_ok(&cur));
		assert_false(cursor_is_done(&cur));
		assert_true(last == 0);
		assert_int_equal(cursor_left(&cur), 0);
		assert_null(cursor_take(&cur, 0)); // sticky, even for nothing
	}
}

static void test_huge_lengths_do_not_wrap(void **state)
{
	struct cursor cur, sub;
	struct cursor_out out;
	uint8_t mem[4];

	(void)state;
	cursor_init(&cur, bytes, sizeof(bytes));
	cursor_skip(&cur, 3);
	assert_null(cursor_take(&cur, SIZE_MAX));
	assert_false(cursor_ok(&cur));
	cursor_init(&cur, bytes, sizeof(bytes));
	cursor_sub(&cur, &sub, SIZE_MAX - 1);
	assert_false(cursor_ok(&sub));
	cursor_out_init(&out, mem, sizeof(mem));
	cursor_out_u8(&out, 1);
	assert_null(cursor_out_take(&out, SIZE_MAX));
	assert_false(cursor_out_ok(&out));
}

static void test_sub_is_bounded(void **state)
{
	struct cursor cur, sub;

	(void)state;
	cursor_init(&cur, bytes, 4);
	cursor_sub(&cur, &sub, 2);
	assert_int_equal(cursor_be16(&sub), 0x0102);
	cursor_u8(&sub);
	assert_false(cursor_ok(&sub));
	assert_int_equal(cursor_be16(&cur), 0x0304);
	assert_true(cursor_is_done(&cur));
}

static void test_writes_what_it_reads(void **state)
{
	(void)state;
	for (size_t cap = 0; cap <= sizeof(bytes); cap++) {
		uint8_t mem[sizeof(bytes) + 1];
		struct cursor_out out;

		memset(mem, 0xee, sizeof(mem));
		cursor_out_init(&out, mem, cap);
		cursor_out_u8(&out, 0x01);
		cursor_out_be16(&out, 0x0203);
		cursor_out_le16(&out, 0x0504);
		cursor_out_be32(&out, 0x06070809);
		cursor_out_le32(&out, 0x0d0c0b0a);
		cursor_out_be64(&out, 0x0e0f101112131415ull);
		cursor_out_le64(&out, 0x1d1c1b1a19181716ull);
		assert_int_equal(cursor_out_ok(&out), cap == sizeof(bytes));
		assert_memory_equal(mem, bytes, out.pos);
		for (size_t i = cap; i < sizeof(mem); i++)
			assert_int_equal(mem[i], 0xee);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_in_order),
		cmocka_unit_test(test_each_truncation_fails_and_sticks),
		cmocka_unit_test(test_huge_lengths_do_not_wrap),
		cmocka_unit_test(test_sub_is_bounded),
		cmocka_unit_test(test_writes_what_it_reads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
