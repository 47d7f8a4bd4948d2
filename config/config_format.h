// SPDX-License-Identifier: Apache-2.0
//
// Values and what keys allow, as text. Pure.
#pragma once

#include "config/config_keys.h"

#define CONFIG_FORMAT_CAP 544 // longest text: a URL

// Writes a field; config_value_parse() reads it to the same.
void config_format_value(
	const struct config_key *key, const void *field, char *dst, size_t dst_len
);

// The same as it may be shown in a log: of a URL without what may be a secret in it, its user and path.
void config_format_shown(
	const struct config_key *key, const void *field, char *dst, size_t dst_len
);

// Writes what the key allows: "1 to 128 workers", "spin or sleep".
void config_format_allowed(const struct config_key *key, char *dst, size_t dst_len);

// Writes the part of a URL that may be shown: "https://rpc.example.com:8545".
void config_format_url_shown(const char *url, char *dst, size_t dst_len);
void config_format_ipv4(uint32_t addr, char *dst, size_t dst_len);
void config_format_cidr(const struct config_cidr *cidr, char *dst, size_t dst_len);
