// SPDX-License-Identifier: Apache-2.0
//
// config/tollwire.yaml against the table of keys: every key is there once, under its section, below
// its help and its facts word for word, with its default as the value; and the file loads, as it is
// and with the section that is there as an example.
#include "config/config_load.h"
#include "config/config_manual.h"
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LINES 1000

static char lines[MAX_LINES][256];
static uint32_t n_lines;

// Makes the commented section one of the file, as its comment says.
static void take_in_example(void)
{
	uint32_t i = 0;

	while (i < n_lines && strcmp(lines[i], "# chains:") != 0)
		i++;
	assert_true(i < n_lines);
	for (; i < n_lines && lines[i][0] != '\0'; i++) {
		assert_true(strncmp(lines[i], "# ", 2) == 0);
		memmove(lines[i], lines[i] + 2, strlen(lines[i]) - 1);
	}
}

static int read_lines(void **state)
{
	FILE *file = fopen(CONFIG_YAML, "r");

	(void)state;
	assert_non_null(file);
	while (n_lines < MAX_LINES && fgets(lines[n_lines], sizeof(lines[0]), file) != NULL) {
		lines[n_lines][strcspn(lines[n_lines], "\n")] = '\0';
		n_lines++;
	}
	assert_true(feof(file) && n_lines < MAX_LINES);
	take_in_example();
	return fclose(file);
}

static const char *skip_indent(const char *line)
{
	return line + strspn(line, " ");
}

// The text behind `name:`, "" when there is none; NULL when the line is not the key's. A key that
// must not have a value in the file may be commented out.
static const char *value_of(const char *line, const char *name)
{
	const char *p = skip_indent(line);
	size_t len = strlen(name);

	p += strncmp(p, "- ", 2) == 0 ? 2 : 0;
	p += strncmp(p, "# ", 2) == 0 ? 2 : 0;
	if (strncmp(p, name, len) != 0 || p[len] != ':')
		return NULL;
	return skip_indent(p + len + 1);
}

static bool check_comment(const char *line, const char *text)
{
	const char *p = skip_indent(line);

	return strncmp(p, "# ", 2) == 0 && strcmp(p + 2, text) == 0;
}

// The line of the key: two comment lines above it say what the table says.
static uint32_t find_key(const struct config_key *key)
{
	char facts[CONFIG_MANUAL_CAP];
	uint32_t found = 0;

	config_manual_describe(key, facts, sizeof(facts));
	for (uint32_t i = 2; i < n_lines; i++) {
		if (value_of(lines[i], key->name) == NULL || !check_comment(lines[i - 1], facts) ||
		    !check_comment(lines[i - 2], key->help))
			continue;
		if (found != 0)
			fail_msg("%s stands on lines %u and %u", key->path, found + 1, i + 1);
		found = i;
	}
	if (found == 0)
		fail_msg(
			"%s is missing, or its comment is not:\n# %s\n# %s",
			key->path,
			key->help,
			facts
		);
	return found;
}

static bool check_open(const struct config_key *key)
{
	return key->fallback == NULL || config_keys_is_derived(key) ||
		// Without a gateway the example's port, which leads to the internet, would be refused.
		strcmp(key->path, "ports[].gateway") == 0;
}

static void test_every_key(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < config_keys_n; i++) {
		const struct config_key *key = &config_keys[i];
		const char *value = value_of(lines[find_key(key)], key->name);
		char expected[128];

		if (check_open(key))
			continue;
		snprintf(
			expected, sizeof(expected), key->list_cap > 0 ? "[%s]" : "%s", key->fallback
		);
		assert_string_equal(value, expected);
	}
}

// Keys stand in the order of the table, so each under its own section.
static void test_order(void **state)
{
	uint32_t last = 0;

	(void)state;
	for (uint32_t i = 0; i < config_keys_n; i++) {
		uint32_t line = find_key(&config_keys[i]);

		if (line <= last)
			fail_msg("%s stands out of order", config_keys[i].path);
		last = line;
	}
}

static void test_sections(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < config_keys_n_sections; i++) {
		const struct config_section *section = &config_keys_sections[i];
		const char *dot = strrchr(section->path, '.');
		char name[32];
		bool is_found = false;

		snprintf(name, sizeof(name), "%s", dot != NULL ? dot + 1 : section->path);
		name[strcspn(name, "[")] = '\0';
		for (uint32_t j = 1; j < n_lines; j++)
			is_found |= value_of(lines[j], name) != NULL &&
				check_comment(lines[j - 1], section->help);
		if (!is_found)
			fail_msg("section %s is missing, or its comment", section->path);
	}
}

// Every key of the table belongs to a section of the table.
static void test_table(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < config_keys_n; i++) {
		const struct config_key *key = &config_keys[i];
		char section[64];

		snprintf(
			section,
			sizeof(section),
			"%.*s",
			(int)(strlen(key->path) - strlen(key->name) - 1),
			key->path
		);
		assert_non_null(config_keys_lookup_section(section));
		assert_ptr_equal(config_keys_lookup(key->path), key);
		assert_true(strlen(key->help) > 10 && strlen(key->help) < 100);
	}
}

static void load_shipped(struct config *config, const char *path)
{
	static struct config_report report;
	static char text[65536];
	FILE *file = fopen(path, "r");
	size_t len;

	assert_non_null(file);
	len = fread(text, 1, sizeof(text), file);
	fclose(file);
	assert_true(len < sizeof(text));
	if (config_load_text(config, text, len, path, &report) != 0 || report.n_warnings > 0)
		fail_msg("%s", report.lines[0].text);
}

// The files as they are: only the host's number of cores is not looked at.
static void test_loads(void **state)
{
	static struct config config;

	(void)state;
	load_shipped(&config, CONFIG_YAML);
	assert_string_equal(config.node.name, "exit-1");
	load_shipped(&config, CONFIG_EXAMPLES "/veth.yaml");
	assert_string_equal(config.node.name, "veth");
	assert_int_equal(config.n_ports, 2);
	assert_int_equal(config.n_chains, 0);
}

static void test_example_loads(void **state)
{
	static struct config config;
	static struct config_report report;
	static char text[65536];
	size_t len = 0;

	(void)state;
	for (uint32_t i = 0; i < n_lines; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s\n", lines[i]);
	assert_true(len < sizeof(text));
	if (config_load_text(&config, text, len, "example", &report) != 0)
		fail_msg("%s", report.lines[0].text);
	assert_int_equal(report.n_warnings, 1);
	assert_non_null(strstr(report.lines[0].text, "key 'chains[0].node_id': value '0'"));
	assert_int_equal(config.n_chains, 1);
	assert_int_equal(config.chains[0].n_endpoints, 2);
	assert_string_equal(config.chains[0].endpoints[1], "https://rpc.example.net");
}

// What the programs print as help is what the file says.
static void test_print(void **state)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	assert_non_null(out);
	config_manual_print(out);
	fclose(out);
	for (uint32_t i = 0; i < config_keys_n; i++) {
		char facts[CONFIG_MANUAL_CAP];

		config_manual_describe(&config_keys[i], facts, sizeof(facts));
		assert_non_null(strstr(text, facts));
		assert_non_null(strstr(text, config_keys[i].help));
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_sections),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_loads),
		cmocka_unit_test(test_example_loads),
		cmocka_unit_test(test_print),
	};

	return cmocka_run_group_tests(tests, read_lines, NULL);
}
