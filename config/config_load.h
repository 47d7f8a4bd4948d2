// SPDX-License-Identifier: Apache-2.0
//
// From a YAML file to a struct config, or to the complete list of what is wrong with it. Run once,
// before anything starts; touches nothing but the file.
#pragma once

#include "config/config.h"

#include <stddef.h>
#include <stdio.h>

#define CONFIG_MAX_MESSAGES 64
#define CONFIG_MESSAGE_CAP 512

// One line for a person: `file:line: key 'a.b': value 'v' is ...; allowed: ...`.
struct config_message {
	bool is_error; // otherwise a warning
	uint32_t line; // 1 for the first; 0 when it is about the file as a whole
	char text[CONFIG_MESSAGE_CAP];
};

// What loading found, errors and warnings in the order of the file. n_* also count the messages that
// found no room.
struct config_report {
	uint32_t n_errors;
	uint32_t n_warnings;
	uint32_t n_messages;
	struct config_message messages[CONFIG_MAX_MESSAGES];
};

// Loads, completes and checks a file.
//
// Returns: 0 (report may hold warnings); -EINVAL when the report holds errors; -ENOENT, -EACCES, ...
//          when the file cannot be read (the report says so too).
// Out: ret, untouched unless 0 is returned. report, always set.
int config_load(struct config *ret, const char *path, struct config_report *report)
	__attribute__((warn_unused_result));

// The same for a text in memory; `file` is what the messages call it.
int config_parse(
	struct config *ret,
	const char *text,
	size_t text_len,
	const char *file,
	struct config_report *report
) __attribute__((warn_unused_result));

// Logs the report's messages (errors as errors, warnings as warnings).
void config_report_log(const struct config_report *report);

// Logs the configuration in force, one line a key.
void config_log(const struct config *config);

// The configuration in force as YAML that loads again to the same.
//
// Returns: 0 or -errno.
int config_write(const struct config *config, FILE *out);

// Every key with type, range, default, unit and what a change takes: the manual of the file.
void config_print_keys(FILE *out);
