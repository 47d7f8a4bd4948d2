// SPDX-License-Identifier: Apache-2.0
//
// YAML as such: what is no document of ours, which lines nodes get, and that no damaged text does
// more than bring a message.
#include "config/config_doc.h"
#include "config/config_load.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct config config;
static struct config_report report;

static void test_refused_documents(void **state)
{
	static const struct {
		const char *text;
		size_t len; // 0 = strlen
		const char *message;
	} rows[] = {
		{"a: [1\nb: 2\n",
		 0,
		 "f:2: not valid YAML: did not find expected ',' or ']' while parsing a flow "
		 "sequence"},
		{"a: 1\n\tb: 2\n",
		 0,
		 "f:2: not valid YAML: found a tab character that violates indentation while "
		 "scanning a plain scalar"},
		{"a: 1\nb: \"x\n",
		 0,
		 "f:3: not valid YAML: found unexpected end of stream while scanning a quoted "
		 "scalar"},
		{"a: 1\nb: \xff\n", 0, "f:2: not valid YAML: invalid leading UTF-8 octet"},
		{"a: 1\nb: \x01\n", 0, "f:2: not valid YAML: control characters are not allowed"},
		{"a: 1\nb: x\0y\n", 12, "f:2: not valid YAML: control characters are not allowed"},
		{"a: 1\nb: \"x\\0y\"\n", 0, "f:2: a value holds a zero byte"},
		{"a: &x 1\nb: *x\n", 0, "f:1: anchors, aliases and tags are not supported"},
		{"a: 1\nb: *x\n", 0, "f:2: anchors, aliases and tags are not supported"},
		{"a: 1\nb: !!int 2\n", 0, "f:2: anchors, aliases and tags are not supported"},
		{"a: 1\n---\nb: 2\n", 0, "f:2: a second document starts here"},
		{"a: 1\n? [b]\n: 2\n", 0, "f:2: a key is a word, not a mapping or list"},
		{"a: 1\nb: [[[[[[[[[1]]]]]]]]]\n", 0, "f:2: nested too deeply"},
	};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		size_t len = rows[i].len > 0 ? rows[i].len : strlen(rows[i].text);
		struct config_doc doc;

		config_report_init(&report, "f");
		assert_int_equal(config_doc_init(&doc, rows[i].text, len, &report), 0);
		assert_false(doc.is_complete);
		assert_int_equal(report.n_errors, 1);
		assert_string_equal(report.lines[0].text, rows[i].message);
		config_doc_fini(&doc);
	}
}

static void test_lines(void **state)
{
	static const char text[] = "# first\n\na:\n  b: 1\n  c: [x,\n    y]\nd:\n- e: \"2\"\n- 3\n";
	static const struct {
		const char *path;
		uint32_t line;
		const char *value; // NULL = no scalar
		bool is_plain;
	} rows[] = {
		{"", 3, NULL, false},
		{"a", 3, NULL, false},
		{"a.b", 4, "1", true},
		{"a.c", 5, NULL, false},
		{"a.c[0]", 5, "x", true},
		{"a.c[1]", 6, "y", true},
		{"d", 7, NULL, false},
		{"d[0]", 8, NULL, false},
		{"d[0].e", 8, "2", false},
		{"d[1]", 9, "3", true},
	};
	struct config_doc doc;

	(void)state;
	config_report_init(&report, "f");
	assert_int_equal(config_doc_init(&doc, text, strlen(text), &report), 0);
	assert_true(doc.is_complete);
	assert_int_equal(doc.n_nodes, TEST_N_ROWS(rows));
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		const struct config_doc_node *node = &doc.nodes[i];

		assert_string_equal(node->path, rows[i].path);
		assert_int_equal(node->line, rows[i].line);
		assert_int_equal(config_doc_line(&doc, rows[i].path), rows[i].line);
		if (rows[i].value != NULL) {
			assert_string_equal(node->value, rows[i].value);
			assert_int_equal(node->is_plain, rows[i].is_plain);
		}
	}
	assert_int_equal(config_doc_line(&doc, "a.b.z"), 4);
	assert_int_equal(config_doc_line(&doc, "d[7].e"), 7);
	assert_int_equal(config_doc_line(&doc, "nowhere"), 3);
	config_doc_fini(&doc);
}

static void test_empty(void **state)
{
	static const char *const texts[] = {"", "# nothing\n", "---\n...\n", "\n\n"};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(texts); i++)
		assert_int_equal(
			config_load_text(&config, texts[i], strlen(texts[i]), "f", &report), -EINVAL
		);
}

// An entity bomb without anchors: wide and flat. It ends at the node limit.
static void test_too_many_nodes(void **state)
{
	size_t len = 4 + 4 * (CONFIG_DOC_MAX_NODES + 1);
	char *text = malloc(len);
	struct config_doc doc;

	(void)state;
	assert_non_null(text);
	memcpy(text, "a: [", 4);
	for (size_t i = 4; i < len; i += 4)
		memcpy(text + i, "[],\n", 4);
	config_report_init(&report, "f");
	assert_int_equal(config_doc_init(&doc, text, len, &report), 0);
	assert_int_equal(report.n_errors, 1);
	assert_non_null(strstr(report.lines[0].text, "more values than any configuration needs"));
	config_doc_fini(&doc);
	free(text);
}

static char *read_whole(size_t *ret_len)
{
	FILE *file = fopen(CONFIG_YAML, "r");
	char *text = malloc(65536);

	assert_non_null(file);
	assert_non_null(text);
	*ret_len = fread(text, 1, 65536, file);
	assert_true(*ret_len > 1000 && *ret_len < 65536);
	fclose(file);
	return text;
}

// Loads from memory that ends where the text does, so that a sanitizer sees a read beyond it. Whatever
// the text: accepted without errors or refused with at least one.
static void load_exact(const char *text, size_t len)
{
	char *exact = malloc(len > 0 ? len : 1);
	int rc;

	assert_non_null(exact);
	memcpy(exact, text, len);
	rc = config_load_text(&config, exact, len, "f", &report);
	assert_true(rc == 0 || rc == -EINVAL);
	assert_int_equal(rc == 0, report.n_errors == 0);
	free(exact);
}

static void test_truncated(void **state)
{
	size_t len;
	char *text = read_whole(&len);

	(void)state;
	for (size_t i = 0; i <= len; i++)
		load_exact(text, i);
	free(text);
}

static void test_bit_flipped(void **state)
{
	size_t len;
	char *text = read_whole(&len);

	(void)state;
	for (size_t i = 0; i < len; i++) {
		text[i] ^= (char)(1u << i % 8);
		load_exact(text, len);
		text[i] ^= (char)(1u << i % 8);
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused_documents),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_too_many_nodes),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_bit_flipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
