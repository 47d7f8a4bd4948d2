// SPDX-License-Identifier: Apache-2.0
//
// Whether a block that was read is still the chain's. Much hangs on a "no": sessions are void, payouts
// are looked for again. So one endpoint's word does not suffice where there is another, and one that is
// behind is not one that knows better.

#include "evm_driver_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// The same question at one endpoint alone. -ENOENT: it has no such block.
static int evm_driver_get_block_at(
	struct evm_driver *driver,
	size_t endpoint,
	const char *tag,
	struct evm_block *ret,
	char why[CHAIN_WHY_SIZE]
)
{
	char params[U256_HEX_SIZE + 16];
	struct evm_rpc_call call = {.method = "eth_getBlockByNumber", .params = params};
	int r;

	snprintf(params, sizeof(params), "[\"%s\",false]", tag);
	r = evm_rpc_ask_at(driver->rpc, endpoint, &call, why);
	if (r == 0) {
		r = evm_reply_block(call.result, ret);
		if (r == -EBADMSG)
			r = evm_driver_bad_result(driver, endpoint, call.method, why);
	}
	evm_rpc_call_fini(&call);
	return r == -EREMOTEIO ? -EIO : r;
}

// An endpoint without the block has not come so far, or went back: until its head has passed the block
// it has nothing to say about it.
static int evm_driver_absent(
	struct evm_driver *driver, size_t endpoint, uint64_t number, char why[CHAIN_WHY_SIZE]
)
{
	struct evm_block head;
	int r = evm_driver_get_block_at(driver, endpoint, "latest", &head, why);

	if (r < 0)
		return r == -ENOENT ? -EIO : r;
	if (head.number >= number) {
		evm_rpc_blame(
			driver->rpc,
			endpoint,
			EVM_RPC_BAD_RESULT,
			"head %" PRIu64 ", but no block %" PRIu64,
			head.number,
			number
		);
		snprintf(why, CHAIN_WHY_SIZE, "an endpoint has no block below its own head");
		return -EIO;
	}
	driver->heads[endpoint] = head.number;
	evm_rpc_blame(
		driver->rpc,
		endpoint,
		EVM_RPC_HEAD_BACK,
		"head %" PRIu64 ", behind block %" PRIu64 " that was read already",
		head.number,
		number
	);
	snprintf(why, CHAIN_WHY_SIZE, "the head %" PRIu64 " is behind what was read", head.number);
	return -EAGAIN;
}

// An endpoint has another block there. One that has the old one contradicts it; one that has neither
// stays out of it.
static int evm_driver_replaced(
	struct evm_driver *driver,
	size_t endpoint,
	const char *tag,
	uint64_t number,
	const uint8_t hash[CHAIN_ID_SIZE],
	char why[CHAIN_WHY_SIZE]
)
{
	int second = evm_rpc_other(driver->rpc, endpoint);
	struct evm_block block;

	if (second < 0 || evm_driver_get_block_at(driver, (size_t)second, tag, &block, why) < 0 ||
	    memcmp(block.hash, hash, CHAIN_ID_SIZE) != 0) {
		snprintf(why, CHAIN_WHY_SIZE, "block %" PRIu64 " was replaced", number);
		return -ENOENT;
	}
	snprintf(why, CHAIN_WHY_SIZE, "about block %" PRIu64, number);
	evm_driver_blame_both(driver, endpoint, (size_t)second, why);
	snprintf(why, CHAIN_WHY_SIZE, "two endpoints disagree about block %" PRIu64, number);
	return -EAGAIN;
}

int evm_driver_check_block(
	void *ctx, uint64_t number, const uint8_t hash[CHAIN_ID_SIZE], char why[CHAIN_WHY_SIZE]
)
{
	struct evm_driver *driver = ctx;
	char tag[U256_HEX_SIZE];
	struct evm_block block;
	size_t endpoint;
	int r;

	u256_format_quantity(u256_from_u64(number), tag);
	r = evm_driver_get_block(driver, tag, &block, &endpoint, why);
	if (r == -ENOENT)
		return evm_driver_absent(driver, endpoint, number, why);
	if (r < 0 || memcmp(block.hash, hash, CHAIN_ID_SIZE) == 0)
		return r;
	// A block of another chain replaces none.
	r = evm_rpc_check_chain(driver->rpc, endpoint, why);
	if (r < 0)
		return r;
	return evm_driver_replaced(driver, endpoint, tag, number, hash, why);
}
