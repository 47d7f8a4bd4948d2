// SPDX-License-Identifier: Apache-2.0
//
// siwe: the messages of EIP-4361 and what its grammar refuses, a part at a time; every truncation, every
// byte flipped; RFC 3339 times.
#include "controlplane/http/siwe.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST "node.example:8443 wants you to sign in with your Ethereum account:\n"
#define ADDRESS "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2\n"
#define HEAD FIRST ADDRESS "\n\n"
#define URI "URI: https://node.example:8443/in?a=b#c\n"
#define TAIL "Version: 1\nChain ID: 31337\nNonce: abcdef0123456789\nIssued At: 2021-09-30T16:25:24Z"
#define SHORT HEAD URI TAIL
#define FULL \
	"https://" FIRST ADDRESS "\nI accept: the terms (all of them)!\n\n" URI TAIL \
	"\nExpiration Time: 2021-09-30T18:25:24.5+01:00\nNot Before: 2021-09-30T16:25:24Z\n" \
	"Request ID: a%20b:c@d\nResources:\n- ipfs://bafy/\n- urn:x:y\n- " \
	"https://example.com/c.json"

static int parse(const char *text, struct siwe_message *message, const char **part)
{
	// In memory of its own size: a sanitizer sees what is read beyond it.
	size_t len = strlen(text);
	char *copy = malloc(len + 1);
	int r;

	memcpy(copy, text, len);
	r = siwe_parse(message, copy, len, part);
	free(copy);
	return r;
}

static void test_accepted(void **state)
{
	static const char *const rows[] = {SHORT, FULL};
	const char *part;

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		struct siwe_message message;

		if (parse(rows[i], &message, &part) < 0)
			fail_msg("%s: %s", part, rows[i]);
		assert_string_equal(message.domain, "node.example:8443");
		assert_string_equal(message.uri, "https://node.example:8443/in?a=b#c");
		assert_string_equal(message.uri_authority, "node.example:8443");
		assert_string_equal(message.challenge, "abcdef0123456789");
		assert_int_equal(message.chain_id, 31337);
		assert_int_equal(message.issued_unix_sec, 1633019124);
		assert_int_equal(message.address[0], 0xc0);
		assert_int_equal(message.address[19], 0xc2);
		assert_int_equal(message.has_expiry, i == 1);
		assert_int_equal(message.has_not_before, i == 1);
		if (i == 1)
			assert_int_equal(message.expires_unix_sec, 1633019124 + 3600);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *part;
	} rows[] = {
		{"", "length"},
		{SHORT "\n", "length"},
		{SHORT "\n\n", "length"},
		{SHORT "\nmore", "end"},
		{SHORT "\n ", "end"},
		{" wants you to sign in with your Ethereum account:\n" ADDRESS "\n\n" URI TAIL,
		 "domain"},
		{"user@" SHORT, "domain"},
		{"a b" SHORT, "domain"},
		{"https:///" SHORT, "domain"},
		{"[::1" SHORT, "domain"},
		{"node.example:123456 wants you to sign in with your Ethereum account:\n" ADDRESS
		 "\n\n" URI TAIL,
		 "domain"},
		{FIRST "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2\n\n\n" URI TAIL, "address"},
		{FIRST "0xC02AAA39B223FE8D0A0E5C4F27EAD9083C756CC2\n\n\n" URI TAIL, "address"},
		{FIRST "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756CC2\n\n\n" URI TAIL, "address"},
		{FIRST "C02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2\n\n\n" URI TAIL, "address"},
		{FIRST "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc\n\n\n" URI TAIL, "address"},
		{FIRST ADDRESS "\n" URI TAIL, "statement"},
		{FIRST ADDRESS "statement\n\n" URI TAIL, "empty line after the address"},
		{FIRST ADDRESS "\ntwo\nlines\n\n" URI TAIL, "statement"},
		{FIRST ADDRESS "\ntab\there\n\n" URI TAIL, "statement"},
		{FIRST ADDRESS "\n\"quoted\"\n\n" URI TAIL, "statement"},
		{FIRST ADDRESS "\n\xc3\xa9t\xc3\xa9\n\n" URI TAIL, "statement"},
		{HEAD TAIL, "URI: "},
		{HEAD "URI: no-scheme\n" TAIL, "URI"},
		{HEAD "URI: https://\n" TAIL, "URI"},
		{HEAD "URI: https://a b/\n" TAIL, "URI"},
		{HEAD "URI: https://u@node.example/\n" TAIL, "URI"},
		{HEAD "URI: https://a/%zz\n" TAIL, "URI"},
		{HEAD "uri: https://a/\n" TAIL, "URI: "},
		{HEAD URI
		 "Version: 2\nChain ID: 1\nNonce: abcdefgh\nIssued At: 2021-09-30T16:25:24Z",
		 "Version"},
		{HEAD URI
		 "Version: 1\nChain ID: 01\nNonce: abcdefgh\nIssued At: 2021-09-30T16:25:24Z",
		 "Chain ID"},
		{HEAD URI
		 "Version: 1\nChain ID: \nNonce: abcdefgh\nIssued At: 2021-09-30T16:25:24Z",
		 "Chain ID"},
		{HEAD URI
		 "Version: 1\nChain ID: 0x1\nNonce: abcdefgh\nIssued At: 2021-09-30T16:25:24Z",
		 "Chain ID"},
		{HEAD URI "Version: 1\nChain ID: 18446744073709551616\nNonce: abcdefgh\n"
			  "Issued At: 2021-09-30T16:25:24Z",
		 "Chain ID"},
		{HEAD URI
		 "Version: 1\nChain ID: 1\nNonce: abcdefg\nIssued At: 2021-09-30T16:25:24Z",
		 "Nonce"},
		{HEAD URI
		 "Version: 1\nChain ID: 1\nNonce: abcdefg-\nIssued At: 2021-09-30T16:25:24Z",
		 "Nonce"},
		{HEAD URI "Version: 1\nChain ID: 1\nNonce: abcdefgh\nIssued At: yesterday",
		 "Issued At: "},
		{HEAD URI
		 "Chain ID: 1\nVersion: 1\nNonce: abcdefgh\nIssued At: 2021-09-30T16:25:24Z",
		 "Version: "},
		{SHORT "\nNot Before: 2021-09-30T16:25:24Z\nExpiration Time: 2021-09-30T16:25:24Z",
		 "end"},
		{SHORT "\nExpiration Time: ", "Expiration Time: "},
		{SHORT
		 "\nExpiration Time: 2021-09-30T16:25:24Z\nExpiration Time: 2021-09-30T16:25:24Z",
		 "end"},
		{SHORT "\nRequest ID: a b", "Request ID"},
		{SHORT "\nResources: x", "Resources"},
		{SHORT "\nResources:\n- nothing", "Resources"},
		{SHORT "\nResources:\nhttps://a", "end"},
	};
	struct siwe_message message;
	const char *part;

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		part = NULL;
		if (parse(rows[i].text, &message, &part) != -EINVAL ||
		    strcmp(part, rows[i].part) != 0)
			fail_msg("%s, not %s: %s", part, rows[i].part, rows[i].text);
	}
}

