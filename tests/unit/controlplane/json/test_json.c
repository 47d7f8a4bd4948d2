// SPDX-License-Identifier: Apache-2.0
//
// json: what is refused, what numbers are read, what the writer makes, and that every truncation
// and every flipped bit of a document ends in a verdict and not in a crash.

#include "controlplane/json/json.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int parse(const char *text, struct json_value **ret)
{
	return json_parse(text, strlen(text), ret);
}

static void test_refused(void **state)
{
	static const char *const rows[] = {
		"",
		" ",
		"{",
		"}",
		"[1,]",
		"{\"a\":1,}",
		"{\"a\"}",
		"{a:1}",
		"nul",
		"1 2",
		"{} x",
		"\"\\u0000\"",
		"\"a\\u0000b\"",
		"\"\n\"",
		"\"\\ud800\"",
		"\"\\udc00\"",
		"\"\\ud800\\u0041\"",
		"\"\\x41\"",
		"\"\xff\"",
		"\"\xc0\xaf\"", // overlong
		"\"\xed\xa0\x80\"", // surrogate
		"\"\xf4\x90\x80\x80\"", // above U+10FFFF
		"\"\xe2\x82\"",
		"01",
		"-",
		"+1",
		"1.",
		".5",
		"1e",
		"0x10",
		"NaN",
		"[1\f,2]",
		"{\"a\":1,\"a\":1}",
		"{\"a\":1,\"\\u0061\":1}",
		"[{\"b\":{\"c\":1,\"d\":2,\"c\":3}}]",
		"\xef\xbb\xbf{}", // byte order mark
		"1111111111111111111111111111111111111111111111111111111111111",
		"\"unterminated",
		"'a'",
		"[1] [2]",
	};
	char deep[2 * JSON_DEPTH_MAX + 3];
	struct json_value *doc;

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		if (parse(rows[i], &doc) != -EBADMSG)
			fail_msg("accepted: %s", rows[i]);
	}
	memset(deep, '[', JSON_DEPTH_MAX + 1);
	memset(deep + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
	assert_int_equal(json_parse(deep, 2 * JSON_DEPTH_MAX + 2, &doc), -EBADMSG);
	assert_int_equal(json_parse(deep + 1, 2 * JSON_DEPTH_MAX, &doc), 0);
	json_free(doc);
}

static void test_numbers(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint64_t value;
	} rows[] = {
		{"0", 0, 0},
		{"1", 0, 1},
		{"9007199254740991", 0, 9007199254740991u},
		{"9007199254740992", -EINVAL, 0},
		{"9007199254740993", -EINVAL, 0},
		{"9007199254740994", -EINVAL, 0},
		{"18446744073709551615", -EINVAL, 0},
		{"1e3", 0, 1000},
		{"1.5", -EINVAL, 0},
		{"-1", -EINVAL, 0},
		{"1e999", -EINVAL, 0},
		{"\"1\"", -EINVAL, 0},
		{"null", -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		struct json_value *doc;
		uint64_t value = 0;

		assert_int_equal(parse(rows[i].text, &doc), 0);
		if (json_u64(doc, &value) != rows[i].r || value != rows[i].value)
			fail_msg("%s", rows[i].text);
		json_free(doc);
	}
}

static void test_paths(void **state)
{
	struct json_value *doc;
	const struct json_value *list;
	uint64_t n;
	bool yes;

	(void)state;
	assert_int_equal(
		parse("{\"a\":{\"B\":\"x\",\"b\":\"y\"},\"l\":[1,true,null],\"A\":2}", &doc), 0
	);
	assert_string_equal(json_string(json_member(json_member(doc, "a"), "b")), "y");
	assert_null(json_string(json_member(json_member(doc, "missing"), "b")));
	assert_null(json_string(json_member(doc, "A")));
	assert_null(json_member(doc, "B"));
	list = json_member(doc, "l");
	assert_true(json_is_array(list));
	assert_int_equal(json_u64(json_item(list, 0), &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(json_bool(json_item(list, 1), &yes), 0);
	assert_true(yes);
	assert_true(json_is_null(json_item(list, 2)));
	assert_null(json_item(list, 3));
	assert_int_equal(json_u64(json_item(list, 3), &n), -ENOENT);
	assert_string_equal(json_name(json_first(doc)), "a");
	assert_null(json_first(json_item(list, 0)));
	json_free(doc);
	json_free(NULL);
}

static void test_writer(void **state)
{
	struct json_writer w;
	char *text;

	(void)state;
	json_writer_init(&w);
	json_begin_object(&w, NULL);
	json_put_string(&w, "name", "a\"\\\n\x01");
	json_put_u64(&w, "n", JSON_INTEGER_MAX);
	json_put_u64_string(&w, "big", UINT64_MAX);
	json_begin_array(&w, "list");
	json_put_bool(&w, NULL, true);
	json_put_null(&w, NULL);
	json_put_string(&w, NULL, NULL);
	json_end(&w);
	json_end(&w);
	assert_int_equal(json_writer_finish(&w, false, &text), 0);
	assert_string_equal(
		text,
		"{\"name\":\"a\\\"\\\\\\n\\u0001\",\"n\":9007199254740991,"
		"\"big\":\"18446744073709551615\",\"list\":[true,null,null]}"
	);
	json_free_text(text);
}

static void test_writer_misuse(void **state)
{
	struct json_writer w;
	char *text = NULL;

	(void)state;
	json_writer_init(&w);
	assert_int_equal(json_writer_finish(&w, false, &text), -EINVAL);
	json_begin_object(&w, NULL);
	json_put_null(&w, NULL); // a member needs a name
	json_put_u64(&w, "later", 1);
	assert_int_equal(json_writer_finish(&w, false, &text), -EINVAL);
	json_begin_array(&w, NULL);
	assert_int_equal(json_writer_finish(&w, false, &text), -EINVAL); // left open
	json_begin_array(&w, NULL);
	json_put_u64(&w, NULL, JSON_INTEGER_MAX + 1);
	json_end(&w);
	assert_int_equal(json_writer_finish(&w, false, &text), -ERANGE);
	json_end(&w);
	assert_int_equal(json_writer_finish(&w, false, &text), -EINVAL);
	assert_null(text);
}

static void test_broken_everywhere(void **state)
{
	static const char text[] = "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":[{\"a\\u00e9\":-1.5e3,"
				   "\"b\":[true,false,null]},\"\\ud83d\\ude00\"]}";
	size_t len = sizeof(text) - 1;

	(void)state;
	for (size_t cut = 0; cut < len; cut++) {
		struct json_value *doc;
		char *exact = malloc(cut + 1); // exactly sized, so that ASan sees one byte too many

		memcpy(exact, text, cut);
		assert_int_equal(json_parse(exact, cut, &doc), -EBADMSG);
		free(exact);
	}
	for (size_t bit = 0; bit < 8 * len; bit++) {
		struct json_value *doc = NULL;
		char *copy = malloc(len);

		memcpy(copy, text, len);
		copy[bit / 8] = (char)(copy[bit / 8] ^ (1 << (bit % 8)));
		if (json_parse(copy, len, &doc) == 0)
			json_free(doc);
		else
			assert_null(doc);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_writer),
		cmocka_unit_test(test_writer_misuse),
		cmocka_unit_test(test_broken_everywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
