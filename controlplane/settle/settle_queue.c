// SPDX-License-Identifier: Apache-2.0
//
// The way into the outbox: a request is checked, each refusal has a name and a counter, and each
// phase of a session has one item: its end is settled once for ever.

#include "settle_outbox.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

static const char *const settle_queue_refusal_names[] = {
#define SETTLE_QUEUE_REFUSAL_NAME(id, name, help) name,
	SETTLE_REFUSAL_LIST(SETTLE_QUEUE_REFUSAL_NAME)};
static _Atomic uint64_t settle_queue_refusals[SETTLE_N_REFUSAL];

const char *settle_refusal_name(unsigned int refusal)
{
	return refusal < SETTLE_N_REFUSAL ? settle_queue_refusal_names[refusal] : "unknown";
}

uint64_t settle_refusal_count(enum settle_refusal refusal)
{
	return atomic_load_explicit(&settle_queue_refusals[refusal], memory_order_relaxed);
}

static int settle_queue_refuse(
	struct db_txn *txn, enum settle_refusal refusal, int r, const char *why
)
{
	atomic_fetch_add_explicit(&settle_queue_refusals[refusal], 1, memory_order_relaxed);
	db_txn_fail(
		txn, r, "settlement refused (%s): %s", settle_queue_refusal_names[refusal], why
	);
	return r;
}

static bool settle_queue_is_zero(const uint8_t *data, size_t len)
{
	uint8_t any = 0;

	for (size_t i = 0; i < len; i++)
		any |= data[i];
	return any == 0;
}

static bool settle_queue_has_voucher(const struct chain_item *item)
{
	return !settle_queue_is_zero(item->voucher_r, 32) ||
		!settle_queue_is_zero(item->voucher_vs, 32);
}

static int settle_queue_check(
	struct db_txn *txn, const struct chain_driver *chain, const struct settle_request *request
)
{
	const struct chain_item *item = &request->item;
	char why[CHAIN_WHY_SIZE];

	if (request->kind != CHAIN_CALL_FINALIZE && request->kind != CHAIN_CALL_PROPOSE &&
	    request->kind != CHAIN_CALL_EXECUTE)
		return settle_queue_refuse(txn, SETTLE_REFUSAL_BAD_KIND, -EINVAL, "unknown kind");
	if (settle_queue_is_zero(item->session_id, sizeof(item->session_id)))
		return settle_queue_refuse(
			txn, SETTLE_REFUSAL_NO_ID, -EINVAL, "the session id is zero"
		);
	if (!settle_queue_has_voucher(item))
		return 0;
	if (request->kind == CHAIN_CALL_FINALIZE && item->bytes_used > item->voucher_bytes)
		return settle_queue_refuse(
			txn,
			SETTLE_REFUSAL_BYTES_ABOVE_VOUCHER,
			-EINVAL,
			"more bytes than the voucher covers"
		);
	if (chain->ops->verify_voucher(chain->driver, item, request->voucher_signer, why) < 0)
		return settle_queue_refuse(txn, SETTLE_REFUSAL_BAD_VOUCHER, -EBADMSG, why);
	return 0;
}

// Field by field: padding of a record means nothing.
static bool settle_queue_is_same(
	const struct settle_item *former, const struct settle_request *request
)
{
	return former->kind == (uint32_t)request->kind &&
		former->call.bytes_used == request->item.bytes_used &&
		memcmp(former->call.checkpoints_root, request->item.checkpoints_root, 32) == 0;
}

// What the session's other phases say against it.
static int settle_queue_check_order(
	struct db_txn *txn, uint64_t chain_id, const struct settle_request *request
)
{
	struct settle_item other;

	if (request->kind == CHAIN_CALL_PROPOSE) {
		if (settle_item_find_phase(
			    txn, chain_id, request->item.session_id, SETTLE_PHASE_END, &other
		    ))
			return settle_queue_refuse(
				txn,
				SETTLE_REFUSAL_CHANGED,
				-EEXIST,
				"the end of this session was queued before"
			);
		return 0;
	}
	if (!settle_item_find_phase(
		    txn, chain_id, request->item.session_id, SETTLE_PHASE_PROPOSAL, &other
	    ))
		return 0;
	if (request->kind == CHAIN_CALL_EXECUTE && other.state != SETTLE_ITEM_DONE)
		return settle_queue_refuse(
			txn,
			SETTLE_REFUSAL_NOT_PROPOSED,
			-EEXIST,
			"the session's proposal does not stand yet"
		);
	if (request->kind == CHAIN_CALL_FINALIZE)
		return settle_queue_refuse(
			txn,
			SETTLE_REFUSAL_CHANGED,
			-EEXIST,
			"this session's settlement was proposed before"
		);
	return 0;
}

int settle_queue(
	struct db_txn *txn,
	const struct chain_driver *chain,
	const struct settle_request *request,
	uint64_t *ret_id
)
{
	struct settle_item former,
		item = {
			.chain_id = chain->chain_id,
			.state = SETTLE_ITEM_QUEUED,
			.kind = request->kind,
			.call = request->item,
			.value = request->value,
			.deadline_sec = request->deadline_sec,
		};
	int r;

	r = settle_queue_check(txn, chain, request);
	if (r == 0)
		r = settle_queue_check_order(txn, chain->chain_id, request);
	if (r < 0)
		return r;
	if (settle_item_find_phase(
		    txn,
		    chain->chain_id,
		    request->item.session_id,
		    settle_phase_of(request->kind),
		    &former
	    )) {
		if (!settle_queue_is_same(&former, request))
			return settle_queue_refuse(
				txn,
				SETTLE_REFUSAL_CHANGED,
				-EEXIST,
				"this session was queued before with other bytes or another root"
			);
		if (ret_id != NULL)
			*ret_id = former.id;
		return txn->error;
	}
	settle_item_insert(txn, &item);
	if (txn->error == 0 && ret_id != NULL)
		*ret_id = item.id;
	return txn->error;
}

int settle_retry(struct db_txn *txn, uint64_t item_id)
{
	struct settle_item item;

	if (!settle_item_get(txn, item_id, &item)) {
		db_txn_fail(txn, -ENOENT, "there is no settlement %" PRIu64, item_id);
		return txn->error;
	}
	if (item.state != SETTLE_ITEM_HELD && item.state != SETTLE_ITEM_QUEUED) {
		db_txn_fail(
			txn,
			-EPERM,
			"settlement %" PRIu64
			" is %s; only one that is held or queued can be retried",
			item_id,
			settle_item_state_name(item.state)
		);
		return txn->error;
	}
	item.state = SETTLE_ITEM_QUEUED;
	item.not_before_sec = 0;
	item.n_skips = 0;
	item.is_review = false;
	settle_item_put(txn, &item);
	return txn->error;
}
