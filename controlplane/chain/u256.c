// SPDX-License-Identifier: Apache-2.0
//
// The one door to GMP, by its mpn layer: fixed limbs on the stack, so no operation allocates and
// none can fail for memory. What it does not do: signed numbers, rounding other than floor.

#include "controlplane/chain/u256.h"

#include <gmp.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define U256_LIMBS 4

_Static_assert(sizeof(mp_limb_t) == sizeof(uint64_t), "u256 is built on 64-bit limbs");
_Static_assert(GMP_NAIL_BITS == 0, "u256 is built on full limbs");

// mp_limb_t is unsigned long, uint64_t may be another type of the same size: copies keep it clean.
static void u256_load(mp_limb_t dst[U256_LIMBS], struct u256 a)
{
	for (int i = 0; i < U256_LIMBS; i++)
		dst[i] = a.limb[i];
}

static struct u256 u256_store(const mp_limb_t src[U256_LIMBS])
{
	struct u256 a;

	for (int i = 0; i < U256_LIMBS; i++)
		a.limb[i] = src[i];
	return a;
}

static mp_size_t u256_n_limbs(const mp_limb_t *src, mp_size_t n)
{
	while (n > 0 && src[n - 1] == 0)
		n--;
	return n;
}

struct u256 u256_from_u64(uint64_t value)
{
	return (struct u256){.limb = {value, 0, 0, 0}};
}

struct u256 u256_from_be(const uint8_t src[32])
{
	struct u256 a = U256_ZERO;

	for (int i = 0; i < 32; i++)
		a.limb[(31 - i) / 8] |= (uint64_t)src[i] << (8 * ((31 - i) % 8));
	return a;
}

void u256_to_be(struct u256 a, uint8_t dst[32])
{
	for (int i = 0; i < 32; i++)
		dst[i] = (uint8_t)(a.limb[(31 - i) / 8] >> (8 * ((31 - i) % 8)));
}

int u256_decode_be(const uint8_t *src, size_t src_len, struct u256 *ret)
{
	uint8_t word[32] = {0};

	while (src_len > 0 && *src == 0) {
		src++;
		src_len--;
	}
	if (src_len > sizeof(word))
		return -ERANGE;
	if (src_len > 0)
		memcpy(word + sizeof(word) - src_len, src, src_len);
	*ret = u256_from_be(word);
	return 0;
}

int u256_to_u64(struct u256 a, uint64_t *ret)
{
	if (a.limb[1] != 0 || a.limb[2] != 0 || a.limb[3] != 0)
		return -ERANGE;
	*ret = a.limb[0];
	return 0;
}

int u256_compare(struct u256 a, struct u256 b)
{
	for (int i = U256_LIMBS - 1; i >= 0; i--) {
		if (a.limb[i] != b.limb[i])
			return a.limb[i] < b.limb[i] ? -1 : 1;
	}
	return 0;
}

bool u256_is_zero(struct u256 a)
{
	return (a.limb[0] | a.limb[1] | a.limb[2] | a.limb[3]) == 0;
}

bool u256_equal(struct u256 a, struct u256 b)
{
	return u256_compare(a, b) == 0;
}

unsigned int u256_bit_len(struct u256 a)
{
	for (int i = U256_LIMBS - 1; i >= 0; i--) {
		if (a.limb[i] != 0)
			return (unsigned int)(64 * (i + 1) - __builtin_clzll(a.limb[i]));
	}
	return 0;
}

int u256_add(struct u256 a, struct u256 b, struct u256 *ret)
{
	mp_limb_t x[U256_LIMBS], y[U256_LIMBS];

	u256_load(x, a);
	u256_load(y, b);
	if (mpn_add_n(x, x, y, U256_LIMBS) != 0)
		return -EOVERFLOW;
	*ret = u256_store(x);
	return 0;
}

int u256_sub(struct u256 a, struct u256 b, struct u256 *ret)
{
	mp_limb_t x[U256_LIMBS], y[U256_LIMBS];

	u256_load(x, a);
	u256_load(y, b);
	if (mpn_sub_n(x, x, y, U256_LIMBS) != 0)
		return -EOVERFLOW;
	*ret = u256_store(x);
	return 0;
}

static void u256_product(struct u256 a, struct u256 b, mp_limb_t dst[2 * U256_LIMBS])
{
	mp_limb_t x[U256_LIMBS], y[U256_LIMBS];

	u256_load(x, a);
	u256_load(y, b);
	mpn_mul_n(dst, x, y, U256_LIMBS);
}

int u256_mul(struct u256 a, struct u256 b, struct u256 *ret)
{
	mp_limb_t wide[2 * U256_LIMBS];

	u256_product(a, b, wide);
	if (u256_n_limbs(wide, 2 * U256_LIMBS) > U256_LIMBS)
		return -EOVERFLOW;
	*ret = u256_store(wide);
	return 0;
}

// Floor of a numerator of n limbs by a divisor; mpn_tdiv_qr wants the top limb of the divisor
// to be non-zero and the numerator no shorter than it.
static int u256_quotient(const mp_limb_t *num, mp_size_t n, struct u256 div, struct u256 *ret)
{
	mp_limb_t d[U256_LIMBS], rest[U256_LIMBS];
	mp_limb_t quot[2 * U256_LIMBS + 1] = {0};
	mp_size_t d_n;

	u256_load(d, div);
	d_n = u256_n_limbs(d, U256_LIMBS);
	if (d_n == 0)
		return -EDOM;
	mpn_tdiv_qr(quot, rest, 0, num, n, d, d_n);
	if (u256_n_limbs(quot, n - d_n + 1) > U256_LIMBS)
		return -EOVERFLOW;
	*ret = u256_store(quot);
	return 0;
}

