// SPDX-License-Identifier: Apache-2.0
//
// Head, account, fees and signing. Sending is evm_driver_broadcast.c's, receipts are
// evm_driver_status.c's, logs evm_driver_watch.c's.

#include "evm_driver_private.h"
#include "evm_hex.h"
#include "evm_tx.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A batch's share of gas that does not depend on what the estimate saw: other transactions may come
// first and warm or cool its slots.
#define EVM_DRIVER_GAS_MARGIN_PERCENT 25
#define EVM_DRIVER_LAG_MAX_BLOCKS \
	5 // behind another endpoint's head; honest ones differ by a block or two

int evm_driver_ask(
	struct evm_driver *driver,
	struct evm_rpc_call *call,
	size_t *ret_endpoint,
	char why[CHAIN_WHY_SIZE]
)
{
	size_t endpoint = 0;
	int r = evm_rpc_ask(driver->rpc, call, &endpoint, why);

	if (r == -EREMOTEIO) {
		evm_rpc_blame(
			driver->rpc,
			endpoint,
			EVM_RPC_BAD_RESULT,
			"%s: %s",
			call->method,
			call->error.message
		);
		evm_rpc_call_fini(call);
		return -EIO;
	}
	if (r == 0 && ret_endpoint != NULL)
		*ret_endpoint = endpoint;
	return r;
}

void evm_driver_blame_both(
	struct evm_driver *driver, size_t first, size_t second, const char *about
)
{
	evm_rpc_blame(driver->rpc, first, EVM_RPC_DISAGREES, "%s", about);
	evm_rpc_blame(driver->rpc, second, EVM_RPC_DISAGREES, "%s", about);
}

int evm_driver_bad_result(
	struct evm_driver *driver, size_t endpoint, const char *method, char why[CHAIN_WHY_SIZE]
)
{
	evm_rpc_blame(driver->rpc, endpoint, EVM_RPC_BAD_RESULT, "%s has no valid result", method);
	snprintf(why, CHAIN_WHY_SIZE, "%s has no valid result", method);
	return -EIO;
}

int evm_driver_get_block(
	struct evm_driver *driver,
	const char *tag,
	struct evm_block *ret,
	size_t *ret_endpoint,
	char why[CHAIN_WHY_SIZE]
)
{
	char params[U256_HEX_SIZE + 16];
	struct evm_rpc_call call = {.method = "eth_getBlockByNumber", .params = params};
	size_t endpoint;
	int r;

	snprintf(params, sizeof(params), "[\"%s\",false]", tag);
	r = evm_driver_ask(driver, &call, &endpoint, why);
	if (r < 0)
		return r;
	r = evm_reply_block(call.result, ret);
	evm_rpc_call_fini(&call);
	if (r == -EBADMSG)
		return evm_driver_bad_result(driver, endpoint, call.method, why);
	if (r == -ENOENT)
		snprintf(why, CHAIN_WHY_SIZE, "there is no block %.70s", tag);
	else
		*ret_endpoint = endpoint;
	return r;
}

static void evm_driver_check_clock(struct evm_driver *driver, uint64_t head_sec)
{
	int64_t now_sec = (int64_t)(clock_unix_ns(driver->conf.clock) / NS_PER_SEC);
	int64_t skew_sec = now_sec - (int64_t)head_sec;
	bool is_skewed = llabs(skew_sec) > (int64_t)driver->conf.clock_skew_max_sec;

	if (is_skewed != driver->is_clock_skewed && driver->conf.on_clock_skew != NULL)
		driver->conf.on_clock_skew(driver->conf.on_clock_skew_ctx, skew_sec, is_skewed);
	driver->is_clock_skewed = is_skewed;
}

static void evm_driver_put_head(struct chain_head *ret, const struct evm_block *block)
{
	ret->number = block->number;
	ret->timestamp_sec = block->timestamp_sec;
	memcpy(ret->hash, block->hash, sizeof(ret->hash));
}

// Highest head that any other endpoint has shown.
static uint64_t evm_driver_head_of_others(const struct evm_driver *driver, size_t endpoint)
{
	uint64_t highest = 0;

	for (size_t i = 0; i < evm_rpc_n_endpoints(driver->rpc); i++) {
		if (i != endpoint && driver->heads[i] > highest)
			highest = driver->heads[i];
	}
	return highest;
}

