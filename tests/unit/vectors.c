// SPDX-License-Identifier: Apache-2.0
//
// Reads tests/vectors/, whose path the build passes in.

#include "vectors.h"

#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct json_value *vectors_load(const char *name)
{
	static char text[1 << 20];
	struct json_value *doc;
	char path[1024];
	size_t len;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s.json", VECTORS_DIR, name);
	file = fopen(path, "r");
	if (file == NULL)
		fail_msg("%s: cannot be opened", path);
	len = fread(text, 1, sizeof(text), file);
	assert_true(len < sizeof(text));
	fclose(file);
	assert_int_equal(json_parse(text, len, &doc), 0);
	return doc;
}

const char *vectors_string(const struct json_value *object, const char *name)
{
	const char *text = json_string(json_member(object, name));

	if (text == NULL)
		fail_msg("no string %s", name);
	return text;
}

size_t vectors_hex(const struct json_value *object, const char *name, uint8_t *dst, size_t cap)
{
	const char *text = vectors_string(object, name);
	size_t len;

	if (strncmp(text, "0x", 2) == 0)
		text += 2;
	len = strlen(text) / 2;
	assert_true(strlen(text) % 2 == 0 && len <= cap);
	for (size_t i = 0; i < len; i++) {
		char digits[3] = {text[2 * i], text[2 * i + 1], '\0'};
		char *end;

		dst[i] = (uint8_t)strtoul(digits, &end, 16);
		assert_true(*end == '\0');
	}
	return len;
}

uint64_t vectors_u64(const struct json_value *object, const char *name)
{
	uint64_t value = 0;

	if (json_u64(json_member(object, name), &value) < 0)
		fail_msg("no number %s", name);
	return value;
}
