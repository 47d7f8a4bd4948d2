// SPDX-License-Identifier: Apache-2.0
//
// Values and what keys allow, as text. Pure.
#pragma once

#include "config/config_keys.h"

#define CONFIG_FORMAT_CAP 320 // longest text: a host name and its port, or a path

// Writes a field; config_value_parse() reads it to the same.
void config_format_value(
	const struct config_key *key, const void *field, char *dst, size_t dst_len
);

// Writes what the key allows: "1 to 128 workers", "spin or sleep".
void config_format_allowed(const struct config_key *key, char *dst, size_t dst_len);

void config_format_ipv4(uint32_t addr, char *dst, size_t dst_len);
void config_format_cidr(const struct config_cidr *cidr, char *dst, size_t dst_len);
