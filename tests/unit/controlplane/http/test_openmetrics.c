// SPDX-License-Identifier: Apache-2.0
//
// openmetrics: the text to the byte, escapes, numbers at their ends, a label that is too long for a
// line's buffer, more text than the first allocation holds.
#include "controlplane/http/openmetrics.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

static void test_text(void **state)
{
	static const char want[] =
		"# TYPE a_bytes counter\n# UNIT a_bytes bytes\n# HELP a_bytes Of \\\"a\\\".\n"
		"a_bytes_total 18446744073709551615\n"
		"# TYPE b gauge\n# HELP b B\\\\c\\nd.\n"
		"b{x=\"\"} 0\nb{x=\"q\\\"\\\\\\n\xc3\xa9\",y=\"2\"} 1\nb 0.25\nb 1.5e+18\n"
		"# TYPE c info\n# HELP c C.\nc_info{v=\"1\"} 1\n# EOF\n";
	struct openmetrics om;
	char *text;

	(void)state;
	openmetrics_init(&om);
	openmetrics_family(&om, OPENMETRICS_COUNTER, "a_bytes", "bytes", "Of \"a\".");
	openmetrics_put(&om, NULL, UINT64_MAX);
	openmetrics_family(&om, OPENMETRICS_GAUGE, "b", NULL, "B\\c\nd.");
	openmetrics_put(&om, (struct openmetrics_label[2]){{"x", ""}, {NULL, NULL}}, 0);
	openmetrics_put(
		&om, (struct openmetrics_label[2]){{"x", "q\"\\\n\xc3\xa9"}, {"y", "2"}}, 1
	);
	openmetrics_put_real(&om, NULL, 0.25);
	openmetrics_put_real(&om, NULL, 1.5e18);
	openmetrics_family(&om, OPENMETRICS_INFO, "c", NULL, "C.");
	openmetrics_put(&om, (struct openmetrics_label[2]){{"v", "1"}, {NULL, NULL}}, 1);
	assert_int_equal(openmetrics_finish(&om, &text), 0);
	assert_string_equal(text, want);
	free(text);
}

static void test_growth(void **state)
{
	const unsigned n = 100000;
	struct openmetrics om;
	unsigned n_lines = 0;
	char *text, label[2001];

	(void)state;
	memset(label, '"', sizeof(label) - 1);
	label[sizeof(label) - 1] = '\0';
	openmetrics_init(&om);
	openmetrics_family(&om, OPENMETRICS_GAUGE, "a", NULL, "A.");
	openmetrics_put(&om, (struct openmetrics_label[2]){{"x", label}, {NULL, NULL}}, 7);
	for (unsigned i = 0; i < n; i++)
		openmetrics_put(&om, NULL, i);
	assert_int_equal(openmetrics_finish(&om, &text), 0);
	for (const char *p = text; *p != '\0'; p++)
		n_lines += *p == '\n';
	assert_int_equal(n_lines, n + 4);
	assert_non_null(strstr(text, "\\\"\"} 7\na 0\na 1\n"));
	assert_string_equal(text + strlen(text) - 14, "a 99999\n# EOF\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_growth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
