// SPDX-License-Identifier: Apache-2.0
//
// Receipts: where a transaction stands and what the escrow said in it. A receipt is believed when
// its block is the chain's block of that number; for the last look a second endpoint must agree.

#include "evm_driver_private.h"
#include "evm_hex.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void evm_driver_pad_address(uint8_t dst[32], const uint8_t address[EVM_ADDRESS_SIZE])
{
	memset(dst, 0, 32);
	memcpy(dst + 32 - EVM_ADDRESS_SIZE, address, EVM_ADDRESS_SIZE);
}

static void evm_driver_event_created(const struct evm_escrow_event *from, struct chain_event *to)
{
	to->kind = CHAIN_EVENT_CREATED;
	to->bytes = from->u.created.bought_bytes;
	to->deadline_sec = from->u.created.expiry_sec;
	to->buyer_amount = from->u.created.deposit;
	to->mode = from->u.created.mode;
	to->grace_sec = from->u.created.terms.grace_sec;
	to->price_per_gb = from->u.created.terms.price_per_gb;
	to->node_id = from->u.created.node_id;
	evm_driver_pad_address(to->buyer, from->u.created.buyer);
	evm_driver_pad_address(to->voucher_signer, from->u.created.voucher_signer);
	evm_driver_pad_address(to->asset, from->u.created.terms.asset);
	evm_driver_pad_address(to->usage_signer, from->u.created.terms.usage_signer);
	evm_driver_pad_address(to->attestor, from->u.created.terms.attestor);
	memcpy(to->wg_public_key, from->u.created.terms.wg_public_key, 32);
}

static void evm_driver_event_fill(const struct evm_escrow_event *from, struct chain_event *to)
{
	switch (from->kind) {
	case EVM_ESCROW_CREATED:
		evm_driver_event_created(from, to);
		break;
	case EVM_ESCROW_TOPPED_UP:
		to->kind = CHAIN_EVENT_TOPPED_UP;
		to->bytes = from->u.topped_up.bought_bytes;
		to->deadline_sec = from->u.topped_up.expiry_sec;
		to->buyer_amount = from->u.topped_up.paid;
		break;
	case EVM_ESCROW_CLOSED:
		to->kind = CHAIN_EVENT_CLOSED;
		to->deadline_sec = from->u.closed.reclaim_from_sec;
		break;
	case EVM_ESCROW_CLAIMED:
		to->kind = CHAIN_EVENT_CLAIMED;
		to->bytes = from->u.claimed.claimed_bytes;
		to->operator_amount = from->u.claimed.operator_amount;
		to->fee_amount = from->u.claimed.fee_amount;
		break;
	case EVM_ESCROW_PROPOSED:
		to->kind = CHAIN_EVENT_PROPOSED;
		to->bytes = from->u.proposed.bytes_used;
		to->deadline_sec = from->u.proposed.window_end_sec;
		break;
	case EVM_ESCROW_DISPUTED:
		to->kind = CHAIN_EVENT_DISPUTED;
		to->bytes = from->u.disputed.bytes_accepted;
		to->deadline_sec = from->u.disputed.resolve_until_sec;
		break;
	case EVM_ESCROW_SETTLED:
		to->kind = CHAIN_EVENT_SETTLED;
		to->bytes = from->u.settled.bytes_used;
		to->operator_amount = from->u.settled.operator_amount;
		to->fee_amount = from->u.settled.fee_amount;
		to->buyer_amount = from->u.settled.refund;
		break;
	case EVM_ESCROW_SKIPPED:
		to->kind = CHAIN_EVENT_SKIPPED;
		to->reason = evm_escrow_error_name(from->u.skipped.reason);
		break;
	case EVM_ESCROW_N_EVENT:
		break;
	}
}

int evm_driver_event(const struct evm_log *log, struct chain_event *ret)
{
	struct chain_event event = {0};
	struct evm_escrow_event from;
	int r;

	r = evm_escrow_decode(log, &from);
	if (r < 0)
		return r;
	memcpy(event.session_id, from.session_id, CHAIN_ID_SIZE);
	memcpy(event.tx_id, log->tx_hash, CHAIN_ID_SIZE);
	event.block_number = log->block_number;
	event.log_index = log->log_index;
	evm_driver_event_fill(&from, &event);
	*ret = event;
	return 0;
}

