// SPDX-License-Identifier: Apache-2.0
//
// See json_reader.h. Pure.
#include "json_reader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MAX_KNOWN 64 // bits of json_reader.known

void json_reader_fail(struct json_reader *reader, const char *name, const char *format, ...)
{
	char text[128];
	va_list args;

	if (reader->error != 0)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	reader->error = -EINVAL;
	json_quote(reader->field, sizeof(reader->field), name);
	if (reader->field[0] == '\0')
		snprintf(reader->message, sizeof(reader->message), "%s", text);
	else
		snprintf(reader->message, sizeof(reader->message), "%s: %s", reader->field, text);
}

void json_reader_init(struct json_reader *reader, const struct json_value *object)
{
	*reader = (struct json_reader){.object = object};
	if (!json_is_object(object))
		json_reader_fail(
			reader, "", "an object is expected, not %s", json_type_name(object)
		);
}

// Marks the member as known. Returns: NULL when it is absent, null, or after an error.
static const struct json_value *find(struct json_reader *reader, const char *name)
{
	unsigned idx = 0;

	if (reader->error != 0)
		return NULL;
	for (const struct json_value *child = json_first(reader->object); child != NULL;
	     child = json_next(child), idx++) {
		if (strcmp(json_name(child), name) != 0)
			continue;
		if (idx < MAX_KNOWN)
			reader->known |= 1ull << idx;
		return json_is_null(child) ? NULL : child;
	}
	return NULL;
}

static const struct json_value *find_required(struct json_reader *reader, const char *name)
{
	const struct json_value *child = find(reader, name);

	if (child == NULL)
		json_reader_fail(reader, name, "is required");
	return child;
}

bool json_reader_has(struct json_reader *reader, const char *name)
{
	return find(reader, name) != NULL;
}

static uint64_t to_u64(
	struct json_reader *reader,
	const char *name,
	const struct json_value *child,
	uint64_t min,
	uint64_t max
)
{
	uint64_t value = 0;

	if (child == NULL)
		return 0;
	if (json_count(child, &value) == 0 && value >= min && value <= max)
		return value;
	json_reader_fail(
		reader,
		name,
		"an integer from %" PRIu64 " to %" PRIu64 " is expected (above 2^53 as a string)",
		min,
		max
	);
	return 0;
}

uint64_t json_reader_u64(struct json_reader *reader, const char *name, uint64_t min, uint64_t max)
{
	return to_u64(reader, name, find_required(reader, name), min, max);
}

uint64_t json_reader_u64_or(
	struct json_reader *reader, const char *name, uint64_t min, uint64_t max, uint64_t fallback
)
{
	const struct json_value *child = find(reader, name);

	return child == NULL ? fallback : to_u64(reader, name, child, min, max);
}

static bool to_bool(struct json_reader *reader, const char *name, const struct json_value *child)
{
	bool value = false;

	if (child != NULL && json_bool(child, &value) != 0)
		json_reader_fail(reader, name, "true or false is expected");
	return value;
}

bool json_reader_bool(struct json_reader *reader, const char *name)
{
	return to_bool(reader, name, find_required(reader, name));
}

bool json_reader_bool_or(struct json_reader *reader, const char *name, bool fallback)
{
	const struct json_value *child = find(reader, name);

	return child == NULL ? fallback : to_bool(reader, name, child);
}

static const char *to_string(
	struct json_reader *reader,
	const char *name,
	const struct json_value *child,
	size_t min_len,
	size_t max_len
)
{
	const char *text;
	size_t len;

	if (child == NULL)
		return "";
	text = json_string(child);
	if (text == NULL) {
		json_reader_fail(
			reader, name, "a string is expected, not %s", json_type_name(child)
		);
		return "";
	}
	len = strlen(text);
	if (len < min_len || len > max_len) {
		json_reader_fail(
			reader, name, "a string of %zu to %zu bytes is expected", min_len, max_len
		);
		return "";
	}
	return text;
}

const char *json_reader_string(
	struct json_reader *reader, const char *name, size_t min_len, size_t max_len
)
{
	return to_string(reader, name, find_required(reader, name), min_len, max_len);
}

const char *json_reader_string_or(
	struct json_reader *reader,
	const char *name,
	size_t min_len,
	size_t max_len,
	const char *fallback
)
{
	const struct json_value *child = find(reader, name);

	return child == NULL ? fallback : to_string(reader, name, child, min_len, max_len);
}

const struct json_value *json_reader_object(struct json_reader *reader, const char *name)
{
	const struct json_value *child = find_required(reader, name);

	if (child == NULL || json_is_object(child))
		return child;
	json_reader_fail(reader, name, "an object is expected, not %s", json_type_name(child));
	return NULL;
}

const struct json_value *json_reader_array(struct json_reader *reader, const char *name)
{
	const struct json_value *child = find_required(reader, name);

	if (child == NULL || json_is_array(child))
		return child;
	json_reader_fail(reader, name, "an array is expected, not %s", json_type_name(child));
	return NULL;
}

int json_reader_finish(struct json_reader *reader)
{
	unsigned idx = 0;

	if (reader->error != 0)
		return reader->error;
	for (const struct json_value *child = json_first(reader->object); child != NULL;
	     child = json_next(child), idx++) {
		if (idx >= MAX_KNOWN || (reader->known >> idx & 1) == 0) {
			json_reader_fail(reader, json_name(child), "unknown member");
			break;
		}
	}
	return reader->error;
}
