// SPDX-License-Identifier: Apache-2.0
//
// peer_proof against signatures of ethers (tests/vectors/peer_proof.json): the text to the byte, both
// signers, and each thing that the text names being another's; times, replays, flipped bits.
#include "controlplane/http/peer_proof.h"
#include "controlplane/session/client_conf.h"
#include "tests/unit/test.h"
#include "tests/unit/vectors.h"

#include <errno.h>
#include <string.h>

struct row {
	struct peer_proof proof;
	struct peer_proof_rule rule; // the signer as buyer, a second later
	uint8_t signature[EVM_SIGNER_SIGNATURE_SIZE];
	const char *text;
};

static void load(struct row *row, const struct json_value *from)
{
	*row = (struct row){.text = vectors_string(from, "text")};
	row->proof.chain_id = vectors_u64(from, "chain_id");
	row->proof.issued_unix_sec = vectors_u64(from, "issued_unix_sec");
	assert_int_equal(vectors_hex(from, "escrow", row->proof.escrow, 20), 20);
	assert_int_equal(vectors_hex(from, "node_id", row->proof.node_id, 32), 32);
	assert_int_equal(vectors_hex(from, "session_id", row->proof.session_id, 32), 32);
	assert_int_equal(vectors_hex(from, "signer", row->rule.buyer, 20), 20);
	assert_int_equal(vectors_hex(from, "signature", row->signature, 65), 65);
	assert_int_equal(
		client_conf_key_parse(row->proof.public_key, vectors_string(from, "public_key")), 0
	);
	row->rule.now_unix_sec = row->proof.issued_unix_sec + 1;
}

static void check_row(const struct row *row)
{
	struct peer_proof_rule rule = row->rule;
	char text[PEER_PROOF_TEXT_CAP];

	assert_int_equal(peer_proof_text(&row->proof, text), strlen(row->text));
	assert_string_equal(text, row->text);
	assert_int_equal(peer_proof_verify(&row->proof, &rule, row->signature), 0);
	// By the voucher signer as well, and by nobody else.
	memcpy(rule.voucher_signer, rule.buyer, 20);
	rule.buyer[0] ^= 1;
	assert_int_equal(peer_proof_verify(&row->proof, &rule, row->signature), 0);
	rule.voucher_signer[19] ^= 1;
	assert_int_equal(peer_proof_verify(&row->proof, &rule, row->signature), -EBADMSG);
	memset(rule.voucher_signer, 0, 20);
	assert_int_equal(peer_proof_verify(&row->proof, &rule, row->signature), -EBADMSG);
}

// Each bit of what is named, and of the signature.
static void check_flips(const struct row *row)
{
	struct row bad = *row;
	struct {
		uint8_t *bytes;
		size_t len;
	} parts[] = {
		{(uint8_t *)&bad.proof.chain_id, sizeof(bad.proof.chain_id)},
		{bad.proof.escrow, 20},
		{bad.proof.node_id, 32},
		{bad.proof.session_id, 32},
		{bad.proof.public_key, 32},
		{bad.signature, 65},
	};

	for (size_t i = 0; i < TEST_N_ROWS(parts); i++) {
		for (size_t bit = 0; bit < 8 * parts[i].len; bit++) {
			parts[i].bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
			if (peer_proof_verify(&bad.proof, &bad.rule, bad.signature) != -EBADMSG)
				fail_msg("part %zu, bit %zu", i, bit);
			parts[i].bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
}

static void check_times(const struct row *row)
{
	const uint64_t issued = row->proof.issued_unix_sec;
	const struct {
		uint64_t now, newest;
		int r;
	} rows[] = {
		{issued - PEER_PROOF_SKEW_SEC, 0, 0},
		{issued - PEER_PROOF_SKEW_SEC - 1, 0, -ETIME},
		{issued + PEER_PROOF_MAX_AGE_SEC, 0, 0},
		{issued + PEER_PROOF_MAX_AGE_SEC + 1, 0, -ETIME},
		{issued, issued - 1, 0},
		{issued, issued, -EALREADY},
		{issued, issued + 1, -EALREADY},
		{0, 0, -ETIME},
		{UINT64_MAX, 0, -ETIME},
	};

	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		struct peer_proof_rule rule = row->rule;

		rule.now_unix_sec = rows[i].now;
		rule.newest_unix_sec = rows[i].newest;
		assert_int_equal(peer_proof_verify(&row->proof, &rule, row->signature), rows[i].r);
	}
}

static void run(void (*check)(const struct row *row))
{
	struct json_value *doc = vectors_load("peer_proof");
	const struct json_value *from = json_first(json_member(doc, "proofs"));
	unsigned n = 0;

	for (; from != NULL; from = json_next(from), n++) {
		struct row row;

		load(&row, from);
		check(&row);
	}
	assert_int_equal(n, 4);
	json_free(doc);
}

static void test_signers(void **state)
{
	(void)state;
	run(check_row);
}

static void test_flips(void **state)
{
	(void)state;
	run(check_flips);
}

static void test_times(void **state)
{
	(void)state;
	run(check_times);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signers),
		cmocka_unit_test(test_flips),
		cmocka_unit_test(test_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
