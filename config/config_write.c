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
#define MAX_ITEMS CONFIG_MAX_CHAINS // the longest list of sections
#define MAX_NESTED 2 // sections inside a section
#define MAX_TEXTS \
	(CONFIG_MAX_EXTERNAL + \
	 MAX_ITEMS * (MAX_SECTION_KEYS + CONFIG_MAX_ENDPOINTS + CONFIG_MAX_TOKENS))

// What libcyaml reads of a key: a text, or n texts.
struct cell {
	void *data; // char * or char **
	uint32_t n;
};

// One section on its way out. Row i of fields describes cells[item_idx][i].
struct writer {
	const struct config *config;
	struct cell cells[MAX_ITEMS][MAX_SECTION_KEYS];
	uint32_t n_cells;
	// And nested mappings, and the end mark.
	cyaml_schema_field_t fields[MAX_SECTION_KEYS + MAX_NESTED + 1];
	cyaml_schema_field_t nested_fields[MAX_NESTED][MAX_SECTION_KEYS + 1];
	char texts[MAX_TEXTS][CONFIG_FORMAT_CAP];
	char *text_pointers[MAX_TEXTS];
	uint32_t n_texts;
};

static void log_value(const char *path, const char *value)
{
	log_info(AREA, "%s = %s", path, value);
}

static void log_key(const struct config *config, const struct config_key *key, uint32_t item_idx)
{
	const char *field = config_keys_field_const(config, key, item_idx);
	char value[CONFIG_FORMAT_CAP], path[64], element[80];
	uint32_t n;

	config_keys_format_path(key->path, item_idx, path, sizeof(path));
	if (key->list_cap == 0) {
		config_format_shown(key, field, value, sizeof(value));
		log_value(path, value);
		return;
	}
	n = config_keys_list_n(config, key, item_idx);
	if (n == 0)
		log_value(path, "[]");
	for (uint32_t i = 0; i < n; i++) {
		snprintf(element, sizeof(element), "%s[%u]", path, i);
		config_format_shown(key, field + i * key->size, value, sizeof(value));
		log_value(element, value);
	}
}

void config_write_log(const struct config *config)
{
	for (uint32_t i = 0; i < config_keys_n; i++) {
		const struct config_key *key = &config_keys[i];

		for (uint32_t j = 0; j < config_keys_n_items(config, key); j++)
			log_key(config, key, j);
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

static void fill_cell(struct writer *w, const struct config_key *key, uint32_t item_idx)
{
	const char *field = config_keys_field_const(w->config, key, item_idx);
	struct cell *cell = &w->cells[item_idx][w->n_cells];

	if (key->list_cap == 0) {
		cell->data = add_text(w, key, field);
		return;
	}
	cell->n = config_keys_list_n(w->config, key, item_idx);
	cell->data = &w->text_pointers[w->n_texts];
	for (uint32_t i = 0; i < cell->n; i++)
		add_text(w, key, field + i * key->size);
}

static void add_key(struct writer *w, const struct config_key *key, cyaml_schema_field_t *field)
{
	for (uint32_t i = 0; i < config_keys_n_items(w->config, key); i++)
		fill_cell(w, key, i);
	field->key = key->name;
	field->data_offset = w->n_cells * (uint32_t)sizeof(struct cell);
	field->value = text_schema;
	// A text like null or ~ must not come back as something else.
	if (key->kind == CONFIG_TEXT || key->kind == CONFIG_NAME || key->kind == CONFIG_ADDRESS)
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

// Adds the sections inside this one: their keys share the parent's cells.
static void add_nested(struct writer *w, const char *section, cyaml_schema_field_t *fields)
{
	size_t len = strlen(section);
	uint32_t n = 0;

	for (uint32_t i = 0; i < config_keys_n_sections; i++) {
		const char *path = config_keys_sections[i].path;

		if (strncmp(path, section, len) != 0 || path[len] != '.')
			continue;
		add_keys(w, path, w->nested_fields[n]);
		fields[n].key = path + len + 1;
		fields[n].value = mapping_of(w->nested_fields[n]);
		n++;
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

static int write_section(struct writer *w, const struct config_section *section, FILE *out)
{
	bool is_list = section->item_cap > 0;
	struct cell items = {
		.data = w->cells,
		.n = is_list ? config_keys_list_n_items(w->config, section) : 0,
	};
	cyaml_schema_value_t mapping = mapping_of(w->fields);
	char name[64];
	cyaml_schema_field_t top[2] = {{.key = name, .value = mapping}};

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(section->path, "["), section->path);
	memset(w->cells, 0, sizeof(w->cells));
	memset(w->fields, 0, sizeof(w->fields));
	memset(w->nested_fields, 0, sizeof(w->nested_fields));
	w->n_cells = 0;
	w->n_texts = 0;
	add_nested(w, section->path, &w->fields[add_keys(w, section->path, w->fields)]);
	if (!is_list)
		return save(top, w->cells, out);
	top[0].count_offset = offsetof(struct cell, n);
	top[0].count_size = sizeof(items.n);
	top[0].value = (cyaml_schema_value_t){
		.type = CYAML_SEQUENCE,
		.flags = CYAML_FLAG_POINTER,
		.data_size = sizeof(w->cells[0]),
		.sequence = {.entry = &mapping, .min = 0, .max = CYAML_UNLIMITED},
	};
	return save(top, &items, out);
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
			rc = write_section(w, &config_keys_sections[i], out);
	}
	free(w);
	return rc;
}
