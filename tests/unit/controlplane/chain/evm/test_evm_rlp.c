// SPDX-License-Identifier: Apache-2.0
//
// evm_rlp against ethereum/tests, valid and invalid; every truncation and every flipped bit; a
// decoded tree encodes to the bytes that it came from, whatever they were.

#include "controlplane/chain/evm/evm_rlp.h"
#include "tests/unit/test.h"
#include "tests/unit/vectors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 8

static void put_value(struct evm_rlp_writer *w, const struct json_value *in)
{
	uint8_t bytes[2048];
	struct u256 number;

	if (json_is_array(in)) {
		size_t mark = evm_rlp_list_begin(w);

		for (const struct json_value *item = json_first(in); item != NULL;
		     item = json_next(item))
			put_value(w, item);
		evm_rlp_list_end(w, mark);
	} else if (json_member(in, "int") != NULL) {
		assert_int_equal(u256_parse_dec(vectors_string(in, "int"), &number), 0);
		evm_rlp_put_u256(w, number);
	} else {
		evm_rlp_put_bytes(w, bytes, vectors_hex(in, "hex", bytes, sizeof(bytes)));
	}
}

// Decodes everything and encodes it again. Returns 0, or the decoder's error.
static int recode(struct evm_rlp_cursor *c, struct evm_rlp_writer *w, int depth)
{
	while (c->left > 0 && c->error == 0) {
		struct evm_rlp_item item;
		struct evm_rlp_cursor inner;
		size_t mark;

		evm_rlp_get_item(c, &item);
		if (c->error < 0)
			return c->error;
		if (!item.is_list) {
			evm_rlp_put_bytes(w, item.data, item.len);
			continue;
		}
		if (depth == DEPTH_MAX)
			return -ELOOP;
		mark = evm_rlp_list_begin(w);
		evm_rlp_cursor_init(&inner, item.data, item.len);
		if (recode(&inner, w, depth + 1) < 0)
			return -EBADMSG;
		evm_rlp_list_end(w, mark);
	}
	return c->error;
}

// One item and nothing behind it, in memory of exactly its size.
static int check_one(const uint8_t *src, size_t len)
{
	uint8_t *exact = malloc(len + (len == 0)), *again = malloc(len + 64);
	struct evm_rlp_cursor c;
	struct evm_rlp_writer w;
	struct evm_rlp_item item;
	int r;

	memcpy(exact, src, len);
	evm_rlp_cursor_init(&c, exact, len);
	evm_rlp_get_item(&c, &item);
	r = evm_rlp_verify_end(&c);
	if (r == 0) {
		evm_rlp_cursor_init(&c, exact, len);
		evm_rlp_writer_init(&w, again, len + 64);
		r = recode(&c, &w, 0);
		if (r == 0) {
			assert_int_equal(w.error, 0);
			assert_int_equal(w.len, len);
			assert_memory_equal(again, src, len);
		}
	}
	free(exact);
	free(again);
	return r;
}

static void test_valid(void **state)
{
	struct json_value *doc = vectors_load("evm_rlp");
	const struct json_value *rows = json_member(doc, "valid");
	size_t n_rows = 0;

	(void)state;
	for (const struct json_value *row = json_first(rows); row != NULL; row = json_next(row)) {
		uint8_t expected[2048], made[2048];
		size_t len = vectors_hex(row, "out", expected, sizeof(expected));
		struct evm_rlp_writer w;

		evm_rlp_writer_init(&w, made, sizeof(made));
		put_value(&w, json_member(row, "in"));
		if (w.error < 0 || w.len != len || memcmp(made, expected, len) != 0)
			fail_msg("%s", vectors_string(row, "name"));
		assert_int_equal(check_one(expected, len), 0);
		for (size_t cap = 0; cap < len; cap++) {
			evm_rlp_writer_init(&w, made, cap);
			put_value(&w, json_member(row, "in"));
			assert_int_equal(w.error, -ENOSPC);
		}
		for (size_t cut = 0; cut < len; cut++)
			assert_int_equal(check_one(expected, cut), -EBADMSG);
		for (size_t bit = 0; bit < 8 * len; bit++) {
			expected[bit / 8] = (uint8_t)(expected[bit / 8] ^ (1 << (bit % 8)));
			(void)check_one(expected, len);
			expected[bit / 8] = (uint8_t)(expected[bit / 8] ^ (1 << (bit % 8)));
		}
		n_rows++;
	}
	assert_int_equal(n_rows, 28);
	json_free(doc);
}

