// SPDX-License-Identifier: Apache-2.0
//
// api_challenge: taken once, by this process only, within its life; none that is not ours; the ring of
// those that were taken, full and turning over.
#include "controlplane/http/api_challenge.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <string.h>

static struct clock clock;
static struct clock_manual manual;
static struct api_challenge_book *book;

static int set_up(void **state)
{
	(void)state;
	clock_manual_init(&clock, &manual, 1700000000ull * NS_PER_SEC);
	return api_challenge_book_create(&book, &clock);
}

static int tear_down(void **state)
{
	(void)state;
	api_challenge_book_destroy(book);
	return 0;
}

static void test_once(void **state)
{
	char a[API_CHALLENGE_TEXT_CAP], b[API_CHALLENGE_TEXT_CAP];

	(void)state;
	assert_int_equal(api_challenge_issue(book, a), 0);
	assert_int_equal(api_challenge_issue(book, b), 0);
	assert_string_not_equal(a, b);
	assert_int_equal(strspn(a, "0123456789abcdef"), API_CHALLENGE_TEXT_CAP - 1);
	assert_int_equal(api_challenge_look(book, a), 0);
	assert_int_equal(api_challenge_take(book, a), 0);
	assert_int_equal(api_challenge_take(book, a), -EALREADY);
	assert_int_equal(api_challenge_look(book, a), -EALREADY);
	assert_int_equal(api_challenge_take(book, b), 0);
	clock_manual_advance(&manual, (API_CHALLENGE_LIFE_SEC - 1) * NS_PER_SEC);
	assert_int_equal(api_challenge_take(book, a), -EALREADY);
	clock_manual_advance(&manual, NS_PER_SEC);
	assert_int_equal(api_challenge_take(book, a), -ETIME);
}

static void test_not_ours(void **state)
{
	struct api_challenge_book *other;
	char text[API_CHALLENGE_TEXT_CAP];

	(void)state;
	assert_int_equal(api_challenge_take(book, ""), -EBADMSG);
	assert_int_equal(api_challenge_book_create(&other, &clock), 0);
	assert_int_equal(api_challenge_issue(other, text), 0);
	assert_int_equal(api_challenge_take(book, text), -EBADMSG);
	api_challenge_book_destroy(other);
	assert_int_equal(api_challenge_issue(book, text), 0);
	for (int i = 0; i < API_CHALLENGE_TEXT_CAP - 1; i++) {
		char digit = text[i];

		text[i] = digit == '0' ? '1' : '0';
		assert_int_equal(api_challenge_take(book, text), -EBADMSG);
		text[i] = digit >= 'a' ? (char)(digit - 'a' + 'A') : 'G'; // another spelling
		assert_int_equal(api_challenge_take(book, text), -EBADMSG);
		text[i] = '\0';
		assert_int_equal(api_challenge_take(book, text), -EBADMSG);
		text[i] = digit;
	}
	assert_int_equal(api_challenge_take(book, text), 0);
}

// The ring turns over when the oldest are dead, and none of them has come alive.
static void test_full_ring(void **state)
{
	char first[API_CHALLENGE_TEXT_CAP], text[API_CHALLENGE_TEXT_CAP];

	(void)state;
	assert_int_equal(api_challenge_issue(book, first), 0);
	assert_int_equal(api_challenge_take(book, first), 0);
	for (unsigned i = 1; i < API_CHALLENGE_MAX; i++) {
		// The clock moves, so that what must be searched stays short.
		if (i % (API_CHALLENGE_MAX / 64) == 0)
			clock_manual_advance(&manual, 400 * NS_PER_SEC);
		assert_int_equal(api_challenge_issue(book, text), 0);
		assert_int_equal(api_challenge_take(book, text), 0);
	}
	assert_int_equal(api_challenge_issue(book, text), 0);
	// The oldest are long dead: the ring turns over.
	assert_int_equal(api_challenge_take(book, text), 0);
	assert_int_equal(api_challenge_take(book, text), -EALREADY);
	assert_int_equal(api_challenge_take(book, first), -ETIME);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_not_ours, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_full_ring, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
