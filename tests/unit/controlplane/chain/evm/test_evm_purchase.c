// SPDX-License-Identifier: Apache-2.0
//
// evm_purchase: selectors and terms against tests/vectors/evm_terms.json, which ethers computed; answers cut
// at each byte, with each bit turned, and with texts that no contract of ours returns. Real answers of
// a real node are tests/evm/driver's.

#include "controlplane/chain/evm/evm_purchase.h"
#include "tests/unit/test.h"
#include "tests/unit/vectors.h"

#include <errno.h>
#include <string.h>

static struct json_value *doc;
static const uint8_t id[32] = {[0] = 0xab, [31] = 0x17};

static int setup(void **state)
{
	(void)state;
	doc = vectors_load("evm_terms");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	json_free(doc);
	return 0;
}

static void expect_call(
	const struct evm_abi_writer *w, const char *contract, const char *signature, size_t n_words
)
{
	const struct json_value *of = json_member(json_member(doc, "interfaces"), contract);
	uint8_t selector[4];

	assert_int_equal(evm_abi_finish(w), 0);
	assert_int_equal(w->len, 4 + 32 * n_words);
	vectors_hex(json_member(of, "functions"), signature, selector, sizeof(selector));
	assert_memory_equal(w->buf, selector, sizeof(selector));
}

static void test_calls(void **state)
{
	static const uint8_t zero[EVM_ADDRESS_SIZE];
	const struct evm_purchase_order order = {
		.node_id = u256_from_u64(7),
		.data_gb = 10,
		.duration_sec = 86400,
		.mode = EVM_PURCHASE_OPTIMISTIC,
		.voucher_signer = {1},
		.attestor = {2},
		.salt = {3},
		.terms_hash = {4},
	};
	uint8_t buf[512];
	struct evm_abi_writer w;

	(void)state;
	evm_abi_writer_init(&w, buf, sizeof(buf));
	evm_purchase_put_create(&w, &order);
	expect_call(
		&w,
		"EscrowPayment",
		"createSession(uint256,uint256,uint256,uint8,address,address,bytes32,bytes32)",
		8
	);
	assert_int_equal(buf[4 + 31], 7);
	assert_int_equal(buf[4 + 63], 10);
	assert_int_equal(buf[4 + 127], 2);
	assert_int_equal(buf[4 + 4 * 32 + 12], 1);
	assert_int_equal(buf[4 + 5 * 32 + 12], 2);
	assert_int_equal(buf[4 + 6 * 32], 3);
	assert_int_equal(buf[4 + 7 * 32], 4);
	evm_abi_writer_init(&w, buf, sizeof(buf));
	evm_purchase_put_close(&w, id);
	expect_call(&w, "EscrowPayment", "closeSession(bytes32)", 1);
	evm_abi_writer_init(&w, buf, sizeof(buf));
	evm_purchase_put_reclaim(&w, id);
	expect_call(&w, "EscrowPayment", "reclaim(bytes32)", 1);
	evm_abi_writer_init(&w, buf, sizeof(buf));
	evm_purchase_put_withdraw_refund(&w, id);
	expect_call(&w, "EscrowPayment", "withdrawRefund(bytes32)", 1);
	evm_abi_writer_init(&w, buf, sizeof(buf));
	evm_purchase_put_get_session(&w, id);
	expect_call(&w, "EscrowPayment", "getSession(bytes32)", 1);
	evm_abi_writer_init(&w, buf, sizeof(buf));
	evm_purchase_put_dispute(&w, id, 0x0102030405060708);
	expect_call(&w, "EscrowPayment", "dispute(bytes32,uint256)", 2);
	assert_memory_equal(buf + 4, id, 32);
	assert_memory_equal(buf + 4 + 56, "\1\2\3\4\5\6\7\10", 8);
	evm_abi_writer_init(&w, buf, sizeof(buf));
	evm_purchase_put_get_node(&w, u256_from_u64(1));
	expect_call(&w, "NodeRegistry", "getNode(uint256)", 1);
	evm_abi_writer_init(&w, buf, sizeof(buf));
	evm_purchase_put_list_nodes(&w, 20, 10);
	expect_call(&w, "NodeRegistry", "listNodes(uint256,uint256)", 2);
	evm_abi_writer_init(&w, buf, sizeof(buf));
	evm_purchase_put_current_terms(&w, u256_from_u64(1), zero, zero);
	expect_call(&w, "EscrowPayment", "currentTerms(uint256,address,address)", 3);
}

