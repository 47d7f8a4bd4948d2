// SPDX-License-Identifier: Apache-2.0
//
// cJSON behind struct json_value and struct json_writer. What cJSON is lax about (nesting up to
// 1,000, \u0000 in strings, loose grammar, equal names, numbers as doubles) is checked around it.

#include "json.h"

#include <cjson/cJSON.h>

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct json_limits json_limits_request = {
	.max_bytes = 64 * 1024,
	.max_depth = 16,
	.max_values = 4096,
};

const struct json_limits json_limits_reply = {
	.max_bytes = 16 * 1024 * 1024,
	.max_depth = JSON_DEPTH_MAX,
	.max_values = 1000000,
};

// Documents may hold a private key (a client's configuration, a keystore): whatever cJSON gives back
// is wiped, and so is what it moves, since it does not use realloc() with a free of ours.
static void json_wipe_and_free(void *mem)
{
	if (mem != NULL)
		explicit_bzero(mem, malloc_usable_size(mem));
	free(mem);
}

__attribute__((constructor)) static void json_take_over_memory(void)
{
	cJSON_Hooks hooks = {.malloc_fn = malloc, .free_fn = json_wipe_and_free};

	cJSON_InitHooks(&hooks);
}

static int json_compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int json_check_members(const cJSON *object, char *err, size_t err_len)
{
	const char *names[JSON_MEMBERS_MAX];
	size_t n = 0;

	for (const cJSON *child = object->child; child != NULL; child = child->next) {
		if (n == JSON_MEMBERS_MAX) {
			snprintf(
				err, err_len, "object with more than %d members", JSON_MEMBERS_MAX
			);
			return -EBADMSG;
		}
		names[n++] = child->string;
	}
	qsort(names, n, sizeof(names[0]), json_compare_names);
	for (size_t i = 1; i < n; i++) {
		char quoted[64];

		if (strcmp(names[i - 1], names[i]) != 0)
			continue;
		json_quote(quoted, sizeof(quoted), names[i]);
		snprintf(err, err_len, "member \"%s\" stands twice", quoted);
		return -EBADMSG;
	}
	return 0;
}

// Recursion is bounded: the scan checked the depth.
static int json_check_tree(const cJSON *value, char *err, size_t err_len)
{
	int r = 0;

	if (cJSON_IsObject(value))
		r = json_check_members(value, err, err_len);
	for (const cJSON *child = value->child; child != NULL && r == 0; child = child->next)
		r = json_check_tree(child, err, err_len);
	return r;
}

int json_parse_limited(
	struct json_value **ret,
	const char *text,
	size_t len,
	const struct json_limits *limits,
	char *err,
	size_t err_len
)
{
	struct json_scan_error scan_error;
	cJSON *root;

	if (json_scan(text, len, limits, &scan_error) < 0) {
		snprintf(err, err_len, "byte %zu: %s", scan_error.offset, scan_error.reason);
		return -EBADMSG;
	}
	root = cJSON_ParseWithLength(text, len);
	if (root == NULL) {
		snprintf(err, err_len, "no memory for %zu bytes of JSON", len);
		return -ENOMEM;
	}
	if (json_check_tree(root, err, err_len) < 0) {
		cJSON_Delete(root);
		return -EBADMSG;
	}
	*ret = (struct json_value *)root;
	return 0;
}

int json_parse(const char *text, size_t len, struct json_value **ret)
{
	char err[128];

	return json_parse_limited(ret, text, len, &json_limits_reply, err, sizeof(err));
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

const char *json_type_name(const struct json_value *value)
{
	const cJSON *node = (const cJSON *)value;

	if (node == NULL)
		return "nothing";
	if (cJSON_IsBool(node))
		return "a boolean";
	if (cJSON_IsNumber(node))
		return "a number";
	if (cJSON_IsString(node))
		return "a string";
	if (cJSON_IsArray(node))
		return "an array";
	return cJSON_IsObject(node) ? "an object" : "null";
}

void json_quote(char *dst, size_t len, const char *text)
{
	size_t pos = 0, rest = strlen(text);

	if (len == 0)
		return;
	while (rest > 0) {
		size_t n = json_scan_utf8(text, rest);
		bool is_plain = n > 0 && (unsigned char)*text >= 0x20 && *text != 0x7f;

		// U+0080 to U+009F are control characters too.
		if (n == 2 && (unsigned char)text[0] == 0xc2 && (unsigned char)text[1] < 0xa0)
			is_plain = false;
		if (n == 0)
			n = 1;
		if (pos + (is_plain ? n : 1) >= len)
			break;
		memcpy(dst + pos, is_plain ? text : "?", is_plain ? n : 1);
		pos += is_plain ? n : 1;
		text += n;
		rest -= n;
	}
	dst[pos] = '\0';
}

char *json_print(const struct json_value *value)
{
	return cJSON_PrintUnformatted((const cJSON *)value);
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

static int json_parse_digits(const char *text, uint64_t *ret)
{
	uint64_t number = 0;

	if (*text == '\0' || (text[0] == '0' && text[1] != '\0'))
		return -EINVAL;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(number, 10u, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(*text - '0'), &number))
			return -EINVAL;
	}
	*ret = number;
	return 0;
}

int json_count(const struct json_value *value, uint64_t *ret)
{
	const char *digits = json_string(value);

	return digits != NULL ? json_parse_digits(digits, ret) : json_u64(value, ret);
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

static bool json_is_utf8(const char *text)
{
	size_t rest = strlen(text);

	while (rest > 0) {
		size_t n = json_scan_utf8(text, rest);

		if (n == 0)
			return false;
		text += n;
		rest -= n;
	}
	return true;
}

void json_put_string(struct json_writer *w, const char *name, const char *text)
{
	if (w->error == 0 && text != NULL && !json_is_utf8(text))
		w->error = -EINVAL;
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

void json_put_count(struct json_writer *w, const char *name, uint64_t value)
{
	if (value > JSON_INTEGER_MAX)
		json_put_u64_string(w, name, value);
	else
		json_put_u64(w, name, value);
}

void json_put_format(struct json_writer *w, const char *name, const char *format, ...)
{
	char *text;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0) {
		w->error = w->error == 0 ? -ENOMEM : w->error;
		return;
	}
	json_put_string(w, name, text);
	free(text);
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