// No prefix of the mandatory part is a message; of the optional part only those that end a line.
static void test_truncated(void **state)
{
	const size_t mandatory = strlen(SHORT);
	struct siwe_message message;
	const char *part;

	(void)state;
	for (size_t len = 0; len < strlen(FULL); len++) {
		char *copy = malloc(len + 1);
		int r;

		memcpy(copy, FULL, len);
		r = siwe_parse(&message, copy, len, &part);
		free(copy);
		if (r == 0 && len < mandatory)
			fail_msg("accepted after %zu bytes", len);
	}
}

// A flipped bit is refused or changes what is read: never the same message from other bytes, but in
// what is only shown to the wallet's owner (statement, request id, resources, fractions).
static void test_flipped(void **state)
{
	struct siwe_message message, original;
	const char *part;
	char text[] = SHORT;

	(void)state;
	assert_int_equal(parse(SHORT, &original, &part), 0);
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		for (int bit = 0; bit < 8; bit++) {
			text[i] ^= (char)(1 << bit);
			// RFC 3339 takes t and z in lower case too.
			if (siwe_parse(&message, text, sizeof(text) - 1, &part) == 0 &&
			    memcmp(&message, &original, sizeof(message)) == 0 && text[i] != 't' &&
			    text[i] != 'z')
				fail_msg("byte %zu, bit %d: %s", i, bit, text);
			text[i] ^= (char)(1 << bit);
		}
	}
}

static void test_times(void **state)
{
	static const struct {
		const char *text;
		int64_t sec; // -1: refused
	} rows[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"1970-01-01t00:00:00z", 0},
		{"2000-02-29T23:59:59Z", 951868799},
		{"2024-12-31T23:59:60Z", 1735689600},
		{"2100-03-01T00:00:00Z", 4107542400},
		{"2021-09-30T16:25:24.999999999Z", 1633019124},
		{"2021-09-30T16:25:24+23:59", 1633019124 - 86340},
		{"2021-09-30T16:25:24-01:30", 1633019124 + 5400},
		{"9999-12-31T23:59:59Z", 253402300799},
		{"1969-12-31T23:59:59Z", -1},
		{"2100-02-29T00:00:00Z", -1},
		{"2021-02-29T00:00:00Z", -1},
		{"2021-13-01T00:00:00Z", -1},
		{"2021-00-01T00:00:00Z", -1},
		{"2021-01-32T00:00:00Z", -1},
		{"2021-01-00T00:00:00Z", -1},
		{"2021-01-01T24:00:00Z", -1},
		{"2021-01-01T00:60:00Z", -1},
		{"2021-01-01T00:00:61Z", -1},
		{"2021-01-01T00:00:00", -1},
		{"2021-01-01T00:00:00.Z", -1},
		{"2021-01-01T00:00:00,5Z", -1},
		{"2021-01-01 00:00:00Z", -1},
		{"2021-01-01T00:00:00+24:00", -1},
		{"2021-01-01T00:00:00+0100", -1},
		{"2021-01-01T00:00:00Zz", -1},
		{"21-01-01T00:00:00Z", -1},
		{"+021-01-01T00:00:00Z", -1},
		{"", -1},
	};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		int64_t sec = -1;
		int r = siwe_time_parse(&sec, rows[i].text, strlen(rows[i].text));

		if ((r == 0) != (rows[i].sec >= 0) || sec != rows[i].sec)
			fail_msg("%s: %lld", rows[i].text, (long long)sec);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_flipped),
		cmocka_unit_test(test_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
