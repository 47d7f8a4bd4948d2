// SPDX-License-Identifier: Apache-2.0
//
// Endpoints, their faults and rests, and fail-over; what goes over the wire is evm_rpc_wire's.

#include "evm_rpc.h"

#include "evm_rpc_wire.h"

#include "controlplane/chain/http_client.h"
#include "controlplane/chain/u256.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

// How long a fault puts an endpoint behind the others, in its longest rests.
#define EVM_RPC_BEHIND_RESTS 10

struct evm_rpc_endpoint {
	char url[EVM_RPC_URL_SIZE];
	bool is_verified; // said that it serves our chain since its last fault
	uint32_t n_faults_in_a_row;
	uint64_t rests_until_ns;
	uint64_t faulted_ns; // its last fault; 0 = none yet
	bool is_contradicted; // its last fault was to say otherwise than another
	struct evm_rpc_stats stats;
};

struct evm_rpc {
	struct evm_rpc_conf conf;
	struct http_client *http;
	struct evm_rpc_endpoint endpoints[EVM_RPC_ENDPOINTS_MAX];
	uint64_t next_id;
	uint64_t jitter; // state of the generator; not secret
};

static const char *const evm_rpc_fault_names[] = {
#define EVM_RPC_FAULT_NAME(id, name, help) name,
	EVM_RPC_FAULT_LIST(EVM_RPC_FAULT_NAME)};

const char *evm_rpc_fault_name(unsigned int fault)
{
	return fault < EVM_RPC_N_FAULT ? evm_rpc_fault_names[fault] : "unknown";
}

int evm_rpc_create(struct evm_rpc **ret, const struct evm_rpc_conf *conf)
{
	struct http_client_conf http = {
		.connect_timeout_ms = conf->connect_timeout_ms,
		.timeout_ms = conf->timeout_ms,
		.response_max_bytes = conf->response_max_bytes,
		.mark = conf->mark,
		.device = conf->device,
	};
	struct evm_rpc *rpc;
	int r;

	if (conf->n_urls == 0 || conf->n_urls > EVM_RPC_ENDPOINTS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < conf->n_urls; i++) {
		if (strlen(conf->urls[i]) >= EVM_RPC_URL_SIZE)
			return -EINVAL;
	}
	rpc = calloc(1, sizeof(*rpc));
	if (rpc == NULL)
		return -ENOMEM;
	r = http_client_create(&rpc->http, &http);
	if (r < 0) {
		free(rpc);
		return r;
	}
	rpc->conf = *conf;
	for (size_t i = 0; i < conf->n_urls; i++) {
		struct evm_rpc_endpoint *e = &rpc->endpoints[i];

		strcpy(e->url, conf->urls[i]);
		http_client_describe(e->url, e->stats.endpoint, sizeof(e->stats.endpoint));
		rpc->conf.urls[i] = e->url;
	}
	rpc->next_id = 1;
	if (getrandom(&rpc->jitter, sizeof(rpc->jitter), 0) != sizeof(rpc->jitter))
		rpc->jitter = clock_mono_ns(conf->clock);
	rpc->jitter |= 1;
	*ret = rpc;
	return 0;
}

void evm_rpc_destroy(struct evm_rpc *rpc)
{
	if (rpc == NULL)
		return;
	http_client_destroy(rpc->http);
	free(rpc);
}

void evm_rpc_interrupt(struct evm_rpc *rpc)
{
	http_client_interrupt(rpc->http);
}

// Between half and the whole of the doubled time: "equal jitter". xorshift64.
static uint64_t evm_rpc_rest_ns(struct evm_rpc *rpc, uint32_t n_faults)
{
	uint64_t rest_ms = rpc->conf.backoff_min_ms;

	for (uint32_t i = 1; i < n_faults && rest_ms < rpc->conf.backoff_max_ms; i++)
		rest_ms *= 2;
	if (rest_ms > rpc->conf.backoff_max_ms)
		rest_ms = rpc->conf.backoff_max_ms;
	rpc->jitter ^= rpc->jitter << 13;
	rpc->jitter ^= rpc->jitter >> 7;
	rpc->jitter ^= rpc->jitter << 17;
	return (rest_ms / 2 + rpc->jitter % (rest_ms / 2 + 1)) * NS_PER_MS;
}

void evm_rpc_blame(
	struct evm_rpc *rpc, size_t endpoint, enum evm_rpc_fault fault, const char *format, ...
)
{
	struct evm_rpc_endpoint *e = &rpc->endpoints[endpoint];
	char why[EVM_RPC_WHY_SIZE - 160], shown[sizeof(e->stats.endpoint)];
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	memcpy(shown, e->stats.endpoint, sizeof(shown));
	snprintf(
		e->stats.last_why,
		sizeof(e->stats.last_why),
		"%s: %s: %s",
		shown,
		evm_rpc_fault_names[fault],
		why
	);
	e->stats.faults[fault]++;
	e->is_verified = false;
	e->is_contradicted = fault == EVM_RPC_DISAGREES;
	e->n_faults_in_a_row++;
	e->faulted_ns = clock_mono_ns(rpc->conf.clock);
	e->rests_until_ns = e->faulted_ns + evm_rpc_rest_ns(rpc, e->n_faults_in_a_row);
	if (rpc->conf.on_fault != NULL)
		rpc->conf.on_fault(rpc->conf.on_fault_ctx, e->stats.endpoint, fault, why);
}

