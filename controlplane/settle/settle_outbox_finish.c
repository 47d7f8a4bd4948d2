// SPDX-License-Identifier: Apache-2.0
//
// Mined → done, each item by its own event, and the ways back: a block that is gone, a transaction
// that failed, items that were skipped.

#include "settle_outbox_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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

int settle_outbox_drop(struct settle_outbox *outbox, struct settle_tx *tx, const char *reason)
{
	struct settle_outcome outcome = {.verdict = SETTLE_VERDICT_WAITS, .reason = reason};
	struct settle_tx next = *tx;
	struct settle_item item;
	struct db_txn txn;
	int r;

	next.state = SETTLE_TX_DROPPED;
	db_txn_begin_write(&txn, outbox->conf.db);
	settle_tx_put(&txn, &next);
	for (uint32_t i = 0; i < next.n_items; i++) {
		if (!settle_item_get(&txn, next.items[i], &item) || item.tx != next.id ||
		    item.state != SETTLE_ITEM_BATCHED)
			continue;
		outcome.kind = (enum chain_call_kind)item.kind;
		outcome.deadline_sec = item.deadline_sec;
		settle_outbox_apply(outbox, &txn, &item, &outcome);
	}
	r = settle_outbox_commit(outbox, &txn);
	if (r < 0)
		return r;
	*tx = next;
	settle_failpoint(SETTLE_STEP_RETURNED_STORED);
	return 0;
}

int settle_outbox_fail(struct settle_outbox *outbox, struct settle_tx *tx, const char *reason)
{
	static __thread struct settle_item items[CHAIN_BATCH_MAX];
	struct settle_outcome outcome = {.verdict = SETTLE_VERDICT_WAITS, .reason = reason};
	struct settle_tx next = *tx;
	struct db_txn txn;
	int r;

	r = settle_outbox_load_items(outbox, tx, items);
	if (r == 0 && tx->n_items == 1)
		r = settle_outbox_outcome(outbox, &items[0], NULL, reason, &outcome);
	if (r < 0)
		return r;
	next.state = SETTLE_TX_DROPPED;
	db_txn_begin_write(&txn, outbox->conf.db);
	settle_tx_put(&txn, &next);
	for (uint32_t i = 0; i < next.n_items; i++) {
		if (items[i].tx != next.id || items[i].state != SETTLE_ITEM_BATCHED)
			continue;
		if (next.n_items > 1) {
			items[i].batch_max = next.n_items / 2;
			outcome.kind = (enum chain_call_kind)items[i].kind;
			outcome.deadline_sec = items[i].deadline_sec;
		}
		settle_outbox_apply(outbox, &txn, &items[i], &outcome);
	}
	r = settle_outbox_commit(outbox, &txn);
	if (r < 0)
		return r;
	*tx = next;
	settle_failpoint(SETTLE_STEP_FAILED_STORED);
	return 0;
}

