// SPDX-License-Identifier: Apache-2.0
//
// Head, account and fees. Transactions are made in evm_driver_sign.c and sent in
// evm_driver_broadcast.c; receipts are evm_driver_status.c's, logs evm_driver_watch.c's.

#include "evm_driver_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVM_DRIVER_PRIORITY_FEE_MAX_WEI 10000000000000ull // 10,000 gwei
#define EVM_DRIVER_FEES_APART 4 // times: the base fee of 11 full blocks more
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
	*ret_endpoint = endpoint;
	if (r == -ENOENT)
		snprintf(why, CHAIN_WHY_SIZE, "there is no block %.70s", tag);
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

// Highest head that any other endpoint of this chain has shown.
static uint64_t evm_driver_head_of_others(const struct evm_driver *driver, size_t endpoint)
{
	struct evm_rpc_stats stats;
	uint64_t highest = 0;

	for (size_t i = 0; i < evm_rpc_n_endpoints(driver->rpc); i++) {
		evm_rpc_get_stats(driver->rpc, i, &stats);
		if (i != endpoint && !stats.is_foreign && driver->heads[i] > highest)
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
	driver->head_endpoint = endpoint;
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

// One that rests because its head was behind is asked too: it may be the other that is ahead of all.
static int evm_driver_second(struct evm_driver *driver)
{
	int second = evm_rpc_other(driver->rpc, driver->head_endpoint);
	struct evm_rpc_stats stats;

	for (size_t i = 0; i < evm_rpc_n_endpoints(driver->rpc) && second < 0; i++) {
		evm_rpc_get_stats(driver->rpc, i, &stats);
		if (i != driver->head_endpoint && stats.faults[EVM_RPC_HEAD_BACK] > 0)
			second = (int)i;
	}
	return second;
}

static int evm_driver_second_head(void *ctx, struct chain_head *ret, char why[CHAIN_WHY_SIZE])
{
	struct evm_driver *driver = ctx;
	struct evm_rpc_call call = {
		.method = "eth_getBlockByNumber", .params = "[\"latest\",false]"};
	int second = evm_driver_second(driver), r;
	struct evm_block block;

	if (second < 0)
		return -ENOENT;
	r = evm_rpc_ask_at(driver->rpc, (size_t)second, &call, why);
	if (r == 0 && evm_reply_block(call.result, &block) < 0)
		r = evm_driver_bad_result(driver, (size_t)second, call.method, why);
	evm_rpc_call_fini(&call);
	if (r < 0)
		return r == -EINTR || r == -ENOMEM ? r : -ENOENT;
	// So that a first one that stands still is found out the next time.
	if (block.number > driver->heads[second])
		driver->heads[second] = block.number;
	evm_driver_put_head(ret, &block);
	return 0;
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
// not spent. The priority fee is: an absurd one is refused.
static int evm_driver_read_fees(
	struct evm_driver *driver,
	size_t endpoint,
	const struct json_value *priority,
	const struct json_value *latest,
	struct chain_fees *ret,
	char why[CHAIN_WHY_SIZE]
)
{
	struct u256 bound = u256_from_u64(EVM_DRIVER_PRIORITY_FEE_MAX_WEI);
	char text[U256_DEC_SIZE];
	struct chain_fees fees;
	struct evm_block block;

	if (evm_reply_quantity(priority, &fees.max_priority_fee_wei) < 0 ||
	    evm_reply_block(latest, &block) < 0 ||
	    u256_mul(block.base_fee_wei, u256_from_u64(2), &fees.max_fee_wei) < 0 ||
	    u256_add(fees.max_fee_wei, fees.max_priority_fee_wei, &fees.max_fee_wei) < 0)
		return evm_driver_bad_result(driver, endpoint, "the fees", why);
	if (u256_compare(fees.max_priority_fee_wei, bound) > 0) {
		u256_format_dec(fees.max_priority_fee_wei, text);
		snprintf(why, CHAIN_WHY_SIZE, "an absurd priority fee of %s wei", text);
		evm_rpc_blame(driver->rpc, endpoint, EVM_RPC_BAD_RESULT, "%s", why);
		return -EIO;
	}
	*ret = fees;
	return 0;
}

static int evm_driver_fees_at(
	struct evm_driver *driver, size_t endpoint, struct chain_fees *ret, char why[CHAIN_WHY_SIZE]
)
{
	struct evm_rpc_call priority = {.method = "eth_maxPriorityFeePerGas", .params = "[]"};
	struct evm_rpc_call latest = {
		.method = "eth_getBlockByNumber", .params = "[\"latest\",false]"};
	int r;

	r = evm_rpc_ask_at(driver->rpc, endpoint, &priority, why);
	if (r == 0)
		r = evm_rpc_ask_at(driver->rpc, endpoint, &latest, why);
	if (r == 0)
		r = evm_driver_read_fees(
			driver, endpoint, priority.result, latest.result, ret, why
		);
	evm_rpc_call_fini(&priority);
	evm_rpc_call_fini(&latest);
	return r;
}

// Whether a is more than what honest endpoints can be apart, since they see the same blocks.
static bool evm_driver_is_far_above(const struct chain_fees *a, const struct chain_fees *b)
{
	struct u256 limit;

	return u256_mul(b->max_fee_wei, u256_from_u64(EVM_DRIVER_FEES_APART), &limit) == 0 &&
		u256_compare(a->max_fee_wei, limit) > 0;
}

static int evm_driver_fees(void *ctx, struct chain_fees *ret, char why[CHAIN_WHY_SIZE])
{
	struct evm_driver *driver = ctx;
	struct evm_rpc_call calls[2] = {
		{.method = "eth_maxPriorityFeePerGas", .params = "[]"},
		{.method = "eth_getBlockByNumber", .params = "[\"latest\",false]"},
	};
	struct chain_fees fees, other;
	size_t endpoint;
	int second, r;

	r = evm_rpc_ask_batch(driver->rpc, calls, 2, &endpoint, why);
	if (r < 0)
		return r;
	r = evm_driver_read_fees(driver, endpoint, calls[0].result, calls[1].result, &fees, why);
	evm_rpc_call_fini(&calls[0]);
	if (r < 0)
		return r;
	second = evm_rpc_other(driver->rpc, endpoint);
	if (second >= 0)
		r = evm_driver_fees_at(driver, (size_t)second, &other, why);
	if (r == -EINTR || r == -ENOMEM)
		return r;
	if (second >= 0 && r == 0 && evm_driver_is_far_above(&fees, &other)) {
		evm_rpc_blame(
			driver->rpc, endpoint, EVM_RPC_DISAGREES, "its gas is far above another's"
		);
		fees = other;
	} else if (second >= 0 && r == 0 && evm_driver_is_far_above(&other, &fees)) {
		evm_rpc_blame(
			driver->rpc,
			(size_t)second,
			EVM_RPC_DISAGREES,
			"its gas is far above another's"
		);
	}
	*ret = fees;
	return 0;
}

static const struct chain_driver_ops evm_driver_ops = {
	.head = evm_driver_head,
	.second_head = evm_driver_second_head,
	.check_block = evm_driver_check_block,
	.account = evm_driver_account,
	.fees = evm_driver_fees,
	.gas = evm_driver_gas,
	.sign = evm_driver_sign,
	.broadcast = evm_driver_broadcast,
	.status = evm_driver_status,
	.find_event = evm_driver_find_event,
	.verify_voucher = evm_driver_verify_voucher,
	.verify_attestation = evm_driver_verify_attestation,
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
