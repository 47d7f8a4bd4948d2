// SPDX-License-Identifier: Apache-2.0
//
// cJSON behind struct json_value and struct json_writer. What cJSON is lax about (nesting up to
// 1,000, \u0000 in strings, bytes behind the value, numbers as doubles) is checked here.

#include "json.h"

#include <cjson/cJSON.h>

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static bool json_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// One pass over the text: brackets nest no deeper than JSON_DEPTH_MAX, no string hides a NUL and
// no control character stands raw inside one (RFC 8259, section 7).
static int json_check_text(const char *text, size_t len)
{
	size_t depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (in_string && (unsigned char)c < 0x20)
			return -EBADMSG;
		if (in_string && c == '\\') {
			if (len - i > 5 && memcmp(text + i, "\\u0000", 6) == 0)
				return -EBADMSG;
			i++;
		} else if (c == '"') {
			in_string = !in_string;
		} else if (!in_string && (c == '[' || c == '{')) {
			if (++depth > JSON_DEPTH_MAX)
				return -EBADMSG;
		} else if (!in_string && (c == ']' || c == '}') && depth > 0) {
			depth--;
		}
	}
	return 0;
}

int json_parse(const char *text, size_t len, struct json_value **ret)
{
	const char *end = NULL;
	cJSON *root;

	if (json_check_text(text, len) < 0)
		return -EBADMSG;
	root = cJSON_ParseWithLengthOpts(text, len, &end, false);
	if (root == NULL)
		return -EBADMSG;
	while (end < text + len && json_is_space(*end))
		end++;
	if (end != text + len) {
		cJSON_Delete(root);
		return -EBADMSG;
	}
	*ret = (struct json_value *)root;
	return 0;
}

void json_free(struct json_value *value)
{
	cJSON_Delete((cJSON *)value);
}

const struct json_value *json_member(const struct json_value *object, const char *name)
{
	if (!json_is_object(object))
		return NULL;
	return (const struct json_value *)cJSON_GetObjectItemCaseSensitive(
		(const cJSON *)object, name
	);
}

const struct json_value *json_item(const struct json_value *array, size_t idx)
{
	const struct json_value *item = json_is_array(array) ? json_first(array) : NULL;

	for (; item != NULL && idx > 0; idx--)
		item = json_next(item);
	return item;
}

const struct json_value *json_first(const struct json_value *container)
{
	if (!json_is_object(container) && !json_is_array(container))
		return NULL;
	return (const struct json_value *)((const cJSON *)container)->child;
}

const struct json_value *json_next(const struct json_value *value)
{
	return (const struct json_value *)((const cJSON *)value)->next;
}

const char *json_name(const struct json_value *value)
{
	return ((const cJSON *)value)->string;
}

bool json_is_object(const struct json_value *value)
{
	return cJSON_IsObject((const cJSON *)value);
}

bool json_is_array(const struct json_value *value)
{
	return cJSON_IsArray((const cJSON *)value);
}

bool json_is_null(const struct json_value *value)
{
	return cJSON_IsNull((const cJSON *)value);
}

const char *json_string(const struct json_value *value)
{
	return cJSON_GetStringValue((const cJSON *)value);
}

int json_double(const struct json_value *value, double *ret)
{
	if (value == NULL)
		return -ENOENT;
	if (!cJSON_IsNumber((const cJSON *)value) || !isfinite(((const cJSON *)value)->valuedouble))
		return -EINVAL;
	*ret = ((const cJSON *)value)->valuedouble;
	return 0;
}

int json_u64(const struct json_value *value, uint64_t *ret)
{
	double number;
	int r;

	r = json_double(value, &number);
	if (r < 0)
		return r;
	if (number < 0 || number > (double)JSON_INTEGER_MAX || number != floor(number))
		return -EINVAL;
	*ret = (uint64_t)number;
	return 0;
}

