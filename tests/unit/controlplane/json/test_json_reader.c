// SPDX-License-Identifier: Apache-2.0
//
// json_reader: every getter accepts what it should, and the error names the member; misspelt members
// are refused; the first error stays. json_put_count and json_reader_u64 agree above 2^53.
#include "controlplane/json/json_reader.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static struct json_value *parse(const char *text)
{
	struct json_value *doc = NULL;
	char err[128];

	if (json_parse_limited(&doc, text, strlen(text), &json_limits_request, err, sizeof(err)) <
	    0)
		fail_msg("%s: %s", text, err);
	return doc;
}

static void read_all(struct json_reader *reader)
{
	json_reader_string(reader, "name", 1, 8);
	json_reader_u64(reader, "quota", 1, UINT64_MAX);
	json_reader_u64_or(reader, "rate", 0, 1000, 7);
	json_reader_bool_or(reader, "flag", false);
	json_reader_string_or(reader, "note", 0, 4, NULL);
}

static void test_errors_name_the_member(void **state)
{
	static const struct {
		const char *text;
		const char *field;
		const char *message; // part of it
	} rows[] = {
		{"{\"name\":\"a\",\"quota\":1}", NULL, ""},
		{"{\"name\":\"a\",\"quota\":\"18446744073709551615\",\"note\":null}", NULL, ""},
		{"[]", "", "not an array"},
		{"7", "", "not a number"},
		{"{}", "name", "is required"},
		{"{\"name\":null}", "name", "is required"},
		{"{\"name\":1}", "name", "not a number"},
		{"{\"name\":\"\"}", "name", "1 to 8 bytes"},
		{"{\"name\":\"123456789\"}", "name", "1 to 8 bytes"},
		{"{\"name\":\"a\",\"quota\":0}", "quota", "from 1 to 18446744073709551615"},
		{"{\"name\":\"a\",\"quota\":-1}", "quota", "from 1"},
		{"{\"name\":\"a\",\"quota\":1.5}", "quota", "from 1"},
		{"{\"name\":\"a\",\"quota\":\"01\"}", "quota", "from 1"},
		{"{\"name\":\"a\",\"quota\":\" 1\"}", "quota", "from 1"},
		{"{\"name\":\"a\",\"quota\":\"\"}", "quota", "from 1"},
		{"{\"name\":\"a\",\"quota\":\"18446744073709551616\"}", "quota", "from 1"},
		{"{\"name\":\"a\",\"quota\":9007199254740993}", "quota", "as a string"},
		{"{\"name\":\"a\",\"quota\":1,\"rate\":1001}", "rate", "from 0 to 1000"},
		{"{\"name\":\"a\",\"quota\":1,\"flag\":1}", "flag", "true or false"},
		{"{\"name\":\"a\",\"quota\":1,\"note\":\"12345\"}", "note", "0 to 4 bytes"},
		{"{\"name\":\"a\",\"quota\":1,\"qouta\":1}", "qouta", "unknown member"},
		{"{\"name\":\"a\",\"quota\":1,\"\\u001b[2J\":1}", "?[2J", "unknown member"},
	};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		struct json_value *doc = parse(rows[i].text);
		struct json_reader reader;
		int expected = rows[i].field == NULL ? 0 : -EINVAL;

		json_reader_init(&reader, doc);
		read_all(&reader);
		if (json_reader_finish(&reader) != expected)
			fail_msg("%s: %d %s", rows[i].text, reader.error, reader.message);
		if (rows[i].field != NULL &&
		    (strcmp(reader.field, rows[i].field) != 0 ||
		     strstr(reader.message, rows[i].message) == NULL))
			fail_msg("%s: '%s' %s", rows[i].text, reader.field, reader.message);
		json_free(doc);
	}
}

