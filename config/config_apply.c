// SPDX-License-Identifier: Apache-2.0
//
// Nodes of the document meet rows of the table: unknown keys, wrong kinds, values out of range.
// Nothing here knows a key by name. Pure.
#include "config/config_apply.h"

#include "config/config_format.h"
#include "config/config_keys.h"
#include "config/config_suggest.h"
#include "config/config_value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct apply {
	struct config *config;
	struct config_report *report;
	const struct config_doc_node *skipped; // its children are not looked at
};

// Where a node belongs: "ports[1].mtu" is row "ports[].mtu" of item 1, "worker.cores[2]" is element 2
// of row "worker.cores".
struct place {
	char path[CONFIG_DOC_PATH_CAP];
	const struct config_section *list; // of sections, that the row is of; may be NULL
	uint32_t item_idx;
	bool is_element;
	uint32_t element_idx;
};

// Returns: the index in brackets, and in *behind what follows them.
static uint32_t take_index(const char *bracket, const char **behind)
{
	char *end;
	uint32_t idx = (uint32_t)strtoul(bracket + 1, &end, 10);

	*behind = end + 1;
	return idx;
}

static void find_place(struct place *place, const char *path)
{
	size_t len = strcspn(path, "[");
	const char *rest = path;
	char *bracket;

	memset(place, 0, sizeof(*place));
	if (path[len] == '[') {
		memcpy(place->path, path, len);
		memcpy(place->path + len, "[]", 3);
		place->list = config_keys_lookup_list(place->path);
	}
	if (place->list != NULL) {
		place->item_idx = take_index(path + len, &rest);
		len += 2;
	} else {
		len = 0;
	}
	memcpy(place->path + len, rest, strlen(rest) + 1);
	bracket = strchr(place->path + len, '[');
	if (bracket != NULL) {
		place->is_element = true;
		place->element_idx = take_index(bracket, &rest);
		*bracket = '\0';
	}
}

static const char *node_text(const struct config_doc_node *node)
{
	switch (node->kind) {
	case CONFIG_DOC_SCALAR:
		return node->value;
	case CONFIG_DOC_MAPPING:
		return "{...}";
	case CONFIG_DOC_LIST:
		return "[...]";
	}
	return "";
}

static void refuse(
	struct apply *apply, struct config_doc_node *node, const char *reason, const char *allowed
)
{
	const char *quote = node->kind == CONFIG_DOC_SCALAR && !node->is_plain ? "\"" : "";

	node->is_bad = true;
	apply->skipped = node;
	config_report_add(
		apply->report,
		true,
		node->line,
		"key '%s': value '%s%.80s%s' %s; allowed: %s",
		node->path,
		quote,
		node_text(node),
		quote,
		reason,
		allowed
	);
}

static bool check_list(const char *path)
{
	size_t len = strlen(path);

	return len > 2 && strcmp(path + len - 2, "[]") == 0;
}

// The key that was meant, as it would stand in the file: in the item that the wrong one is in.
static void format_meant(const char *meant, const struct place *place, char *dst, size_t dst_len)
{
	dst[0] = '\0';
	if (meant != NULL && place->list != NULL && config_keys_lookup_list(meant) == place->list)
		config_keys_format_path(meant, place->item_idx, dst, dst_len);
	else if (meant != NULL)
		snprintf(dst, dst_len, "%.*s", (int)(strlen(meant) - 2 * check_list(meant)), meant);
}

static void refuse_unknown(
	struct apply *apply, struct config_doc_node *node, const struct place *place
)
{
	char siblings[320], meant[CONFIG_DOC_PATH_CAP];

	format_meant(
		node->is_odd ? NULL : config_suggest_key(place->path), place, meant, sizeof(meant)
	);
	config_suggest_siblings(place->path, siblings, sizeof(siblings));
	node->is_bad = true;
	apply->skipped = node;
	config_report_add(
		apply->report,
		true,
		node->line,
		"key '%s': unknown%s%s%s; allowed: %s",
		node->path,
		meant[0] != '\0' ? ", did you mean '" : "",
		meant,
		meant[0] != '\0' ? "'?" : "",
		siblings[0] != '\0' ? siblings : "no key here"
	);
}

// Defaults are texts and go the way of the file's texts, so a wrong one cannot hide.
static void apply_default(struct apply *apply, const struct config_key *key, uint32_t item_idx)
{
	const char *p = key->fallback;
	char *field = config_keys_field(apply->config, key, item_idx);
	char text[CONFIG_FORMAT_CAP];
	uint32_t n = 0;

	if (p == NULL || config_keys_is_derived(key))
		return;
	do {
		size_t len = key->list_cap > 0 ? strcspn(p, ",") : strlen(p);
		const char *wrong;

		if (key->list_cap > 0 && len == 0)
			break;
		memcpy(text, p, len);
		text[len] = '\0';
		wrong = config_value_parse(key, text, true, field + n * key->size);
		if (wrong != NULL)
			config_report_add(
				apply->report,
				true,
				0,
				"key '%s': default '%s' %s",
				key->path,
				text,
				wrong
			);
		n++;
		p += len;
		p += strspn(p, ", ");
	} while (*p != '\0');
	if (key->list_cap > 0)
		config_keys_set_list_n(apply->config, key, item_idx, n);
}

