// SPDX-License-Identifier: Apache-2.0
//
// Requests are put together as text: methods are ours and params are hex and numbers that the
// caller formatted. Replies are foreign and go through the JSON door.

#include "evm_rpc_wire.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// EIP-1474: limit exceeded. Other errors are answers.
#define EVM_RPC_WIRE_LIMIT_EXCEEDED (-32005)

char *evm_rpc_wire_build(const struct evm_rpc_call *calls, size_t n, uint64_t first_id)
{
	char *text = NULL;
	size_t len;
	FILE *stream = open_memstream(&text, &len);
	bool is_failed;

	if (stream == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++)
		fprintf(stream,
			"%s{\"jsonrpc\":\"2.0\",\"id\":%" PRIu64
			",\"method\":\"%s\",\"params\":%s}",
			i > 0		? ","
				: n > 1 ? "["
					: "",
			first_id + i,
			calls[i].method,
			calls[i].params);
	if (n > 1)
		fputc(']', stream);
	is_failed = ferror(stream) != 0;
	if (fclose(stream) != 0 || is_failed) {
		free(text);
		return NULL;
	}
	return text;
}

static int evm_rpc_wire_refuse(
	enum evm_rpc_fault *ret_fault,
	char why[EVM_RPC_WIRE_WHY_SIZE],
	enum evm_rpc_fault fault,
	const char *text
)
{
	*ret_fault = fault;
	snprintf(why, EVM_RPC_WIRE_WHY_SIZE, "%.*s", EVM_RPC_WIRE_WHY_SIZE - 1, text);
	return -EIO;
}

static void evm_rpc_wire_parse_error(const struct json_value *object, struct evm_rpc_error *ret)
{
	const struct json_value *data = json_member(object, "data");
	const char *text = json_string(data);
	const char *message = json_string(json_member(object, "message"));
	double code = 0;

	*ret = (struct evm_rpc_error){0};
	if (json_double(json_member(object, "code"), &code) == 0 && fabs(code) < 1e15)
		ret->code = (int64_t)code;
	if (message == NULL || message[0] == '\0')
		message = "no message";
	json_quote(ret->message, sizeof(ret->message), message);
	// Some nodes wrap the revert data once more.
	if (text == NULL)
		text = json_string(json_member(data, "data"));
	if (text != NULL && strlen(text) < sizeof(ret->data))
		json_quote(ret->data, sizeof(ret->data), text);
}

// Providers say with the same code that a question for logs spans too many blocks or finds too many.
static bool evm_rpc_wire_is_about_range(const char *message)
{
	return strstr(message, "range") != NULL || strstr(message, "results") != NULL;
}

static int evm_rpc_wire_take(
	struct evm_rpc_call *calls,
	size_t n,
	uint64_t first_id,
	const struct json_value *reply,
	enum evm_rpc_fault *ret_fault,
	char why[EVM_RPC_WIRE_WHY_SIZE]
)
{
	const char *version = json_string(json_member(reply, "jsonrpc"));
	const struct json_value *result = json_member(reply, "result");
	const struct json_value *error = json_member(reply, "error");
	struct evm_rpc_call *call;
	uint64_t id;

	if (version == NULL || strcmp(version, "2.0") != 0)
		return evm_rpc_wire_refuse(
			ret_fault, why, EVM_RPC_BAD_ENVELOPE, "no JSON-RPC 2.0 reply"
		);
	if (json_is_null(error))
		error = NULL;
	if (error == NULL && result == NULL)
		return evm_rpc_wire_refuse(
			ret_fault, why, EVM_RPC_BAD_ENVELOPE, "neither result nor error"
		);
	if (json_u64(json_member(reply, "id"), &id) < 0 || id < first_id || id - first_id >= n)
		return evm_rpc_wire_refuse(
			ret_fault, why, EVM_RPC_BAD_ENVELOPE, "the id of no question"
		);
	call = &calls[id - first_id];
	if (call->result != NULL || call->error.message[0] != '\0')
		return evm_rpc_wire_refuse(
			ret_fault, why, EVM_RPC_BAD_ENVELOPE, "two replies to one question"
		);
	if (error == NULL) {
		call->result = result;
		return 0;
	}
	evm_rpc_wire_parse_error(error, &call->error);
	if (call->error.code == EVM_RPC_WIRE_LIMIT_EXCEEDED &&
	    !evm_rpc_wire_is_about_range(call->error.message))
		return evm_rpc_wire_refuse(
			ret_fault, why, EVM_RPC_RATE_LIMITED, call->error.message
		);
	return 0;
}

static int evm_rpc_wire_take_all(
	struct evm_rpc_call *calls,
	size_t n,
	uint64_t first_id,
	const struct json_value *doc,
	enum evm_rpc_fault *ret_fault,
	char why[EVM_RPC_WIRE_WHY_SIZE]
)
{
	size_t n_taken = 0;
	int r = 0;

	// A node that refuses a whole batch answers with one error object; it carries no id of ours.
	if (n == 1)
		return evm_rpc_wire_take(calls, n, first_id, doc, ret_fault, why);
	if (!json_is_array(doc))
		return evm_rpc_wire_refuse(
			ret_fault, why, EVM_RPC_BAD_ENVELOPE, "no array in answer to a batch"
		);
	for (const struct json_value *v = json_first(doc); v != NULL && r == 0; v = json_next(v)) {
		r = evm_rpc_wire_take(calls, n, first_id, v, ret_fault, why);
		n_taken++;
	}
	if (r == 0 && n_taken != n)
		return evm_rpc_wire_refuse(
			ret_fault, why, EVM_RPC_BAD_ENVELOPE, "replies to a batch are missing"
		);
	return r;
}

int evm_rpc_wire_parse(
	struct evm_rpc_call *calls,
	size_t n,
	uint64_t first_id,
	const char *text,
	size_t len,
	enum evm_rpc_fault *ret_fault,
	char why[EVM_RPC_WIRE_WHY_SIZE]
)
{
	struct json_value *doc;
	int r;

	for (size_t i = 0; i < n; i++) {
		calls[i].reply = NULL;
		calls[i].result = NULL;
		calls[i].error = (struct evm_rpc_error){0};
	}
	r = json_parse(text, len, &doc);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return evm_rpc_wire_refuse(
			ret_fault, why, EVM_RPC_INVALID_JSON, "the answer is no valid JSON"
		);
	r = evm_rpc_wire_take_all(calls, n, first_id, doc, ret_fault, why);
	if (r == 0) {
		calls[0].reply = doc;
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		calls[i].result = NULL;
	json_free(doc);
	return r;
}