int json_bool(const struct json_value *value, bool *ret)
{
	if (value == NULL)
		return -ENOENT;
	if (!cJSON_IsBool((const cJSON *)value))
		return -EINVAL;
	*ret = cJSON_IsTrue((const cJSON *)value);
	return 0;
}

void json_writer_init(struct json_writer *w)
{
	*w = (struct json_writer){0};
}

// Takes value, also on failure. NULL means that it could not be allocated.
static void json_writer_put(struct json_writer *w, const char *name, cJSON *value)
{
	cJSON *parent = w->n_open > 0 ? w->open[w->n_open - 1] : NULL;
	bool is_misused = parent == NULL ? w->root != NULL || name != NULL
					 : cJSON_IsObject(parent) != (name != NULL);
	bool is_added = false;

	if (w->error == 0 && value == NULL)
		w->error = -ENOMEM;
	if (w->error == 0 && is_misused)
		w->error = -EINVAL;
	if (w->error == 0 && parent == NULL) {
		w->root = value;
		is_added = true;
	} else if (w->error == 0) {
		is_added = name != NULL ? cJSON_AddItemToObject(parent, name, value)
					: cJSON_AddItemToArray(parent, value);
		if (!is_added)
			w->error = -ENOMEM;
	}
	if (!is_added)
		cJSON_Delete(value);
}

static void json_writer_open(struct json_writer *w, const char *name, cJSON *container)
{
	if (w->error == 0 && w->n_open == JSON_DEPTH_MAX)
		w->error = -EINVAL;
	json_writer_put(w, name, container);
	if (w->error == 0)
		w->open[w->n_open++] = container;
}

void json_begin_object(struct json_writer *w, const char *name)
{
	json_writer_open(w, name, cJSON_CreateObject());
}

void json_begin_array(struct json_writer *w, const char *name)
{
	json_writer_open(w, name, cJSON_CreateArray());
}

void json_end(struct json_writer *w)
{
	if (w->error == 0 && w->n_open == 0)
		w->error = -EINVAL;
	if (w->error == 0)
		w->n_open--;
}

void json_put_string(struct json_writer *w, const char *name, const char *text)
{
	json_writer_put(w, name, text != NULL ? cJSON_CreateString(text) : cJSON_CreateNull());
}

void json_put_u64(struct json_writer *w, const char *name, uint64_t value)
{
	char digits[21];

	if (w->error == 0 && value > JSON_INTEGER_MAX)
		w->error = -ERANGE;
	// cJSON would print 15 significant digits of a large number.
	snprintf(digits, sizeof(digits), "%" PRIu64, value);
	json_writer_put(w, name, cJSON_CreateRaw(digits));
}

void json_put_double(struct json_writer *w, const char *name, double value)
{
	if (w->error == 0 && !isfinite(value))
		w->error = -ERANGE;
	json_writer_put(w, name, cJSON_CreateNumber(value));
}

void json_put_bool(struct json_writer *w, const char *name, bool value)
{
	json_writer_put(w, name, cJSON_CreateBool(value));
}

void json_put_null(struct json_writer *w, const char *name)
{
	json_writer_put(w, name, cJSON_CreateNull());
}

void json_put_u64_string(struct json_writer *w, const char *name, uint64_t value)
{
	char text[21];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	json_put_string(w, name, text);
}

int json_writer_finish(struct json_writer *w, bool is_pretty, char **ret_text)
{
	char *text = NULL;
	int r = w->error;

	if (r == 0 && (w->n_open > 0 || w->root == NULL))
		r = -EINVAL;
	if (r == 0) {
		text = is_pretty ? cJSON_Print(w->root) : cJSON_PrintUnformatted(w->root);
		if (text == NULL)
			r = -ENOMEM;
	}
	json_writer_abort(w);
	if (r == 0)
		*ret_text = text;
	return r;
}

void json_writer_abort(struct json_writer *w)
{
	cJSON_Delete(w->root);
	json_writer_init(w);
}

void json_free_text(char *text)
{
	cJSON_free(text);
}
