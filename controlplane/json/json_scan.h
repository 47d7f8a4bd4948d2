// SPDX-License-Identifier: Apache-2.0
//
// Decides whether a text is JSON as RFC 8259 and RFC 3629 write it, before any memory is spent on
// it: grammar, UTF-8, depth, number of values. The tree builder behind json.h is more tolerant than
// the RFC (white space, numbers, NUL escapes), so what this refuses never reaches it. Pure.
#pragma once

#include <stddef.h>

#define JSON_MAX_DEPTH 64
#define JSON_MAX_NUMBER_CHARS 60

struct json_limits {
	size_t max_bytes;
	unsigned max_depth; // at most JSON_MAX_DEPTH; a scalar has depth 0
	unsigned max_values; // scalars, arrays and objects together
};

struct json_scan_error {
	size_t offset; // byte at which the text stops being acceptable
	const char *reason; // static
};

// Returns: 0; -EINVAL when it is not JSON; -E2BIG when it is beyond a limit. On failure err is set.
int json_scan(
	const char *text, size_t len, const struct json_limits *limits, struct json_scan_error *err
);

// Returns: the length (1 to 4) of the UTF-8 sequence at text, 0 when it is not valid or cut short.
size_t json_scan_utf8(const char *text, size_t len);