static bool evm_rpc_is_resting(const struct evm_rpc *rpc, size_t endpoint)
{
	return clock_mono_ns(rpc->conf.clock) < rpc->endpoints[endpoint].rests_until_ns;
}

int evm_rpc_other(struct evm_rpc *rpc, size_t endpoint)
{
	for (size_t i = 0; i < rpc->conf.n_urls; i++) {
		if (i != endpoint && !evm_rpc_is_resting(rpc, i))
			return (int)i;
	}
	// Nobody is believed for the time that whoever contradicted it rests.
	for (size_t i = 0; i < rpc->conf.n_urls; i++) {
		if (i != endpoint && rpc->endpoints[i].is_contradicted)
			return (int)i;
	}
	return -ENOENT;
}

static enum evm_rpc_fault evm_rpc_transport_fault(int r)
{
	if (r == -ETIMEDOUT)
		return EVM_RPC_TIMEOUT;
	return r == -EMSGSIZE ? EVM_RPC_TOO_LARGE : EVM_RPC_UNREACHABLE;
}

// One exchange with one endpoint. Returns 0, -EIO (blamed), -EINTR, -ENOMEM.
static int evm_rpc_exchange(
	struct evm_rpc *rpc, size_t endpoint, struct evm_rpc_call *calls, size_t n
)
{
	struct evm_rpc_endpoint *e = &rpc->endpoints[endpoint];
	struct http_client_response response;
	char http_why[HTTP_CLIENT_WHY_SIZE], why[EVM_RPC_WIRE_WHY_SIZE];
	enum evm_rpc_fault fault;
	uint64_t first_id = rpc->next_id;
	char *body;
	int r;

	rpc->next_id += n;
	e->stats.n_calls += n;
	body = evm_rpc_wire_build(calls, n, first_id);
	if (body == NULL)
		return -ENOMEM;
	r = http_client_post_json(rpc->http, e->url, body, strlen(body), &response, http_why);
	free(body);
	if (r == -EINTR || r == -ENOMEM)
		return r;
	if (r < 0) {
		evm_rpc_blame(rpc, endpoint, evm_rpc_transport_fault(r), "%s", http_why);
		return -EIO;
	}
	if (response.status != 200) {
		evm_rpc_blame(
			rpc,
			endpoint,
			response.status == 429 ? EVM_RPC_RATE_LIMITED : EVM_RPC_HTTP_STATUS,
			"HTTP status %ld",
			response.status
		);
		r = -EIO;
	} else {
		r = evm_rpc_wire_parse(
			calls, n, first_id, response.body, response.len, &fault, why
		);
		if (r == -EIO)
			evm_rpc_blame(rpc, endpoint, fault, "%s", why);
	}
	http_client_response_fini(&response);
	return r;
}

static int evm_rpc_verify_chain(struct evm_rpc *rpc, size_t endpoint)
{
	struct evm_rpc_call call = {.method = "eth_chainId", .params = "[]"};
	const char *text;
	struct u256 id;
	int r;

	r = evm_rpc_exchange(rpc, endpoint, &call, 1);
	if (r < 0)
		return r;
	text = json_string(call.result);
	if (text == NULL || u256_parse_quantity(text, &id) < 0) {
		evm_rpc_blame(rpc, endpoint, EVM_RPC_BAD_RESULT, "eth_chainId is no quantity");
		r = -EIO;
	} else if (!u256_equal(id, u256_from_u64(rpc->conf.chain_id))) {
		evm_rpc_blame(
			rpc,
			endpoint,
			EVM_RPC_WRONG_CHAIN,
			"serves chain %.70s, configured is %" PRIu64,
			text,
			rpc->conf.chain_id
		);
		rpc->endpoints[endpoint].stats.is_foreign = true;
		r = -EIO;
	} else {
		rpc->endpoints[endpoint].stats.is_foreign = false;
		rpc->endpoints[endpoint].is_verified = true;
	}
	evm_rpc_call_fini(&call);
	return r;
}

int evm_rpc_check_chain(struct evm_rpc *rpc, size_t endpoint, char why[EVM_RPC_WHY_SIZE])
{
	int r = evm_rpc_verify_chain(rpc, endpoint);

	if (r < 0)
		snprintf(why, EVM_RPC_WHY_SIZE, "%s", rpc->endpoints[endpoint].stats.last_why);
	return r;
}

