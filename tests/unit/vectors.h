// SPDX-License-Identifier: Apache-2.0
//
// Test vectors from tests/vectors/<name>.json; every failure fails the running test.

#pragma once

#include "controlplane/json/json.h"

#include <stddef.h>
#include <stdint.h>

struct json_value *vectors_load(const char *name);

/* The hex text of a member, with or without 0x; at most cap bytes. */
size_t vectors_hex(const struct json_value *object, const char *name, uint8_t *dst, size_t cap);
const char *vectors_string(const struct json_value *object, const char *name);
uint64_t vectors_u64(const struct json_value *object, const char *name);
