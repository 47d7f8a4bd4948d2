// SPDX-License-Identifier: Apache-2.0
//
// Hex text to bytes and back, without a lookup that depends on the data: keys pass through here.

#include "evm_hex.h"

#include <errno.h>
#include <string.h>

// 0..9 → '0'..'9', 10..15 → 'a'..'f'
static char evm_hex_digit(unsigned int nibble)
{
	return (char)(nibble + '0' + (((9 - (int)nibble) >> 8) & ('a' - '0' - 10)));
}

// Returns the nibble, or a value with bit 8 set when c is no hex digit.
static unsigned int evm_hex_nibble(char c)
{
	unsigned int digit = (unsigned char)c ^ 0x30;
	unsigned int letter = ((unsigned char)c & ~0x20u) - 'A';
	unsigned int is_digit = (digit - 10) >> 31;
	unsigned int is_letter = ((letter - 6) & ~letter) >> 31;

	return (-is_digit & digit) | (-is_letter & (letter + 10)) |
		((is_digit | is_letter) ^ 1) << 8;
}

void evm_hex_format(const uint8_t *src, size_t len, char *dst)
{
	*dst++ = '0';
	*dst++ = 'x';
	for (size_t i = 0; i < len; i++) {
		*dst++ = evm_hex_digit(src[i] >> 4);
		*dst++ = evm_hex_digit(src[i] & 0xf);
	}
	*dst = '\0';
}

int evm_hex_parse_digits(const char *digits, uint8_t *ret, size_t len)
{
	unsigned int bad = 0;

	if (strlen(digits) != 2 * len)
		return -EINVAL;
	for (size_t i = 0; i < 2 * len; i++)
		bad |= evm_hex_nibble(digits[i]) >> 8;
	if (bad != 0)
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		ret[i] = (uint8_t
		)(evm_hex_nibble(digits[2 * i]) << 4 | evm_hex_nibble(digits[2 * i + 1]));
	return 0;
}

int evm_hex_parse(const char *src, uint8_t *ret, size_t len)
{
	if (src[0] != '0' || src[1] != 'x')
		return -EINVAL;
	return evm_hex_parse_digits(src + 2, ret, len);
}

int evm_hex_parse_bytes(const char *src, uint8_t *ret, size_t cap, size_t *ret_len)
{
	size_t n_chars = strlen(src);
	int r;

	if (n_chars < 2 || n_chars % 2 != 0)
		return -EINVAL;
	if (n_chars / 2 - 1 > cap)
		return -ENOSPC;
	r = evm_hex_parse(src, ret, n_chars / 2 - 1);
	if (r == 0)
		*ret_len = n_chars / 2 - 1;
	return r;
}
