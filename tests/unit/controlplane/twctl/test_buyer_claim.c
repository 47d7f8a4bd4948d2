// SPDX-License-Identifier: Apache-2.0
//
// buyer_claim: a voucher that the escrow's rules accept for this amount and no other, and answers of nodes
// in every broken form.
#include "controlplane/chain/evm/evm_escrow.h"
#include "controlplane/chain/evm/evm_hex.h"
#include "controlplane/twctl/buyer_claim.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char good[] =
	"{\"id\":7,\"session_id\":\"0x01\",\"state\":\"active\",\"cumulative_bytes\":100,"
	"\"limit_bytes\":\"18446744073709551615\",\"bought_bytes\":1,\"credit_bytes\":5,"
	"\"used_bytes\":9007199254740991,\"is_waiting_for_voucher\":true}";

static int take(const char *text, size_t len, struct buyer_claim *claim)
{
	char why[BUYER_CLAIM_WHY] = "", err[160];
	struct json_value *json;
	int r;

	if (json_parse_limited(&json, text, len, &json_limits_reply, err, sizeof(err)) < 0)
		return -EPROTO;
	r = buyer_claim_read(json, claim, why);
	json_free(json);
	if (r < 0)
		assert_true(why[0] != '\0');
	return r;
}

static void test_read(void **state)
{
	struct buyer_claim claim;

	(void)state;
	assert_int_equal(take(good, strlen(good), &claim), 0);
	assert_string_equal(claim.state, "active");
	assert_true(claim.voucher_bytes == 100 && claim.limit_bytes == UINT64_MAX);
	assert_true(claim.used_bytes == 9007199254740991 && claim.is_waiting);
}

static void test_read_wrong(void **state)
{
	static const struct {
		const char *from, *to;
		int r;
	} rows[] = {
		{"9007199254740991", "null", 0}, // never passed a packet
		{"9007199254740991", "\"18446744073709551615\"", 0},
		{"9007199254740991", "\"18446744073709551616\"", -EBADMSG},
		{"9007199254740991", "9007199254740993", -EBADMSG},
		{"9007199254740991", "-1", -EBADMSG},
		{"9007199254740991", "1.5", -EBADMSG},
		{"9007199254740991", "\" 1\"", -EBADMSG},
		{"9007199254740991", "\"\"", -EBADMSG},
		{"9007199254740991", "[]", -EBADMSG},
		{"used_bytes", "used", -EBADMSG},
		{"limit_bytes", "limit", -EBADMSG},
		{"cumulative_bytes", "cumulative", -EBADMSG},
		{"\"active\"", "\"\"", 0},
		{"\"active\"", "7", -EBADMSG},
		{"\"active\"", "\"a-state-that-is-too-long\"", -EBADMSG},
		{"true}", "1}", -EBADMSG},
		{"true}", "null}", -EBADMSG},
	};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		const char *at = strstr(good, rows[i].from);
		struct buyer_claim claim = {.state = "untouched"};
		char text[512];
		int n, r;

		assert_non_null(at);
		n = snprintf(
			text,
			sizeof(text),
			"%.*s%s%s",
			(int)(at - good),
			good,
			rows[i].to,
			at + strlen(rows[i].from)
		);
		r = take(text, (size_t)n, &claim);
		if (r != rows[i].r || (r < 0 && strcmp(claim.state, "untouched") != 0))
			fail_msg("row %zu: %d", i, r);
	}
	for (size_t cut = 0; cut < strlen(good); cut++) {
		struct buyer_claim claim;

		assert_int_equal(take(good, cut, &claim), -EPROTO);
	}
}

static void test_final(void **state)
{
	static const struct {
		const char *state;
		bool is_final;
	} rows[] = {
		{"pending", false},
		{"provisioned", false},
		{"active", false},
		{"suspended", false},
		{"draining", false}, // its last bytes are not counted yet
		{"settling", true},
		{"settled", true},
		{"refunded", true},
		{"disputed", true},
		{"void", true},
		{"", false},
	};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		struct buyer_claim claim = {0};

		strcpy(claim.state, rows[i].state);
		assert_int_equal(buyer_claim_check_final(&claim), rows[i].is_final);
	}
}

// What the body says, as the node and the contract check it.
static int verify(
	const char *body, uint64_t bytes, const uint8_t separator[32], const uint8_t id[32]
)
{
	const uint8_t key[32] = {[31] = 7};
	struct evm_escrow_voucher voucher = {.cumulative_bytes = bytes};
	uint8_t signature[EVM_SIGNER_SIGNATURE_SIZE], address[EVM_ADDRESS_SIZE];
	struct evm_signer *signer;
	struct json_value *json;
	uint64_t said;

	assert_int_equal(json_parse(body, strlen(body), &json), 0);
	assert_int_equal(json_count(json_member(json, "cumulative_bytes"), &said), 0);
	assert_int_equal(
		evm_hex_parse(
			json_string(json_member(json, "signature")), signature, sizeof(signature)
		),
		0
	);
	json_free(json);
	evm_escrow_compact(signature, voucher.r, voucher.vs);
	assert_int_equal(evm_signer_create(&signer, key), 0);
	evm_signer_address(signer, address);
	evm_signer_destroy(signer);
	return said != bytes ? -EINVAL
			     : evm_escrow_verify_voucher(separator, id, address, &voucher);
}

static void test_write(void **state)
{
	static const uint64_t amounts[] = {0, 1, 9007199254740991, 9007199254740992, UINT64_MAX};
	const uint8_t key[32] = {[31] = 7}, id[32] = {1}, other[32] = {2};
	uint8_t separator[32];
	struct evm_signer *signer;
	char *body, *again;

	(void)state;
	evm_escrow_domain(31337, key, separator);
	assert_int_equal(evm_signer_create(&signer, key), 0);
	for (size_t i = 0; i < TEST_N_ROWS(amounts); i++) {
		assert_int_equal(buyer_claim_write(signer, separator, id, amounts[i], &body), 0);
		assert_int_equal(verify(body, amounts[i], separator, id), 0);
		assert_int_equal(verify(body, amounts[i], separator, other), -EBADMSG);
		assert_int_equal(verify(body, amounts[i], other, id), -EBADMSG);
		// Signed again after a break it is the same voucher, octet by octet.
		assert_int_equal(buyer_claim_write(signer, separator, id, amounts[i], &again), 0);
		assert_string_equal(body, again);
		json_free_text(body);
		json_free_text(again);
	}
	evm_signer_destroy(signer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_read_wrong),
		cmocka_unit_test(test_final),
		cmocka_unit_test(test_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
