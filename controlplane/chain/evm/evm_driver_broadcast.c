// SPDX-License-Identifier: Apache-2.0
//
// Sending a raw transaction to every endpoint, and what their answers mean. Chain thread.

#include "evm_driver_private.h"
#include "evm_hex.h"
#include "evm_tx.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// What nodes say in words only; each phrase is geth's, reth's or anvil's.
static int evm_driver_refusal(const char *message)
{
	static const struct {
		const char *phrase;
		int r;
	} rows[] = {
		{"already known", 0},
		{"already imported", 0},
		{"nonce too low", -ESTALE},
		{"insufficient funds", -EDQUOT},
		{"Insufficient funds", -EDQUOT},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strstr(message, rows[i].phrase) != NULL)
			return rows[i].r;
	}
	return -EREMOTEIO;
}

// One endpoint's answer to a raw transaction, as the interface names it.
static int evm_driver_broadcast_result(
	struct evm_driver *driver,
	size_t endpoint,
	const struct evm_rpc_call *call,
	int r,
	const uint8_t expected[32],
	char why[CHAIN_WHY_SIZE]
)
{
	uint8_t told[32];

	if (r == -EREMOTEIO)
		return evm_driver_refusal(call->error.message);
	if (r == 0 && (evm_reply_hash(call->result, told) < 0 || memcmp(told, expected, 32) != 0))
		return evm_driver_bad_result(driver, endpoint, call->method, why);
	return r;
}

// Every endpoint that is awake is told, since one that swallows transactions cannot be told from an
// honest one. It is sent when any took it; else the first one's word stands.
int evm_driver_broadcast(void *ctx, const uint8_t *raw, size_t len, char why[CHAIN_WHY_SIZE])
{
	struct evm_driver *driver = ctx;
	char *params = malloc(EVM_HEX_SIZE(len) + 8), other_why[CHAIN_WHY_SIZE];
	struct evm_rpc_call call = {.method = "eth_sendRawTransaction", .params = params};
	struct evm_rpc_stats stats;
	uint8_t expected[32];
	size_t endpoint = 0;
	int r, other;

	if (params == NULL)
		return -ENOMEM;
	strcpy(params, "[\"");
	evm_hex_format(raw, len, params + 2);
	strcat(params, "\"]");
	evm_tx_hash(raw, len, expected);
	r = evm_rpc_ask(driver->rpc, &call, &endpoint, why);
	r = evm_driver_broadcast_result(driver, endpoint, &call, r, expected, why);
	evm_rpc_call_fini(&call);
	for (size_t i = 0; i < evm_rpc_n_endpoints(driver->rpc) && r != -EINTR; i++) {
		evm_rpc_get_stats(driver->rpc, i, &stats);
		if (i == endpoint || stats.is_resting)
			continue;
		other = evm_rpc_ask_at(driver->rpc, i, &call, other_why);
		other = evm_driver_broadcast_result(driver, i, &call, other, expected, other_why);
		evm_rpc_call_fini(&call);
		if (other == 0)
			r = 0;
	}
	free(params);
	return r;
}