static int evm_driver_head(void *ctx, struct chain_head *ret, char why[CHAIN_WHY_SIZE])
{
	struct evm_driver *driver = ctx;
	struct evm_block block;
	size_t endpoint;
	int r;

	r = evm_driver_get_block(driver, "latest", &block, &endpoint, why);
	if (r < 0)
		return r == -ENOENT ? -EIO : r;
	// Named once: the chain may really have gone back, and then this is the head from now on.
	if (block.number < driver->heads[endpoint]) {
		evm_rpc_blame(
			driver->rpc,
			endpoint,
			EVM_RPC_HEAD_BACK,
			"head %" PRIu64 " after %" PRIu64,
			block.number,
			driver->heads[endpoint]
		);
		snprintf(why, CHAIN_WHY_SIZE, "the head went back to %" PRIu64, block.number);
		driver->heads[endpoint] = block.number;
		return -EAGAIN;
	}
	driver->heads[endpoint] = block.number;
	// One that stays behind holds everything up; if the chain went back, the others show it when asked.
	if (block.number + EVM_DRIVER_LAG_MAX_BLOCKS <
	    evm_driver_head_of_others(driver, endpoint)) {
		evm_rpc_blame(
			driver->rpc,
			endpoint,
			EVM_RPC_HEAD_BACK,
			"head %" PRIu64 ", behind another endpoint",
			block.number
		);
		snprintf(why, CHAIN_WHY_SIZE, "the head %" PRIu64 " is behind", block.number);
		return -EAGAIN;
	}
	evm_driver_check_clock(driver, block.timestamp_sec);
	evm_driver_put_head(ret, &block);
	return 0;
}

static int evm_driver_block(
	void *ctx, uint64_t number, struct chain_head *ret, char why[CHAIN_WHY_SIZE]
)
{
	char tag[U256_HEX_SIZE];
	struct evm_block block;
	size_t endpoint;
	int r;

	u256_format_quantity(u256_from_u64(number), tag);
	r = evm_driver_get_block(ctx, tag, &block, &endpoint, why);
	if (r == 0)
		evm_driver_put_head(ret, &block);
	return r;
}

static int evm_driver_account(void *ctx, struct chain_account *ret, char why[CHAIN_WHY_SIZE])
{
	struct evm_driver *driver = ctx;
	char address[EVM_ADDRESS_TEXT_SIZE], params[EVM_ADDRESS_TEXT_SIZE + 16];
	struct evm_rpc_call calls[2] = {
		{.method = "eth_getTransactionCount", .params = params},
		{.method = "eth_getBalance", .params = params},
	};
	struct chain_account account;
	size_t endpoint;
	int r;

	evm_address_format(driver->account, address);
	snprintf(params, sizeof(params), "[\"%s\",\"latest\"]", address);
	r = evm_rpc_ask_batch(driver->rpc, calls, 2, &endpoint, why);
	if (r < 0)
		return r;
	if (evm_reply_u64(calls[0].result, &account.account_nonce) < 0 ||
	    evm_reply_quantity(calls[1].result, &account.balance_wei) < 0)
		r = evm_driver_bad_result(driver, endpoint, "the account's state", why);
	else
		*ret = account;
	evm_rpc_call_fini(&calls[0]);
	return r;
}

// Twice the base fee covers six full blocks of rising by 1/8 each (EIP-1559); what is not needed is
// not spent.
static int evm_driver_fees(void *ctx, struct chain_fees *ret, char why[CHAIN_WHY_SIZE])
{
	struct evm_driver *driver = ctx;
	struct evm_rpc_call calls[2] = {
		{.method = "eth_maxPriorityFeePerGas", .params = "[]"},
		{.method = "eth_getBlockByNumber", .params = "[\"latest\",false]"},
	};
	struct chain_fees fees;
	struct evm_block block;
	size_t endpoint;
	int r;

	r = evm_rpc_ask_batch(driver->rpc, calls, 2, &endpoint, why);
	if (r < 0)
		return r;
	if (evm_reply_quantity(calls[0].result, &fees.max_priority_fee_wei) < 0 ||
	    evm_reply_block(calls[1].result, &block) < 0 ||
	    u256_mul(block.base_fee_wei, u256_from_u64(2), &fees.max_fee_wei) < 0 ||
	    u256_add(fees.max_fee_wei, fees.max_priority_fee_wei, &fees.max_fee_wei) < 0)
		r = evm_driver_bad_result(driver, endpoint, "the fees", why);
	else
		*ret = fees;
	evm_rpc_call_fini(&calls[0]);
	return r;
}

