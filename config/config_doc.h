// SPDX-License-Identifier: Apache-2.0
//
// A YAML document as a flat list of nodes with their lines. Reports what is wrong with it as YAML
// (syntax, duplicate keys, anchors, several documents); what its keys mean is not known here.
#pragma once

#include "config/config_report.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_DOC_PATH_CAP 160
#define CONFIG_DOC_MAX_NODES 2048
#define CONFIG_DOC_MAX_DEPTH 8

enum config_doc_kind { CONFIG_DOC_SCALAR, CONFIG_DOC_MAPPING, CONFIG_DOC_LIST };

struct config_doc_node {
	char path[CONFIG_DOC_PATH_CAP]; // "worker.cores[2]", "ports[0].mtu"
	uint32_t line; // of the key, or of the list element
	enum config_doc_kind kind;
	bool is_plain; // scalar without quotes
	bool is_odd; // a key that is no word of [a-z0-9_]: no table row can match it
	bool is_bad; // something about it was reported; set by readers too
	const char *value; // of a scalar; NUL-terminated
};

// Nodes in the order of the file, parents before children. Owns its memory.
struct config_doc {
	struct config_doc_node *nodes;
	uint32_t n_nodes;
	bool is_complete; // false: the syntax broke off, nodes end there
};

// Reads a text. What is wrong goes into the report; the nodes before a syntax error are kept.
//
// Returns: 0 or -ENOMEM.
int config_doc_init(
	struct config_doc *doc, const char *text, size_t text_len, struct config_report *report
);

void config_doc_fini(struct config_doc *doc);

// Returns: the first node of the path, or NULL.
struct config_doc_node *config_doc_lookup(const struct config_doc *doc, const char *path);

// Returns: the line of the path, or of the nearest node above it, at last of the document.
uint32_t config_doc_line(const struct config_doc *doc, const char *path);
