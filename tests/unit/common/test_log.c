// SPDX-License-Identifier: Apache-2.0
//
// What stands on stderr after a log call: level, area, priority prefix, cut and cleaned text.
#include "common/log.h"
#include "tests/unit/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Runs one call with stderr in a pipe. Returns the text, static.
static const char *capture(enum log_level level, const char *text)
{
	static char got[8192];
	int fds[2], saved = dup(STDERR_FILENO);

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	dup2(fds[1], STDERR_FILENO);
	log_write(level, "area", "%s", text);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(fds[1]);
	ssize_t n = read(fds[0], got, sizeof(got) - 1);
	close(fds[0]);
	got[n > 0 ? n : 0] = '\0';
	return got;
}

static void test_form(void **state)
{
	(void)state;
	unsetenv("JOURNAL_STREAM");
	assert_string_equal(capture(LOG_LEVEL_ERROR, "text"), "error area: text\n");
	assert_string_equal(capture(LOG_LEVEL_INFO, "text"), "info area: text\n");
	assert_string_equal(capture(LOG_LEVEL_DEBUG, "text"), "");
	log_set_level(LOG_LEVEL_DEBUG);
	assert_string_equal(capture(LOG_LEVEL_DEBUG, "text"), "debug area: text\n");
	log_set_level(LOG_LEVEL_ERROR);
	assert_string_equal(capture(LOG_LEVEL_WARN, "text"), "");
	log_set_level(LOG_LEVEL_INFO);
}

static void test_journal_priority(void **state)
{
	(void)state;
	setenv("JOURNAL_STREAM", "8:1", 1);
	assert_string_equal(capture(LOG_LEVEL_WARN, "text"), "<4>warn area: text\n");
	unsetenv("JOURNAL_STREAM");
}

static void test_no_forged_lines(void **state)
{
	(void)state;
	assert_string_equal(
		capture(LOG_LEVEL_INFO, "a\nerror b: c\x1b[2J\x7f"),
		"info area: a?error b: c?[2J?\n"
	);
}

static void test_long_text_is_cut(void **state)
{
	char text[5000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	const char *got = capture(LOG_LEVEL_INFO, text);
	assert_int_equal(strlen(got), 2048);
	assert_string_equal(got + 2048 - 4, "...\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_journal_priority),
		cmocka_unit_test(test_no_forged_lines),
		cmocka_unit_test(test_long_text_is_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
