// SPDX-License-Identifier: Apache-2.0
//
// Hex strings of test vectors to bytes. For tests alone; a bad string fails the test.
#ifndef TEST_WG_HEX_H
#define TEST_WG_HEX_H

#include "tests/unit/test.h"

#include <stdio.h>
#include <string.h>

// Bytes written; at most cap.
static inline size_t test_wg_hex(const char *hex, uint8_t *ret_bytes, size_t cap)
{
	size_t len = strlen(hex) / 2;

	assert_int_equal(strlen(hex) % 2, 0);
	assert_true(len <= cap);
	for (size_t i = 0; i < len; i++) {
		unsigned int byte;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
		ret_bytes[i] = (uint8_t)byte;
	}
	return len;
}

#endif
