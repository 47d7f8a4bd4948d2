// SPDX-License-Identifier: Apache-2.0
//
// evm_rpc_wire and evm_reply: what is no answer to what was asked has a fault's name; every
// truncation and every flipped bit of a reply ends in a verdict.

#include "controlplane/chain/evm/evm_reply.h"
#include "controlplane/chain/evm/evm_rpc_wire.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH "0x00000000000000000000000000000000000000000000000000000000000000ab"

static void test_build(void **state)
{
	struct evm_rpc_call calls[2] = {
		{.method = "a", .params = "[]"},
		{.method = "b", .params = "[1]"},
	};
	char *text = evm_rpc_wire_build(calls, 1, 7);

	(void)state;
	assert_string_equal(text, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"a\",\"params\":[]}");
	free(text);
	text = evm_rpc_wire_build(calls, 2, 7);
	assert_string_equal(
		text,
		"[{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"a\",\"params\":[]},"
		"{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"b\",\"params\":[1]}]"
	);
	free(text);
}

#define OK(id) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":\"0x1\"}"
#define ERR(id) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"error\":{\"code\":3,\"message\":\"no\"}}"

static void test_replies(void **state)
{
	static const struct {
		const char *text;
		size_t n;
		int r;
		enum evm_rpc_fault fault;
	} rows[] = {
		{OK("7"), 1, 0, 0},
		{ERR("7"), 1, 0, 0},
		{"{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":null}", 1, 0, 0},
		{"{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":1,\"error\":null}", 1, 0, 0},
		{"<html>", 1, -EIO, EVM_RPC_INVALID_JSON},
		{"", 1, -EIO, EVM_RPC_INVALID_JSON},
		{OK("8"), 1, -EIO, EVM_RPC_BAD_ENVELOPE},
		{OK("6"), 1, -EIO, EVM_RPC_BAD_ENVELOPE},
		{OK("\"7\""), 1, -EIO, EVM_RPC_BAD_ENVELOPE},
		{OK("null"), 1, -EIO, EVM_RPC_BAD_ENVELOPE},
		{"{\"id\":7,\"result\":1}", 1, -EIO, EVM_RPC_BAD_ENVELOPE},
		{"{\"jsonrpc\":\"1.0\",\"id\":7,\"result\":1}", 1, -EIO, EVM_RPC_BAD_ENVELOPE},
		{"{\"jsonrpc\":\"2.0\",\"id\":7}", 1, -EIO, EVM_RPC_BAD_ENVELOPE},
		{"[" OK("7") "]", 1, -EIO, EVM_RPC_BAD_ENVELOPE},
		{"[" OK("8") "," ERR("7") "]", 2, 0, 0},
		{"[" OK("7") "]", 2, -EIO, EVM_RPC_BAD_ENVELOPE},
		{"[" OK("7") "," OK("7") "]", 2, -EIO, EVM_RPC_BAD_ENVELOPE},
		{"[" OK("7") "," OK("8") "," OK("8") "]", 2, -EIO, EVM_RPC_BAD_ENVELOPE},
		{OK("7"), 2, -EIO, EVM_RPC_BAD_ENVELOPE},
		{"{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-32005,\"message\":\"x\"}}",
		 1,
		 -EIO,
		 EVM_RPC_RATE_LIMITED},
		{"{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-32005,\"message\":"
		 "\"query returned more than 10000 results\"}}",
		 1,
		 0,
		 0},
	};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		struct evm_rpc_call calls[2] = {0};
		enum evm_rpc_fault fault = EVM_RPC_N_FAULT;
		char why[EVM_RPC_WIRE_WHY_SIZE] = "";
		int r = evm_rpc_wire_parse(
			calls, rows[i].n, 7, rows[i].text, strlen(rows[i].text), &fault, why
		);

		if (r != rows[i].r || (r < 0 && fault != rows[i].fault))
			fail_msg("%s: %d, fault %d", rows[i].text, r, (int)fault);
		assert_true(r == 0 || why[0] != '\0');
		for (size_t j = 0; r < 0 && j < 2; j++)
			assert_null(calls[j].result);
		evm_rpc_call_fini(&calls[0]);
	}
}

