// SPDX-License-Identifier: Apache-2.0
//
// The only file that reads YAML (libyaml's event parser, whose marks give the lines; libcyaml has
// them for type errors alone, stops at the first error and takes the last of two equal keys). Events
// come as a flat stream, so nesting costs a frame of a fixed stack and never recursion; anchors and
// aliases are refused, so a small text cannot become a large document.
#include "config/config_doc.h"

#include <yaml.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct frame {
	enum config_doc_kind kind; // mapping or list
	char prefix[CONFIG_DOC_PATH_CAP];
	uint32_t n_children;
	bool is_value_next; // mapping: the key has been read
};

struct reader {
	yaml_parser_t parser;
	struct config_doc *doc;
	struct config_report *report;
	struct frame frames[CONFIG_DOC_MAX_DEPTH];
	uint32_t depth;
	uint32_t n_documents;
	// Of the mapping key that waits for its value.
	char key_path[CONFIG_DOC_PATH_CAP];
	uint32_t key_line;
	bool is_key_odd;
	bool is_key_twice;
};

struct config_doc_node *config_doc_lookup(const struct config_doc *doc, const char *path)
{
	for (uint32_t i = 0; i < doc->n_nodes; i++) {
		if (strcmp(doc->nodes[i].path, path) == 0)
			return &doc->nodes[i];
	}
	return NULL;
}

uint32_t config_doc_line(const struct config_doc *doc, const char *path)
{
	char prefix[CONFIG_DOC_PATH_CAP];
	size_t len;

	snprintf(prefix, sizeof(prefix), "%s", path);
	for (len = strlen(prefix); len > 0; len--) {
		const struct config_doc_node *node;

		prefix[len] = '\0';
		if (path[len] != '\0' && path[len] != '.' && path[len] != '[')
			continue;
		node = config_doc_lookup(doc, prefix);
		if (node != NULL)
			return node->line;
	}
	return doc->n_nodes > 0 ? doc->nodes[0].line : 1;
}

// Ends the reading of the document with a message.
//
// Returns: -EBADMSG.
static int refuse(struct reader *r, uint32_t line, const char *what)
{
	config_report_add(r->report, true, line, "%s", what);
	return -EBADMSG;
}

// A path is cut rather than refused: a cut one matches no table row and is reported as unknown.
static void join_key(struct reader *r, const char *prefix, const char *key)
{
	size_t key_len = strlen(key);

	r->is_key_odd = key_len == 0 ||
		strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789_") != key_len ||
		strlen(prefix) + key_len + 2 > sizeof(r->key_path);
	if (r->is_key_odd)
		snprintf(
			r->key_path,
			sizeof(r->key_path),
			"%.100s%s\"%.40s\"",
			prefix,
			prefix[0] != '\0' ? "." : "",
			key
		);
	else
		snprintf(
			r->key_path,
			sizeof(r->key_path),
			"%.100s%s%s",
			prefix,
			prefix[0] != '\0' ? "." : "",
			key
		);
}

static int take_key(struct reader *r, const yaml_event_t *event)
{
	struct frame *frame = &r->frames[r->depth - 1];
	const struct config_doc_node *first;

	r->key_line = (uint32_t)event->start_mark.line + 1;
	if (event->type != YAML_SCALAR_EVENT)
		return refuse(r, r->key_line, "a key is a word, not a mapping or list");
	join_key(r, frame->prefix, (const char *)event->data.scalar.value);
	first = config_doc_lookup(r->doc, r->key_path);
	r->is_key_twice = first != NULL;
	if (r->is_key_twice)
		config_report_add(
			r->report,
			true,
			r->key_line,
			"key '%s': given a second time, first on line %u; allowed: once",
			r->key_path,
			first->line
		);
	frame->is_value_next = true;
	return 0;
}

// Appends a node for an event that starts a value, with the path and line of its key or list element.
static int append(struct reader *r, const yaml_event_t *event, enum config_doc_kind kind)
{
	struct config_doc_node *node = &r->doc->nodes[r->doc->n_nodes];
	uint32_t line = (uint32_t)event->start_mark.line + 1;

	if (r->doc->n_nodes == CONFIG_DOC_MAX_NODES)
		return refuse(r, line, "more values than any configuration needs");
	memset(node, 0, sizeof(*node));
	node->kind = kind;
	node->line = line;
	if (r->depth > 0) {
		struct frame *frame = &r->frames[r->depth - 1];

		if (frame->kind == CONFIG_DOC_MAPPING) {
			memcpy(node->path, r->key_path, sizeof(node->path));
			node->line = r->key_line;
			node->is_odd = r->is_key_odd;
			node->is_bad = r->is_key_twice;
			frame->is_value_next = false;
		} else {
			snprintf(
				node->path,
				sizeof(node->path),
				"%.140s[%u]",
				frame->prefix,
				frame->n_children
			);
		}
		frame->n_children++;
	}
	if (kind == CONFIG_DOC_SCALAR) {
		node->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
		node->value = strdup((const char *)event->data.scalar.value);
		if (node->value == NULL)
			return -ENOMEM;
	}
	r->doc->n_nodes++;
	return 0;
}