static int evm_rpc_try(struct evm_rpc *rpc, size_t endpoint, struct evm_rpc_call *calls, size_t n)
{
	struct evm_rpc_endpoint *e = &rpc->endpoints[endpoint];
	int r = 0;

	if (!e->is_verified)
		r = evm_rpc_verify_chain(rpc, endpoint);
	if (r == 0)
		r = evm_rpc_exchange(rpc, endpoint, calls, n);
	if (r == 0)
		e->n_faults_in_a_row = 0;
	return r;
}

// Whom to ask next: of those that are awake and were not tried, the one whose last fault is longest ago.
// Else whoever answers most questions and spoils one would be the first again whenever its rest is over,
// and the others would never come to answer that one. -ENOENT: there is none.
static int evm_rpc_next(const struct evm_rpc *rpc, uint32_t tried)
{
	uint64_t now_ns = clock_mono_ns(rpc->conf.clock), best_ns = 0;
	uint64_t behind_ns = EVM_RPC_BEHIND_RESTS * NS_PER_MS * rpc->conf.backoff_max_ms;
	int best = -ENOENT;

	for (size_t i = 0; i < rpc->conf.n_urls; i++) {
		uint64_t faulted_ns = rpc->endpoints[i].faulted_ns;

		if ((tried & (1u << i)) != 0 || evm_rpc_is_resting(rpc, i))
			continue;
		if (now_ns - faulted_ns > behind_ns)
			faulted_ns = 0;
		if (best >= 0 && faulted_ns >= best_ns)
			continue;
		best = (int)i;
		best_ns = faulted_ns;
	}
	return best;
}

int evm_rpc_ask_batch(
	struct evm_rpc *rpc,
	struct evm_rpc_call *calls,
	size_t n,
	size_t *ret_endpoint,
	char why[EVM_RPC_WHY_SIZE]
)
{
	size_t last = 0;
	uint32_t tried = 0;
	int r = -EIO, next;

	while (r == -EIO && (next = evm_rpc_next(rpc, tried)) >= 0) {
		last = (size_t)next;
		tried |= 1u << last;
		r = evm_rpc_try(rpc, last, calls, n);
	}
	if (r == 0 && ret_endpoint != NULL)
		*ret_endpoint = last;
	if (r < 0)
		snprintf(
			why,
			EVM_RPC_WHY_SIZE,
			"%s%.*s",
			tried != 0 ? "" : "all endpoints rest; ",
			EVM_RPC_WHY_SIZE - 32,
			rpc->endpoints[last].stats.last_why
		);
	return r;
}

// A single call's JSON-RPC error is the call's result code.
static int evm_rpc_single(struct evm_rpc_call *call, int r, char why[EVM_RPC_WHY_SIZE])
{
	if (r == 0 && call->result == NULL) {
		snprintf(
			why,
			EVM_RPC_WHY_SIZE,
			"%s: %s (%" PRId64 ")",
			call->method,
			call->error.message,
			call->error.code
		);
		return -EREMOTEIO;
	}
	return r;
}

int evm_rpc_ask(
	struct evm_rpc *rpc,
	struct evm_rpc_call *call,
	size_t *ret_endpoint,
	char why[EVM_RPC_WHY_SIZE]
)
{
	return evm_rpc_single(call, evm_rpc_ask_batch(rpc, call, 1, ret_endpoint, why), why);
}

int evm_rpc_ask_at(
	struct evm_rpc *rpc, size_t endpoint, struct evm_rpc_call *call, char why[EVM_RPC_WHY_SIZE]
)
{
	int r = evm_rpc_try(rpc, endpoint, call, 1);

	if (r < 0)
		snprintf(why, EVM_RPC_WHY_SIZE, "%s", rpc->endpoints[endpoint].stats.last_why);
	return evm_rpc_single(call, r, why);
}

int evm_rpc_ask_batch_at(
	struct evm_rpc *rpc,
	size_t endpoint,
	struct evm_rpc_call *calls,
	size_t n,
	char why[EVM_RPC_WHY_SIZE]
)
{
	int r = evm_rpc_try(rpc, endpoint, calls, n);

	if (r < 0)
		snprintf(why, EVM_RPC_WHY_SIZE, "%s", rpc->endpoints[endpoint].stats.last_why);
	return r;
}

void evm_rpc_call_fini(struct evm_rpc_call *call)
{
	json_free(call->reply);
	call->reply = NULL;
	call->result = NULL;
}

size_t evm_rpc_n_endpoints(const struct evm_rpc *rpc)
{
	return rpc->conf.n_urls;
}

void evm_rpc_get_stats(const struct evm_rpc *rpc, size_t endpoint, struct evm_rpc_stats *ret)
{
	*ret = rpc->endpoints[endpoint].stats;
	ret->is_resting = evm_rpc_is_resting(rpc, endpoint);
}