static void test_error_object(void **state)
{
	static const char text[] =
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32000,\"message\":\"\","
		"\"data\":{\"data\":\"0x08c379a0\"}}}";
	struct evm_rpc_call call = {0};
	enum evm_rpc_fault fault;
	char why[EVM_RPC_WIRE_WHY_SIZE];

	(void)state;
	assert_int_equal(evm_rpc_wire_parse(&call, 1, 1, text, sizeof(text) - 1, &fault, why), 0);
	assert_null(call.result);
	assert_int_equal(call.error.code, -32000);
	assert_string_equal(call.error.message, "no message");
	assert_string_equal(call.error.data, "0x08c379a0");
	evm_rpc_call_fini(&call);
}

static const char log_text[] =
	"{\"address\":\"0x0000000000000000000000000000000000000001\",\"topics\":[\"" HASH
	"\",\"" HASH "\"],\"data\":\"0x0102\",\"blockNumber\":\"0x10\",\"blockHash\":\"" HASH
	"\",\"transactionHash\":\"" HASH "\",\"logIndex\":\"0x2\",\"removed\":true}";
static const char receipt_text[] =
	"{\"transactionHash\":\"" HASH "\",\"blockNumber\":\"0x10\",\"blockHash\":\"" HASH
	"\",\"gasUsed\":\"0x5208\",\"status\":\"0x1\",\"logs\":[]}";
static const char block_text[] =
	"{\"number\":\"0x10\",\"timestamp\":\"0x65000000\",\"hash\":\"" HASH
	"\",\"parentHash\":\"" HASH "\",\"baseFeePerGas\":\"0x7\"}";

static int parse_kind(const char *text, size_t len, int kind)
{
	struct json_value *doc;
	struct evm_log *log = calloc(1, sizeof(*log));
	struct evm_receipt receipt;
	struct evm_block block;
	int r = json_parse(text, len, &doc);

	if (r == 0) {
		r = kind == 0	    ? evm_reply_log(doc, log)
			: kind == 1 ? evm_reply_receipt(doc, &receipt)
				    : evm_reply_block(doc, &block);
		json_free(doc);
	}
	free(log);
	return r;
}

static void test_objects(void **state)
{
	static const char *const texts[] = {log_text, receipt_text, block_text};
	static const struct {
		int kind;
		const char *what;
		const char *with;
	} rows[] = {
		{0, "\"0x0102\"", "\"0x010\""},
		{0, "\"0x2\"", "2"},
		{0, "\"0x10\"", "\"0x010\""},
		{0, "\"0x10\"", "\"0x10000000000000000\""},
		{0, "true", "\"true\""},
		{0, "[\"", "[\"00"},
		{1, "\"status\":\"0x1\"", "\"status\":\"0x2\""},
		{1, "\"status\":\"0x1\"", "\"root\":\"0x1\""},
		{1, "\"logs\":[]", "\"logs\":null"},
		{2, "\"number\":\"0x10\"", "\"number\":null"},
		{2, "\"0x7\"", "\"7\""},
	};

	(void)state;
	for (int kind = 0; kind < 3; kind++) {
		size_t len = strlen(texts[kind]);
		char *copy = malloc(len);

		assert_int_equal(parse_kind(texts[kind], len, kind), 0);
		assert_int_equal(parse_kind("{}", 2, kind), -EBADMSG);
		assert_int_equal(parse_kind("7", 1, kind), -EBADMSG);
		for (size_t cut = 0; cut < len; cut++)
			assert_int_equal(parse_kind(texts[kind], cut, kind), -EBADMSG);
		for (size_t bit = 0; bit < 8 * len; bit++) {
			memcpy(copy, texts[kind], len);
			copy[bit / 8] = (char)(copy[bit / 8] ^ (1 << (bit % 8)));
			(void)parse_kind(copy, len, kind);
		}
		free(copy);
	}
	assert_int_equal(parse_kind("null", 4, 1), -ENOENT);
	assert_int_equal(parse_kind("null", 4, 2), -ENOENT);
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		const char *text = texts[rows[i].kind], *at = strstr(text, rows[i].what);
		char edited[1024];

		assert_non_null(at);
		snprintf(
			edited,
			sizeof(edited),
			"%.*s%s%s",
			(int)(at - text),
			text,
			rows[i].with,
			at + strlen(rows[i].what)
		);
		if (parse_kind(edited, strlen(edited), rows[i].kind) != -EBADMSG)
			fail_msg("accepted: %s", rows[i].with);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_build),
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_error_object),
		cmocka_unit_test(test_objects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
