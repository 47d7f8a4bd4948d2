// SPDX-License-Identifier: Apache-2.0
//
// Commands as table rows, their options, and the parser that checks a command line against its row.
// Pure: messages go into a buffer.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TWCTL_MAX_OPTIONS 24 // of one command
#define TWCTL_MAX_POSITIONAL 4

#define TWCTL_EXIT_OK 0
#define TWCTL_EXIT_FAILED 1
#define TWCTL_EXIT_USAGE 2

struct twctl;

struct twctl_option {
	const char *name; // "--quota"; NULL ends a table
	const char *value; // "SIZE" for --help; NULL for a flag
	const char *help; // unit, default, range
};

// One command; files export tables that end with name NULL.
struct twctl_command {
	const char *name; // "session add"
	int (*run)(struct twctl *twctl); // returns the exit code
	const char *positional; // "NAME", "[FILE]" or ""
	const char *summary; // one line
	const char *description; // what it does, examples; ends with a newline
	const struct twctl_option *options; // may be NULL
	unsigned min_positional, max_positional;
};

struct twctl_args {
	const struct twctl_command *command;
	const char *positional[TWCTL_MAX_POSITIONAL];
	unsigned n_positional;
	const char *values[TWCTL_MAX_OPTIONS]; // by row; "" for a flag that is set
	const char *global_values[TWCTL_MAX_OPTIONS];
};

extern const struct twctl_option twctl_args_global_options[];

// argv without the program's name. groups: tables of commands, NULL at the end.
//
// Returns: 0 with ret->command (NULL when no command was given); -EINVAL with a sentence in err that
//          names the word and, for a typing mistake, what was probably meant.
int twctl_args_parse(
	struct twctl_args *ret,
	const struct twctl_command *const *groups,
	int argc,
	char *const *argv,
	char *err,
	size_t err_len
);

// Returns: the value, "" for a flag that is set; NULL when it was not given.
const char *twctl_args_get(const struct twctl_args *args, const char *option);

void twctl_args_help(FILE *out, const struct twctl_command *command);
void twctl_args_overview(FILE *out, const struct twctl_command *const *groups);

// Returns: the edit distance of two words, at most 255.
unsigned twctl_args_distance(const char *a, const char *b);
