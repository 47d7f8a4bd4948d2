// SPDX-License-Identifier: Apache-2.0
//
// Reads the members of one object with a sticky error that names the member: call the getters in a
// row, look at the error once. Every getter marks its member as known; json_reader_finish() refuses
// the others, so that a misspelt option is never silently ignored. Does no I/O and keeps nothing: the
// strings belong to the tree. Any thread.
#pragma once

#include "json.h"

struct json_reader {
	const struct json_value *object;
	uint64_t known; // bit per member in its order
	int error; // 0 or -EINVAL; the first one stays
	char field[64]; // member at fault
	char message[256]; // sentence for a person, names the member and what is allowed
};

// object NULL or another type: the error is set at once.
void json_reader_init(struct json_reader *reader, const struct json_value *object);

// Returns: whether the member is there and not null.
bool json_reader_has(struct json_reader *reader, const char *name);

// A required member. On an error: 0, false, "" or NULL.
uint64_t json_reader_u64(struct json_reader *reader, const char *name, uint64_t min, uint64_t max);
bool json_reader_bool(struct json_reader *reader, const char *name);
// Lengths in bytes of UTF-8.
const char *json_reader_string(
	struct json_reader *reader, const char *name, size_t min_len, size_t max_len
);
const struct json_value *json_reader_object(struct json_reader *reader, const char *name);
const struct json_value *json_reader_array(struct json_reader *reader, const char *name);

// An optional member: the fallback when it is absent or null.
uint64_t json_reader_u64_or(
	struct json_reader *reader, const char *name, uint64_t min, uint64_t max, uint64_t fallback
);
bool json_reader_bool_or(struct json_reader *reader, const char *name, bool fallback);
const char *json_reader_string_or(
	struct json_reader *reader,
	const char *name,
	size_t min_len,
	size_t max_len,
	const char *fallback
);

// Sets the error if none is set: for checks of the caller's own. The message follows the name.
void json_reader_fail(struct json_reader *reader, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

// Refuses members that no getter asked for.
//
// Returns: reader->error.
int json_reader_finish(struct json_reader *reader) __attribute__((warn_unused_result));
