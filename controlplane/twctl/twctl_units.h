// SPDX-License-Identifier: Apache-2.0
//
// Sizes, durations and rates as people write and read them. Exact: what does not come out as a whole
// number is refused, never rounded. Pure.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define TWCTL_UNITS_SIZES "B, kB, MB, GB, TB (powers of 1000), KiB, MiB, GiB, TiB (of 1024)"
#define TWCTL_UNITS_DURATIONS "s, m, h, d, w; also in a row: 1d12h"
#define TWCTL_UNITS_RATES "kbps, Mbps, Gbps (bit/s, powers of 1000)"

// "10GB", "1.5 GiB", "500" (bytes). Returns: 0; -EINVAL not of that form; -ERANGE no whole number of
// bytes, or beyond 64 bits.
int twctl_units_parse_size(const char *text, uint64_t *ret_bytes);

// "90s", "10m", "24h", "30d", "1d12h", "3600" (seconds). Returns: as above.
int twctl_units_parse_duration(const char *text, uint64_t *ret_sec);

// "10Mbps", "0" or "unlimited" (0). Returns: as above; -ERANGE also for parts of a kbps.
int twctl_units_parse_rate(const char *text, uint64_t *ret_kbps);

#define TWCTL_UNITS_TEXT 32

// Three significant digits and more: "5.20 GB", "999 B". Return: text.
const char *twctl_units_size(char text[TWCTL_UNITS_TEXT], uint64_t bytes);
const char *twctl_units_rate(char text[TWCTL_UNITS_TEXT], uint64_t bits_per_sec);

// The two largest units: "29d 4h", "3m 20s".
const char *twctl_units_duration(char text[TWCTL_UNITS_TEXT], uint64_t sec);
