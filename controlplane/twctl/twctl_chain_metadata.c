// SPDX-License-Identifier: Apache-2.0
//
// twctl chain metadata: makes the document; see twctl_chain_metadata.h.
#include "controlplane/twctl/twctl_chain_metadata.h"

#include "controlplane/chain/evm/evm_hex.h"
#include "controlplane/chain/evm/evm_keccak.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DOCUMENT_CAP 16384
#define CITY_MAX 64
#define LOAD_MAX 256

// -90 to 90, or -180 to 180, with up to six decimals (about 0.1 m), and as it is written: a text, so
// that the octets under the hash are the same for everybody.
static bool check_degrees(const char *text, unsigned int max)
{
	const char *p = text + (text[0] == '-');
	size_t n_whole = strspn(p, "0123456789"), n_fraction = 0;
	unsigned int whole = 0;

	if (n_whole == 0 || n_whole > 3 || (p[0] == '0' && n_whole > 1))
		return false;
	for (size_t i = 0; i < n_whole; i++)
		whole = whole * 10 + (unsigned int)(p[i] - '0');
	p += n_whole;
	if (*p == '.') {
		n_fraction = strspn(++p, "0123456789");
		if (n_fraction == 0 || n_fraction > 6 || p[n_fraction] != '\0')
			return false;
		// At the end of the scale nothing may follow.
		if (whole == max && strspn(p, "0") != n_fraction)
			return false;
	} else if (*p != '\0') {
		return false;
	}
	return whole <= max;
}

static bool check_country(const char *text)
{
	return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 2 && text[2] == '\0';
}

static bool check_printable(const char *text, size_t max)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return false;
	}
	return len > 0 && len <= max;
}

static bool check_city(const char *text)
{
	return check_printable(text, CITY_MAX);
}

static bool check_latitude(const char *text)
{
	return check_degrees(text, 90);
}

static bool check_longitude(const char *text)
{
	return check_degrees(text, 180);
}

static bool check_load(const char *text)
{
	return (strncmp(text, "https://", 8) == 0 || strncmp(text, "http://", 7) == 0) &&
		check_printable(text, LOAD_MAX);
}

// In the order of the document.
static const struct member {
	const char *name;
	const char *option;
	bool (*check)(const char *text);
	const char *allowed;
} members[] = {
	{"country", "--country", check_country, "two capital letters (ISO 3166), such as DE"},
	{"city", "--city", check_city, "1 to 64 bytes of text"},
	{"latitude",
	 "--latitude",
	 check_latitude,
	 "-90 to 90 with up to 6 decimals, north above 0"},
	{"longitude",
	 "--longitude",
	 check_longitude,
	 "-180 to 180 with up to 6 decimals, east above 0"},
	{"load", "--load-url", check_load, "an http or https URL of up to 256 bytes"},
};
#define N_MEMBERS (sizeof(members) / sizeof(members[0]))

static int check_document(const struct twctl *twctl, const char *path, const char *text, size_t len)
{
	struct json_value *doc = NULL;
	int code = 0;

	if (json_parse(text, len, &doc) < 0)
		return twctl_fail(twctl, TWCTL_EXIT_FAILED, "%s: is no JSON", path);
	for (size_t i = 0; i < N_MEMBERS && code == 0; i++) {
		const char *value = json_string(json_member(doc, members[i].name));

		if (value == NULL || !members[i].check(value))
			code = twctl_fail(
				twctl,
				TWCTL_EXIT_FAILED,
				"%s: member '%s' is '%.80s'; allowed is %s; twctl chain metadata "
				"makes such a file",
				path,
				members[i].name,
				value != NULL ? value : "missing, or no text",
				members[i].allowed
			);
	}
	json_free(doc);
	return code;
}

int twctl_chain_metadata_hash(const struct twctl *twctl, const char *option, uint8_t ret[32])
{
	const char *path = twctl_args_get(&twctl->args, option);
	char text[DOCUMENT_CAP];
	size_t len;
	FILE *file;
	bool is_bad;
	int code;

	if (path == NULL)
		return 0;
	file = fopen(path, "r");
	if (file == NULL)
		return twctl_fail(
			twctl, TWCTL_EXIT_FAILED, "%s %s: %s", option, path, strerror(errno)
		);
	len = fread(text, 1, sizeof(text), file);
	is_bad = ferror(file) != 0 || len == sizeof(text);
	fclose(file);
	if (is_bad)
		return twctl_fail(
			twctl,
			TWCTL_EXIT_FAILED,
			"%s %s: cannot be read, or has %d bytes and more",
			option,
			path,
			DOCUMENT_CAP
		);
	code = check_document(twctl, path, text, len);
	if (code == 0)
		evm_keccak_256(text, len, ret);
	return code;
}

static int run_metadata(struct twctl *twctl)
{
	char hex[EVM_HEX_SIZE(32)], *text = NULL;
	struct json_writer writer;
	uint8_t hash[32];
	size_t len;

	for (size_t i = 0; i < N_MEMBERS; i++) {
		const char *value = twctl_args_get(&twctl->args, members[i].option);

		if (value == NULL)
			return twctl_fail(
				twctl, TWCTL_EXIT_USAGE, "%s is required", members[i].option
			);
		if (!members[i].check(value))
			return twctl_fail_value(
				twctl, members[i].option, value, members[i].allowed
			);
	}
	json_writer_init(&writer);
	json_begin_object(&writer, NULL);
	for (size_t i = 0; i < N_MEMBERS; i++)
		json_put_string(
			&writer, members[i].name, twctl_args_get(&twctl->args, members[i].option)
		);
	json_end(&writer);
	if (json_writer_finish(&writer, false, &text) < 0)
		return twctl_fail(twctl, TWCTL_EXIT_FAILED, "a member is not valid UTF-8");
	len = strlen(text);
	text[len] = '\n'; // in place of the terminator: what puts() would write
	evm_keccak_256(text, len + 1, hash);
	text[len] = '\0';
	evm_hex_format(hash, sizeof(hash), hex);
	puts(text);
	fprintf(stderr, "twctl: the hash is %s\n", hex);
	json_free_text(text);
	return TWCTL_EXIT_OK;
}

static const struct twctl_option metadata_options[] = {
	{"--country", "CC", "two capital letters (ISO 3166)"},
	{"--city", "TEXT", "up to 64 bytes"},
	{"--latitude", "DEGREES", "-90 to 90, north above 0, up to 6 decimals"},
	{"--longitude", "DEGREES", "-180 to 180, east above 0, up to 6 decimals"},
	{"--load-url", "URL", "where the node tells its load, such as API-URL/api/v1/node"},
	{NULL, NULL, NULL},
};

const struct twctl_command twctl_chain_metadata_commands[] = {
	{
		.name = "chain metadata",
		.run = run_metadata,
		.positional = "",
		.summary = "write the document that says where the node stands",
		.description =
			"Prints it on stdout and its hash on stderr; talks to nobody. Keep it in a "
			"file, give that\n"
			"to chain register or chain update with --metadata, and publish it "
			"unchanged: the registry\n"
			"has the hash of its octets.\n\n"
			"Example:\n  twctl chain metadata --country DE --city 'Frankfurt am Main' "
			"--latitude 50.1109 \\\n"
			"    --longitude 8.6821 --load-url "
			"https://exit.example.com/api/v1/node >node.json\n",
		.options = metadata_options,
	},
	{.name = NULL},
};
