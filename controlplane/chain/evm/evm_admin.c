// SPDX-License-Identifier: Apache-2.0
//
// Estimate, sign, send, wait. Built on the driver's account, fees and broadcast.

#include "evm_admin.h"

#include "evm_escrow.h"
#include "evm_hex.h"
#include "evm_reply.h"
#include "evm_tx.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EVM_ADMIN_PAUSE_MS 200

// The call object of eth_call and eth_estimateGas; free it.
static char *evm_admin_format_call(
	const struct evm_admin *admin, const struct evm_admin_tx *tx, const char *tail
)
{
	char from_text[EVM_ADDRESS_TEXT_SIZE], to_text[EVM_ADDRESS_TEXT_SIZE] = "";
	uint8_t from[EVM_ADDRESS_SIZE] = {0};
	char *params = malloc(EVM_HEX_SIZE(tx->len) + 512), *at = params;
	char value[U256_HEX_SIZE];

	if (params == NULL)
		return NULL;
	if (admin->signer != NULL)
		evm_signer_address(admin->signer, from);
	evm_address_format(from, from_text);
	at += sprintf(at, "[{\"from\":\"%s\",", from_text);
	if (tx->to != NULL) {
		evm_address_format(tx->to, to_text);
		at += sprintf(at, "\"to\":\"%s\",", to_text);
	}
	if (!u256_is_zero(tx->value_wei)) {
		u256_format_quantity(tx->value_wei, value);
		at += sprintf(at, "\"value\":\"%s\",", value);
	}
	at += sprintf(at, "\"data\":\"");
	evm_hex_format(tx->data, tx->len, at);
	sprintf(at + EVM_HEX_SIZE(tx->len) - 1, "\"}%s]", tail);
	return params;
}

static int evm_admin_ask(
	const struct evm_admin *admin, struct evm_rpc_call *call, char why[CHAIN_WHY_SIZE]
)
{
	int r = evm_rpc_ask(evm_driver_rpc(admin->driver), call, NULL, why);

	if (r == -EREMOTEIO)
		(void)evm_driver_explain_call(call, why);
	return r;
}

int evm_admin_call(
	const struct evm_admin *admin,
	const uint8_t to[EVM_ADDRESS_SIZE],
	const uint8_t *data,
	size_t len,
	uint8_t *buf,
	size_t cap,
	size_t *ret_len,
	char why[CHAIN_WHY_SIZE]
)
{
	const struct chain_driver chain = evm_driver_chain(admin->driver);
	uint8_t contract[32] = {0};
	const struct chain_query query = {.contract = contract, .data = data, .len = len};

	memcpy(contract + 32 - EVM_ADDRESS_SIZE, to, EVM_ADDRESS_SIZE);
	return chain.ops->call(chain.driver, &query, buf, cap, ret_len, why);
}

static int evm_admin_estimate(
	const struct evm_admin *admin,
	const struct evm_admin_tx *tx,
	uint64_t *ret,
	char why[CHAIN_WHY_SIZE]
)
{
	char *params = evm_admin_format_call(admin, tx, "");
	struct evm_rpc_call call = {.method = "eth_estimateGas", .params = params};
	uint64_t gas;
	int r;

	if (params == NULL)
		return -ENOMEM;
	r = evm_admin_ask(admin, &call, why);
	free(params);
	if (r == 0 && (evm_reply_u64(call.result, &gas) < 0 || gas > UINT64_MAX / 2)) {
		snprintf(why, CHAIN_WHY_SIZE, "the gas estimate is malformed");
		r = -EIO;
	}
	if (r == 0)
		*ret = gas + gas / 5;
	evm_rpc_call_fini(&call);
	return r;
}