static void take_value(
	struct apply *apply,
	struct config_doc_node *node,
	const struct config_key *key,
	const struct place *place
)
{
	char *field = config_keys_field(apply->config, key, place->item_idx);
	char allowed[CONFIG_FORMAT_CAP];
	const char *wrong;

	config_format_allowed(key, allowed, sizeof(allowed));
	if (node->kind != CONFIG_DOC_SCALAR) {
		refuse(apply, node, "is not a single value", allowed);
		return;
	}
	wrong = config_value_parse(
		key, node->value, node->is_plain, field + place->element_idx * key->size
	);
	if (wrong != NULL)
		refuse(apply, node, wrong, allowed);
	else if (place->is_element)
		config_keys_set_list_n(apply->config, key, place->item_idx, place->element_idx + 1);
}

static void take_key(
	struct apply *apply,
	struct config_doc_node *node,
	const struct config_key *key,
	const struct place *place
)
{
	char allowed[CONFIG_FORMAT_CAP];

	if (key->list_cap == 0) {
		if (place->is_element)
			refuse_unknown(apply, node, place);
		else
			take_value(apply, node, key, place);
		return;
	}
	if (!place->is_element) {
		config_keys_set_list_n(apply->config, key, place->item_idx, 0);
		config_format_allowed(key, allowed, sizeof(allowed));
		if (node->kind != CONFIG_DOC_LIST)
			refuse(apply, node, "is not a list: [a, b] or lines with a dash", allowed);
		return;
	}
	if (place->element_idx >= key->list_cap) {
		snprintf(allowed, sizeof(allowed), "at most %u values", key->list_cap);
		refuse(apply, node, "is one too many", allowed);
		return;
	}
	take_value(apply, node, key, place);
}

static void take_item(struct apply *apply, struct config_doc_node *node, const struct place *place)
{
	const struct config_section *list = place->list;
	char reason[64];

	if (place->item_idx >= list->item_cap) {
		snprintf(reason, sizeof(reason), "is one %s too many", list->item);
		refuse(apply, node, reason, list->items);
		return;
	}
	config_keys_set_list_n_items(apply->config, list, place->item_idx + 1);
	if (node->kind != CONFIG_DOC_MAPPING) {
		refuse(apply, node, "is not a mapping", list->item_keys);
		return;
	}
	for (uint32_t i = 0; i < config_keys_n; i++) {
		if (config_keys_lookup_list(config_keys[i].path) == list)
			apply_default(apply, &config_keys[i], place->item_idx);
	}
}

// Returns: the list of sections of that name, or NULL.
static const struct config_section *lookup_list_named(const char *name)
{
	char path[CONFIG_DOC_PATH_CAP + 2];

	snprintf(path, sizeof(path), "%s[]", name);
	return config_keys_lookup_list(path);
}

static void take_node(struct apply *apply, struct config_doc_node *node)
{
	const struct config_section *list;
	const struct config_key *key;
	char allowed[64];
	struct place place;

	if (node->path[0] == '\0') {
		if (node->kind != CONFIG_DOC_MAPPING)
			refuse(apply, node, "is not a mapping", "sections such as node and ports");
		return;
	}
	find_place(&place, node->path);
	if (node->is_odd) {
		refuse_unknown(apply, node, &place);
		return;
	}
	if (place.list != NULL && !place.is_element && strcmp(place.path, place.list->path) == 0) {
		take_item(apply, node, &place);
		return;
	}
	list = place.list == NULL && !place.is_element ? lookup_list_named(place.path) : NULL;
	if (list != NULL) {
		snprintf(allowed, sizeof(allowed), "a list of %s", list->items);
		if (node->kind != CONFIG_DOC_LIST)
			refuse(apply, node, "is not a list", allowed);
		return;
	}
	if (!place.is_element && config_keys_lookup_section(place.path) != NULL) {
		if (node->kind != CONFIG_DOC_MAPPING)
			refuse(apply, node, "is not a mapping", "lines of key: value, indented");
		return;
	}
	key = config_keys_lookup(place.path);
	if (key != NULL)
		take_key(apply, node, key, &place);
	else
		refuse_unknown(apply, node, &place);
}

static bool check_below(const char *path, const struct config_doc_node *ancestor)
{
	size_t len = ancestor != NULL ? strlen(ancestor->path) : 0;

	return ancestor != NULL && strncmp(path, ancestor->path, len) == 0 &&
		(len == 0 || path[len] == '.' || path[len] == '[');
}

void config_apply_nodes(
	struct config *config, const struct config_doc *doc, struct config_report *report
)
{
	struct apply apply = {.config = config, .report = report};

	for (uint32_t i = 0; i < config_keys_n; i++) {
		if (config_keys_lookup_list(config_keys[i].path) == NULL)
			apply_default(&apply, &config_keys[i], 0);
	}
	for (uint32_t i = 0; i < doc->n_nodes; i++) {
		if (!check_below(doc->nodes[i].path, apply.skipped))
			take_node(&apply, &doc->nodes[i]);
	}
}