static int evm_driver_encode_call(
	const struct evm_driver *driver,
	const struct chain_call *call,
	uint8_t *buf,
	size_t cap,
	size_t *ret_len
)
{
	struct evm_escrow_item items[CHAIN_BATCH_MAX];
	struct evm_abi_writer w;
	int r;

	if (call->n_items > CHAIN_BATCH_MAX)
		return -EINVAL;
	for (size_t i = 0; i < call->n_items; i++) {
		const struct chain_item *item = &call->items[i];

		memcpy(items[i].session_id, item->session_id, 32);
		items[i].bytes_used = item->bytes_used;
		memcpy(items[i].checkpoints_root, item->checkpoints_root, 32);
		items[i].voucher.cumulative_bytes = item->voucher_bytes;
		memcpy(items[i].voucher.r, item->voucher_r, 32);
		memcpy(items[i].voucher.vs, item->voucher_vs, 32);
	}
	evm_abi_writer_init(&w, buf, cap);
	switch (call->kind) {
	case CHAIN_CALL_FINALIZE:
		evm_escrow_put_finalize_batch(&w, driver->conf.node_id, items, call->n_items);
		break;
	case CHAIN_CALL_PROPOSE:
		evm_escrow_put_propose_batch(&w, driver->conf.node_id, items, call->n_items);
		break;
	case CHAIN_CALL_EXECUTE:
		evm_escrow_put_execute_batch(&w, driver->conf.node_id, items, call->n_items);
		break;
	}
	r = evm_abi_finish(&w);
	if (r == 0)
		*ret_len = w.len;
	return r;
}

// The contract's error by name, where the refusal carries one.
static void evm_driver_explain(const struct evm_rpc_error *error, char why[CHAIN_WHY_SIZE])
{
	uint8_t data[sizeof(error->data) / 2];
	size_t len;

	if (evm_hex_parse_bytes(error->data, data, sizeof(data), &len) == 0 &&
	    len >= EVM_ABI_SELECTOR)
		snprintf(
			why,
			CHAIN_WHY_SIZE,
			"the escrow refuses the whole batch: %s",
			evm_escrow_error_name(data)
		);
}

// An estimate was refused. Only the contract's own refusal is one, and only if a second endpoint
// does not know better: a session must not pay for an endpoint that is broken or lies.
static int evm_driver_gas_refused(
	struct evm_driver *driver,
	struct evm_rpc_call *ask,
	size_t endpoint,
	char why[CHAIN_WHY_SIZE]
)
{
	int other = evm_rpc_other(driver->rpc, endpoint);
	struct evm_rpc_call again = {.method = ask->method, .params = ask->params};
	char other_why[CHAIN_WHY_SIZE];
	int r;

	if (strcasestr(ask->error.message, "revert") == NULL) {
		evm_rpc_blame(
			driver->rpc,
			endpoint,
			EVM_RPC_BAD_RESULT,
			"%s: %s",
			ask->method,
			ask->error.message
		);
		return -EIO;
	}
	if (other < 0)
		return -EREMOTEIO;
	r = evm_rpc_ask_at(driver->rpc, (size_t)other, &again, other_why);
	evm_rpc_call_fini(&again);
	if (r != 0)
		return r == -EINTR || r == -ENOMEM ? r : -EREMOTEIO;
	evm_rpc_blame(
		driver->rpc, endpoint, EVM_RPC_DISAGREES, "refuses a call that another one takes"
	);
	snprintf(why, CHAIN_WHY_SIZE, "two endpoints disagree about a call");
	return -EAGAIN;
}

static int evm_driver_gas(
	void *ctx, const struct chain_call *call, uint64_t *ret, char why[CHAIN_WHY_SIZE]
)
{
	struct evm_driver *driver = ctx;
	uint8_t data[CHAIN_TX_SIZE];
	char *params = malloc(EVM_HEX_SIZE(sizeof(data)) + 256), *at;
	char from[EVM_ADDRESS_TEXT_SIZE], to[EVM_ADDRESS_TEXT_SIZE];
	struct evm_rpc_call ask = {.method = "eth_estimateGas", .params = params};
	size_t len, endpoint;
	uint64_t gas;
	int r;

	if (params == NULL)
		return -ENOMEM;
	r = evm_driver_encode_call(driver, call, data, sizeof(data), &len);
	if (r == 0) {
		evm_address_format(driver->account, from);
		evm_address_format(driver->conf.escrow, to);
		at = params +
			sprintf(params, "[{\"from\":\"%s\",\"to\":\"%s\",\"data\":\"", from, to);
		evm_hex_format(data, len, at);
		strcat(at, "\"}]");
		r = evm_rpc_ask(driver->rpc, &ask, &endpoint, why);
		if (r == -EREMOTEIO)
			r = evm_driver_gas_refused(driver, &ask, endpoint, why);
	}
	free(params);
	if (r < 0) {
		if (r == -EREMOTEIO)
			evm_driver_explain(&ask.error, why);
		evm_rpc_call_fini(&ask);
		return r;
	}
	if (evm_reply_u64(ask.result, &gas) < 0 || gas > UINT64_MAX / 200)
		r = evm_driver_bad_result(driver, endpoint, ask.method, why);
	else
		*ret = gas + gas * EVM_DRIVER_GAS_MARGIN_PERCENT / 100;
	evm_rpc_call_fini(&ask);
	return r;
}

