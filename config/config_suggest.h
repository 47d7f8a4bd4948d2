// SPDX-License-Identifier: Apache-2.0
//
// For a key that nobody knows: what may stand at its place, and what was probably meant. Pure.
#pragma once

#include <stddef.h>

// Returns: the nearest known key of the same section; or of the same name in another one; or NULL.
//          Static.
const char *config_suggest_key(const char *path);

// Writes the names that the section of `path` knows, separated by commas.
void config_suggest_siblings(const char *path, char *dst, size_t dst_len);
