// SPDX-License-Identifier: Apache-2.0
//
// Mined → done, each item by its own event, and the ways back: a block that is gone, a transaction
// that failed, items that were skipped.

#include "settle_outbox_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void settle_outbox_return_item(
	struct settle_outbox *outbox,
	struct db_txn *txn,
	struct settle_item *item,
	const char *reason,
	bool is_skip
)
{
	snprintf(item->reason, sizeof(item->reason), "%s", reason);
	item->state = SETTLE_ITEM_QUEUED;
	if (is_skip) {
		item->n_skips++;
		item->not_before_sec = outbox->head.timestamp_sec +
			(uint64_t)outbox->conf.skip_wait_sec * item->n_skips;
	}
	if (item->n_skips >= outbox->conf.skips_max) {
		item->state = SETTLE_ITEM_HELD;
		item->is_review = true;
		settle_outbox_alert(
			outbox,
			SETTLE_ALERT_ITEM_HELD,
			"settlement %" PRIu64 " was skipped %u times, last: %s; see settle list",
			item->id,
			item->n_skips,
			item->reason
		);
	}
	settle_item_put(txn, item);
}

int settle_outbox_drop(
	struct settle_outbox *outbox, struct settle_tx *tx, const char *reason, bool is_skip
)
{
	struct settle_tx next = *tx;
	struct settle_item item;
	struct db_txn txn;
	int r;

	next.state = SETTLE_TX_DROPPED;
	db_txn_begin_write(&txn, outbox->conf.db);
	settle_tx_put(&txn, &next);
	for (uint32_t i = 0; i < next.n_items; i++) {
		if (settle_item_get(&txn, next.items[i], &item) && item.tx == next.id &&
		    item.state == SETTLE_ITEM_BATCHED)
			settle_outbox_return_item(outbox, &txn, &item, reason, is_skip);
	}
	r = settle_outbox_commit(outbox, &txn);
	if (r < 0)
		return r;
	*tx = next;
	settle_failpoint(SETTLE_STEP_RETURNED_STORED);
	return 0;
}

// The event by which an item is done.
static enum chain_event_kind settle_outbox_event_kind(enum chain_call_kind kind)
{
	switch (settle_phase_of(kind)) {
	case SETTLE_PHASE_CLAIM:
		return CHAIN_EVENT_CLAIMED;
	case SETTLE_PHASE_PROPOSAL:
		return CHAIN_EVENT_PROPOSED;
	case SETTLE_PHASE_END:
		return CHAIN_EVENT_SETTLED;
	}
	return CHAIN_EVENT_SETTLED;
}

// What the contract said about one item of this transaction; NULL when it said nothing.
static const struct chain_event *settle_outbox_event_of(
	const struct chain_tx_status *status, const struct settle_item *item
)
{
	enum chain_event_kind wanted = settle_outbox_event_kind((enum chain_call_kind)item->kind);

	for (size_t i = 0; i < status->n_events; i++) {
		const struct chain_event *event = &status->events[i];

		if (memcmp(event->session_id, item->call.session_id, CHAIN_ID_SIZE) == 0 &&
		    (event->kind == wanted || event->kind == CHAIN_EVENT_SKIPPED))
			return event;
	}
	return NULL;
}

static void settle_outbox_finish_item(
	struct db_txn *txn, struct settle_item *item, const struct chain_event *event
)
{
	item->state = SETTLE_ITEM_DONE;
	item->is_review = false;
	item->reason[0] = '\0';
	memcpy(item->tx_id, event->tx_id, CHAIN_ID_SIZE);
	item->block_number = event->block_number;
	item->bytes = event->bytes;
	item->operator_amount = event->operator_amount;
	item->fee_amount = event->fee_amount;
	item->refund = event->buyer_amount;
	settle_item_put(txn, item);
}

// The outcomes of a final receipt, each item by its own event. A skipped one may have been settled
// by another transaction (ours before a loss of the store, the operator's by hand): then that
// event, as deep in the chain, is its outcome; asked before the write transaction begins.
struct settle_outbox_outcome {
	bool is_done;
	struct chain_event event;
	const char *reason; // when not done
};

static int settle_outbox_outcome(
	struct settle_outbox *outbox,
	const struct settle_item *item,
	const struct chain_tx_status *status,
	struct settle_outbox_outcome *ret
)
{
	const struct chain_driver *chain = &outbox->conf.chain;
	const struct chain_event *event = settle_outbox_event_of(status, item);
	uint64_t final_block = outbox->head.number + 1 - outbox->conf.confirmations;
	char why[CHAIN_WHY_SIZE] = "";
	int r;

	*ret = (struct settle_outbox_outcome){.reason = "the transaction says nothing about it"};
	if (event != NULL && event->kind != CHAIN_EVENT_SKIPPED) {
		ret->is_done = true;
		ret->event = *event;
		return 0;
	}
	if (event != NULL)
		ret->reason = event->reason;
	if (item->kind == CHAIN_CALL_PROPOSE)
		return 0;
	r = chain->ops->find_settled(
		chain->driver, item->call.session_id, final_block, &ret->event, why
	);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return settle_outbox_chain_error(outbox, r, why);
	ret->is_done = true;
	return 0;
}

static int settle_outbox_load_items(
	struct settle_outbox *outbox, const struct settle_tx *tx, struct settle_item *items
)
{
	struct db_txn txn;

	db_txn_begin_read(&txn, outbox->conf.db);
	for (uint32_t i = 0; i < tx->n_items; i++) {
		if (!settle_item_get(&txn, tx->items[i], &items[i]))
			db_txn_fail(&txn, -EBADMSG, "an item of a batch is missing");
	}
	return settle_outbox_commit(outbox, &txn);
}