static int take_scalar(struct reader *r, const yaml_event_t *event)
{
	if (event->data.scalar.length != strlen((const char *)event->data.scalar.value))
		return refuse(r, (uint32_t)event->start_mark.line + 1, "a value holds a zero byte");
	return append(r, event, CONFIG_DOC_SCALAR);
}

static int push(struct reader *r, const yaml_event_t *event, enum config_doc_kind kind)
{
	struct frame *frame = &r->frames[r->depth];
	int rc = append(r, event, kind);

	if (rc < 0)
		return rc;
	if (r->depth == CONFIG_DOC_MAX_DEPTH)
		return refuse(r, (uint32_t)event->start_mark.line + 1, "nested too deeply");
	memset(frame, 0, sizeof(*frame));
	frame->kind = kind;
	memcpy(frame->prefix, r->doc->nodes[r->doc->n_nodes - 1].path, sizeof(frame->prefix));
	r->depth++;
	return 0;
}

static bool check_anchored(const yaml_event_t *event)
{
	switch ((int)event->type) {
	case YAML_ALIAS_EVENT:
		return true;
	case YAML_SCALAR_EVENT:
		return event->data.scalar.anchor != NULL || event->data.scalar.tag != NULL;
	case YAML_SEQUENCE_START_EVENT:
		return event->data.sequence_start.anchor != NULL ||
			event->data.sequence_start.tag != NULL;
	case YAML_MAPPING_START_EVENT:
		return event->data.mapping_start.anchor != NULL ||
			event->data.mapping_start.tag != NULL;
	default:
		return false;
	}
}

static int take_event(struct reader *r, const yaml_event_t *event)
{
	uint32_t line = (uint32_t)event->start_mark.line + 1;
	bool is_key = r->depth > 0 && r->frames[r->depth - 1].kind == CONFIG_DOC_MAPPING &&
		!r->frames[r->depth - 1].is_value_next;

	if (check_anchored(event))
		return refuse(r, line, "anchors, aliases and tags are not supported");
	switch ((int)event->type) {
	case YAML_DOCUMENT_START_EVENT:
		return r->n_documents++ == 0 ? 0 : refuse(r, line, "a second document starts here");
	case YAML_SCALAR_EVENT:
		return is_key ? take_key(r, event) : take_scalar(r, event);
	case YAML_MAPPING_START_EVENT:
		return is_key ? take_key(r, event) : push(r, event, CONFIG_DOC_MAPPING);
	case YAML_SEQUENCE_START_EVENT:
		return is_key ? take_key(r, event) : push(r, event, CONFIG_DOC_LIST);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		r->depth--;
		return 0;
	default:
		return 0;
	}
}

// Invalid UTF-8 has an offset and no mark.
static uint32_t line_of_offset(const char *text, size_t text_len, size_t offset)
{
	uint32_t line = 1;

	for (size_t i = 0; i < offset && i < text_len; i++)
		line += text[i] == '\n';
	return line;
}

static int refuse_syntax(struct reader *r, const char *text, size_t text_len)
{
	const yaml_parser_t *parser = &r->parser;
	uint32_t line = (uint32_t)parser->problem_mark.line + 1;

	if (parser->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (parser->error == YAML_READER_ERROR)
		line = line_of_offset(text, text_len, parser->problem_offset);
	config_report_add(
		r->report,
		true,
		line,
		"not valid YAML: %s%s%s",
		parser->problem != NULL ? parser->problem : "unreadable",
		parser->context != NULL ? " " : "",
		parser->context != NULL ? parser->context : ""
	);
	return -EBADMSG;
}

static int read_events(struct reader *r, const char *text, size_t text_len)
{
	bool is_end = false;
	int rc = 0;

	while (rc == 0 && !is_end) {
		yaml_event_t event;

		if (!yaml_parser_parse(&r->parser, &event))
			return refuse_syntax(r, text, text_len);
		is_end = event.type == YAML_STREAM_END_EVENT;
		rc = take_event(r, &event);
		yaml_event_delete(&event);
	}
	return rc;
}

int config_doc_init(
	struct config_doc *doc, const char *text, size_t text_len, struct config_report *report
)
{
	struct reader *r;
	int rc = -ENOMEM;

	memset(doc, 0, sizeof(*doc));
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return rc;
	r->doc = doc;
	r->report = report;
	doc->nodes = calloc(CONFIG_DOC_MAX_NODES + 1, sizeof(*doc->nodes));
	if (doc->nodes == NULL || !yaml_parser_initialize(&r->parser))
		goto err_free;
	yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r->parser, (const unsigned char *)text, text_len);
	rc = read_events(r, text, text_len);
	doc->is_complete = rc == 0;
	if (rc == -EBADMSG)
		rc = 0;
	yaml_parser_delete(&r->parser);
err_free:
	free(r);
	if (rc < 0)
		config_doc_fini(doc);
	return rc;
}

void config_doc_fini(struct config_doc *doc)
{
	for (uint32_t i = 0; i < doc->n_nodes; i++)
		free((char *)doc->nodes[i].value);
	free(doc->nodes);
	memset(doc, 0, sizeof(*doc));
}