static int evm_driver_sign(
	void *ctx,
	const struct chain_call *call,
	uint64_t account_nonce,
	uint64_t gas_limit,
	const struct chain_fees *fees,
	uint8_t raw[CHAIN_TX_SIZE],
	size_t *ret_len,
	uint8_t tx_id[CHAIN_ID_SIZE],
	char why[CHAIN_WHY_SIZE]
)
{
	struct evm_driver *driver = ctx;
	uint8_t data[CHAIN_TX_SIZE];
	struct evm_tx tx = {
		.type = EVM_TX_DYNAMIC_FEE,
		.chain_id = driver->conf.rpc.chain_id,
		.account_nonce = account_nonce,
		.max_priority_fee_per_gas_wei = fees->max_priority_fee_wei,
		.max_fee_per_gas_wei = fees->max_fee_wei,
		.gas_limit = gas_limit,
		.data = data,
	};
	int r;

	memcpy(tx.to, driver->conf.escrow, EVM_ADDRESS_SIZE);
	r = evm_driver_encode_call(driver, call, data, sizeof(data), &tx.data_len);
	if (r == 0)
		r = evm_signer_sign_tx(driver->signer, &tx, raw, CHAIN_TX_SIZE, ret_len);
	if (r < 0) {
		snprintf(why, CHAIN_WHY_SIZE, "cannot sign the transaction: %s", strerror(-r));
		return r;
	}
	evm_tx_hash(raw, *ret_len, tx_id);
	return 0;
}

static int evm_driver_verify_voucher(
	void *ctx, const struct chain_item *item, const uint8_t signer[32], char why[CHAIN_WHY_SIZE]
)
{
	struct evm_driver *driver = ctx;
	struct evm_escrow_voucher voucher = {.cumulative_bytes = item->voucher_bytes};
	uint8_t separator[EVM_KECCAK_SIZE];
	int r;

	memcpy(voucher.r, item->voucher_r, 32);
	memcpy(voucher.vs, item->voucher_vs, 32);
	evm_escrow_domain(driver->conf.rpc.chain_id, driver->conf.escrow, separator);
	r = evm_escrow_verify_voucher(
		separator, item->session_id, signer + 32 - EVM_ADDRESS_SIZE, &voucher
	);
	if (r < 0)
		snprintf(
			why,
			CHAIN_WHY_SIZE,
			"the voucher is not by the session's signer, for this session, chain and "
			"contract"
		);
	return r;
}

static const struct chain_driver_ops evm_driver_ops = {
	.head = evm_driver_head,
	.block = evm_driver_block,
	.account = evm_driver_account,
	.fees = evm_driver_fees,
	.gas = evm_driver_gas,
	.sign = evm_driver_sign,
	.broadcast = evm_driver_broadcast,
	.status = evm_driver_status,
	.find_settled = evm_driver_find_settled,
	.verify_voucher = evm_driver_verify_voucher,
	.watch = evm_driver_watch,
	.call = evm_driver_call,
};

int evm_driver_create(
	struct evm_driver **ret, const struct evm_driver_conf *conf, const struct evm_signer *signer
)
{
	struct evm_driver *driver;
	int r;

	if (conf->range_max_blocks == 0)
		return -EINVAL;
	driver = calloc(1, sizeof(*driver));
	if (driver == NULL)
		return -ENOMEM;
	r = evm_rpc_create(&driver->rpc, &conf->rpc);
	if (r < 0) {
		free(driver);
		return r;
	}
	driver->conf = *conf;
	driver->signer = signer;
	driver->range_blocks = conf->range_max_blocks;
	if (signer != NULL)
		evm_signer_address(signer, driver->account);
	*ret = driver;
	return 0;
}

void evm_driver_destroy(struct evm_driver *driver)
{
	if (driver == NULL)
		return;
	evm_rpc_destroy(driver->rpc);
	free(driver);
}

struct chain_driver evm_driver_chain(struct evm_driver *driver)
{
	return (struct chain_driver){&evm_driver_ops, driver, driver->conf.rpc.chain_id};
}

struct evm_rpc *evm_driver_rpc(struct evm_driver *driver)
{
	return driver->rpc;
}

void evm_driver_interrupt(void *ctx)
{
	struct evm_driver *driver = ctx;

	evm_rpc_interrupt(driver->rpc);
}
