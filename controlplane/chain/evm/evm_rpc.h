// SPDX-License-Identifier: Apache-2.0
//
// JSON-RPC 2.0 over several endpoints of one chain. A call goes to the best endpoint; when that fails
// it goes to the next, and the failed one rests for a time that doubles up to a limit, with jitter,
// so that nodes do not come back in step. An endpoint must say that it serves our chain before it is
// believed in anything else, and again after each fault. What an endpoint does wrong has a name and
// a counter. Blocking; belongs to the chain thread.

#pragma once

#include "common/clock.h"
#include "controlplane/json/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVM_RPC_ENDPOINTS_MAX 8
#define EVM_RPC_BATCH_MAX 100
#define EVM_RPC_WHY_SIZE 400
#define EVM_RPC_URL_SIZE 512

// id, name, help
#define EVM_RPC_FAULT_LIST(X) \
	X(UNREACHABLE, "unreachable", "no connection, or it broke") \
	X(TIMEOUT, "timeout", "no answer in time") \
	X(HTTP_STATUS, "http_status", "an HTTP status other than 200") \
	X(RATE_LIMITED, "rate_limited", "HTTP 429 or JSON-RPC limit exceeded") \
	X(TOO_LARGE, "too_large", "an answer above the size limit") \
	X(INVALID_JSON, "invalid_json", "an answer that is no JSON") \
	X(BAD_ENVELOPE, "bad_envelope", "no JSON-RPC answer to what was asked") \
	X(BAD_RESULT, "bad_result", "a result of another shape than the method's") \
	X(WRONG_CHAIN, "wrong_chain", "serves another chain id") \
	X(HEAD_BACK, "head_back", "its head went back below what it had shown") \
	X(LOGS_WRONG, "logs_wrong", "logs removed, out of range, out of order or of other blocks") \
	X(RECEIPT_MISSING, "receipt_missing", "no receipt for a transaction it counts as mined") \
	X(DISAGREES, "disagrees", "says otherwise than another endpoint")

#define EVM_RPC_FAULT_ENUM(id, name, help) EVM_RPC_##id,
enum evm_rpc_fault { EVM_RPC_FAULT_LIST(EVM_RPC_FAULT_ENUM) EVM_RPC_N_FAULT };

const char *evm_rpc_fault_name(unsigned int fault);

struct evm_rpc_conf {
	uint64_t chain_id;
	// In the order of preference; one that was at fault comes after the others for a while.
	const char *urls[EVM_RPC_ENDPOINTS_MAX];
	size_t n_urls;
	uint32_t connect_timeout_ms;
	uint32_t timeout_ms;
	uint32_t backoff_min_ms; // after the first fault; doubles
	uint32_t backoff_max_ms;
	size_t response_max_bytes;
	uint32_t mark; // of its sockets, see http_client_conf; 0: none
	const char *device; // that they are bound to; kept, not copied; NULL: none
	const struct clock *clock; // monotonic time of the back-off
	// Told of each fault, for the log and the alerts; endpoint is what may be shown of its URL.
	void (*on_fault
	)(void *ctx, const char *endpoint, enum evm_rpc_fault fault, const char *why);
	void *on_fault_ctx;
};

struct evm_rpc;

/* Copies conf and its URLs. No connection is made yet.
 * Returns: 0; -EINVAL (no URL, too many, or one too long); -ENOMEM. */
int evm_rpc_create(struct evm_rpc **ret, const struct evm_rpc_conf *conf);
void evm_rpc_destroy(struct evm_rpc *rpc);

/* From any thread: ends what runs. */
void evm_rpc_interrupt(struct evm_rpc *rpc);

// A JSON-RPC error object: an answer, not a fault of the endpoint.
struct evm_rpc_error {
	int64_t code;
	char message[256];
	char data[1024]; // hex of revert data, or empty
};

struct evm_rpc_call {
	const char *method;
	const char *params; // JSON text of the array
	// Out:
	struct json_value
		*reply; // the whole reply document when it was a single call; owned by the call
	const struct json_value *result; // NULL when error is set
	struct evm_rpc_error error;
};

/* Asks one question, on as many endpoints as it takes; call->result lives until evm_rpc_call_fini.
 * Returns: 0; -EREMOTEIO when the answer was a JSON-RPC error; -EIO when no endpoint answered, why
 * names the last fault; -EINTR; -ENOMEM. *ret_endpoint (may be NULL): who answered. */
int evm_rpc_ask(
	struct evm_rpc *rpc,
	struct evm_rpc_call *call,
	size_t *ret_endpoint,
	char why[EVM_RPC_WHY_SIZE]
) __attribute__((warn_unused_result));

/* The same at one endpoint only, no fail-over. */
int evm_rpc_ask_at(
	struct evm_rpc *rpc, size_t endpoint, struct evm_rpc_call *call, char why[EVM_RPC_WHY_SIZE]
) __attribute__((warn_unused_result));

/* n ≤ EVM_RPC_BATCH_MAX questions in one request. calls[i].error is set where that one failed.
 * Replies come in any order and are matched by id; one that is missing is BAD_ENVELOPE.
 * Returns: 0; -EIO; -EINTR; -ENOMEM. */
int evm_rpc_ask_batch(
	struct evm_rpc *rpc,
	struct evm_rpc_call *calls,
	size_t n,
	size_t *ret_endpoint,
	char why[EVM_RPC_WHY_SIZE]
) __attribute__((warn_unused_result));

/* The same at one endpoint only, no fail-over. */
int evm_rpc_ask_batch_at(
	struct evm_rpc *rpc,
	size_t endpoint,
	struct evm_rpc_call *calls,
	size_t n,
	char why[EVM_RPC_WHY_SIZE]
) __attribute__((warn_unused_result));
void evm_rpc_call_fini(struct evm_rpc_call *call);

/* Records what a caller found wrong in an answer, and lets the endpoint rest. */
void evm_rpc_blame(
	struct evm_rpc *rpc, size_t endpoint, enum evm_rpc_fault fault, const char *format, ...
) __attribute__((format(printf, 4, 5)));

/* Asks an endpoint once more which chain it serves: its address may have come to serve another one.
 * Returns: 0; -EIO (blamed); -EINTR; -ENOMEM. */
int evm_rpc_check_chain(struct evm_rpc *rpc, size_t endpoint, char why[EVM_RPC_WHY_SIZE])
	__attribute__((warn_unused_result));

/* Another endpoint than this one to ask for a second opinion: one that is not resting, or one whose
 * last fault is EVM_RPC_DISAGREES, resting or not.
 * Returns: its index; -ENOENT when there is none. */
int evm_rpc_other(struct evm_rpc *rpc, size_t endpoint);

struct evm_rpc_stats {
	char endpoint[128]; // what may be shown of the URL
	bool is_foreign; // served another chain when it was asked last
	uint64_t n_calls;
	uint64_t faults[EVM_RPC_N_FAULT];
	bool is_resting;
	char last_why[EVM_RPC_WHY_SIZE]; // of the last fault; empty when there was none
};

size_t evm_rpc_n_endpoints(const struct evm_rpc *rpc);
void evm_rpc_get_stats(const struct evm_rpc *rpc, size_t endpoint, struct evm_rpc_stats *ret);
