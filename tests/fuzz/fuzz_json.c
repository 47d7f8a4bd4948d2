// SPDX-License-Identifier: Apache-2.0
//
// libFuzzer target for JSON: what is refused says why in printable text; what is accepted prints to
// text that is accepted again and prints the same; the scan and the tree builder agree.
#include "controlplane/json/json.h"
#include "controlplane/json/json_reader.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_message(const char *text)
{
	size_t rest = strlen(text);

	if (rest == 0)
		abort();
	for (size_t i = 0; i < rest; i++) {
		if ((uint8_t)text[i] < 0x20 || text[i] == 0x7f)
			abort();
	}
}

static void read_members(const struct json_value *doc)
{
	struct json_reader reader;

	json_reader_init(&reader, doc);
	json_reader_string(&reader, "name", 1, 63);
	json_reader_u64(&reader, "quota_bytes", 1, UINT64_MAX);
	json_reader_bool_or(&reader, "generate_key", false);
	if (json_reader_finish(&reader) < 0)
		check_message(reader.message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_scan_error scan_error;
	struct json_value *doc, *again;
	char err[160] = "", *first, *second;
	int scan_r, r;

	scan_r = json_scan((const char *)data, size, &json_limits_request, &scan_error);
	r = json_parse_limited(
		&doc, (const char *)data, size, &json_limits_request, err, sizeof(err)
	);
	if (r < 0) {
		check_message(err);
		// Behind the scan only equal names and too many members may be refused.
		if (scan_r == 0 && strstr(err, "member") == NULL)
			abort();
		return 0;
	}
	if (scan_r < 0)
		abort();
	read_members(doc);
	first = json_print(doc);
	if (first == NULL ||
	    json_parse_limited(&again, first, strlen(first), &json_limits_reply, err, sizeof(err)) <
		    0)
		abort();
	second = json_print(again);
	if (second == NULL || strcmp(first, second) != 0)
		abort();
	json_free_text(first);
	json_free_text(second);
	json_free(doc);
	json_free(again);
	return 0;
}
