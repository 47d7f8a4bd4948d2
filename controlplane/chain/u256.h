// SPDX-License-Identifier: Apache-2.0
//
// 256-bit unsigned integers: amounts in an asset's smallest unit, and the words of the EVM.
// u256.c is the one door to GMP. Everything is pure, allocates nothing, and every operation that
// could leave 256 bits or go below zero reports it and leaves its result untouched: an amount is
// never wrapped and never clamped. Any thread.

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// 2^256 - 1 has 78 decimal digits; both sizes include the terminating zero.
#define U256_DEC_SIZE 79
#define U256_HEX_SIZE 67

struct u256 {
	uint64_t limb[4]; // least significant first
};

#define U256_ZERO \
	(struct u256) \
	{ \
		{ \
			0, 0, 0, 0 \
		} \
	}

struct u256 u256_from_u64(uint64_t value);
struct u256 u256_from_be(const uint8_t src[32]);
void u256_to_be(struct u256 a, uint8_t dst[32]);

/* Big-endian bytes of any length, leading zeros allowed.
 * Returns: 0; -ERANGE when the value needs more than 256 bits. */
int u256_decode_be(const uint8_t *src, size_t src_len, struct u256 *ret);

/* Returns: 0; -ERANGE when the value needs more than 64 bits. */
int u256_to_u64(struct u256 a, uint64_t *ret);

/* Returns: <0, 0, >0 as a is below, equal to, above b. */
int u256_compare(struct u256 a, struct u256 b);
bool u256_is_zero(struct u256 a);
bool u256_equal(struct u256 a, struct u256 b);

/* Number of significant bits; 0 for zero. */
unsigned int u256_bit_len(struct u256 a);

/* Returns: 0; -EOVERFLOW when the result does not fit (for sub: when b > a). ret may alias. */
int u256_add(struct u256 a, struct u256 b, struct u256 *ret) __attribute__((warn_unused_result));
int u256_sub(struct u256 a, struct u256 b, struct u256 *ret) __attribute__((warn_unused_result));
int u256_mul(struct u256 a, struct u256 b, struct u256 *ret) __attribute__((warn_unused_result));

/* floor(a / b). Returns: 0; -EDOM when b is zero. */
int u256_div(struct u256 a, struct u256 b, struct u256 *ret) __attribute__((warn_unused_result));

/* floor(a * b / c) with a 512-bit product, as the contracts' Math.mulDiv.
 * Returns: 0; -EDOM when c is zero; -EOVERFLOW when the quotient does not fit. */
int u256_mul_div(struct u256 a, struct u256 b, struct u256 c, struct u256 *ret)
	__attribute__((warn_unused_result));

/* Strict decimal: digits only, no sign, no space, no leading zero except "0" itself.
 * Returns: 0; -EINVAL for anything else; -ERANGE above 2^256 - 1. */
int u256_parse_dec(const char *src, struct u256 *ret) __attribute__((warn_unused_result));
void u256_format_dec(struct u256 a, char dst[U256_DEC_SIZE]);

/* JSON-RPC "quantity": 0x, at least one digit, no leading zero except "0x0".
 * Returns: 0; -EINVAL; -ERANGE above 64 digits. */
int u256_parse_quantity(const char *src, struct u256 *ret) __attribute__((warn_unused_result));
void u256_format_quantity(struct u256 a, char dst[U256_HEX_SIZE]);

/* A decimal fraction in units of 10^decimals, "0.001" with 18 decimals = 10^15: exact, so more
 * fraction digits than the unit has are refused, not rounded.
 * Returns: 0; -EINVAL for bad syntax or too many fraction digits; -ERANGE when it does not fit. */
int u256_parse_units(const char *src, unsigned int decimals, struct u256 *ret)
	__attribute__((warn_unused_result));

/* The inverse, without trailing zeros in the fraction: 10^15 with 18 decimals = "0.001".
 * Returns: 0; -ENOSPC when dst is too small (U256_DEC_SIZE + 2 always suffices for decimals ≤ 77). */
int u256_format_units(struct u256 a, unsigned int decimals, char *dst, size_t dst_cap)
	__attribute__((warn_unused_result));