// The escrow's events of a receipt, in their order. -EBADMSG for a log that cannot be this receipt's.
// Of other contracts nothing is read but whose it is: a buyer's, which is handed its refund, logs what
// it likes.
static int evm_driver_receipt_events(
	const struct evm_driver *driver,
	const struct evm_receipt *receipt,
	struct chain_tx_status *status
)
{
	struct evm_log log;
	int r;

	status->n_events = 0;
	for (const struct json_value *v = json_first(receipt->logs); v != NULL; v = json_next(v)) {
		if (evm_reply_log_address(v, log.address) < 0)
			return -EBADMSG;
		if (memcmp(log.address, driver->conf.escrow, EVM_ADDRESS_SIZE) != 0)
			continue;
		if (evm_reply_log(v, &log) < 0 || log.is_removed ||
		    memcmp(log.tx_hash, receipt->tx_hash, 32) != 0 ||
		    memcmp(log.block_hash, receipt->block_hash, 32) != 0)
			return -EBADMSG;
		if (status->n_events == CHAIN_EVENTS_MAX)
			return -EBADMSG;
		r = evm_driver_event(&log, &status->events[status->n_events]);
		if (r == -EBADMSG)
			return r;
		if (r == 0)
			status->n_events++;
	}
	return 0;
}

// -ENOENT: no receipt. Takes the call's result apart; the caller frees the call.
static int evm_driver_take_receipt(
	struct evm_driver *driver,
	size_t endpoint,
	const struct evm_rpc_call *call,
	const uint8_t tx_id[CHAIN_ID_SIZE],
	struct chain_tx_status *status,
	char why[CHAIN_WHY_SIZE]
)
{
	struct evm_receipt receipt;
	int r;

	r = evm_reply_receipt(call->result, &receipt);
	if (r == -ENOENT)
		return r;
	if (r == 0 && memcmp(receipt.tx_hash, tx_id, CHAIN_ID_SIZE) != 0)
		r = -EBADMSG;
	if (r == 0 && status->events != NULL)
		r = evm_driver_receipt_events(driver, &receipt, status);
	if (r < 0) {
		evm_rpc_blame(driver->rpc, endpoint, EVM_RPC_BAD_RESULT, "a receipt is malformed");
		snprintf(why, CHAIN_WHY_SIZE, "a receipt is malformed");
		return -EIO;
	}
	status->is_mined = true;
	status->is_success = receipt.is_success;
	status->block_number = receipt.block_number;
	memcpy(status->block_hash, receipt.block_hash, CHAIN_ID_SIZE);
	return 0;
}

// The receipt's block must be the chain's. A reorganisation in between looks the same as a lie: the
// endpoint that said it rests a little, and another one is asked.
static int evm_driver_check_canonical(
	struct evm_driver *driver,
	size_t said_by,
	const struct chain_tx_status *status,
	char why[CHAIN_WHY_SIZE]
)
{
	int r = evm_driver_check_block(driver, status->block_number, status->block_hash, why);

	if (r != -ENOENT)
		return r;
	snprintf(
		why,
		CHAIN_WHY_SIZE,
		"the block %" PRIu64 " of a receipt is not on the chain (any more)",
		status->block_number
	);
	evm_rpc_blame(driver->rpc, said_by, EVM_RPC_DISAGREES, "%s", why);
	return -EAGAIN;
}

static bool evm_driver_is_same_event(const struct chain_event *a, const struct chain_event *b)
{
	return a->kind == b->kind && a->log_index == b->log_index && a->bytes == b->bytes &&
		a->deadline_sec == b->deadline_sec && a->reason == b->reason &&
		memcmp(a->session_id, b->session_id, sizeof(a->session_id)) == 0 &&
		u256_equal(a->operator_amount, b->operator_amount) &&
		u256_equal(a->fee_amount, b->fee_amount) &&
		u256_equal(a->buyer_amount, b->buyer_amount);
}

static bool evm_driver_is_same_status(
	const struct chain_tx_status *a, const struct chain_tx_status *b
)
{
	if (a->is_mined != b->is_mined)
		return false;
	if (!a->is_mined)
		return true;
	if (a->is_success != b->is_success || a->n_events != b->n_events ||
	    memcmp(a->block_hash, b->block_hash, CHAIN_ID_SIZE) != 0)
		return false;
	for (size_t i = 0; i < a->n_events; i++) {
		if (!evm_driver_is_same_event(&a->events[i], &b->events[i]))
			return false;
	}
	return true;
}

// One endpoint's block of a number. The caller frees the call.
static int evm_driver_ask_block_at(
	struct evm_driver *driver,
	size_t endpoint,
	uint64_t number,
	struct evm_rpc_call *call,
	struct evm_block *ret
)
{
	char tag[U256_HEX_SIZE], params[U256_HEX_SIZE + 16], why[CHAIN_WHY_SIZE];
	int r;

	u256_format_quantity(u256_from_u64(number), tag);
	snprintf(params, sizeof(params), "[\"%s\",false]", tag);
	*call = (struct evm_rpc_call){.method = "eth_getBlockByNumber", .params = params};
	r = evm_rpc_ask_at(driver->rpc, endpoint, call, why);
	call->params = NULL;
	return r < 0 ? r : evm_reply_block(call->result, ret);
}

