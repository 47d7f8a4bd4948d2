// SPDX-License-Identifier: Apache-2.0
//
// The configuration in force, for the log and as YAML. The YAML is libcyaml's work: it quotes what
// needs quotes. Each section is a document of its own to libcyaml, with a schema made from the table
// of keys: texts and lists of texts, because the table knows how to write a value and libcyaml how to
// write a document.
#include "config/config_write.h"

#include "common/log.h"
#include "config/config_format.h"
#include "config/config_keys.h"

#include <cyaml/cyaml.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define AREA "config"
#define MAX_SECTION_KEYS 24
#define MAX_TEXTS (CONFIG_MAX_EXTERNAL + CONFIG_MAX_PORTS * MAX_SECTION_KEYS)

// What libcyaml reads of a key: a text, or n texts.
struct cell {
	void *data; // char * or char **
	uint32_t n;
};

// One section on its way out. Row i of fields describes cells[port_idx][i].
struct writer {
	const struct config *config;
	struct cell cells[CONFIG_MAX_PORTS][MAX_SECTION_KEYS];
	uint32_t n_cells;
	cyaml_schema_field_t fields[MAX_SECTION_KEYS + 2]; // and a nested mapping, and the end mark
	cyaml_schema_field_t nested_fields[MAX_SECTION_KEYS + 1];
	char texts[MAX_TEXTS][CONFIG_FORMAT_CAP];
	char *text_pointers[MAX_TEXTS];
	uint32_t n_texts;
};

static void log_value(const char *path, const char *value)
{
	log_info(AREA, "%s = %s", path, value);
}

static void log_key(const struct config *config, const struct config_key *key, uint32_t port_idx)
{
	const char *field = config_keys_field_const(config, key, port_idx);
	char value[CONFIG_FORMAT_CAP], path[64];
	uint32_t n;

	if (config_keys_is_port(key))
		snprintf(path, sizeof(path), "ports[%u].%s", port_idx, key->name);
	else
		snprintf(path, sizeof(path), "%s", key->path);
	if (key->list_cap == 0) {
		config_format_value(key, field, value, sizeof(value));
		log_value(path, value);
		return;
	}
	n = config_keys_list_n(config, key);
	if (n == 0)
		log_value(path, "[]");
	for (uint32_t i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%.48s[%u]", key->path, i);
		config_format_value(key, field + i * key->size, value, sizeof(value));
		log_value(path, value);
	}
}

void config_write_log(const struct config *config)
{
	for (uint32_t i = 0; i < config_keys_n; i++) {
		const struct config_key *key = &config_keys[i];
		uint32_t n = config_keys_is_port(key) ? config->n_ports : 1;

		for (uint32_t port_idx = 0; port_idx < n; port_idx++)
			log_key(config, key, port_idx);
	}
}

static const cyaml_schema_value_t text_schema = {
	.type = CYAML_STRING,
	.flags = CYAML_FLAG_POINTER,
	.data_size = sizeof(char),
	.string = {.min = 0, .max = CYAML_UNLIMITED},
};

static char *add_text(struct writer *w, const struct config_key *key, const char *field)
{
	char *text = w->texts[w->n_texts];

	config_format_value(key, field, text, sizeof(w->texts[0]));
	w->text_pointers[w->n_texts++] = text;
	return text;
}

static void fill_cell(struct writer *w, const struct config_key *key, uint32_t port_idx)
{
	const char *field = config_keys_field_const(w->config, key, port_idx);
	struct cell *cell = &w->cells[port_idx][w->n_cells];

	if (key->list_cap == 0) {
		cell->data = add_text(w, key, field);
		return;
	}
	cell->n = config_keys_list_n(w->config, key);
	cell->data = &w->text_pointers[w->n_texts];
	for (uint32_t i = 0; i < cell->n; i++)
		add_text(w, key, field + i * key->size);
}

static void add_key(struct writer *w, const struct config_key *key, cyaml_schema_field_t *field)
{
	uint32_t n = config_keys_is_port(key) ? w->config->n_ports : 1;

	for (uint32_t port_idx = 0; port_idx < n; port_idx++)
		fill_cell(w, key, port_idx);
	field->key = key->name;
	field->data_offset = w->n_cells * (uint32_t)sizeof(struct cell);
	field->value = text_schema;
	// A text like null or ~ must not come back as something else.
	if (key->kind == CONFIG_TEXT || key->kind == CONFIG_NAME)
		field->value.flags |= CYAML_FLAG_SCALAR_QUOTE_DOUBLE;
	if (key->list_cap > 0) {
		field->count_offset = field->data_offset + (uint32_t)offsetof(struct cell, n);
		field->count_size = sizeof(uint32_t);
		field->value = (cyaml_schema_value_t){
			.type = CYAML_SEQUENCE,
			.flags = CYAML_FLAG_POINTER,
			.data_size = sizeof(char *),
			.sequence = {.entry = &text_schema, .min = 0, .max = CYAML_UNLIMITED},
		};
	}
	w->n_cells++;
}