// Until there is a receipt. The document stays in ret.
static int evm_admin_wait(
	const struct evm_admin *admin, struct evm_admin_result *ret, char why[CHAIN_WHY_SIZE]
)
{
	struct timespec pause = {0, EVM_ADMIN_PAUSE_MS * 1000000L};
	char hex[EVM_HEX_SIZE(32)], params[EVM_HEX_SIZE(32) + 8];
	struct evm_rpc_call call = {.method = "eth_getTransactionReceipt", .params = params};
	struct evm_receipt receipt;
	int r;

	evm_hex_format(ret->tx_id, 32, hex);
	snprintf(params, sizeof(params), "[\"%s\"]", hex);
	for (uint32_t ms = 0; ms <= admin->wait_sec * 1000; ms += EVM_ADMIN_PAUSE_MS) {
		r = evm_admin_ask(admin, &call, why);
		if (r == 0)
			r = evm_reply_receipt(call.result, &receipt);
		if (r == 0) {
			const char *contract =
				json_string(json_member(call.result, "contractAddress"));

			ret->block_number = receipt.block_number;
			ret->gas_used = receipt.gas_used;
			if (contract != NULL &&
			    evm_hex_parse(contract, ret->contract, EVM_ADDRESS_SIZE) < 0)
				memset(ret->contract, 0, EVM_ADDRESS_SIZE);
			ret->receipt = call.reply;
			if (receipt.is_success)
				return 0;
			snprintf(why, CHAIN_WHY_SIZE, "the transaction %s failed", hex);
			evm_admin_result_fini(ret);
			return -EREMOTEIO;
		}
		evm_rpc_call_fini(&call);
		nanosleep(&pause, NULL);
	}
	snprintf(
		why,
		CHAIN_WHY_SIZE,
		"the transaction %s was sent and is not mined after %u s; it may still be",
		hex,
		admin->wait_sec
	);
	return -ETIMEDOUT;
}

int evm_admin_send_tx(
	const struct evm_admin *admin,
	const struct evm_admin_tx *order,
	struct evm_admin_result *ret,
	char why[CHAIN_WHY_SIZE]
)
{
	const struct chain_driver chain = evm_driver_chain(admin->driver);
	struct evm_tx tx = {
		.type = EVM_TX_DYNAMIC_FEE,
		.chain_id = admin->chain_id,
		.is_create = order->to == NULL,
		.value_wei = order->value_wei,
		.data = order->data,
		.data_len = order->len,
	};
	struct evm_admin_result result = {0};
	struct chain_account account;
	struct chain_fees fees;
	size_t cap = order->len + 1024, raw_len;
	uint8_t *raw = malloc(cap);
	int r;

	if (raw == NULL)
		return -ENOMEM;
	if (order->to != NULL)
		memcpy(tx.to, order->to, EVM_ADDRESS_SIZE);
	r = chain.ops->account(chain.driver, &account, why);
	if (r == 0)
		r = chain.ops->fees(chain.driver, &fees, why);
	if (r == 0)
		r = evm_admin_estimate(admin, order, &tx.gas_limit, why);
	if (r == 0) {
		tx.account_nonce = account.account_nonce;
		tx.max_fee_per_gas_wei = fees.max_fee_wei;
		tx.max_priority_fee_per_gas_wei = fees.max_priority_fee_wei;
		r = evm_signer_sign_tx(admin->signer, &tx, raw, cap, &raw_len);
	}
	if (r == 0) {
		evm_tx_hash(raw, raw_len, result.tx_id);
		r = chain.ops->broadcast(chain.driver, raw, raw_len, why);
	}
	free(raw);
	if (r == 0)
		r = evm_admin_wait(admin, &result, why);
	if (r == 0)
		*ret = result;
	return r;
}

int evm_admin_send(
	const struct evm_admin *admin,
	const uint8_t *to,
	const uint8_t *data,
	size_t len,
	struct evm_admin_result *ret,
	char why[CHAIN_WHY_SIZE]
)
{
	struct evm_admin_tx tx = {.to = to, .data = data, .len = len};

	return evm_admin_send_tx(admin, &tx, ret, why);
}

void evm_admin_result_fini(struct evm_admin_result *result)
{
	json_free(result->receipt);
	result->receipt = NULL;
}

int evm_admin_find_log(
	const struct evm_admin_result *result,
	const uint8_t contract[EVM_ADDRESS_SIZE],
	const char *event_signature,
	struct evm_log *ret
)
{
	const struct json_value *receipt = json_member(result->receipt, "result");
	const struct json_value *logs = json_member(receipt, "logs");
	uint8_t topic[EVM_KECCAK_SIZE];

	evm_keccak_256(event_signature, strlen(event_signature), topic);
	for (const struct json_value *v = json_first(logs); v != NULL; v = json_next(v)) {
		struct evm_log log;

		if (evm_reply_log(v, &log) == 0 && log.n_topics > 0 &&
		    memcmp(log.address, contract, EVM_ADDRESS_SIZE) == 0 &&
		    memcmp(log.topics[0], topic, sizeof(topic)) == 0) {
			*ret = log;
			return 0;
		}
	}
	return -ENOENT;
}