// Whether an endpoint's own chain does not hold the block that its receipt names: then it speaks against
// itself, and its word is no second opinion.
static bool evm_driver_check_against_itself(
	struct evm_driver *driver, size_t endpoint, const struct chain_tx_status *status
)
{
	struct evm_rpc_call call;
	struct evm_block block;
	int r = evm_driver_ask_block_at(driver, endpoint, status->block_number, &call, &block);
	bool is_against = r == -ENOENT || r == -EBADMSG ||
		(r == 0 && memcmp(block.hash, status->block_hash, CHAIN_ID_SIZE) != 0);

	evm_rpc_call_fini(&call);
	if (is_against)
		evm_rpc_blame(
			driver->rpc,
			endpoint,
			EVM_RPC_BAD_RESULT,
			"a receipt names a block that its chain does not hold"
		);
	return is_against;
}

// The same of one without a receipt whose own block, which another endpoint's receipt names, has the
// transaction in it.
static bool evm_driver_check_omits(
	struct evm_driver *driver,
	size_t endpoint,
	const uint8_t tx_id[CHAIN_ID_SIZE],
	const struct chain_tx_status *said
)
{
	struct evm_rpc_call call;
	struct evm_block block;
	int r = evm_driver_ask_block_at(driver, endpoint, said->block_number, &call, &block);
	bool is_omitted = r == 0 && memcmp(block.hash, said->block_hash, CHAIN_ID_SIZE) == 0 &&
		evm_reply_block_has_tx(call.result, tx_id);

	evm_rpc_call_fini(&call);
	if (is_omitted)
		evm_rpc_blame(
			driver->rpc,
			endpoint,
			EVM_RPC_RECEIPT_MISSING,
			"its own block %" PRIu64 " has the transaction",
			said->block_number
		);
	return is_omitted;
}

// A second endpoint must say the same about mined or not, in which block, and what happened in it.
static int evm_driver_second_opinion(
	struct evm_driver *driver,
	size_t first,
	const char *params,
	const uint8_t tx_id[CHAIN_ID_SIZE],
	const struct chain_tx_status *said,
	char why[CHAIN_WHY_SIZE]
)
{
	struct evm_rpc_call call = {.method = "eth_getTransactionReceipt", .params = params};
	struct chain_tx_status other = {0};
	int second = evm_rpc_other(driver->rpc, first), r;
	bool is_same;

	if (second < 0)
		return 0;
	if (said->events != NULL) {
		other.events = calloc(CHAIN_EVENTS_MAX, sizeof(other.events[0]));
		if (other.events == NULL)
			return -ENOMEM;
	}
	r = evm_rpc_ask_at(driver->rpc, (size_t)second, &call, why);
	if (r == 0)
		r = evm_driver_take_receipt(driver, (size_t)second, &call, tx_id, &other, why);
	evm_rpc_call_fini(&call);
	is_same = (r == 0 || r == -ENOENT) && evm_driver_is_same_status(said, &other);
	free(other.events);
	// No second opinion to be had is no contradiction.
	if (is_same || r == -EIO || r == -EREMOTEIO)
		return 0;
	if (r == 0 && evm_driver_check_against_itself(driver, (size_t)second, &other))
		return 0;
	if (r == -ENOENT && said->is_mined &&
	    evm_driver_check_omits(driver, (size_t)second, tx_id, said))
		return 0;
	if (r < 0 && r != -ENOENT)
		return r;
	if (other.is_mined && !said->is_mined) {
		evm_rpc_blame(
			driver->rpc,
			first,
			EVM_RPC_RECEIPT_MISSING,
			"another endpoint has the receipt"
		);
	} else {
		evm_driver_blame_both(
			driver, first, (size_t)second, "about the receipt of a transaction"
		);
	}
	snprintf(why, CHAIN_WHY_SIZE, "two endpoints disagree about a transaction");
	return -EAGAIN;
}

int evm_driver_status(
	void *ctx,
	const uint8_t tx_id[CHAIN_ID_SIZE],
	bool is_sure,
	struct chain_tx_status *ret,
	char why[CHAIN_WHY_SIZE]
)
{
	struct evm_driver *driver = ctx;
	char hex[EVM_HEX_SIZE(CHAIN_ID_SIZE)], params[sizeof(hex) + 8];
	struct evm_rpc_call call = {.method = "eth_getTransactionReceipt", .params = params};
	struct chain_tx_status status = {.events = ret->events};
	size_t endpoint;
	int r;

	evm_hex_format(tx_id, CHAIN_ID_SIZE, hex);
	snprintf(params, sizeof(params), "[\"%s\"]", hex);
	r = evm_driver_ask(driver, &call, &endpoint, why);
	if (r < 0)
		return r;
	r = evm_driver_take_receipt(driver, endpoint, &call, tx_id, &status, why);
	evm_rpc_call_fini(&call);
	if (r == -ENOENT)
		r = 0;
	if (r == 0 && status.is_mined)
		r = evm_driver_check_canonical(driver, endpoint, &status, why);
	if (r == 0 && is_sure)
		r = evm_driver_second_opinion(driver, endpoint, params, tx_id, &status, why);
	if (r == 0)
		*ret = status;
	return r;
}
