// SPDX-License-Identifier: Apache-2.0
//
// A recognizer without recursion: the kinds of the open containers stand in one word. Pure.
#include "json_scan.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

struct scan {
	const uint8_t *text;
	size_t len;
	size_t pos;
	const struct json_limits *limits;
	unsigned n_values;
	unsigned depth;
	uint64_t is_object; // bit 0 is the innermost open container
	int error; // sticky
	const char *reason;
};

static bool fail(struct scan *scan, int error, const char *reason)
{
	if (scan->error == 0) {
		scan->error = error;
		scan->reason = reason;
	}
	return false;
}

// Returns: the byte at the position, -1 at the end of the text.
static int peek(const struct scan *scan)
{
	return scan->pos < scan->len ? scan->text[scan->pos] : -1;
}

static int peek_after_space(struct scan *scan)
{
	int c = peek(scan);

	while (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
		scan->pos++;
		c = peek(scan);
	}
	return c;
}

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

size_t json_scan_utf8(const char *text, size_t len)
{
	const uint8_t *p = (const uint8_t *)text;
	size_t n;
	uint32_t code;

	if (len == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		n = 2;
	else if ((p[0] & 0xf0) == 0xe0)
		n = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (len < n)
		return 0;

	code = p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3fu);
	}
	// RFC 3629 section 3: no overlong forms, no surrogates, nothing above U+10FFFF.
	if ((n == 3 && code < 0x800) || (n == 4 && (code < 0x10000 || code > 0x10ffff)))
		return 0;
	if (code >= 0xd800 && code <= 0xdfff)
		return 0;
	return n;
}

// Out: the code unit of the four hexadecimal digits at the position.
static bool scan_hex4(struct scan *scan, uint32_t *ret_unit)
{
	uint32_t unit = 0;

	for (int i = 0; i < 4; i++, scan->pos++) {
		int c = peek(scan);
		int lower = c | 0x20;

		if (is_digit(c))
			unit = unit << 4 | (uint32_t)(c - '0');
		else if (c > 0 && lower >= 'a' && lower <= 'f')
			unit = unit << 4 | (uint32_t)(lower - 'a' + 10);
		else
			return fail(scan, -EINVAL, "\\u needs four hexadecimal digits");
	}
	*ret_unit = unit;
	return true;
}

// After "\u". A lone surrogate is no character; NUL would end a C string early.
static bool scan_unicode_escape(struct scan *scan)
{
	uint32_t unit, low;

	if (!scan_hex4(scan, &unit))
		return false;
	if (unit == 0)
		return fail(scan, -EINVAL, "\\u0000 in a string");
	if (unit >= 0xdc00 && unit <= 0xdfff)
		return fail(scan, -EINVAL, "lone low surrogate");
	if (unit < 0xd800 || unit > 0xdbff)
		return true;
	if (peek(scan) != '\\')
		return fail(scan, -EINVAL, "lone high surrogate");
	scan->pos++;
	if (peek(scan) != 'u')
		return fail(scan, -EINVAL, "lone high surrogate");
	scan->pos++;
	if (!scan_hex4(scan, &low))
		return false;
	if (low < 0xdc00 || low > 0xdfff)
		return fail(scan, -EINVAL, "lone high surrogate");
	return true;
}

static bool scan_escape(struct scan *scan)
{
	int c = peek(scan);

	scan->pos++;
	switch (c) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		return true;
	case 'u':
		return scan_unicode_escape(scan);
	default:
		scan->pos--;
		return fail(scan, -EINVAL, "unknown escape");
	}
}

static bool scan_string(struct scan *scan)
{
	scan->pos++;
	for (;;) {
		int c = peek(scan);
		size_t n;

		if (c < 0)
			return fail(scan, -EINVAL, "string is not closed");
		if (c < 0x20)
			return fail(scan, -EINVAL, "control character in a string");
		if (c == '"') {
			scan->pos++;
			return true;
		}
		if (c == '\\') {
			scan->pos++;
			if (!scan_escape(scan))
				return false;
			continue;
		}
		n = json_scan_utf8((const char *)scan->text + scan->pos, scan->len - scan->pos);
		if (n == 0)
			return fail(scan, -EINVAL, "not UTF-8");
		scan->pos += n;
	}
}

