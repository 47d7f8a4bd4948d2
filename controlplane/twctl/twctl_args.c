// SPDX-License-Identifier: Apache-2.0
//
// See twctl_args.h. Pure.
#include "twctl_args.h"

#include <errno.h>
#include <string.h>

#define MAX_WORD 64

const struct twctl_option twctl_args_global_options[] = {
	{"--json", NULL, "print one JSON object; integers above 2^53 are strings"},
	{"--config",
	 "FILE",
	 "YAML that names socket and runtime directory; default "
	 "/etc/tollwire/tollwire.yaml if it is there"},
	{"--socket",
	 "PATH",
	 "socket of tollwire-control; default from the YAML, else "
	 "/run/tollwire/control.sock"},
	{"--runtime-dir",
	 "DIR",
	 "where the data plane's counters are; default from the YAML, else "
	 "/run/tollwire"},
	{"--help", NULL, "this text"},
	{"--version", NULL, "print the version"},
	{NULL, NULL, NULL},
};

unsigned twctl_args_distance(const char *a, const char *b)
{
	unsigned row[MAX_WORD + 1];
	size_t a_len = strlen(a), b_len = strlen(b);

	if (a_len > MAX_WORD || b_len > MAX_WORD)
		return 255;
	for (unsigned j = 0; j <= b_len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned change = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			row[j] = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
			if (change < row[j])
				row[j] = change;
		}
	}
	return row[b_len];
}

struct nearest {
	const char *word; // as typed
	char best[MAX_WORD]; // "" for none
	unsigned distance;
};

static void offer(struct nearest *nearest, const char *candidate)
{
	unsigned distance = twctl_args_distance(nearest->word, candidate);

	if (nearest->best[0] == '\0' || distance < nearest->distance) {
		snprintf(nearest->best, sizeof(nearest->best), "%s", candidate);
		nearest->distance = distance;
	}
}

// A third of the word may be wrong.
static bool is_near(const struct nearest *nearest)
{
	return nearest->best[0] != '\0' && nearest->distance <= 1 + strlen(nearest->word) / 3;
}

static const struct twctl_command *find_command(
	const struct twctl_command *const *groups, const char *name
)
{
	for (; *groups != NULL; groups++) {
		for (const struct twctl_command *c = *groups; c->name != NULL; c++) {
			if (strcmp(c->name, name) == 0)
				return c;
		}
	}
	return NULL;
}

// Whether word begins a two-word command ("session").
static bool is_group(const struct twctl_command *const *groups, const char *word)
{
	size_t len = strlen(word);

	for (; *groups != NULL; groups++) {
		for (const struct twctl_command *c = *groups; c->name != NULL; c++) {
			if (strncmp(c->name, word, len) == 0 && c->name[len] == ' ')
				return true;
		}
	}
	return false;
}

static void explain_command(
	const struct twctl_command *const *groups, const char *name, char *err, size_t err_len
)
{
	struct nearest nearest = {.word = name};

	for (; *groups != NULL; groups++) {
		for (const struct twctl_command *c = *groups; c->name != NULL; c++) {
			char first[MAX_WORD];

			offer(&nearest, c->name);
			snprintf(first, sizeof(first), "%.*s", (int)strcspn(c->name, " "), c->name);
			offer(&nearest, first);
		}
	}
	if (is_near(&nearest))
		snprintf(
			err, err_len, "unknown command '%s'; did you mean '%s'?", name, nearest.best
		);
	else
		snprintf(err, err_len, "unknown command '%s'; see twctl --help", name);
}

static const struct twctl_option *find_option(
	const struct twctl_option *options, const char *name, size_t len
)
{
	for (; options != NULL && options->name != NULL; options++) {
		if (strlen(options->name) == len && memcmp(options->name, name, len) == 0)
			return options;
	}
	return NULL;
}

static void explain_option(
	const struct twctl_command *command, const char *name, char *err, size_t err_len
)
{
	struct nearest nearest = {.word = name};
	const struct twctl_option *tables[] = {
		command == NULL ? NULL : command->options,
		twctl_args_global_options,
	};

	for (int t = 0; t < 2; t++) {
		for (const struct twctl_option *o = tables[t]; o != NULL && o->name != NULL; o++)
			offer(&nearest, o->name);
	}
	if (is_near(&nearest))
		snprintf(
			err, err_len, "unknown option '%s'; did you mean '%s'?", name, nearest.best
		);
	else
		snprintf(
			err,
			err_len,
			"unknown option '%s'; see twctl %s%s--help",
			name,
			command == NULL ? "" : command->name,
			command == NULL ? "" : " "
		);
}

struct parse {
	struct twctl_args *args;
	const struct twctl_command *const *groups;
	int argc;
	char *const *argv;
	int idx;
	char group[MAX_WORD]; // first word of a two-word command, until the second
	char *err;
	size_t err_len;
};

static int parse_option(struct parse *parse)
{
	const char *text = parse->argv[parse->idx];
	size_t len = strcspn(text, "=");
	const struct twctl_command *command = parse->args->command;
	const struct twctl_option *table = command == NULL ? NULL : command->options;
	const struct twctl_option *option = find_option(table, text, len);
	const char **values = parse->args->values;
	const char *value = text[len] == '=' ? text + len + 1 : NULL;

	if (strcmp(text, "-h") == 0) {
		text = "--help";
		len = strlen(text);
	}
	if (option == NULL) {
		table = twctl_args_global_options;
		option = find_option(table, text, len);
		values = parse->args->global_values;
	}
	if (option == NULL) {
		char name[MAX_WORD];

		snprintf(name, sizeof(name), "%.*s", (int)(len < 60 ? len : 60), text);
		explain_option(command, name, parse->err, parse->err_len);
		return -EINVAL;
	}
	if (option->value == NULL && value != NULL) {
		snprintf(parse->err, parse->err_len, "%s takes no value", option->name);
		return -EINVAL;
	}
	if (option->value != NULL && value == NULL) {
		if (parse->idx + 1 == parse->argc) {
			snprintf(
				parse->err,
				parse->err_len,
				"%s needs %s",
				option->name,
				option->value
			);
			return -EINVAL;
		}
		value = parse->argv[++parse->idx];
	}
	if (values[option - table] != NULL) {
		snprintf(parse->err, parse->err_len, "%s was given twice", option->name);
		return -EINVAL;
	}
	values[option - table] = value == NULL ? "" : value;
	return 0;
}