static void test_values(void **state)
{
	struct json_value *doc =
		parse("{\"s\":\"x\",\"n\":\"9007199254740993\",\"b\":true,\"o\":{},"
		      "\"a\":[1],\"z\":null}");
	struct json_reader reader;

	(void)state;
	json_reader_init(&reader, doc);
	assert_string_equal(json_reader_string(&reader, "s", 0, 9), "x");
	assert_true(json_reader_u64(&reader, "n", 0, UINT64_MAX) == 9007199254740993u);
	assert_true(json_reader_bool(&reader, "b"));
	assert_non_null(json_reader_object(&reader, "o"));
	assert_non_null(json_reader_array(&reader, "a"));
	assert_false(json_reader_has(&reader, "z"));
	assert_false(json_reader_has(&reader, "absent"));
	assert_int_equal(json_reader_u64_or(&reader, "z", 0, 1, 99), 99);
	assert_string_equal(json_reader_string_or(&reader, "absent", 0, 1, "f"), "f");
	assert_int_equal(json_reader_finish(&reader), 0);

	json_reader_fail(&reader, "s", "first");
	json_reader_fail(&reader, "n", "second");
	assert_string_equal(reader.message, "s: first");
	assert_null(json_reader_object(&reader, "o"));
	json_free(doc);
}

// What the writer makes of a 64-bit count, the reader gives back.
static void test_counts_round_trip(void **state)
{
	static const uint64_t rows[] = {
		0, 1, JSON_INTEGER_MAX, JSON_INTEGER_MAX + 1, JSON_INTEGER_MAX + 2, UINT64_MAX};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		struct json_reader reader;
		struct json_writer writer;
		struct json_value *doc;
		char *text = NULL;

		json_writer_init(&writer);
		json_begin_object(&writer, NULL);
		json_put_count(&writer, "n", rows[i]);
		json_end(&writer);
		assert_int_equal(json_writer_finish(&writer, false, &text), 0);
		assert_int_equal(strchr(text + 4, '"') != NULL, rows[i] > JSON_INTEGER_MAX);
		doc = parse(text);
		json_reader_init(&reader, doc);
		assert_true(json_reader_u64(&reader, "n", 0, UINT64_MAX) == rows[i]);
		json_free(doc);
		json_free_text(text);
	}
}

static void test_limits(void **state)
{
	static const struct json_limits limits = {.max_bytes = 12, .max_depth = 2, .max_values = 4};
	static const struct {
		const char *text;
		const char *err; // NULL: accepted
	} rows[] = {
		{"[1,2,3]", NULL},
		{"[[1]]", NULL},
		{"[1,2,3,4]", "byte 7: too many values"},
		{"[[[1]]]", "byte 2: nested too deeply"},
		{"[1,         2]", "byte 0: too long"},
		{"[1,x]", "byte 3: value expected"},
		{"{\"a\":0,\"a\":1}", "byte 0: too long"},
	};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		struct json_value *doc = NULL;
		char err[128] = "";
		int r = json_parse_limited(
			&doc, rows[i].text, strlen(rows[i].text), &limits, err, sizeof(err)
		);

		assert_int_equal(r, rows[i].err == NULL ? 0 : -EBADMSG);
		assert_string_equal(err, rows[i].err == NULL ? "" : rows[i].err);
		json_free(doc);
	}
}

static void test_put_string_refuses_what_is_not_utf8(void **state)
{
	struct json_writer writer;
	char *text = NULL;

	(void)state;
	json_writer_init(&writer);
	json_put_string(&writer, NULL, "\xff");
	assert_int_equal(json_writer_finish(&writer, false, &text), -EINVAL);
	json_put_format(&writer, NULL, "%d \xe2\x82\xac", 5);
	assert_int_equal(json_writer_finish(&writer, false, &text), 0);
	assert_string_equal(text, "\"5 \xe2\x82\xac\"");
	json_free_text(text);
}

static void test_quote(void **state)
{
	char out[8];

	(void)state;
	json_quote(out, sizeof(out), "a\x1b\n\x7f\xff");
	assert_string_equal(out, "a????");
	json_quote(out, sizeof(out), "12345\xe2\x82\xac"); // 3 bytes do not fit: cut before them
	assert_string_equal(out, "12345");
	json_quote(out, sizeof(out), "\xc2\x9b");
	assert_string_equal(out, "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors_name_the_member),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_counts_round_trip),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_put_string_refuses_what_is_not_utf8),
		cmocka_unit_test(test_quote),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
