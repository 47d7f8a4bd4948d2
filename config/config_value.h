// SPDX-License-Identifier: Apache-2.0
//
// One value of one key, from text into its field, with its range. Pure; knows neither files nor lines
// nor other keys.
#pragma once

#include "config/config_keys.h"

// Parses text into *field, which has the key's type (of a list: one element).
//
// is_plain: the text stood in the file without quotes. A quoted number or boolean is a text, and as
//           such of the wrong type.
// Returns: NULL, or what is wrong in words that follow "value 'v' ", static; *field is then untouched.
const char *config_value_parse(
	const struct config_key *key, const char *text, bool is_plain, void *field
) __attribute__((warn_unused_result));

// Returns: the number behind a field of 2, 4 or 8 bytes.
uint64_t config_value_load_uint(const void *field, uint32_t size);
