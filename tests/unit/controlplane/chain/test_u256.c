// SPDX-License-Identifier: Apache-2.0
//
// u256 and money: checked arithmetic at both ends of the range, text in and out, and the reference
// settlement of the product to the wei.

#include "controlplane/chain/money.h"
#include "controlplane/chain/u256.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEC "115792089237316195423570985008687907853269984665640564039457584007913129639935"
#define MAX_PLUS_1 "115792089237316195423570985008687907853269984665640564039457584007913129639936"

static struct u256 dec(const char *text)
{
	struct u256 a;

	assert_int_equal(u256_parse_dec(text, &a), 0);
	return a;
}

static void assert_dec(struct u256 a, const char *expected)
{
	char text[U256_DEC_SIZE];

	u256_format_dec(a, text);
	assert_string_equal(text, expected);
}

static void test_parse_dec(void **state)
{
	static const struct {
		const char *text;
		int r;
	} rows[] = {
		{"0", 0},
		{"1", 0},
		{"18446744073709551616", 0},
		{MAX_DEC, 0},
		{MAX_PLUS_1, -ERANGE},
		{MAX_DEC "0", -ERANGE},
		{"", -EINVAL},
		{"00", -EINVAL},
		{"01", -EINVAL},
		{"-1", -EINVAL},
		{"+1", -EINVAL},
		{" 1", -EINVAL},
		{"1 ", -EINVAL},
		{"1.0", -EINVAL},
		{"1e3", -EINVAL},
		{"0x1", -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		struct u256 a = u256_from_u64(77);
		int r = u256_parse_dec(rows[i].text, &a);

		if (r != rows[i].r)
			fail_msg("%s: %d", rows[i].text, r);
		assert_dec(a, r == 0 ? rows[i].text : "77");
	}
}

static void test_quantity(void **state)
{
	static const struct {
		const char *text;
		int r;
		const char *value;
	} rows[] = {
		{"0x0", 0, "0"},
		{"0x1", 0, "1"},
		{"0xdeadBEEF", 0, "3735928559"},
		{"0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", 0, MAX_DEC},
		{"0x10000000000000000000000000000000000000000000000000000000000000000",
		 -ERANGE,
		 NULL},
		{"0x", -EINVAL, NULL},
		{"0x00", -EINVAL, NULL},
		{"0x01", -EINVAL, NULL},
		{"0xg", -EINVAL, NULL},
		{"1", -EINVAL, NULL},
		{"", -EINVAL, NULL},
		{"0", -EINVAL, NULL},
		{"0X1", -EINVAL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		char text[U256_HEX_SIZE];
		struct u256 a;
		int r = u256_parse_quantity(rows[i].text, &a);

		if (r != rows[i].r)
			fail_msg("%s: %d", rows[i].text, r);
		if (r < 0)
			continue;
		assert_dec(a, rows[i].value);
		u256_format_quantity(a, text);
		assert_int_equal(strcasecmp(text, rows[i].text), 0);
	}
}

static void test_units(void **state)
{
	static const struct {
		const char *text;
		unsigned int decimals;
		int r;
		const char *wei;
	} rows[] = {
		{"0.001", 18, 0, "1000000000000000"},
		{"1", 18, 0, "1000000000000000000"},
		{"0", 18, 0, "0"},
		{"12.5", 6, 0, "12500000"},
		{"0.000000000000000001", 18, 0, "1"},
		{"0.0000000000000000001", 18, -EINVAL, NULL},
		{"1.", 18, -EINVAL, NULL},
		{".1", 18, -EINVAL, NULL},
		{"1.2.3", 18, -EINVAL, NULL},
		{"01", 18, -EINVAL, NULL},
		{"-1", 18, -EINVAL, NULL},
		{"1e3", 18, -EINVAL, NULL},
		{"", 18, -EINVAL, NULL},
		{MAX_DEC, 0, 0, MAX_DEC},
		{MAX_DEC, 1, -ERANGE, NULL},
		{"0.5", 0, -EINVAL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		char text[U256_DEC_SIZE + 2];
		struct u256 a;
		int r = u256_parse_units(rows[i].text, rows[i].decimals, &a);

		if (r != rows[i].r)
			fail_msg("%s: %d", rows[i].text, r);
		if (r < 0)
			continue;
		assert_dec(a, rows[i].wei);
		assert_int_equal(u256_format_units(a, rows[i].decimals, text, sizeof(text)), 0);
		assert_string_equal(text, rows[i].text);
		// One byte too few is refused, one more suffices.
		assert_int_equal(
			u256_format_units(a, rows[i].decimals, text, strlen(rows[i].text)), -ENOSPC
		);
		assert_int_equal(
			u256_format_units(a, rows[i].decimals, text, strlen(rows[i].text) + 1), 0
		);
	}
}

static void test_edges(void **state)
{
	struct u256 max = dec(MAX_DEC), one = u256_from_u64(1), zero = U256_ZERO;
	struct u256 half, kept = u256_from_u64(77), a = kept;

	(void)state;
	assert_int_equal(u256_add(max, one, &a), -EOVERFLOW);
	assert_int_equal(u256_sub(zero, one, &a), -EOVERFLOW);
	assert_int_equal(u256_mul(max, u256_from_u64(2), &a), -EOVERFLOW);
	assert_int_equal(u256_div(max, zero, &a), -EDOM);
	assert_int_equal(u256_mul_div(max, max, zero, &a), -EDOM);
	assert_int_equal(u256_mul_div(max, max, one, &a), -EOVERFLOW);
	assert_true(u256_equal(a, kept));

	assert_int_equal(u256_add(max, zero, &a), 0);
	assert_true(u256_equal(a, max));
	assert_int_equal(u256_sub(max, max, &a), 0);
	assert_true(u256_is_zero(a));
	assert_int_equal(u256_mul(max, one, &a), 0);
	assert_true(u256_equal(a, max));
	assert_int_equal(u256_mul_div(max, max, max, &a), 0);
	assert_true(u256_equal(a, max));
	assert_int_equal(u256_div(max, u256_from_u64(2), &half), 0);
	assert_int_equal(u256_add(half, half, &a), 0);
	assert_int_equal(u256_add(a, one, &a), 0);
	assert_true(u256_equal(a, max));
	assert_int_equal(u256_bit_len(max), 256);
	assert_int_equal(u256_bit_len(zero), 0);
	assert_int_equal(u256_bit_len(half), 255);
	assert_true(u256_compare(half, max) < 0 && u256_compare(max, half) > 0);
}

// (a * b + c) / b = a with rest c < b, over operands of every length.
static void test_division_by_multiplication(void **state)
{
	(void)state;
	srandom(1);
	for (int i = 0; i < 20000; i++) {
		struct u256 a, b, c, product, quotient;

		for (int j = 0; j < 4; j++) {
			a.limb[j] = j <= i % 4 ? (uint64_t)random() * (uint64_t)random() : 0;
			b.limb[j] = j <= i / 4 % 4 ? (uint64_t)random() * (uint64_t)random() : 0;
		}
		c = b;
		if (u256_is_zero(b) || u256_mul(a, b, &product) < 0)
			continue;
		assert_int_equal(u256_sub(c, u256_from_u64(1), &c), 0);
		assert_int_equal(u256_div(product, b, &quotient), 0);
		assert_true(u256_equal(quotient, a));
		assert_int_equal(u256_mul_div(a, b, b, &quotient), 0);
		assert_true(u256_equal(quotient, a));
		if (u256_add(product, c, &product) < 0)
			continue;
		assert_int_equal(u256_div(product, b, &quotient), 0);
		assert_true(u256_equal(quotient, a));
	}
}

static void test_bytes(void **state)
{
	uint8_t be[40] = {0}, back[32];
	struct u256 a;
	uint64_t n;

	(void)state;
	be[8] = 0x80;
	be[39] = 1;
	assert_int_equal(u256_decode_be(be, 40, &a), 0);
	u256_to_be(a, back);
	assert_memory_equal(back, be + 8, 32);
	assert_true(u256_equal(u256_from_be(back), a));
	be[7] = 1;
	assert_int_equal(u256_decode_be(be, 40, &a), -ERANGE);
	assert_int_equal(u256_decode_be(NULL, 0, &a), 0);
	assert_true(u256_is_zero(a));
	assert_int_equal(u256_to_u64(u256_from_u64(UINT64_MAX), &n), 0);
	assert_true(n == UINT64_MAX);
	assert_int_equal(u256_to_u64(dec("18446744073709551616"), &n), -ERANGE);
}

// 10 GB at 0.001 ETH with 5.2 GB used: the reference case of the contracts.
static void test_reference_split(void **state)
{
	struct u256 price, cost, fee, operator_part, escrow, refund;

	(void)state;
	assert_int_equal(u256_parse_units("0.001", 18, &price), 0);
	assert_int_equal(
		u256_mul_div(u256_from_u64(5200000000), price, u256_from_u64(1000000000), &cost), 0
	);
	assert_int_equal(u256_mul_div(cost, u256_from_u64(100), u256_from_u64(10000), &fee), 0);
	assert_int_equal(u256_sub(cost, fee, &operator_part), 0);
	assert_int_equal(u256_mul(price, u256_from_u64(10), &escrow), 0);
	assert_int_equal(u256_sub(escrow, cost, &refund), 0);
	assert_dec(operator_part, "5148000000000000");
	assert_dec(fee, "52000000000000");
	assert_dec(refund, "4800000000000000");
}

static void test_money(void **state)
{
	struct money eth = {.asset = {.chain_id = 1}, .amount = u256_from_u64(5)};
	struct money usdc = eth, other_chain = eth, sum;

	(void)state;
	usdc.asset.token[31] = 1;
	other_chain.asset.chain_id = 2;
	assert_true(money_asset_is_native(&eth.asset));
	assert_false(money_asset_is_native(&usdc.asset));
	assert_int_equal(money_add(&eth, &usdc, &sum), -EXDEV);
	assert_int_equal(money_sub(&eth, &other_chain, &sum), -EXDEV);
	assert_int_equal(money_add(&eth, &eth, &sum), 0);
	assert_dec(sum.amount, "10");
	assert_int_equal(money_sub(&eth, &sum, &sum), -EOVERFLOW);
	assert_int_equal(money_sub(&sum, &eth, &sum), 0);
	assert_dec(sum.amount, "5");
	sum.amount = dec(MAX_DEC);
	assert_int_equal(money_add(&sum, &eth, &eth), -EOVERFLOW);
	assert_dec(eth.amount, "5");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_dec),
		cmocka_unit_test(test_quantity),
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_division_by_multiplication),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_reference_split),
		cmocka_unit_test(test_money),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
