// SPDX-License-Identifier: Apache-2.0
//
// The manual of the configuration file, out of the table of keys.
#pragma once

#include "config/config_keys.h"

#include <stdio.h>

#define CONFIG_MANUAL_CAP 256

// Writes the facts of a key in one line: what is allowed, its default, and whether it can change at
// run time. tollwire.yaml has the key's help and this line as comments above the key, word for word.
void config_manual_describe(const struct config_key *key, char *dst, size_t dst_len);

// Prints every section and key in the form of the file.
void config_manual_print(FILE *out);