static int settle_outbox_finish(
	struct settle_outbox *outbox, struct settle_tx *tx, const struct chain_tx_status *status
)
{
	static __thread struct settle_item items[CHAIN_BATCH_MAX];
	static __thread struct settle_outbox_outcome outcomes[CHAIN_BATCH_MAX];
	struct settle_tx next = *tx;
	struct db_txn txn;
	int r;

	r = settle_outbox_load_items(outbox, tx, items);
	for (uint32_t i = 0; i < tx->n_items && r == 0; i++)
		r = settle_outbox_outcome(outbox, &items[i], status, &outcomes[i]);
	if (r < 0)
		return r;
	settle_failpoint(SETTLE_STEP_FINAL_SEEN);
	next.state = SETTLE_TX_DONE;
	next.is_review = false;
	db_txn_begin_write(&txn, outbox->conf.db);
	settle_tx_put(&txn, &next);
	for (uint32_t i = 0; i < tx->n_items; i++) {
		if (items[i].state != SETTLE_ITEM_BATCHED || items[i].tx != tx->id)
			continue;
		if (outcomes[i].is_done)
			settle_outbox_finish_item(&txn, &items[i], &outcomes[i].event);
		else
			settle_outbox_return_item(
				outbox, &txn, &items[i], outcomes[i].reason, true
			);
	}
	r = settle_outbox_commit(outbox, &txn);
	if (r < 0)
		return r;
	*tx = next;
	settle_outbox_calm(outbox, SETTLE_ALERT_NEEDS_REVIEW);
	settle_outbox_calm(outbox, SETTLE_ALERT_REORGANISED);
	settle_failpoint(SETTLE_STEP_DONE_STORED);
	return 0;
}

// Its block is gone: on its way again, under the same account nonce; the same bytes are sent.
static int settle_outbox_unmine(struct settle_outbox *outbox, struct settle_tx *tx)
{
	bool was_done = tx->state == SETTLE_TX_DONE;
	struct settle_tx next = *tx;
	struct settle_item item;
	struct db_txn txn;
	int r;

	settle_outbox_alert(
		outbox,
		SETTLE_ALERT_REORGANISED,
		"chain %" PRIu64 ": block %" PRIu64 " with transaction %" PRIu64
		" is gone%s; it is sent again",
		tx->chain_id,
		tx->mined_block,
		tx->id,
		was_done ? " after it was done" : ""
	);
	next.state = SETTLE_TX_SENT;
	next.mined_block = 0;
	next.n_polls = 0;
	next.is_review = false;
	next.astray_since_block = 0;
	db_txn_begin_write(&txn, outbox->conf.db);
	settle_tx_put(&txn, &next);
	for (uint32_t i = 0; was_done && i < next.n_items; i++) {
		if (!settle_item_get(&txn, next.items[i], &item) || item.tx != next.id ||
		    item.state != SETTLE_ITEM_DONE)
			continue;
		item.state = SETTLE_ITEM_BATCHED;
		snprintf(item.reason, sizeof(item.reason), "its block was reorganised out");
		settle_item_put(&txn, &item);
	}
	r = settle_outbox_commit(outbox, &txn);
	if (r < 0)
		return r;
	*tx = next;
	settle_failpoint(was_done ? SETTLE_STEP_UNDONE_STORED : SETTLE_STEP_UNMINED_STORED);
	return 0;
}

int settle_outbox_confirm(struct settle_outbox *outbox, struct settle_tx *tx)
{
	const struct chain_driver *chain = &outbox->conf.chain;
	struct chain_tx_status status = {.events = outbox->events};
	char why[CHAIN_WHY_SIZE] = "";
	bool is_deep = outbox->head.number + 1 >= tx->mined_block + outbox->conf.confirmations;
	int r;

	r = settle_outbox_count_poll(outbox, tx);
	if (r < 0)
		return r;
	r = chain->ops->status(
		chain->driver, tx->attempts[tx->mined_attempt].tx_id, is_deep, &status, why
	);
	if (r < 0)
		return settle_outbox_chain_error(outbox, r, why);
	if (!status.is_mined || status.block_number != tx->mined_block ||
	    memcmp(status.block_hash, tx->mined_hash, CHAIN_ID_SIZE) != 0)
		return settle_outbox_unmine(outbox, tx);
	if (!is_deep)
		return 0;
	if (status.is_success)
		return settle_outbox_finish(outbox, tx, &status);
	settle_outbox_alert(
		outbox,
		SETTLE_ALERT_REVERTED,
		"chain %" PRIu64 ": transaction %" PRIu64 " failed; its sessions are queued again",
		tx->chain_id,
		tx->id
	);
	return settle_outbox_drop(outbox, tx, "the transaction failed", true);
}

// Done, but its block is young: still there? Old enough: never looked at again.
int settle_outbox_recheck(struct settle_outbox *outbox, struct settle_tx *tx)
{
	const struct chain_driver *chain = &outbox->conf.chain;
	struct chain_head block;
	char why[CHAIN_WHY_SIZE] = "";
	struct db_txn txn;
	int r;

	if (outbox->head.number > tx->mined_block + outbox->conf.watch_blocks) {
		db_txn_begin_write(&txn, outbox->conf.db);
		settle_tx_retire(&txn, tx);
		return settle_outbox_commit(outbox, &txn);
	}
	r = chain->ops->block(chain->driver, tx->mined_block, &block, why);
	if (r == -ENOENT || (r == 0 && memcmp(block.hash, tx->mined_hash, CHAIN_ID_SIZE) != 0))
		return settle_outbox_unmine(outbox, tx);
	return r < 0 ? settle_outbox_chain_error(outbox, r, why) : 0;
}