static void test_terms(void **state)
{
	const struct json_value *row = json_item(json_member(doc, "terms"), 0);
	uint8_t preimage[384], answer[384], hash[32], told[32];
	struct evm_escrow_terms terms;

	(void)state;
	assert_int_equal(vectors_hex(row, "preimage", preimage, sizeof(preimage)), 384);
	vectors_hex(row, "terms_hash", hash, sizeof(hash));
	memcpy(answer, preimage + 32, 352);
	memcpy(answer + 352, hash, 32);
	assert_int_equal(evm_purchase_get_terms(answer, sizeof(answer), &terms, told), 0);
	assert_memory_equal(told, hash, 32);
	assert_int_equal(terms.fee_bps, 100);
	assert_int_equal(terms.grace_sec, 86400);
	assert_memory_equal(terms.wg_public_key, preimage + 320, 32);
	for (size_t len = 0; len < sizeof(answer); len++)
		assert_int_equal(evm_purchase_get_terms(answer, len, &terms, told), -EBADMSG);
	// Whatever a lying endpoint changes, the hash tells.
	for (size_t bit = 0; bit < 8 * sizeof(answer); bit++) {
		answer[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(
			evm_purchase_get_terms(answer, sizeof(answer), &terms, told), -EBADMSG
		);
		answer[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void put_node(struct evm_abi_writer *w, uint64_t node_id, const char *name, size_t name_len)
{
	static const uint8_t address[EVM_ADDRESS_SIZE] = {9};
	static const uint8_t word[32] = {8};

	evm_abi_tuple_begin(w, 3);
	evm_abi_put_u64(w, node_id);
	evm_abi_put_u64(w, 1000);
	evm_abi_tuple_begin(w, 16);
	evm_abi_put_address(w, address);
	evm_abi_put_bool(w, true);
	evm_abi_put_u64(w, 10000);
	evm_abi_put_u64(w, 3600);
	evm_abi_put_u64(w, 86400);
	evm_abi_put_address(w, address);
	evm_abi_put_u64(w, 5);
	evm_abi_put_address(w, address);
	evm_abi_put_u64(w, 6);
	evm_abi_put_address(w, address);
	evm_abi_put_word(w, word);
	evm_abi_put_word(w, word);
	evm_abi_put_bytes(w, name, name_len);
	evm_abi_put_bytes(w, "eu", 2);
	evm_abi_put_bytes(w, "192.0.2.1:51820", 15);
	evm_abi_put_bytes(w, "https://192.0.2.1:8443", 22);
	evm_abi_end(w);
	evm_abi_end(w);
}

static size_t put_page(uint8_t *buf, size_t cap, size_t n)
{
	struct evm_abi_writer w;

	evm_abi_writer_init(&w, buf, cap);
	evm_abi_begin(&w, 2);
	evm_abi_array_begin(&w, n, n);
	for (size_t i = 0; i < n; i++)
		put_node(&w, i + 1, "exit", 4);
	evm_abi_end(&w);
	evm_abi_put_u64(&w, 77);
	evm_abi_end(&w);
	assert_int_equal(evm_abi_finish(&w), 0);
	return w.len;
}

static void test_page(void **state)
{
	static struct evm_purchase_node nodes[2];
	static uint8_t buf[4096];
	size_t len = put_page(buf, sizeof(buf), 2), n = 0;
	uint64_t total = 0;

	(void)state;
	assert_int_equal(evm_purchase_get_nodes(buf, len, nodes, 2, &n, &total), 0);
	assert_int_equal(n, 2);
	assert_int_equal(total, 77);
	assert_true(u256_equal(nodes[1].node_id, u256_from_u64(2)));
	assert_string_equal(nodes[1].api_url, "https://192.0.2.1:8443");
	assert_int_equal(nodes[0].n_sessions, 5);
	assert_int_equal(nodes[0].bandwidth_mbps, 10000);
	assert_int_equal(evm_purchase_get_nodes(buf, len, nodes, 1, &n, &total), -EBADMSG);
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(evm_purchase_get_nodes(buf, cut, nodes, 2, &n, &total), -EBADMSG);
	// No bit may lead outside the answer; the sanitizers watch.
	for (size_t bit = 0; bit < 8 * len; bit++) {
		buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
		(void)!evm_purchase_get_nodes(buf, len, nodes, 2, &n, &total);
		buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(put_page(buf, sizeof(buf), 0), 32 * 3);
	assert_int_equal(evm_purchase_get_nodes(buf, 96, nodes, 2, &n, &total), 0);
	assert_int_equal(n, 0);
}

static void test_node_texts(void **state)
{
	static const char long_name[65] =
		"0123456789012345678901234567890123456789012345678901234567890123"
		"x";
	static const struct {
		const char *name;
		size_t len;
		int r;
		const char *want; // NULL: the name
	} rows[] = {
		{"", 0, 0, NULL},
		{long_name, 65, -EBADMSG, NULL},
		{"d\303\251j\303\240 vu", 9, 0, NULL},
		{"a\0b", 3, 0, "a?b"},
		{"a\xff\x1b[2J\x80", 7, 0, "a??[2J?"},
	};
	struct evm_purchase_node node;
	struct evm_abi_writer w;
	uint8_t buf[2048];

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		evm_abi_writer_init(&w, buf, sizeof(buf));
		evm_abi_begin(&w, 1);
		put_node(&w, 1, rows[i].name, rows[i].len);
		evm_abi_end(&w);
		assert_int_equal(evm_abi_finish(&w), 0);
		assert_int_equal(evm_purchase_get_node(buf, w.len, &node), rows[i].r);
		if (rows[i].r == 0)
			assert_string_equal(
				node.name, rows[i].want == NULL ? rows[i].name : rows[i].want
			);
	}
	evm_abi_writer_init(&w, buf, sizeof(buf));
	evm_abi_begin(&w, 1);
	put_node(&w, 1, long_name, 64);
	evm_abi_end(&w);
	assert_int_equal(evm_purchase_get_node(buf, w.len, &node), 0);
	assert_int_equal(strlen(node.name), 64);
	assert_memory_equal(node.name, long_name, 64);
}

static void test_session(void **state)
{
	struct evm_purchase_session session;
	uint8_t buf[23 * 32] = {0};

	(void)state;
	buf[31] = EVM_PURCHASE_PROPOSED;
	buf[63] = EVM_PURCHASE_OPTIMISTIC;
	buf[5 * 32 - 1] = 200; // boughtBytes
	buf[23 * 32 - 1] = 99; // graceSec
	assert_int_equal(evm_purchase_get_session(buf, sizeof(buf), &session), 0);
	assert_int_equal(session.status, EVM_PURCHASE_PROPOSED);
	assert_int_equal(session.mode, EVM_PURCHASE_OPTIMISTIC);
	assert_int_equal(session.bought_bytes, 200);
	assert_int_equal(session.terms.grace_sec, 99);
	for (size_t len = 0; len < sizeof(buf); len++)
		assert_int_equal(evm_purchase_get_session(buf, len, &session), -EBADMSG);
	buf[31] = EVM_PURCHASE_N_STATUS;
	assert_int_equal(evm_purchase_get_session(buf, sizeof(buf), &session), -EBADMSG);
	buf[31] = 1;
	buf[63] = EVM_PURCHASE_N_MODE;
	assert_int_equal(evm_purchase_get_session(buf, sizeof(buf), &session), -EBADMSG);
	buf[63] = 0;
	buf[4 * 32] = 1; // boughtBytes beyond 64 bits
	assert_int_equal(evm_purchase_get_session(buf, sizeof(buf), &session), -EBADMSG);
}

static void test_cost(void **state)
{
	struct u256 cost, most;
	uint8_t all[32];

	(void)state;
	memset(all, 0xff, sizeof(all));
	most = u256_from_be(all);
	assert_int_equal(evm_purchase_cost(10, u256_from_u64(1000000000000000), &cost), 0);
	assert_true(u256_equal(cost, u256_from_u64(10000000000000000)));
	assert_int_equal(evm_purchase_cost(1, most, &cost), 0);
	assert_int_equal(evm_purchase_cost(2, most, &cost), -EOVERFLOW);
}

static void test_modes(void **state)
{
	enum evm_purchase_mode mode;

	(void)state;
	for (int i = 0; i < EVM_PURCHASE_N_MODE; i++) {
		assert_int_equal(
			evm_purchase_mode_parse(
				evm_purchase_mode_name((enum evm_purchase_mode)i), &mode
			),
			0
		);
		assert_int_equal(mode, i);
	}
	assert_int_equal(evm_purchase_mode_parse("Voucher", &mode), -EINVAL);
	assert_int_equal(evm_purchase_mode_parse("", &mode), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_terms),
		cmocka_unit_test(test_page),
		cmocka_unit_test(test_node_texts),
		cmocka_unit_test(test_session),
		cmocka_unit_test(test_cost),
		cmocka_unit_test(test_modes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