static void test_invalid(void **state)
{
	struct json_value *doc = vectors_load("evm_rlp");
	const struct json_value *rows = json_member(doc, "invalid");
	size_t n_rows = 0;

	(void)state;
	for (const struct json_value *row = json_first(rows); row != NULL; row = json_next(row)) {
		uint8_t bytes[256];
		size_t len = vectors_hex(row, "in", bytes, sizeof(bytes));

		if (check_one(bytes, len) == 0)
			fail_msg("%s", vectors_string(row, "name"));
		n_rows++;
	}
	assert_int_equal(n_rows, 17);
	json_free(doc);
}

static void test_typed_reads(void **state)
{
	static const struct {
		const char *what;
		uint8_t src[40];
		size_t len;
		int u64_error;
		int u256_error;
	} rows[] = {
		{"zero", {0x80}, 1, 0, 0},
		{"zero as a byte", {0x00}, 1, -EBADMSG, -EBADMSG},
		{"leading zero", {0x82, 0x00, 0xff}, 3, -EBADMSG, -EBADMSG},
		{"2^64 - 1", {0x88, 255, 255, 255, 255, 255, 255, 255, 255}, 9, 0, 0},
		{"2^64", {0x89, 1}, 10, -EBADMSG, 0},
		{"2^248", {0xa0, 1}, 33, -EBADMSG, 0},
		{"2^256", {0xa1, 1}, 34, -EBADMSG, -EBADMSG},
		{"a list", {0xc0}, 1, -EBADMSG, -EBADMSG},
		{"nothing", {0}, 0, -EBADMSG, -EBADMSG},
	};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		struct evm_rlp_cursor c;

		evm_rlp_cursor_init(&c, rows[i].src, rows[i].len);
		(void)evm_rlp_get_u64(&c);
		if (c.error != rows[i].u64_error)
			fail_msg("%s as u64", rows[i].what);
		evm_rlp_cursor_init(&c, rows[i].src, rows[i].len);
		(void)evm_rlp_get_u256(&c);
		if (c.error != rows[i].u256_error)
			fail_msg("%s as u256", rows[i].what);
	}
}

static void test_sticky(void **state)
{
	static const uint8_t src[] = {0xc1, 0x01, 0x83, 1, 2, 3, 0x05};
	uint8_t fixed[4] = {9, 9, 9, 9};
	struct evm_rlp_cursor c, inner;

	(void)state;
	evm_rlp_cursor_init(&c, src, sizeof(src));
	inner = evm_rlp_get_list(&c);
	assert_int_equal(evm_rlp_get_u64(&inner), 1);
	assert_int_equal(evm_rlp_verify_end(&inner), 0);
	evm_rlp_get_fixed(&c, fixed, sizeof(fixed)); // three bytes stand there
	assert_int_equal(fixed[0] | fixed[1] | fixed[2] | fixed[3], 0);
	assert_int_equal(evm_rlp_get_u64(&c), 0);
	inner = evm_rlp_get_list(&c);
	assert_int_equal(inner.error, -EBADMSG);
	assert_int_equal(evm_rlp_verify_end(&c), -EBADMSG);
	evm_rlp_cursor_init(&c, src, sizeof(src));
	(void)evm_rlp_get_list(&c);
	assert_int_equal(evm_rlp_verify_end(&c), -EBADMSG); // something is left
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_invalid),
		cmocka_unit_test(test_typed_reads),
		cmocka_unit_test(test_sticky),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
