// SPDX-License-Identifier: Apache-2.0
//
// api_token: the operator's file, good and bad; buyers' tokens, their end, their number.
#include "controlplane/http/api_token.h"
#include "tests/unit/common/temp_dir.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct fixture {
	struct temp_dir tmp;
	struct clock clock;
	struct clock_manual manual;
	char path[128];
	struct api_token_book *book;
	char err[1024];
};

static struct fixture fix;

static int create(const char *text, mode_t mode)
{
	FILE *file;

	if (text != NULL) {
		file = fopen(fix.path, "w");
		fputs(text, file);
		fclose(file);
		chmod(fix.path, mode);
	}
	fix.book = NULL;
	return api_token_book_create(&fix.book, fix.path, &fix.clock, fix.err, sizeof(fix.err));
}

static int set_up(void **state)
{
	(void)state;
	temp_dir_create(&fix.tmp);
	snprintf(fix.path, sizeof(fix.path), "%s/admin.token", fix.tmp.path);
	clock_manual_init(&fix.clock, &fix.manual, 1700000000ull * NS_PER_SEC);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	api_token_book_destroy(fix.book);
	temp_dir_remove(&fix.tmp);
	return 0;
}

static void test_admin_file(void **state)
{
	static const struct {
		const char *text; // NULL: no file
		mode_t mode;
		int r;
		const char *accepted; // NULL: "0123456789abcdef" is not
	} rows[] = {
		{NULL, 0, 0, NULL},
		{"0123456789abcdef\n", 0600, 0, "0123456789abcdef"},
		{"0123456789abcdef\r\n", 0400, 0, "0123456789abcdef"},
		{"0123456789abcde\n", 0600, -EINVAL, NULL},
		{"0123456789 abcdef\n", 0600, -EINVAL, NULL},
		{"0123456789abcdef\n\n", 0600, -EINVAL, NULL},
		{"", 0600, -EINVAL, NULL},
		{"0123456789abcdef\n", 0640, -EPERM, NULL},
		{"0123456789abcdef\n", 0604, -EPERM, NULL},
	};
	struct http_caller caller;

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		int r = create(rows[i].text, rows[i].mode);

		if (r != rows[i].r)
			fail_msg("row %zu: %d %s", i, r, fix.err);
		if (r < 0) {
			assert_non_null(strstr(fix.err, fix.path));
			assert_null(strstr(fix.err, "0123456789")); // never the content
			remove(fix.path);
			continue;
		}
		memset(&caller, 0, sizeof(caller));
		r = api_token_authenticate(fix.book, "0123456789abcdef", &caller);
		assert_int_equal(r, rows[i].accepted == NULL ? -EACCES : 0);
		assert_int_equal(
			caller.role,
			rows[i].accepted == NULL ? HTTP_ROLE_NOBODY : HTTP_ROLE_OPERATOR
		);
		assert_int_equal(api_token_authenticate(fix.book, "", &caller), -EACCES);
		assert_int_equal(
			api_token_authenticate(fix.book, "0123456789abcdeF", &caller), -EACCES
		);
		api_token_book_destroy(fix.book);
		fix.book = NULL;
		remove(fix.path);
	}
}

static void test_buyers_hour(void **state)
{
	char token[API_TOKEN_TEXT_CAP], other[API_TOKEN_TEXT_CAP];
	const uint8_t alice[20] = {1}, bob[20] = {2};
	struct http_caller caller = {0};
	uint64_t expires;

	(void)state;
	assert_int_equal(create(NULL, 0), 0);
	assert_int_equal(api_token_issue(fix.book, alice, 0, false, token, &expires), 0);
	assert_int_equal(expires, 1700003600);
	assert_int_equal(api_token_issue(fix.book, bob, 0, false, other, &expires), 0);
	assert_string_not_equal(token, other);
	assert_int_equal(strspn(token, "0123456789abcdef"), 64);
	assert_int_equal(api_token_authenticate(fix.book, token, &caller), 0);
	assert_int_equal(caller.role, HTTP_ROLE_BUYER);
	assert_memory_equal(caller.buyer, alice, 20);
	assert_int_equal(api_token_authenticate(fix.book, other, &caller), 0);
	assert_memory_equal(caller.buyer, bob, 20);
	assert_int_equal(caller.buyer_chain, 0);
	assert_int_equal(api_token_issue(fix.book, bob, 5, false, other, &expires), 0);
	assert_int_equal(api_token_authenticate(fix.book, other, &caller), 0);
	assert_int_equal(caller.buyer_chain, 5);
	// Each character counts.
	for (int i = 0; i < 64; i++) {
		token[i] ^= 1;
		assert_int_equal(api_token_authenticate(fix.book, token, &caller), -EACCES);
		token[i] ^= 1;
	}
	clock_manual_advance(&fix.manual, 3600 * NS_PER_SEC - 1);
	assert_int_equal(api_token_authenticate(fix.book, token, &caller), 0);
	clock_manual_advance(&fix.manual, 1);
	assert_int_equal(api_token_authenticate(fix.book, token, &caller), -EACCES);
}