static bool scan_digits(struct scan *scan)
{
	if (!is_digit(peek(scan)))
		return fail(scan, -EINVAL, "digit expected");
	while (is_digit(peek(scan)))
		scan->pos++;
	return true;
}

static bool scan_number(struct scan *scan)
{
	size_t start = scan->pos;

	if (peek(scan) == '-')
		scan->pos++;
	if (peek(scan) == '0') {
		scan->pos++;
		if (is_digit(peek(scan)))
			return fail(scan, -EINVAL, "number with a leading zero");
	} else if (!scan_digits(scan)) {
		return false;
	}
	if (peek(scan) == '.') {
		scan->pos++;
		if (!scan_digits(scan))
			return false;
	}
	if ((peek(scan) | 0x20) == 'e' && peek(scan) > 0) {
		scan->pos++;
		if (peek(scan) == '+' || peek(scan) == '-')
			scan->pos++;
		if (!scan_digits(scan))
			return false;
	}
	if (scan->pos - start > JSON_MAX_NUMBER_CHARS)
		return fail(scan, -E2BIG, "number with too many characters");
	return true;
}

static bool scan_word(struct scan *scan, const char *word)
{
	for (; *word != '\0'; word++, scan->pos++) {
		if (peek(scan) != *word)
			return fail(scan, -EINVAL, "value expected");
	}
	return true;
}

static bool scan_scalar(struct scan *scan, int c)
{
	switch (c) {
	case '"':
		return scan_string(scan);
	case 't':
		return scan_word(scan, "true");
	case 'f':
		return scan_word(scan, "false");
	case 'n':
		return scan_word(scan, "null");
	default:
		if (c == '-' || is_digit(c))
			return scan_number(scan);
		return fail(scan, -EINVAL, c < 0 ? "text ends too early" : "value expected");
	}
}

static bool scan_member_name(struct scan *scan)
{
	if (peek_after_space(scan) != '"')
		return fail(scan, -EINVAL, "member name expected");
	if (!scan_string(scan))
		return false;
	if (peek_after_space(scan) != ':')
		return fail(scan, -EINVAL, "colon expected");
	scan->pos++;
	return true;
}

static bool open_container(struct scan *scan, bool is_object)
{
	if (scan->depth >= scan->limits->max_depth || scan->depth >= JSON_MAX_DEPTH)
		return fail(scan, -E2BIG, "nested too deeply");
	scan->pos++;
	scan->depth++;
	scan->is_object = scan->is_object << 1 | is_object;
	return true;
}

// Everything between the end of one value and the start of the next.
//
// Returns: true when another value is due; false at the end of the document or on an error.
static bool scan_to_next_value(struct scan *scan)
{
	for (;;) {
		int c = peek_after_space(scan);
		bool is_object = scan->is_object & 1;

		if (scan->depth == 0)
			return c < 0 ? false : fail(scan, -EINVAL, "text after the value");
		if (c == ',') {
			scan->pos++;
			return is_object ? scan_member_name(scan) : true;
		}
		if (c != (is_object ? '}' : ']'))
			return fail(
				scan,
				-EINVAL,
				is_object ? "',' or '}' expected" : "',' or ']' expected"
			);
		scan->pos++;
		scan->depth--;
		scan->is_object >>= 1;
	}
}

// Returns: true when another value is due.
static bool scan_value(struct scan *scan)
{
	int c = peek_after_space(scan);
	bool is_object = c == '{';

	if (++scan->n_values > scan->limits->max_values)
		return fail(scan, -E2BIG, "too many values");
	if (!is_object && c != '[')
		return scan_scalar(scan, c) && scan_to_next_value(scan);
	if (!open_container(scan, is_object))
		return false;
	if (peek_after_space(scan) == (is_object ? '}' : ']'))
		return scan_to_next_value(scan);
	return is_object ? scan_member_name(scan) : true;
}

int json_scan(
	const char *text, size_t len, const struct json_limits *limits, struct json_scan_error *err
)
{
	struct scan scan = {.text = (const uint8_t *)text, .len = len, .limits = limits};

	if (len > limits->max_bytes)
		fail(&scan, -E2BIG, "too long");
	else
		while (scan_value(&scan))
			;
	if (scan.error != 0) {
		err->offset = scan.pos;
		err->reason = scan.reason;
	}
	return scan.error;
}
