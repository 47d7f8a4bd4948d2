// SPDX-License-Identifier: Apache-2.0
//
// Writes a log line with one write() from a buffer on the stack, so that lines of two threads never
// mix and nothing is allocated. A longer line is cut and ends in "...". Control characters become
// '?', so that text from outside cannot forge a second line or drive a terminal.
#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_LINE_BYTES 2048

static int max_level = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
	__atomic_store_n(&max_level, (int)level, __ATOMIC_RELAXED);
}

// Out: len bytes of buf are used afterwards, at most cap. Text beyond cap is cut.
static void append(char *buf, size_t cap, size_t *len, const char *format, va_list args)
{
	int n = vsnprintf(buf + *len, cap - *len, format, args);

	if (n < 0)
		return;
	if ((size_t)n >= cap - *len) {
		*len = cap - 1;
		memcpy(buf + *len - 3, "...", 3);
		return;
	}
	*len += (size_t)n;
}

static void append_head(char *buf, size_t cap, size_t *len, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static void append_head(char *buf, size_t cap, size_t *len, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	append(buf, cap, len, format, args);
	va_end(args);
}

void log_write(enum log_level level, const char *area, const char *format, ...)
{
	static const char *const names[] = {"error", "warn", "info", "debug"};
	static const int priorities[] = {3, 4, 6, 7}; // sd-daemon(3), syslog's numbers
	char line[LOG_LINE_BYTES];
	size_t len = 0;
	va_list args;

	if ((int)level > __atomic_load_n(&max_level, __ATOMIC_RELAXED))
		return;
	if (getenv("JOURNAL_STREAM") != NULL)
		append_head(line, sizeof(line), &len, "<%d>", priorities[level]);
	append_head(line, sizeof(line), &len, "%s %s: ", names[level], area);
	va_start(args, format);
	append(line, sizeof(line), &len, format, args);
	va_end(args);
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	}
	line[len++] = '\n';
	// A log that cannot be written has nobody to tell.
	if (write(STDERR_FILENO, line, len) < 0)
		return;
}