// Adds the keys that stand directly in a section.
//
// Returns: how many fields that took.
static uint32_t add_keys(struct writer *w, const char *section, cyaml_schema_field_t *fields)
{
	size_t len = strlen(section);
	uint32_t n = 0;

	for (uint32_t i = 0; i < config_keys_n; i++) {
		const struct config_key *key = &config_keys[i];

		if (strncmp(key->path, section, len) == 0 && key->path[len] == '.' &&
		    strcmp(key->path + len + 1, key->name) == 0)
			add_key(w, key, &fields[n++]);
	}
	return n;
}

static cyaml_schema_value_t mapping_of(const cyaml_schema_field_t *fields)
{
	return (cyaml_schema_value_t){
		.type = CYAML_MAPPING,
		.flags = CYAML_FLAG_DEFAULT,
		.data_size = MAX_SECTION_KEYS * sizeof(struct cell),
		.mapping = {.fields = fields},
	};
}

// Adds the section inside this one, if there is one: its keys share the parent's cells.
static void add_nested(struct writer *w, const char *section, cyaml_schema_field_t *field)
{
	size_t len = strlen(section);

	for (uint32_t i = 0; i < config_keys_n_sections; i++) {
		const char *path = config_keys_sections[i].path;

		if (strncmp(path, section, len) != 0 || path[len] != '.')
			continue;
		add_keys(w, path, w->nested_fields);
		field->key = path + len + 1;
		field->value = mapping_of(w->nested_fields);
	}
}

static int save(const cyaml_schema_field_t *fields, const void *data, FILE *out)
{
	const cyaml_config_t cyaml = {.mem_fn = cyaml_mem, .flags = CYAML_CFG_STYLE_BLOCK};
	cyaml_schema_value_t schema = mapping_of(fields);
	char *text = NULL;
	size_t len = 0;
	int rc = 0;

	schema.flags = CYAML_FLAG_POINTER;
	if (cyaml_save_data(&text, &len, &cyaml, &schema, data, 0) != CYAML_OK)
		return -ENOMEM;
	if (fwrite(text, 1, len, out) != len)
		rc = -EIO;
	cyaml_mem(NULL, text, 0);
	return rc;
}

static int write_section(struct writer *w, const char *section, FILE *out)
{
	struct cell ports = {.data = w->cells, .n = w->config->n_ports};
	bool is_ports = strcmp(section, "ports[]") == 0;
	cyaml_schema_value_t mapping = mapping_of(w->fields);
	cyaml_schema_field_t top[2] = {{.key = is_ports ? "ports" : section, .value = mapping}};

	memset(w->cells, 0, sizeof(w->cells));
	memset(w->fields, 0, sizeof(w->fields));
	memset(w->nested_fields, 0, sizeof(w->nested_fields));
	w->n_cells = 0;
	w->n_texts = 0;
	add_nested(w, section, &w->fields[add_keys(w, section, w->fields)]);
	if (!is_ports)
		return save(top, w->cells, out);
	top[0].count_offset = offsetof(struct cell, n);
	top[0].count_size = sizeof(ports.n);
	top[0].value = (cyaml_schema_value_t){
		.type = CYAML_SEQUENCE,
		.flags = CYAML_FLAG_POINTER,
		.data_size = sizeof(w->cells[0]),
		.sequence = {.entry = &mapping, .min = 0, .max = CYAML_UNLIMITED},
	};
	return save(top, &ports, out);
}

int config_write_yaml(const struct config *config, FILE *out)
{
	struct writer *w = calloc(1, sizeof(*w));
	int rc = 0;

	if (w == NULL)
		return -ENOMEM;
	w->config = config;
	for (uint32_t i = 0; i < config_keys_n_sections && rc == 0; i++) {
		if (strchr(config_keys_sections[i].path, '.') == NULL)
			rc = write_section(w, config_keys_sections[i].path, out);
	}
	free(w);
	return rc;
}
