// SPDX-License-Identifier: Apache-2.0
//
// RFC 3339 section 5.6: date-time. Pure.
#include "siwe.h"

#include <errno.h>

struct cursor {
	const char *p, *end;
	bool is_bad;
};

static int take_digits(struct cursor *cursor, int n)
{
	int value = 0;

	for (; n > 0; n--, cursor->p++) {
		if (cursor->p == cursor->end || *cursor->p < '0' || *cursor->p > '9') {
			cursor->is_bad = true;
			return 0;
		}
		value = value * 10 + (*cursor->p - '0');
	}
	return value;
}

// One of the two characters.
static char take_either(struct cursor *cursor, char a, char b)
{
	if (cursor->p == cursor->end || (*cursor->p != a && *cursor->p != b)) {
		cursor->is_bad = true;
		return '\0';
	}
	return *cursor->p++;
}

static void take_fraction(struct cursor *cursor)
{
	if (cursor->p == cursor->end || *cursor->p != '.')
		return;
	cursor->p++;
	take_digits(cursor, 1);
	while (cursor->p < cursor->end && *cursor->p >= '0' && *cursor->p <= '9')
		cursor->p++;
}

static bool is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

// Days since 1970-01-01 of the Gregorian calendar.
static int64_t day_number(int year, int month, int day)
{
	int64_t n = 365 * (int64_t)(year - 1970) + day - 1;

	n += (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 -
		477; // 477 leap days before 1970
	for (int m = 1; m < month; m++)
		n += days_in(year, m);
	return n;
}

// "Z" or ±hh:mm. Returns: seconds east of UTC.
static int take_offset(struct cursor *cursor)
{
	int hour, minute;
	char sign;

	if (cursor->p < cursor->end && (*cursor->p == 'Z' || *cursor->p == 'z')) {
		cursor->p++;
		return 0;
	}
	sign = take_either(cursor, '+', '-');
	hour = take_digits(cursor, 2);
	take_either(cursor, ':', ':');
	minute = take_digits(cursor, 2);
	if (hour > 23 || minute > 59)
		cursor->is_bad = true;
	return (sign == '-' ? -1 : 1) * (hour * 3600 + minute * 60);
}

int siwe_time_parse(int64_t *ret_unix_sec, const char *text, size_t len)
{
	struct cursor cursor = {.p = text, .end = text + len};
	int year, month, day, hour, minute, second, offset;

	year = take_digits(&cursor, 4);
	take_either(&cursor, '-', '-');
	month = take_digits(&cursor, 2);
	take_either(&cursor, '-', '-');
	day = take_digits(&cursor, 2);
	take_either(&cursor, 'T', 't');
	hour = take_digits(&cursor, 2);
	take_either(&cursor, ':', ':');
	minute = take_digits(&cursor, 2);
	take_either(&cursor, ':', ':');
	second = take_digits(&cursor, 2); // 60 in a leap second
	take_fraction(&cursor);
	offset = take_offset(&cursor);
	if (cursor.is_bad || cursor.p != cursor.end || year < 1970 || month < 1 || month > 12 ||
	    day < 1 || day > days_in(year, month) || hour > 23 || minute > 59 || second > 60)
		return -EINVAL;
	*ret_unix_sec =
		day_number(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
	return 0;
}
