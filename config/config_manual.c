// SPDX-License-Identifier: Apache-2.0
//
// Prints the table of keys for people. Pure but for the stream it is given.
#include "config/config_manual.h"

#include "config/config_format.h"

#include <string.h>

static const char intro[] =
	"# Every key of tollwire.yaml: what it is; what is allowed, its default, and whether it "
	"can\n"
	"# change at run time. \"run time: yes\" takes a restart of tollwire-control, which "
	"interrupts\n"
	"# no traffic; \"run time: no\" takes a restart of tollwire-dataplane too.\n";

// Writes the default as it would stand in the file.
static void format_default(const struct config_key *key, char *dst, size_t dst_len)
{
	const char *text = key->fallback;

	if (text == NULL)
		snprintf(dst, dst_len, "mandatory");
	else if (config_keys_is_derived(key))
		snprintf(dst, dst_len, "default: %.*s", (int)strlen(text) - 2, text + 1);
	else if (key->list_cap > 0)
		snprintf(dst, dst_len, "default [%s]", text);
	else
		snprintf(dst, dst_len, "default %s", text);
}

void config_manual_describe(const struct config_key *key, char *dst, size_t dst_len)
{
	char allowed[CONFIG_FORMAT_CAP], fallback[128], count[32] = "";

	config_format_allowed(key, allowed, sizeof(allowed));
	format_default(key, fallback, sizeof(fallback));
	if (key->list_cap > 0)
		snprintf(count, sizeof(count), "list of up to %u: ", key->list_cap);
	snprintf(
		dst,
		dst_len,
		"%s%s; %s; run time: %s",
		count,
		allowed,
		fallback,
		key->change == CONFIG_CHANGE_CONTROL ? "yes" : "no"
	);
}

static void print_key(const struct config_key *key, const char *indent, const char *dash, FILE *out)
{
	bool is_open = key->fallback == NULL || config_keys_is_derived(key);
	bool is_list = key->list_cap > 0;
	char facts[CONFIG_MANUAL_CAP];

	config_manual_describe(key, facts, sizeof(facts));
	fprintf(out, "%s# %s\n%s# %s\n", indent, key->help, indent, facts);
	if (is_open)
		fprintf(out, "%s%s# %s:\n", indent, dash, key->name);
	else
		fprintf(out,
			"%s%s%s: %s%s%s\n",
			indent,
			dash,
			key->name,
			is_list ? "[" : "",
			key->fallback,
			is_list ? "]" : "");
}

static void print_section(const struct config_section *section, FILE *out)
{
	size_t len = strlen(section->path);
	const char *dot = strrchr(section->path, '.');
	const char *name = dot != NULL ? dot + 1 : section->path;
	bool is_inner_item = dot != NULL && strchr(section->path, '[') != NULL;
	const char *indent = is_inner_item ? "      " : dot != NULL ? "    " : "  ";
	const char *dash = section->item_cap > 0 ? "- " : "";

	fprintf(out,
		"%s%s# %s\n%s%.*s:\n",
		dot != NULL ? "" : "\n",
		indent + 2,
		section->help,
		indent + 2,
		(int)strcspn(name, "["),
		name);
	for (uint32_t i = 0; i < config_keys_n; i++) {
		const struct config_key *key = &config_keys[i];

		if (strncmp(key->path, section->path, len) != 0 || key->path[len] != '.' ||
		    strchr(key->path + len + 1, '.') != NULL)
			continue;
		print_key(key, indent, dash, out);
		if (section->item_cap > 0) {
			indent = "    ";
			dash = "";
		}
	}
}

void config_manual_print(FILE *out)
{
	fputs(intro, out);
	for (uint32_t i = 0; i < config_keys_n_sections; i++)
		print_section(&config_keys_sections[i], out);
}
