// SPDX-License-Identifier: Apache-2.0
//
// Read-only calls of contracts (eth_call at the head), and what a refused call says. Chain thread or
// command line.

#include "evm_driver_private.h"
#include "evm_hex.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int evm_driver_explain_call(const struct evm_rpc_call *call, char why[CHAIN_WHY_SIZE])
{
	uint8_t data[512];
	const char *name = NULL;
	size_t len;

	if (evm_hex_parse_bytes(call->error.data, data, sizeof(data), &len) == 0 &&
	    len >= EVM_ABI_SELECTOR)
		name = evm_escrow_error_name(data);
	if (name != NULL && strcmp(name, "unknown error") != 0) {
		snprintf(why, CHAIN_WHY_SIZE, "the contract refuses: %s", name);
		return -EREMOTEIO;
	}
	snprintf(why, CHAIN_WHY_SIZE, "the chain refuses: %s", call->error.message);
	return -ENOEXEC;
}

// Free it.
static char *evm_driver_format_query(const struct chain_query *query)
{
	char address[EVM_ADDRESS_TEXT_SIZE], value[U256_HEX_SIZE];
	char *params = malloc(EVM_HEX_SIZE(query->len) + 320), *at = params;

	if (params == NULL)
		return NULL;
	evm_address_format(query->contract + 32 - EVM_ADDRESS_SIZE, address);
	at += sprintf(at, "[{\"to\":\"%s\",", address);
	if (query->from != NULL) {
		evm_address_format(query->from + 32 - EVM_ADDRESS_SIZE, address);
		at += sprintf(at, "\"from\":\"%s\",", address);
	}
	if (!u256_is_zero(query->value)) {
		u256_format_quantity(query->value, value);
		at += sprintf(at, "\"value\":\"%s\",", value);
	}
	if (query->work_max != 0)
		at += sprintf(at, "\"gas\":\"0x%" PRIx64 "\",", query->work_max);
	at += sprintf(at, "\"data\":\"");
	evm_hex_format(query->data, query->len, at);
	sprintf(at + EVM_HEX_SIZE(query->len) - 1, "\"},\"latest\"]");
	return params;
}

int evm_driver_call(
	void *ctx,
	const struct chain_query *query,
	uint8_t *buf,
	size_t cap,
	size_t *ret_len,
	char why[CHAIN_WHY_SIZE]
)
{
	struct evm_driver *driver = ctx;
	char *params = evm_driver_format_query(query);
	struct evm_rpc_call call = {.method = "eth_call", .params = params};
	const char *text;
	int r;

	if (params == NULL)
		return -ENOMEM;
	r = evm_rpc_ask(driver->rpc, &call, NULL, why);
	free(params);
	if (r == -EREMOTEIO)
		r = evm_driver_explain_call(&call, why);
	if (r == 0) {
		text = json_string(call.result);
		r = text == NULL ? -EIO : evm_hex_parse_bytes(text, buf, cap, ret_len);
		if (r == -EINVAL)
			r = -EIO;
		if (r < 0)
			snprintf(
				why,
				CHAIN_WHY_SIZE,
				r == -ENOSPC ? "the answer to a call is too long"
					     : "the answer to a call is malformed"
			);
	}
	evm_rpc_call_fini(&call);
	return r;
}