int u256_div(struct u256 a, struct u256 b, struct u256 *ret)
{
	mp_limb_t x[U256_LIMBS];

	u256_load(x, a);
	return u256_quotient(x, U256_LIMBS, b, ret);
}

int u256_mul_div(struct u256 a, struct u256 b, struct u256 c, struct u256 *ret)
{
	mp_limb_t wide[2 * U256_LIMBS];

	u256_product(a, b, wide);
	return u256_quotient(wide, 2 * U256_LIMBS, c, ret);
}

static int u256_push_digit(struct u256 *a, unsigned int base, unsigned int digit)
{
	struct u256 next;

	if (u256_mul(*a, u256_from_u64(base), &next) < 0 ||
	    u256_add(next, u256_from_u64(digit), &next) < 0)
		return -ERANGE;
	*a = next;
	return 0;
}

int u256_parse_dec(const char *src, struct u256 *ret)
{
	struct u256 a = U256_ZERO;

	if (src[0] == '\0' || (src[0] == '0' && src[1] != '\0'))
		return -EINVAL;
	for (const char *p = src; *p != '\0'; p++) {
		if (*p < '0' || *p > '9')
			return -EINVAL;
	}
	for (; *src != '\0'; src++) {
		if (u256_push_digit(&a, 10, (unsigned int)(*src - '0')) < 0)
			return -ERANGE;
	}
	*ret = a;
	return 0;
}

void u256_format_dec(struct u256 a, char dst[U256_DEC_SIZE])
{
	unsigned char digits[U256_DEC_SIZE + 1];
	mp_limb_t x[U256_LIMBS];
	mp_size_t n;
	size_t n_digits, skip = 0;

	u256_load(x, a);
	n = u256_n_limbs(x, U256_LIMBS);
	if (n == 0) {
		memcpy(dst, "0", 2);
		return;
	}
	n_digits = mpn_get_str(digits, 10, x, n);
	while (skip + 1 < n_digits && digits[skip] == 0)
		skip++;
	for (size_t i = skip; i < n_digits; i++)
		dst[i - skip] = (char)('0' + digits[i]);
	dst[n_digits - skip] = '\0';
}

static int u256_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -EINVAL;
}

int u256_parse_quantity(const char *src, struct u256 *ret)
{
	struct u256 a = U256_ZERO;

	if (src[0] != '0' || src[1] != 'x' || src[2] == '\0' || (src[2] == '0' && src[3] != '\0'))
		return -EINVAL;
	for (const char *p = src + 2; *p != '\0'; p++) {
		if (u256_hex_digit(*p) < 0)
			return -EINVAL;
	}
	for (src += 2; *src != '\0'; src++) {
		if (u256_push_digit(&a, 16, (unsigned int)u256_hex_digit(*src)) < 0)
			return -ERANGE;
	}
	*ret = a;
	return 0;
}

void u256_format_quantity(struct u256 a, char dst[U256_HEX_SIZE])
{
	static const char hex[] = "0123456789abcdef";
	unsigned int n_digits = (u256_bit_len(a) + 3) / 4;
	char *p = dst;

	if (n_digits == 0)
		n_digits = 1;
	*p++ = '0';
	*p++ = 'x';
	while (n_digits-- > 0)
		*p++ = hex[(a.limb[n_digits / 16] >> (4 * (n_digits % 16))) & 0xf];
	*p = '\0';
}

int u256_parse_units(const char *src, unsigned int decimals, struct u256 *ret)
{
	struct u256 a = U256_ZERO;
	unsigned int n_fraction = 0;
	bool in_fraction = false;

	if (src[0] < '0' || src[0] > '9' || (src[0] == '0' && src[1] != '\0' && src[1] != '.'))
		return -EINVAL;
	for (; *src != '\0'; src++) {
		if (*src == '.' && !in_fraction && src[1] != '\0') {
			in_fraction = true;
			continue;
		}
		if (*src < '0' || *src > '9' || (in_fraction && ++n_fraction > decimals))
			return -EINVAL;
		if (u256_push_digit(&a, 10, (unsigned int)(*src - '0')) < 0)
			return -ERANGE;
	}
	for (; n_fraction < decimals; n_fraction++) {
		if (u256_push_digit(&a, 10, 0) < 0)
			return -ERANGE;
	}
	*ret = a;
	return 0;
}

int u256_format_units(struct u256 a, unsigned int decimals, char *dst, size_t dst_cap)
{
	char digits[U256_DEC_SIZE];
	size_t n_digits, n_whole, n_fraction;
	int written;

	u256_format_dec(a, digits);
	n_digits = strlen(digits);
	n_whole = n_digits > decimals ? n_digits - decimals : 0;
	n_fraction = n_digits - n_whole;
	while (n_fraction > 0 && digits[n_whole + n_fraction - 1] == '0')
		n_fraction--;
	written = snprintf(
		dst,
		dst_cap,
		"%.*s%s%s%.*s",
		(int)n_whole,
		digits,
		n_whole == 0 ? "0" : "",
		n_fraction > 0 ? "." : "",
		n_fraction > 0 && n_digits < decimals ? (int)(decimals - n_digits) : 0,
		"00000000000000000000000000000000000000000000000000000000000000000000000000000"
	);
	if (written < 0 || (size_t)written + n_fraction >= dst_cap || decimals > 77)
		return -ENOSPC;
	memcpy(dst + written, digits + n_whole, n_fraction);
	dst[(size_t)written + n_fraction] = '\0';
	return 0;
}
