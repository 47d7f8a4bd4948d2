// SPDX-License-Identifier: Apache-2.0
//
// See openmetrics.h. Pure but for memory.
#include "openmetrics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 16384

void openmetrics_init(struct openmetrics *om)
{
	*om = (struct openmetrics){0};
}

static void append(struct openmetrics *om, const char *text, size_t len)
{
	if (om->is_failed)
		return;
	if (om->len + len + 1 > om->cap) {
		size_t cap = om->cap == 0 ? FIRST_CAP : om->cap;
		char *grown;

		while (cap < om->len + len + 1)
			cap *= 2;
		grown = realloc(om->text, cap);
		if (grown == NULL) {
			om->is_failed = true;
			return;
		}
		om->text = grown;
		om->cap = cap;
	}
	memcpy(om->text + om->len, text, len);
	om->len += len;
	om->text[om->len] = '\0';
}

static void __attribute__((format(printf, 2, 3)))
append_format(struct openmetrics *om, const char *format, ...)
{
	char text[512];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(text))
		om->is_failed = true;
	else
		append(om, text, (size_t)n);
}

// Section "Escaping": backslash, double quote and line feed.
static void append_escaped(struct openmetrics *om, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\n')
			append(om, "\\n", 2);
		else if (*text == '\\' || *text == '"')
			append_format(om, "\\%c", *text);
		else
			append(om, text, 1);
	}
}

void openmetrics_family(
	struct openmetrics *om,
	enum openmetrics_type type,
	const char *name,
	const char *unit,
	const char *help
)
{
	static const char *const types[] = {
		[OPENMETRICS_COUNTER] = "counter",
		[OPENMETRICS_GAUGE] = "gauge",
		[OPENMETRICS_INFO] = "info",
	};

	om->family = name;
	om->type = type;
	append_format(om, "# TYPE %s %s\n", name, types[type]);
	if (unit != NULL)
		append_format(om, "# UNIT %s %s\n", name, unit);
	append_format(om, "# HELP %s ", name);
	append_escaped(om, help);
	append(om, "\n", 1);
}

static void append_head(struct openmetrics *om, const struct openmetrics_label labels[2])
{
	static const char *const suffixes[] = {
		[OPENMETRICS_COUNTER] = "_total",
		[OPENMETRICS_GAUGE] = "",
		[OPENMETRICS_INFO] = "_info",
	};

	append_format(om, "%s%s", om->family, suffixes[om->type]);
	for (int i = 0; labels != NULL && i < 2 && labels[i].name != NULL; i++) {
		append_format(om, "%c%s=\"", i == 0 ? '{' : ',', labels[i].name);
		append_escaped(om, labels[i].value);
		append(om, "\"", 1);
	}
	if (labels != NULL && labels[0].name != NULL)
		append(om, "}", 1);
}

void openmetrics_put(
	struct openmetrics *om, const struct openmetrics_label labels[2], uint64_t value
)
{
	append_head(om, labels);
	append_format(om, " %" PRIu64 "\n", value);
}

void openmetrics_put_real(
	struct openmetrics *om, const struct openmetrics_label labels[2], double value
)
{
	append_head(om, labels);
	append_format(om, " %.9g\n", value);
}

int openmetrics_finish(struct openmetrics *om, char **ret_text)
{
	append(om, "# EOF\n", 6);
	if (om->is_failed) {
		free(om->text);
		return -ENOMEM;
	}
	*ret_text = om->text;
	return 0;
}
