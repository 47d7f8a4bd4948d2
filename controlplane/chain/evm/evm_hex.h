// SPDX-License-Identifier: Apache-2.0
//
// JSON-RPC "data": 0x and two digits a byte. Pure; any thread.

#pragma once

#include <stddef.h>
#include <stdint.h>

#define EVM_HEX_SIZE(n_bytes) (2 * (n_bytes) + 3) // with 0x and the terminating zero

/* Lower case. dst holds EVM_HEX_SIZE(len). */
void evm_hex_format(const uint8_t *src, size_t len, char *dst);

/* Exactly len bytes. Returns: 0; -EINVAL, ret untouched. */
int evm_hex_parse(const char *src, uint8_t *ret, size_t len) __attribute__((warn_unused_result));

/* The same without 0x, as key files and keystores write it. */
int evm_hex_parse_digits(const char *digits, uint8_t *ret, size_t len)
	__attribute__((warn_unused_result));

/* Up to cap bytes. Returns: 0; -EINVAL; -ENOSPC. */
int evm_hex_parse_bytes(const char *src, uint8_t *ret, size_t cap, size_t *ret_len)
	__attribute__((warn_unused_result));
