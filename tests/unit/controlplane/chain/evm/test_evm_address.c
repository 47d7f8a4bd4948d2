// SPDX-License-Identifier: Apache-2.0
//
// evm_address against EIP-55's own cases, evm_hex on what endpoints and key files send.

#include "controlplane/chain/evm/evm_address.h"
#include "controlplane/chain/evm/evm_hex.h"
#include "tests/unit/test.h"
#include "tests/unit/vectors.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

static void test_vectors(void **state)
{
	struct json_value *doc = vectors_load("evm_address");
	const struct json_value *rows = json_member(doc, "rows");
	size_t n_rows = 0;

	(void)state;
	for (const struct json_value *row = json_first(rows); row != NULL; row = json_next(row)) {
		char text[EVM_ADDRESS_TEXT_SIZE], lower[EVM_ADDRESS_TEXT_SIZE] = "0x";
		uint8_t address[EVM_ADDRESS_SIZE], again[EVM_ADDRESS_SIZE];

		assert_int_equal(evm_address_parse(json_string(row), address), 0);
		evm_address_format(address, text);
		assert_string_equal(text, json_string(row));
		for (size_t i = 2; i < EVM_ADDRESS_TEXT_SIZE; i++)
			lower[i] = (char)tolower((unsigned char)text[i]);
		assert_int_equal(evm_address_parse(lower, again), 0);
		assert_memory_equal(address, again, sizeof(address));
		n_rows++;
	}
	assert_int_equal(n_rows, 8);
	json_free(doc);
}

static void test_refused(void **state)
{
	static const struct {
		const char *text;
		int r;
	} rows[] = {
		{"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD", -EBADMSG}, // last digit's case
		{"0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed", -EBADMSG},
		{"5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", -EINVAL},
		{"0X5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", -EINVAL},
		{"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe", -EINVAL},
		{"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed0", -EINVAL},
		{"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeg", -EINVAL},
		{" 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", -EINVAL},
		{"0x", -EINVAL},
		{"", -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		uint8_t address[EVM_ADDRESS_SIZE] = {0};

		if (evm_address_parse(rows[i].text, address) != rows[i].r)
			fail_msg("%s", rows[i].text);
		assert_true(evm_address_is_zero(address));
	}
}

// Any one letter in the wrong case is caught: with many letters the check sum is not luck.
static void test_each_letter(void **state)
{
	static const char good[] = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
	uint8_t address[EVM_ADDRESS_SIZE];

	(void)state;
	for (size_t i = 2; i < sizeof(good) - 1; i++) {
		char text[sizeof(good)];

		if (!isalpha((unsigned char)good[i]))
			continue;
		memcpy(text, good, sizeof(good));
		text[i] = (char)(text[i] ^ 0x20);
		assert_int_equal(evm_address_parse(text, address), -EBADMSG);
	}
}

static void test_hex(void **state)
{
	uint8_t all[256], back[256];
	char text[EVM_HEX_SIZE(256)];
	size_t len = 99;

	(void)state;
	for (int i = 0; i < 256; i++)
		all[i] = (uint8_t)i;
	evm_hex_format(all, sizeof(all), text);
	assert_memory_equal(text, "0x000102030405060708090a0b0c0d0e0f10", 36);
	assert_int_equal(evm_hex_parse_bytes(text, back, sizeof(back), &len), 0);
	assert_int_equal(len, 256);
	assert_memory_equal(all, back, sizeof(all));
	assert_int_equal(evm_hex_parse_bytes(text, back, 255, &len), -ENOSPC);
	assert_int_equal(evm_hex_parse_bytes("0x", back, 0, &len), 0);
	assert_int_equal(len, 0);
	assert_int_equal(evm_hex_parse_bytes("0x1", back, 9, &len), -EINVAL);
	assert_int_equal(evm_hex_parse_bytes("", back, 9, &len), -EINVAL);
	assert_int_equal(evm_hex_parse_digits("aBcD", back, 2), 0);
	assert_memory_equal(back, "\xab\xcd", 2);
	// Every character but the 22 digits is refused, in either place.
	for (int c = 1; c < 256; c++) {
		char pair[3] = {(char)c, '0', '\0'}, other[3] = {'0', (char)c, '\0'};
		int expected = isxdigit(c) && c < 128 ? 0 : -EINVAL;

		assert_int_equal(evm_hex_parse_digits(pair, back, 1), expected);
		assert_int_equal(evm_hex_parse_digits(other, back, 1), expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_each_letter),
		cmocka_unit_test(test_hex),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
