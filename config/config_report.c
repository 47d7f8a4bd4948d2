// SPDX-License-Identifier: Apache-2.0
//
// Collects messages, in a fixed array: a file with more than CONFIG_REPORT_MAX mistakes is counted,
// not listed, to its end.
#include "config/config_report.h"

#include "common/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define AREA "config"

void config_report_init(struct config_report *report, const char *file)
{
	memset(report, 0, sizeof(*report));
	report->file = file;
}

void config_report_add(
	struct config_report *report, bool is_error, uint32_t line, const char *format, ...
)
{
	struct config_report_line *entry;
	va_list args;
	int used;

	*(is_error ? &report->n_errors : &report->n_warnings) += 1;
	if (report->n_lines == CONFIG_REPORT_MAX)
		return;
	entry = &report->lines[report->n_lines++];
	entry->is_error = is_error;
	entry->line = line;
	if (line > 0)
		used = snprintf(
			entry->text, sizeof(entry->text), "%.200s:%u: ", report->file, line
		);
	else
		used = snprintf(entry->text, sizeof(entry->text), "%.200s: ", report->file);
	va_start(args, format);
	vsnprintf(entry->text + used, sizeof(entry->text) - (size_t)used, format, args);
	va_end(args);
	// Keys and values are quoted from the file: nothing of it may drive a terminal.
	for (char *p = entry->text; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	}
}

void config_report_sort(struct config_report *report)
{
	for (uint32_t i = 1; i < report->n_lines; i++) {
		struct config_report_line line = report->lines[i];
		uint32_t at = i;

		for (; at > 0 && report->lines[at - 1].line > line.line; at--)
			report->lines[at] = report->lines[at - 1];
		report->lines[at] = line;
	}
}

void config_report_log(const struct config_report *report)
{
	uint32_t n_all = report->n_errors + report->n_warnings;

	for (uint32_t i = 0; i < report->n_lines; i++) {
		const struct config_report_line *line = &report->lines[i];

		if (line->is_error)
			log_error(AREA, "%s", line->text);
		else
			log_warn(AREA, "%s", line->text);
	}
	if (n_all > report->n_lines)
		log_error(
			AREA,
			"%s: %u more errors and warnings not listed",
			report->file,
			n_all - report->n_lines
		);
}
