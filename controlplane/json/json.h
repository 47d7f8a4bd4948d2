// SPDX-License-Identifier: Apache-2.0
//
// The one door to cJSON: reads foreign JSON and writes ours. Limits are checked before cJSON sees
// the text: size (the caller's), nesting, no NUL inside a string (it would end the C string early),
// nothing behind the value. Amounts are strings: a JSON number is read only where 53 bits hold it
// exactly. Object members are found case-sensitively, the first of equal names wins. Readers take
// NULL for a missing value and answer "absent", so that paths chain without a check at each step.
// Allocates; any thread, but a document belongs to one at a time.

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_DEPTH_MAX 32
#define JSON_INTEGER_MAX (1ull << 53)

struct json_value; // cJSON's, opaque here

/* Returns: 0, *ret to be freed with json_free; -EBADMSG when it is not one JSON value within the
 * limits; -ENOMEM. */
int json_parse(const char *text, size_t len, struct json_value **ret)
	__attribute__((warn_unused_result));
void json_free(struct json_value *value);

/* NULL when absent or when value is not an object (array). */
const struct json_value *json_member(const struct json_value *object, const char *name);
const struct json_value *json_item(const struct json_value *array, size_t idx);

/* Walks an array or object: the first child, then each next; NULL at the end. */
const struct json_value *json_first(const struct json_value *container);
const struct json_value *json_next(const struct json_value *value);

/* The member's own name; NULL for array items. */
const char *json_name(const struct json_value *value);

bool json_is_object(const struct json_value *value);
bool json_is_array(const struct json_value *value);
bool json_is_null(const struct json_value *value);

/* The text of a string, or NULL when it is absent or of another type. Lives with the document. */
const char *json_string(const struct json_value *value);

/* Return: 0; -ENOENT when absent; -EINVAL for another type, a fraction, or a value out of range. */
int json_u64(const struct json_value *value, uint64_t *ret) __attribute__((warn_unused_result));
int json_bool(const struct json_value *value, bool *ret) __attribute__((warn_unused_result));
int json_double(const struct json_value *value, double *ret) __attribute__((warn_unused_result));

// Builds one document. The error is sticky: put what there is, look once at json_writer_finish.
struct json_writer {
	void *open[JSON_DEPTH_MAX]; // containers from the root to the innermost
	size_t n_open;
	void *root;
	int error; // 0, or the first failure: -ENOMEM, -EINVAL (misuse), -ERANGE (number above 2^53)
};

void json_writer_init(struct json_writer *w);

/* name is NULL for the root and inside arrays. */
void json_begin_object(struct json_writer *w, const char *name);
void json_begin_array(struct json_writer *w, const char *name);
void json_end(struct json_writer *w);

/* A NULL text is written as null. */
void json_put_string(struct json_writer *w, const char *name, const char *text);
void json_put_u64(struct json_writer *w, const char *name, uint64_t value);
void json_put_double(struct json_writer *w, const char *name, double value);
void json_put_bool(struct json_writer *w, const char *name, bool value);
void json_put_null(struct json_writer *w, const char *name);

/* Any 64-bit number as a decimal string, for what may pass 2^53. */
void json_put_u64_string(struct json_writer *w, const char *name, uint64_t value);

/* Frees the writer also on failure. *ret_text is zero-terminated, to be freed with json_free_text.
 * Returns: 0; the sticky error; -EINVAL when a container is open or nothing was written. */
int json_writer_finish(struct json_writer *w, bool is_pretty, char **ret_text)
	__attribute__((warn_unused_result));
void json_writer_abort(struct json_writer *w);
void json_free_text(char *text);