static int parse_word(struct parse *parse)
{
	struct twctl_args *args = parse->args;
	const char *word = parse->argv[parse->idx];
	char name[2 * MAX_WORD + 2];

	if (args->command == NULL) {
		if (parse->group[0] != '\0')
			snprintf(name, sizeof(name), "%s %.*s", parse->group, MAX_WORD, word);
		else
			snprintf(name, sizeof(name), "%.*s", MAX_WORD, word);
		args->command = find_command(parse->groups, name);
		if (args->command != NULL)
			return 0;
		if (parse->group[0] == '\0' && strlen(word) < MAX_WORD &&
		    is_group(parse->groups, word)) {
			memcpy(parse->group, word, strlen(word) + 1);
			return 0;
		}
		explain_command(parse->groups, name, parse->err, parse->err_len);
		return -EINVAL;
	}
	if (args->n_positional == args->command->max_positional) {
		snprintf(
			parse->err,
			parse->err_len,
			"'%s' is one word too many; usage: twctl %s %s",
			word,
			args->command->name,
			args->command->positional
		);
		return -EINVAL;
	}
	args->positional[args->n_positional++] = word;
	return 0;
}

static int check_complete(struct parse *parse)
{
	const struct twctl_args *args = parse->args;

	if (twctl_args_get(args, "--help") != NULL || twctl_args_get(args, "--version") != NULL)
		return 0;
	if (args->command == NULL && parse->group[0] != '\0') {
		snprintf(
			parse->err,
			parse->err_len,
			"'%s' needs a second word; see twctl --help",
			parse->group
		);
		return -EINVAL;
	}
	if (args->command != NULL && args->n_positional < args->command->min_positional) {
		snprintf(
			parse->err,
			parse->err_len,
			"%s needs %s; usage: twctl %s %s",
			args->command->name,
			args->command->positional,
			args->command->name,
			args->command->positional
		);
		return -EINVAL;
	}
	return 0;
}

int twctl_args_parse(
	struct twctl_args *ret,
	const struct twctl_command *const *groups,
	int argc,
	char *const *argv,
	char *err,
	size_t err_len
)
{
	struct parse parse = {
		.args = ret,
		.groups = groups,
		.argc = argc,
		.argv = argv,
		.err = err,
		.err_len = err_len,
	};
	bool is_literal = false;

	*ret = (struct twctl_args){0};
	for (; parse.idx < argc; parse.idx++) {
		const char *text = argv[parse.idx];
		int r;

		if (!is_literal && strcmp(text, "--") == 0) {
			is_literal = true;
			continue;
		}
		r = !is_literal && text[0] == '-' && text[1] != '\0' ? parse_option(&parse)
								     : parse_word(&parse);
		if (r < 0)
			return r;
	}
	return check_complete(&parse);
}

const char *twctl_args_get(const struct twctl_args *args, const char *option)
{
	const struct twctl_option *table = args->command == NULL ? NULL : args->command->options;
	const struct twctl_option *row = find_option(table, option, strlen(option));

	if (row != NULL)
		return args->values[row - table];
	row = find_option(twctl_args_global_options, option, strlen(option));
	return row == NULL ? NULL : args->global_values[row - twctl_args_global_options];
}

static void print_options(FILE *out, const char *title, const struct twctl_option *options)
{
	if (options == NULL || options->name == NULL)
		return;
	fprintf(out, "\n%s:\n", title);
	for (; options->name != NULL; options++) {
		char left[40];

		snprintf(
			left,
			sizeof(left),
			"%s %s",
			options->name,
			options->value == NULL ? "" : options->value
		);
		fprintf(out, "  %-22s %s\n", left, options->help);
	}
}

void twctl_args_help(FILE *out, const struct twctl_command *command)
{
	fprintf(out,
		"twctl %s: %s\n\nUsage: twctl %s%s%s%s\n\n%s",
		command->name,
		command->summary,
		command->name,
		command->positional[0] == '\0' ? "" : " ",
		command->positional,
		command->options == NULL ? "" : " [OPTIONS]",
		command->description);
	print_options(out, "Options", command->options);
	print_options(out, "Options of every command", twctl_args_global_options);
	fprintf(out,
		"\nExit code: 0 done; 1 refused or failed (the message says why); 2 wrong usage.\n"
	);
}

void twctl_args_overview(FILE *out, const struct twctl_command *const *groups)
{
	fprintf(out,
		"twctl: looks after a tollwire node\n\nUsage: twctl COMMAND "
		"[OPTIONS]\n\nCommands:\n");
	for (; *groups != NULL; groups++) {
		for (const struct twctl_command *c = *groups; c->name != NULL; c++)
			fprintf(out, "  %-18s %s\n", c->name, c->summary);
	}
	print_options(out, "Options of every command", twctl_args_global_options);
	fprintf(out,
		"\ntwctl COMMAND --help explains one command.\n"
		"Exit code: 0 done; 1 refused or failed (the message says why); 2 wrong usage.\n");
}
