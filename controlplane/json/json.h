// SPDX-License-Identifier: Apache-2.0
//
// The one door to cJSON: reads foreign JSON and writes ours. json_scan.h checks the text by the
// letter of RFC 8259 and against the limits before cJSON sees it; an object with two members of one
// name is refused, because two readers may choose differently. Amounts are strings: a JSON number is
// read only where 53 bits hold it exactly. Object members are found case-sensitively. Readers take
// NULL for a missing value and answer "absent", so that paths chain without a check at each step;
// json_reader.h reads an object's members with errors that name them.
// Allocates; any thread, but a document belongs to one at a time.

#pragma once

#include "controlplane/json/json_scan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_DEPTH_MAX 32
#define JSON_MEMBERS_MAX 1024 // of one object
#define JSON_INTEGER_MAX ((1ull << 53) - 1) // above it two integers may share one double

struct json_value; // cJSON's, opaque here

extern const struct json_limits json_limits_request; // what strangers send to us: 64 KiB
extern const struct json_limits json_limits_reply; // what a server we asked answers: 16 MiB

/* Within json_limits_reply.
 * Returns: 0, *ret to be freed with json_free; -EBADMSG when it is not one JSON value within the
 * limits; -ENOMEM. */
int json_parse(const char *text, size_t len, struct json_value **ret)
	__attribute__((warn_unused_result));

/* The same with other limits. err: which byte or member is wrong and why, for a person; without
 * control characters. */
int json_parse_limited(
	struct json_value **ret,
	const char *text,
	size_t len,
	const struct json_limits *limits,
	char *err,
	size_t err_len
) __attribute__((warn_unused_result));
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

/* "an object", "a number", ... for messages; "nothing" for NULL. */
const char *json_type_name(const struct json_value *value);

/* Copies text for a message: control characters become '?', cut at the end of a character. */
void json_quote(char *dst, size_t len, const char *text);

/* The value as compact text, to be freed with json_free_text; NULL without memory. */
char *json_print(const struct json_value *value);

/* The text of a string, or NULL when it is absent or of another type. Lives with the document. */
const char *json_string(const struct json_value *value);

/* Return: 0; -ENOENT when absent; -EINVAL for another type, a fraction, or a value out of range. */
int json_u64(const struct json_value *value, uint64_t *ret) __attribute__((warn_unused_result));
int json_bool(const struct json_value *value, bool *ret) __attribute__((warn_unused_result));
int json_double(const struct json_value *value, double *ret) __attribute__((warn_unused_result));

/* A number, or a string of decimal digits without sign or leading zero, as json_put_count writes it.
 * Returns: as json_u64. */
int json_count(const struct json_value *value, uint64_t *ret) __attribute__((warn_unused_result));

// Builds one document. The error is sticky: put what there is, look once at json_writer_finish.
struct json_writer {
	void *open[JSON_DEPTH_MAX]; // containers from the root to the innermost
	size_t n_open;
	void *root;
	// 0, or the first failure: -ENOMEM, -EINVAL (misuse, not UTF-8), -ERANGE (number above 2^53)
	int error;
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

/* A number up to JSON_INTEGER_MAX, a string of digits above. */
void json_put_count(struct json_writer *w, const char *name, uint64_t value);

/* printf into a string. */
void json_put_format(struct json_writer *w, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Frees the writer also on failure. *ret_text is zero-terminated, to be freed with json_free_text.
 * Returns: 0; the sticky error; -EINVAL when a container is open or nothing was written. */
int json_writer_finish(struct json_writer *w, bool is_pretty, char **ret_text)
	__attribute__((warn_unused_result));
void json_writer_abort(struct json_writer *w);
void json_free_text(char *text);
