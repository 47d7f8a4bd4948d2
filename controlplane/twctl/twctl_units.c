// SPDX-License-Identifier: Apache-2.0
//
// See twctl_units.h. Decimal fractions are kept as digits until the unit is known. Pure.
#include "twctl_units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MAX_FRACTION 12 // digits after the point

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit size_units[] = {
	{"", 1},
	{"B", 1},
	{"kB", 1000},
	{"MB", 1000000},
	{"GB", 1000000000},
	{"TB", 1000000000000},
	{"KiB", 1ull << 10},
	{"MiB", 1ull << 20},
	{"GiB", 1ull << 30},
	{"TiB", 1ull << 40},
	{NULL, 0},
};

static const struct unit duration_units[] = {
	{"s", 1},
	{"m", 60},
	{"h", 3600},
	{"d", 86400},
	{"w", 604800},
	{NULL, 0},
};

static const struct unit rate_units[] = {
	{"kbps", 1},
	{"Mbps", 1000},
	{"Gbps", 1000000},
	{NULL, 0},
};

struct number {
	uint64_t whole;
	uint64_t fraction; // digits after the point
	uint64_t scale; // 10^(number of those)
};

static int is_digit(char c)
{
	return c >= '0' && c <= '9';
}

// Out: the number and where it ends. Returns: 0, -EINVAL, -ERANGE.
static int parse_number(const char **text, struct number *ret)
{
	const char *p = *text;
	struct number number = {.scale = 1};

	if (!is_digit(*p))
		return -EINVAL;
	for (; is_digit(*p); p++) {
		if (__builtin_mul_overflow(number.whole, 10u, &number.whole) ||
		    __builtin_add_overflow(number.whole, (uint64_t)(*p - '0'), &number.whole))
			return -ERANGE;
	}
	if (*p == '.') {
		const char *start = ++p;

		for (; is_digit(*p); p++) {
			if (p - start == MAX_FRACTION)
				return -ERANGE;
			number.fraction = number.fraction * 10 + (uint64_t)(*p - '0');
			number.scale *= 10;
		}
		if (p == start)
			return -EINVAL;
	}
	*text = p;
	*ret = number;
	return 0;
}

static int multiply(const struct number *number, uint64_t factor, uint64_t *ret)
{
	// fraction < 10^12 and factor <= 2^40: the product fits 128 bits with room.
	unsigned __int128 part = (unsigned __int128)number->fraction * factor;
	uint64_t value;

	if (part % number->scale != 0 || __builtin_mul_overflow(number->whole, factor, &value) ||
	    __builtin_add_overflow(value, (uint64_t)(part / number->scale), &value))
		return -ERANGE;
	*ret = value;
	return 0;
}

static const struct unit *find_unit(const struct unit *units, const char *name, size_t len)
{
	for (; units->name != NULL; units++) {
		if (strlen(units->name) == len && memcmp(units->name, name, len) == 0)
			return units;
	}
	return NULL;
}

static int parse_one(const char *text, const struct unit *units, uint64_t *ret)
{
	const struct unit *unit;
	struct number number;
	int r = parse_number(&text, &number);

	if (r < 0)
		return r;
	if (*text == ' ')
		text++;
	unit = find_unit(units, text, strlen(text));
	return unit == NULL ? -EINVAL : multiply(&number, unit->factor, ret);
}

int twctl_units_parse_size(const char *text, uint64_t *ret_bytes)
{
	return parse_one(text, size_units, ret_bytes);
}

int twctl_units_parse_rate(const char *text, uint64_t *ret_kbps)
{
	if (strcmp(text, "0") == 0 || strcmp(text, "unlimited") == 0) {
		*ret_kbps = 0;
		return 0;
	}
	return parse_one(text, rate_units, ret_kbps);
}

int twctl_units_parse_duration(const char *text, uint64_t *ret_sec)
{
	uint64_t sum = 0, last_factor = UINT64_MAX;

	if (text[strspn(text, "0123456789")] == '\0')
		return parse_one(text, size_units, ret_sec);
	while (*text != '\0') {
		const struct unit *unit;
		struct number number;
		uint64_t sec;
		int r = parse_number(&text, &number);

		if (r < 0)
			return r;
		unit = find_unit(duration_units, text, 1);
		// Larger units first and each once, so that "1m1h" is a mistake and not 61 minutes.
		if (*text == '\0' || unit == NULL || unit->factor >= last_factor)
			return -EINVAL;
		r = multiply(&number, unit->factor, &sec);
		if (r < 0)
			return r;
		if (__builtin_add_overflow(sum, sec, &sum))
			return -ERANGE;
		last_factor = unit->factor;
		text++;
	}
	if (last_factor == UINT64_MAX)
		return -EINVAL;
	*ret_sec = sum;
	return 0;
}

static const char *scaled(
	char text[TWCTL_UNITS_TEXT], uint64_t value, const char *const *units, int n_units
)
{
	double shown = (double)value;
	int i = 0;

	for (; shown >= 999.5 && i + 1 < n_units; i++)
		shown /= 1000;
	snprintf(
		text,
		TWCTL_UNITS_TEXT,
		"%.*f %s",
		i == 0			? 0
			: shown < 9.995 ? 2
			: shown < 99.95 ? 1
					: 0,
		shown,
		units[i]
	);
	return text;
}

const char *twctl_units_size(char text[TWCTL_UNITS_TEXT], uint64_t bytes)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};

	return scaled(text, bytes, units, 7);
}

const char *twctl_units_rate(char text[TWCTL_UNITS_TEXT], uint64_t bits_per_sec)
{
	static const char *const units[] = {"bps", "kbps", "Mbps", "Gbps", "Tbps"};

	return scaled(text, bits_per_sec, units, 5);
}

const char *twctl_units_duration(char text[TWCTL_UNITS_TEXT], uint64_t sec)
{
	static const struct unit units[] = {{"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}};

	for (int i = 0; i < 3; i++) {
		if (sec < units[i].factor)
			continue;
		snprintf(
			text,
			TWCTL_UNITS_TEXT,
			"%" PRIu64 "%s %" PRIu64 "%s",
			sec / units[i].factor,
			units[i].name,
			sec % units[i].factor / units[i + 1].factor,
			units[i + 1].name
		);
		return text;
	}
	snprintf(text, TWCTL_UNITS_TEXT, "%" PRIu64 "s", sec);
	return text;
}