static int settle_outbox_finish(
	struct settle_outbox *outbox, struct settle_tx *tx, const struct chain_tx_status *status
)
{
	static __thread struct settle_item items[CHAIN_BATCH_MAX];
	static __thread struct settle_outcome outcomes[CHAIN_BATCH_MAX];
	struct settle_tx next = *tx;
	struct db_txn txn;
	int r;

	r = settle_outbox_load_items(outbox, tx, items);
	for (uint32_t i = 0; i < tx->n_items && r == 0; i++)
		r = settle_outbox_outcome(
			outbox,
			&items[i],
			status,
			"the transaction says nothing about it",
			&outcomes[i]
		);
	if (r < 0)
		return r;
	settle_failpoint(SETTLE_STEP_FINAL_SEEN);
	next.state = SETTLE_TX_DONE;
	next.is_review = false;
	db_txn_begin_write(&txn, outbox->conf.db);
	settle_tx_put(&txn, &next);
	for (uint32_t i = 0; i < tx->n_items; i++) {
		if (items[i].state == SETTLE_ITEM_BATCHED && items[i].tx == tx->id)
			settle_outbox_apply(outbox, &txn, &items[i], &outcomes[i]);
	}
	r = settle_outbox_commit(outbox, &txn);
	if (r < 0)
		return r;
	*tx = next;
	settle_outbox_calm(outbox, SETTLE_ALERT_NEEDS_REVIEW);
	settle_outbox_calm(outbox, SETTLE_ALERT_REORGANISED);
	settle_outbox_calm(outbox, SETTLE_ALERT_FEE_CEILING);
	settle_outbox_calm(outbox, SETTLE_ALERT_ATTEMPTS);
	settle_outbox_calm(outbox, SETTLE_ALERT_NONCE_TAKEN);
	settle_outbox_calm(outbox, SETTLE_ALERT_NONCE_GAP);
	settle_outbox_calm(outbox, SETTLE_ALERT_REVERTED);
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

// The receipt is not where it was. Only a block that is gone took it along: an endpoint that is behind,
// or keeps no receipts, is not believed.
static int settle_outbox_miss(struct settle_outbox *outbox, struct settle_tx *tx)
{
	const struct chain_driver *chain = &outbox->conf.chain;
	char why[CHAIN_WHY_SIZE] = "";
	int r = chain->ops->check_block(chain->driver, tx->mined_block, tx->mined_hash, why);

	if (r == -ENOENT)
		return settle_outbox_unmine(outbox, tx);
	if (r == 0) {
		snprintf(
			why,
			sizeof(why),
			"a receipt is missing, but its block %" PRIu64 " is still there",
			tx->mined_block
		);
		r = -EAGAIN;
	}
	return settle_outbox_chain_error(outbox, r, why);
}

int settle_outbox_confirm(struct settle_outbox *outbox, struct settle_tx *tx)
{
	const struct chain_driver *chain = &outbox->conf.chain;
	struct chain_tx_status status = {.events = outbox->events};
	char why[CHAIN_WHY_SIZE] = "";
	bool is_deep;
	int r;

	r = settle_outbox_count_poll(outbox, tx);
	if (r < 0)
		return r;
	// An endpoint that stands still must not hold a settlement up for ever: after so many polls it
	// has raised review, and the head alone counts.
	is_deep = settle_outbox_is_final(outbox, tx->mined_block) ||
		(tx->is_review &&
		 outbox->head.number + 1 >= tx->mined_block + outbox->conf.confirmations);
	r = chain->ops->status(
		chain->driver, tx->attempts[tx->mined_attempt].tx_id, is_deep, &status, why
	);
	if (r < 0)
		return settle_outbox_chain_error(outbox, r, why);
	if (!status.is_mined || status.block_number != tx->mined_block ||
	    memcmp(status.block_hash, tx->mined_hash, CHAIN_ID_SIZE) != 0)
		return settle_outbox_miss(outbox, tx);
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
	return settle_outbox_fail(outbox, tx, "the transaction failed");
}

// Done, but its block is young: still there? Old enough: never looked at again.
int settle_outbox_recheck(struct settle_outbox *outbox, struct settle_tx *tx)
{
	const struct chain_driver *chain = &outbox->conf.chain;
	char why[CHAIN_WHY_SIZE] = "";
	struct db_txn txn;
	int r;

	if (outbox->head.number > tx->mined_block + outbox->conf.watch_blocks) {
		db_txn_begin_write(&txn, outbox->conf.db);
		settle_tx_retire(&txn, tx);
		return settle_outbox_commit(outbox, &txn);
	}
	r = chain->ops->check_block(chain->driver, tx->mined_block, tx->mined_hash, why);
	if (r == -ENOENT)
		return settle_outbox_unmine(outbox, tx);
	return r < 0 ? settle_outbox_chain_error(outbox, r, why) : 0;
}
