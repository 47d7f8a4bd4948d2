// SPDX-License-Identifier: Apache-2.0
//
// What an operator signs of a configuration: which lines are covered, line ends, sizes. Signatures are in
// test_api_config.c, and checked with another library in tests/netns/peer_key_test.sh.
#include "controlplane/session/config_proof.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <string.h>

#define HEAD \
	"This WireGuard configuration belongs to a tollwire session.\n" \
	"\n" \
	"Chain ID: 18446744073709551615\n" \
	"Escrow: 0xe500000000000000000000000000000000000001\n" \
	"Node: 0x0700000000000000000000000000000000000000000000000000000000000000\n" \
	"Session: 0x5100000000000000000000000000000000000000000000000000000000000000\n" \
	"\n"

static struct config_proof proof_of(const char *config)
{
	struct config_proof proof = {
		.chain_id = UINT64_MAX,
		.escrow = {[0] = 0xe5, [19] = 1},
		.node_id = {7},
		.session_id = {0x51},
		.config = config,
	};

	return proof;
}

static void test_lines(void **state)
{
	static const struct {
		const char *config;
		const char *covered;
	} rows[] = {
		{"", ""},
		{"\n\n\n", ""},
		{"a", "a\n"},
		{"a\n", "a\n"},
		{"a\nb", "a\nb\n"},
		{"a\n\n\nb\n\n", "a\nb\n"},
		{"# c\na\n#\n", "a\n"},
		{" # c\n", " # c\n"}, // no comment to a reader of the file either way
		{"PrivateKey = x\na\nPrivateKey=y", "a\n"},
		{"PublicKey = x\nPrivate\n", "PublicKey = x\nPrivate\n"},
		{"[Interface]\r\n", "[Interface]\r\n"},
	};
	char text[CONFIG_PROOF_TEXT_CAP];

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		const struct config_proof proof = proof_of(rows[i].config);
		int len = config_proof_text(&proof, text, sizeof(text));

		assert_int_equal(len, strlen(HEAD) + strlen(rows[i].covered));
		assert_memory_equal(text, HEAD, strlen(HEAD));
		assert_string_equal(text + strlen(HEAD), rows[i].covered);
	}
}

// One octet less than it takes, at each size.
static void test_sizes(void **state)
{
	const struct config_proof proof = proof_of("[Interface]\nAddress = 10.8.0.2/32\n");
	char text[CONFIG_PROOF_TEXT_CAP + 1], whole[CONFIG_PROOF_TEXT_CAP];
	int len = config_proof_text(&proof, whole, sizeof(whole));

	(void)state;
	assert_true(len > 0);
	for (size_t cap = 0; cap < sizeof(text); cap++) {
		memset(text, 0x7e, sizeof(text));
		int got = config_proof_text(&proof, text, cap);
		assert_int_equal(got, cap > (size_t)len ? len : -ENOSPC);
		assert_int_equal(text[cap], 0x7e);
		if (got > 0)
			assert_string_equal(text, whole);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
