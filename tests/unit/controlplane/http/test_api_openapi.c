// SPDX-License-Identifier: Apache-2.0
//
// openapi.json against the table of routes: each registered route is in the document and each operation
// of the document is registered; what the document says about credentials is what the route demands;
// references lead somewhere, parameters of a path are described, operation ids are unique.
#include "controlplane/http/api.h"
#include "controlplane/http/api_problem.h"
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct json_value *doc;
static struct http_route_table tables[API_MAX_TABLES];
static size_t n_tables;

static int load(void **state)
{
	static char text[512 * 1024];
	FILE *file = fopen(OPENAPI_JSON, "r");
	struct json_value *value;
	size_t len;

	(void)state;
	if (file == NULL)
		return -1;
	len = fread(text, 1, sizeof(text), file);
	fclose(file);
	if (json_parse(text, len, &value) < 0)
		return -1;
	doc = value;
	n_tables = api_tables(tables, NULL);
	return 0;
}

static int unload(void **state)
{
	(void)state;
	json_free((struct json_value *)doc);
	return 0;
}

static const char *lower(enum http_method method)
{
	static char name[8];
	const char *from = http_method_name(method);
	size_t i;

	for (i = 0; from[i] != '\0'; i++)
		name[i] = (char)(from[i] | 0x20);
	name[i] = '\0';
	return name;
}

static const struct json_value *operation_of(const struct http_route *route)
{
	const struct json_value *path = json_member(json_member(doc, "paths"), route->pattern);

	return json_member(path, lower(route->method));
}

static bool has_scheme(const struct json_value *operation, const char *scheme)
{
	const struct json_value *item = json_first(json_member(operation, "security"));

	for (; item != NULL; item = json_next(item)) {
		if (json_member(item, scheme) != NULL)
			return true;
	}
	return false;
}

// {}: goes without a credential too.
static bool has_none(const struct json_value *operation)
{
	const struct json_value *item = json_first(json_member(operation, "security"));

	for (; item != NULL; item = json_next(item)) {
		if (json_first(item) == NULL)
			return true;
	}
	return false;
}

static void test_every_route_is_documented(void **state)
{
	(void)state;
	for (size_t t = 0; t < n_tables; t++) {
		for (size_t i = 0; i < tables[t].n_routes; i++) {
			const struct http_route *route = &tables[t].routes[i];
			const struct json_value *operation = operation_of(route);

			if (operation == NULL)
				fail_msg(
					"%s %s is not in the document",
					http_method_name(route->method),
					route->pattern
				);
			if (has_scheme(operation, "admin") != (route->access != HTTP_PUBLIC) ||
			    has_scheme(operation, "buyer") !=
				    (route->access == HTTP_BUYER || route->access == HTTP_SIGNED) ||
			    has_none(operation) != (route->access == HTTP_SIGNED))
				fail_msg(
					"%s %s: another credential is documented",
					http_method_name(route->method),
					route->pattern
				);
			assert_true(json_is_array(json_member(operation, "security")));
		}
	}
}

static bool is_registered(const char *path, const char *method)
{
	for (size_t t = 0; t < n_tables; t++) {
		for (size_t i = 0; i < tables[t].n_routes; i++) {
			const struct http_route *route = &tables[t].routes[i];

			if (strcmp(route->pattern, path) == 0 &&
			    strcmp(lower(route->method), method) == 0)
				return true;
		}
	}
	return false;
}

static void test_every_operation_is_registered(void **state)
{
	const struct json_value *path = json_first(json_member(doc, "paths"));
	unsigned n = 0;

	(void)state;
	for (; path != NULL; path = json_next(path)) {
		const struct json_value *member = json_first(path);

		for (; member != NULL; member = json_next(member)) {
			if (strcmp(json_name(member), "parameters") == 0)
				continue;
			if (!is_registered(json_name(path), json_name(member)))
				fail_msg("%s %s is no route", json_name(member), json_name(path));
			n++;
		}
	}
	assert_true(n > 10);
}

// "#/a/b" within the document.
static const struct json_value *resolve(const char *pointer)
{
	const struct json_value *value = doc;
	char name[128];

	for (pointer += 1; value != NULL && *pointer == '/'; pointer += strcspn(pointer, "/")) {
		pointer++;
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(pointer, "/"), pointer);
		value = json_member(value, name);
	}
	return value;
}

static void check_references(const struct json_value *value)
{
	const char *pointer = json_string(json_member(value, "$ref"));

	if (pointer != NULL && (pointer[0] != '#' || resolve(pointer) == NULL))
		fail_msg("%s leads nowhere", pointer);
	for (value = json_first(value); value != NULL; value = json_next(value))
		check_references(value);
}

static void test_references(void **state)
{
	(void)state;
	assert_string_equal(json_string(json_member(doc, "openapi")), "3.1.0");
	check_references(doc);
	assert_null(resolve("#/components/schemas/Nothing"));
}

static void test_path_parameters(void **state)
{
	const struct json_value *path = json_first(json_member(doc, "paths"));

	(void)state;
	for (; path != NULL; path = json_next(path)) {
		const struct json_value *parameters = json_member(path, "parameters");
		unsigned n_braces = 0, n_described = 0;

		for (const char *p = json_name(path); *p != '\0'; p++)
			n_braces += *p == '{';
		for (const struct json_value *p = json_first(parameters); p != NULL;
		     p = json_next(p)) {
			char brace[64];

			snprintf(brace, sizeof(brace), "{%s}", json_string(json_member(p, "name")));
			n_described += strstr(json_name(path), brace) != NULL;
		}
		if (n_braces != n_described)
			fail_msg("%s: parameters are not described", json_name(path));
	}
}

// A program may be written against the types alone.
static void test_problem_types(void **state)
{
	const struct json_value *type = json_first(
		json_member(resolve("#/components/schemas/Problem/properties/type"), "enum")
	);
	char name[128];

	(void)state;
	assert_string_equal(json_string(type), "about:blank");
	for (unsigned i = 0; i < API_N_PROBLEM; i++) {
		type = json_next(type);
		snprintf(
			name,
			sizeof(name),
			"%s%s",
			API_PROBLEM_TYPE_PREFIX,
			api_problem_name((enum api_problem)i)
		);
		assert_non_null(type);
		assert_string_equal(json_string(type), name);
	}
	assert_null(json_next(type));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_route_is_documented),
		cmocka_unit_test(test_every_operation_is_registered),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_path_parameters),
		cmocka_unit_test(test_problem_types),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
