// SPDX-License-Identifier: Apache-2.0
//
// http_route: which pattern a path belongs to, what its braces hold, and what no pattern takes.
#include "controlplane/http/http_route.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <string.h>

static void handle(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	(void)ctx;
	(void)request;
	(void)reply;
}

static const struct http_route first[] = {
	{HTTP_GET, "/a", handle, HTTP_OPERATOR},
	{HTTP_GET, "/a/{x}", handle, HTTP_OPERATOR},
	{HTTP_POST, "/a/{x}/b", handle, HTTP_OPERATOR},
};
static const struct http_route second[] = {
	{HTTP_DELETE, "/a/{x}", handle, HTTP_OPERATOR},
	{HTTP_GET, "/{x}/{y}/{z}/{w}", handle, HTTP_OPERATOR},
};
static char first_ctx, second_ctx;
static const struct http_route_table tables[] = {
	{.routes = first, .n_routes = 3, .ctx = &first_ctx},
	{.routes = second, .n_routes = 2, .ctx = &second_ctx},
};

#define LONG_31 "0123456789abcdef0123456789abcde"
#define LONG_127 LONG_31 "-" LONG_31 "-" LONG_31 "-" LONG_31

static void test_match(void **state)
{
	static const struct {
		enum http_method method;
		const char *path;
		int r;
		const struct http_route *route;
		const char *param; // the first
		unsigned allowed;
	} rows[] = {
		{HTTP_GET, "/a", 0, &first[0], NULL, 0},
		{HTTP_GET, "/a/name", 0, &first[1], "name", 0},
		{HTTP_DELETE, "/a/name", 0, &second[0], "name", 0},
		{HTTP_POST, "/a/name/b", 0, &first[2], "name", 0},
		{HTTP_GET, "/1/2/3/4", 0, &second[1], "1", 0},
		{HTTP_GET, "/a/\xe2\x82\xac", 0, &first[1], "\xe2\x82\xac", 0},
		{HTTP_GET, "/a/{x}", 0, &first[1], "{x}", 0},
		{HTTP_GET, "/a/" LONG_127, 0, &first[1], LONG_127, 0},
		{HTTP_PUT, "/a/name", -EOPNOTSUPP, NULL, NULL, 1u << HTTP_GET | 1u << HTTP_DELETE},
		{HTTP_GET, "/a/name/b", -EOPNOTSUPP, NULL, NULL, 1u << HTTP_POST},
		{HTTP_GET, "", -ENOENT, NULL, NULL, 0},
		{HTTP_GET, "/", -ENOENT, NULL, NULL, 0},
		{HTTP_GET, "a", -ENOENT, NULL, NULL, 0},
		{HTTP_GET, "/A", -ENOENT, NULL, NULL, 0},
		{HTTP_GET, "/ab", -ENOENT, NULL, NULL, 0},
		{HTTP_GET, "/a/", -ENOENT, NULL, NULL, 0},
		{HTTP_GET, "/a//b", -ENOENT, NULL, NULL, 0},
		{HTTP_GET, "//a", -ENOENT, NULL, NULL, 0},
		{HTTP_GET, "/a/b/c", -ENOENT, NULL, NULL, 0},
		{HTTP_GET, "/1/2/3/4/5", -ENOENT, NULL, NULL, 0},
		{HTTP_GET, "/a/" LONG_127 "x", -EINVAL, NULL, NULL, 0},
		{HTTP_GET, "/a/\x1b[2J", -EINVAL, NULL, NULL, 0},
		{HTTP_GET, "/a/\x7f", -EINVAL, NULL, NULL, 0},
		{HTTP_GET, "/a/\xff", -EINVAL, NULL, NULL, 0},
		{HTTP_GET, "/a/\xe2\x82", -EINVAL, NULL, NULL, 0},
	};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		struct http_route_found found = {0};
		int r = http_route_match(&found, tables, 2, rows[i].method, rows[i].path);

		if (r != rows[i].r || found.route != rows[i].route)
			fail_msg("'%s': %d", rows[i].path, r);
		if (rows[i].allowed != 0)
			assert_int_equal(found.allowed, rows[i].allowed);
		if (r < 0)
			continue;
		assert_ptr_equal(
			found.ctx,
			r == 0 && rows[i].route >= second && rows[i].route < second + 2
				? &second_ctx
				: &first_ctx
		);
		if (rows[i].param != NULL)
			assert_string_equal(found.params[0], rows[i].param);
	}
}

static void test_methods(void **state)
{
	enum http_method method = HTTP_DELETE;

	(void)state;
	for (unsigned i = 0; i <= HTTP_DELETE; i++) {
		assert_int_equal(
			http_method_parse(&method, http_method_name((enum http_method)i)), 0
		);
		assert_int_equal(method, i);
	}
	assert_int_equal(http_method_parse(&method, "get"), -EINVAL);
	assert_int_equal(http_method_parse(&method, ""), -EINVAL);
	assert_int_equal(http_method_parse(&method, "OPTIONS"), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_methods),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
