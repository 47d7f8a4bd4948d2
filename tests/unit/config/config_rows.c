// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/config/config_rows.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct config config;
static struct config_report report;

static void expect(const char *text, size_t text_len, const char *const *messages)
{
	uint32_t n = 0;
	bool is_refused = false;
	struct config before;
	int rc;

	memset(&config, 0xa5, sizeof(config));
	before = config;
	rc = config_load_text(&config, text, text_len, "f", &report);
	for (; n < CONFIG_ROWS_MAX_MESSAGES && messages[n] != NULL; n++) {
		bool is_warning = strncmp(messages[n], CONFIG_ROWS_WARNING, 2) == 0;

		if (n < report.n_lines) {
			assert_string_equal(report.lines[n].text, messages[n] + 2 * is_warning);
			assert_int_equal(report.lines[n].is_error, !is_warning);
		}
		is_refused |= !is_warning;
	}
	if (report.n_lines > n)
		fail_msg("unexpected: %s", report.lines[n].text);
	assert_int_equal(report.n_lines, n);
	assert_int_equal(rc, is_refused ? -EINVAL : 0);
	if (is_refused)
		assert_memory_equal(&config, &before, sizeof(config));
}

void config_rows_run(const char *head, const struct config_row *rows, size_t n_rows)
{
	for (size_t i = 0; i < n_rows; i++) {
		char text[4096];

		snprintf(text, sizeof(text), "%s%s", head, rows[i].text);
		expect(text, strlen(text), rows[i].messages);
	}
}