static void test_bounds(void **state)
{
	char tokens[API_TOKEN_MAX_PER_BUYER + 1][API_TOKEN_TEXT_CAP], token[API_TOKEN_TEXT_CAP];
	struct http_caller caller;
	uint8_t buyer[20] = {0};
	uint64_t expires;

	(void)state;
	assert_int_equal(create(NULL, 0), 0);
	for (int i = 0; i <= API_TOKEN_MAX_PER_BUYER; i++) {
		clock_manual_advance(&fix.manual, NS_PER_SEC);
		assert_int_equal(
			api_token_issue(fix.book, buyer, 0, false, tokens[i], &expires), 0
		);
	}
	assert_int_equal(api_token_authenticate(fix.book, tokens[0], &caller), -EACCES);
	for (int i = 1; i <= API_TOKEN_MAX_PER_BUYER; i++)
		assert_int_equal(api_token_authenticate(fix.book, tokens[i], &caller), 0);
	// Everybody's places: who has one may renew it, a stranger waits until one ends.
	for (unsigned i = API_TOKEN_MAX_PER_BUYER; i < API_TOKEN_MAX; i++) {
		memcpy(buyer + 4, &i, sizeof(i));
		assert_int_equal(api_token_issue(fix.book, buyer, 0, false, token, &expires), 0);
	}
	assert_int_equal(api_token_issue(fix.book, buyer, 0, false, token, &expires), 0);
	buyer[0] = 9;
	assert_int_equal(api_token_issue(fix.book, buyer, 0, false, token, &expires), -EAGAIN);
	clock_manual_advance(&fix.manual, 3600 * NS_PER_SEC);
	assert_int_equal(api_token_issue(fix.book, buyer, 0, false, token, &expires), 0);
}

// Accounts that never bought anything cannot keep out who did.
static void test_buyers_first(void **state)
{
	char tokens[API_TOKEN_MAX][API_TOKEN_TEXT_CAP], token[API_TOKEN_TEXT_CAP];
	struct http_caller caller;
	uint8_t account[20] = {0};
	uint64_t expires;

	(void)state;
	assert_int_equal(create(NULL, 0), 0);
	for (unsigned i = 0; i < API_TOKEN_MAX; i++) {
		clock_manual_advance(&fix.manual, 1);
		memcpy(account + 4, &i, sizeof(i));
		assert_int_equal(
			api_token_issue(fix.book, account, 0, i == 0, tokens[i], &expires), 0
		);
	}
	account[0] = 9;
	assert_int_equal(api_token_issue(fix.book, account, 0, false, token, &expires), -EAGAIN);
	assert_int_equal(api_token_issue(fix.book, account, 0, true, token, &expires), 0);
	assert_int_equal(api_token_authenticate(fix.book, token, &caller), 0);
	// The oldest of those who did not buy, not the oldest of all.
	assert_int_equal(api_token_authenticate(fix.book, tokens[0], &caller), 0);
	assert_int_equal(api_token_authenticate(fix.book, tokens[1], &caller), -EACCES);
	assert_int_equal(api_token_authenticate(fix.book, tokens[2], &caller), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_admin_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_buyers_hour, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bounds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_buyers_first, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
