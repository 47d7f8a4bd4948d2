// SPDX-License-Identifier: Apache-2.0
//
// Queued items → intent: which of them the next batch takes, out of one for each kind of call and
// asset; and again for as long as nothing is signed, so that what must not wait takes the place of
// what can. What is in the store is all that counts; nothing here asks the chain.

#include "settle_outbox_private.h"

#include <string.h>

// The batch that an item belongs to; NULL when there are too many for this round.
static struct settle_batch *settle_outbox_lot(
	struct settle_outbox *outbox, const struct settle_item *item
)
{
	struct settle_batch *lot;

	for (size_t i = 0; i < outbox->n_lots; i++) {
		lot = &outbox->lots[i];
		if (item->kind == (uint32_t)lot->kind && memcmp(item->asset, lot->asset, 32) == 0)
			return lot;
	}
	if (outbox->n_lots == SETTLE_OUTBOX_LOTS_MAX)
		return NULL;
	lot = &outbox->lots[outbox->n_lots++];
	settle_batch_init(
		lot,
		&outbox->conf.batch,
		(enum chain_call_kind)item->kind,
		item->asset,
		outbox->head.timestamp_sec
	);
	return lot;
}

// Offers all queued items, each to the batch of its kind and asset: also a full one takes an item
// that must not wait. What waits for a time to come takes no batch's place.
static void settle_outbox_offer_all(struct settle_outbox *outbox, struct db_txn *txn)
{
	struct settle_batch *lot;
	struct settle_item item;
	struct db_iter iter;

	outbox->n_lots = 0;
	db_iter_init(&iter, txn, DB_SETTLE_QUEUED, NULL);
	while (db_iter_next(&iter)) {
		if (!settle_item_get(txn, db_key_first(&iter.key), &item) ||
		    item.chain_id != outbox->conf.chain.chain_id ||
		    item.not_before_sec > outbox->head.timestamp_sec)
			continue;
		lot = settle_outbox_lot(outbox, &item);
		if (lot != NULL)
			settle_batch_offer(lot, &item);
	}
	db_iter_fini(&iter);
}

static void settle_outbox_stamp(
	struct settle_outbox *outbox, struct db_txn *txn, const struct settle_batch *batch
)
{
	struct settle_item item;

	for (size_t i = 0; i < batch->n; i++) {
		if (!settle_item_get(txn, batch->ids[i], &item) || item.queued_sec != 0)
			continue;
		item.queued_sec = outbox->head.timestamp_sec;
		settle_item_put(txn, &item);
	}
}

// Makes the batch what the transaction carries. The caller stores the transaction.
static void settle_outbox_fill(
	struct db_txn *txn, const struct settle_batch *batch, struct settle_tx *tx
)
{
	struct settle_item item;

	tx->kind = batch->kind;
	tx->n_items = (uint32_t)batch->n;
	memset(tx->items, 0, sizeof(tx->items));
	memcpy(tx->items, batch->ids, batch->n * sizeof(batch->ids[0]));
	for (size_t i = 0; i < batch->n; i++) {
		if (!settle_item_get(txn, batch->ids[i], &item))
			continue;
		item.state = SETTLE_ITEM_BATCHED;
		item.tx = tx->id;
		settle_item_put(txn, &item);
	}
}

// Each kind of call and each asset by itself, so that none waits for another's threshold. NULL when
// none is due.
static const struct settle_batch *settle_outbox_choose(
	struct settle_outbox *outbox, struct db_txn *txn
)
{
	const struct settle_batch *best = NULL;

	settle_outbox_offer_all(outbox, txn);
	for (size_t i = 0; i < outbox->n_lots; i++) {
		const struct settle_batch *lot = &outbox->lots[i];

		settle_outbox_stamp(outbox, txn, lot);
		if (settle_batch_is_due(lot) && (best == NULL || settle_batch_is_before(lot, best)))
			best = lot;
	}
	return best;
}

int settle_outbox_form(struct settle_outbox *outbox, struct settle_tx *tx, bool *ret_is_new)
{
	const struct settle_batch *batch;
	struct db_txn txn;
	int r;

	*ret_is_new = false;
	db_txn_begin_write(&txn, outbox->conf.db);
	batch = settle_outbox_choose(outbox, &txn);
	if (batch != NULL) {
		memset(tx, 0, sizeof(*tx));
		tx->chain_id = outbox->conf.chain.chain_id;
		tx->state = SETTLE_TX_INTENT;
		settle_tx_insert(&txn, tx); // for its id
		settle_outbox_fill(&txn, batch, tx);
		settle_tx_put(&txn, tx);
	}
	r = settle_outbox_commit(outbox, &txn);
	if (r < 0 || batch == NULL)
		return r;
	settle_failpoint(SETTLE_STEP_INTENT_STORED);
	*ret_is_new = true;
	return 0;
}

// Inside a transaction: what an unsigned transaction carries is queued as it was before.
static void settle_outbox_release(struct db_txn *txn, const struct settle_tx *tx)
{
	struct settle_item item;

	for (uint32_t i = 0; i < tx->n_items; i++) {
		if (!settle_item_get(txn, tx->items[i], &item) || item.tx != tx->id ||
		    item.state != SETTLE_ITEM_BATCHED)
			continue;
		item.state = SETTLE_ITEM_QUEUED;
		settle_item_put(txn, &item);
	}
}

static bool settle_outbox_is_same(const struct settle_tx *tx, const struct settle_batch *batch)
{
	return tx->kind == (uint32_t)batch->kind && tx->n_items == batch->n &&
		memcmp(tx->items, batch->ids, batch->n * sizeof(batch->ids[0])) == 0;
}

int settle_outbox_reform(struct settle_outbox *outbox, struct settle_tx *tx)
{
	const struct settle_batch *batch;
	struct settle_tx next = *tx;
	struct db_txn txn;
	int r;

	db_txn_begin_write(&txn, outbox->conf.db);
	settle_outbox_release(&txn, tx);
	batch = settle_outbox_choose(outbox, &txn);
	// Nothing better: it stays as it is, and a round that waits writes nothing. None is due when
	// the chain's clock went back; then, too, what was chosen stands.
	if (txn.error == 0 && (batch == NULL || settle_outbox_is_same(tx, batch))) {
		db_txn_abort(&txn);
		return 0;
	}
	if (batch != NULL)
		settle_outbox_fill(&txn, batch, &next);
	settle_tx_put(&txn, &next);
	r = settle_outbox_commit(outbox, &txn);
	if (r < 0)
		return r;
	*tx = next;
	settle_failpoint(SETTLE_STEP_REFORMED_STORED);
	return 0;
}
