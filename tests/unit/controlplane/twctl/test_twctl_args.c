// SPDX-License-Identifier: Apache-2.0
//
// twctl_args: command lines good and bad, and what is suggested for a typing mistake.
#include "controlplane/twctl/twctl_args.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct twctl_option add_options[] = {
	{"--quota", "SIZE", "help"},
	{"--generate-key", NULL, "help"},
	{NULL, NULL, NULL},
};

static const struct twctl_command session_commands[] = {
	{
		.name = "session add",
		.positional = "[NAME]",
		.summary = "s",
		.description = "d\n",
		.options = add_options,
		.max_positional = 1,
	},
	{
		.name = "session show",
		.positional = "NAME",
		.summary = "s",
		.description = "d\n",
		.min_positional = 1,
		.max_positional = 1,
	},
	{.name = NULL},
};

static const struct twctl_command plain_commands[] = {
	{.name = "status", .positional = "", .summary = "s", .description = "d\n"},
	{.name = NULL},
};

static const struct twctl_command *const groups[] = {session_commands, plain_commands, NULL};

// Splits at blanks. Returns: what the parser returns.
static int parse(struct twctl_args *args, const char *line, char *err, size_t err_len)
{
	static char copy[256];
	static char *argv[16];
	int argc = 0;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " "))
		argv[argc++] = word;
	err[0] = '\0';
	return twctl_args_parse(args, groups, argc, argv, err, err_len);
}

static void test_refused(void **state)
{
	static const struct {
		const char *line;
		const char *err;
	} rows[] = {
		{"statsu", "unknown command 'statsu'; did you mean 'status'?"},
		{"sesion", "unknown command 'sesion'; did you mean 'session'?"},
		{"session ad", "unknown command 'session ad'; did you mean 'session add'?"},
		{"session frobnicate", "unknown command 'session frobnicate'; see twctl --help"},
		{"xyzzy", "unknown command 'xyzzy'; see twctl --help"},
		{"session", "'session' needs a second word; see twctl --help"},
		{"session show", "session show needs NAME; usage: twctl session show NAME"},
		{"session show a b", "'b' is one word too many; usage: twctl session show NAME"},
		{"status x", "'x' is one word too many; usage: twctl status "},
		{"session add --qouta 1GB", "unknown option '--qouta'; did you mean '--quota'?"},
		{"session add --jso", "unknown option '--jso'; did you mean '--json'?"},
		{"session add --frobnicate=1",
		 "unknown option '--frobnicate'; see twctl session add --help"},
		{"status --quota 1", "unknown option '--quota'; see twctl status --help"},
		{"--frobnicate", "unknown option '--frobnicate'; see twctl --help"},
		{"session add --quota", "--quota needs SIZE"},
		{"session add --generate-key=yes", "--generate-key takes no value"},
		{"session add --quota 1 --quota 2", "--quota was given twice"},
		{"status --json --json", "--json was given twice"},
		{"status -x", "unknown option '-x'; see twctl status --help"},
	};
	struct twctl_args args;
	char err[256];

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		assert_int_equal(parse(&args, rows[i].line, err, sizeof(err)), -EINVAL);
		assert_string_equal(err, rows[i].err);
	}
}

static void test_accepted(void **state)
{
	struct twctl_args args;
	char err[256];

	(void)state;
	assert_int_equal(
		parse(&args, "--json session add alice --quota=1GB --socket /s", err, sizeof(err)),
		0
	);
	assert_ptr_equal(args.command, &session_commands[0]);
	assert_int_equal(args.n_positional, 1);
	assert_string_equal(args.positional[0], "alice");
	assert_string_equal(twctl_args_get(&args, "--quota"), "1GB");
	assert_string_equal(twctl_args_get(&args, "--socket"), "/s");
	assert_string_equal(twctl_args_get(&args, "--json"), "");
	assert_null(twctl_args_get(&args, "--generate-key"));
	assert_null(twctl_args_get(&args, "--never-heard-of"));

	// A value may look like an option; after -- everything is a word.
	assert_int_equal(parse(&args, "session add --quota --x", err, sizeof(err)), 0);
	assert_string_equal(twctl_args_get(&args, "--quota"), "--x");
	assert_int_equal(parse(&args, "session show -- --json", err, sizeof(err)), 0);
	assert_string_equal(args.positional[0], "--json");
	assert_null(twctl_args_get(&args, "--json"));
	assert_int_equal(parse(&args, "session show -", err, sizeof(err)), 0);

	// Help needs nothing else to be right.
	assert_int_equal(parse(&args, "session show --help", err, sizeof(err)), 0);
	assert_int_equal(parse(&args, "session -h", err, sizeof(err)), 0);
	assert_non_null(twctl_args_get(&args, "--help"));
	assert_int_equal(parse(&args, "", err, sizeof(err)), 0);
	assert_null(args.command);
}

static void test_long_words(void **state)
{
	char word[300], err[256];
	char *argv[] = {word};
	struct twctl_args args;

	(void)state;
	memset(word, 'a', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	assert_int_equal(twctl_args_parse(&args, groups, 1, argv, err, sizeof(err)), -EINVAL);
	memset(word, '-', 2);
	assert_int_equal(twctl_args_parse(&args, groups, 1, argv, err, sizeof(err)), -EINVAL);
}

static void test_distance(void **state)
{
	static const struct {
		const char *a, *b;
		unsigned distance;
	} rows[] = {
		{"", "", 0},
		{"abc", "", 3},
		{"", "abc", 3},
		{"kitten", "sitting", 3},
		{"quota", "qouta", 2},
		{"top", "top", 0},
	};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++)
		assert_int_equal(twctl_args_distance(rows[i].a, rows[i].b), rows[i].distance);
}

static void test_help_names_every_option(void **state)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	twctl_args_help(out, &session_commands[0]);
	twctl_args_overview(out, groups);
	fclose(out);
	assert_non_null(strstr(text, "Usage: twctl session add [NAME] [OPTIONS]"));
	assert_non_null(strstr(text, "--quota SIZE"));
	assert_non_null(strstr(text, "--runtime-dir DIR"));
	assert_non_null(strstr(text, "  status "));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_long_words),
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_help_names_every_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
