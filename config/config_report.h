// SPDX-License-Identifier: Apache-2.0
//
// The complete list of what is wrong with a configuration file, for a person.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define CONFIG_REPORT_MAX 64
#define CONFIG_REPORT_LINE_CAP 640

struct config_report_line {
	bool is_error; // otherwise a warning
	uint32_t line; // 1 for the first; 0 when it is about the file as a whole
	char text[CONFIG_REPORT_LINE_CAP]; // `file:line: key 'a.b': value 'v' is ...; allowed: ...`
};

// Errors and warnings in the order of the file. n_errors and n_warnings also count those that found
// no room in lines.
struct config_report {
	const char *file; // as messages call it; the caller's memory
	uint32_t n_errors;
	uint32_t n_warnings;
	uint32_t n_lines;
	struct config_report_line lines[CONFIG_REPORT_MAX];
};

void config_report_init(struct config_report *report, const char *file);

// Adds `file:line: ` and the text; line 0 leaves the line out.
void config_report_add(
	struct config_report *report, bool is_error, uint32_t line, const char *format, ...
) __attribute__((format(printf, 4, 5)));

// Sorts by line; the order of equal lines is kept.
void config_report_sort(struct config_report *report);

// Logs every line, errors as errors and warnings as warnings, and how many found no room.
void config_report_log(const struct config_report *report);
