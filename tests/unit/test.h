// SPDX-License-Identifier: Apache-2.0
//
// cmocka with the headers that it wants before itself, in an order that the formatter leaves alone.

#pragma once

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#define TEST_N_ROWS(table) (sizeof(table) / sizeof((table)[0]))
