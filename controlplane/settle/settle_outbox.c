// SPDX-License-Identifier: Apache-2.0
//
// The round: every transaction that is not over is taken one step further, in the order in which
// they were made; then, if none is on its way to a block, the next batch is formed.

#include "settle_outbox_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const settle_outbox_alert_names[] = {
#define SETTLE_OUTBOX_ALERT_NAME(id, name, help) name,
	SETTLE_ALERT_LIST(SETTLE_OUTBOX_ALERT_NAME)};
static const char *const settle_outbox_alert_helps[] = {
#define SETTLE_OUTBOX_ALERT_HELP(id, name, help) help,
	SETTLE_ALERT_LIST(SETTLE_OUTBOX_ALERT_HELP)};

const char *settle_alert_name(unsigned int alert)
{
	return alert < SETTLE_N_ALERT ? settle_outbox_alert_names[alert] : "unknown";
}

int settle_outbox_create(struct settle_outbox **ret, const struct settle_outbox_conf *conf)
{
	struct settle_outbox *outbox;

	if (conf->batch.count == 0 || conf->batch.count > CHAIN_BATCH_MAX ||
	    conf->confirmations == 0 || conf->skips_max == 0 ||
	    conf->watch_blocks > SETTLE_OUTBOX_WATCH_MAX)
		return -EINVAL;
	outbox = calloc(1, sizeof(*outbox));
	if (outbox == NULL)
		return -ENOMEM;
	outbox->conf = *conf;
	*ret = outbox;
	return 0;
}

void settle_outbox_destroy(struct settle_outbox *outbox)
{
	free(outbox);
}

void settle_outbox_alert(
	struct settle_outbox *outbox, enum settle_alert alert, const char *format, ...
)
{
	char text[CHAIN_WHY_SIZE + 200];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!outbox->is_alert[alert] && outbox->conf.on_alert != NULL)
		outbox->conf.on_alert(outbox->conf.on_alert_ctx, alert, true, text);
	outbox->is_alert[alert] = true;
}

void settle_outbox_calm(struct settle_outbox *outbox, enum settle_alert alert)
{
	if (outbox->is_alert[alert] && outbox->conf.on_alert != NULL)
		outbox->conf.on_alert(
			outbox->conf.on_alert_ctx, alert, false, settle_outbox_alert_helps[alert]
		);
	outbox->is_alert[alert] = false;
}

int settle_outbox_commit(struct settle_outbox *outbox, struct db_txn *txn)
{
	int r = db_txn_commit(txn);

	if (r < 0)
		settle_outbox_alert(outbox, SETTLE_ALERT_STORE, "%s", txn->why);
	else
		settle_outbox_calm(outbox, SETTLE_ALERT_STORE);
	return r;
}

int settle_outbox_chain_error(struct settle_outbox *outbox, int r, const char *why)
{
	if (r == -EIO || r == -EAGAIN)
		settle_outbox_alert(outbox, SETTLE_ALERT_ENDPOINTS, "%s", why);
	return r;
}

// The transactions that this round looks at: all that are not over, and done ones that are still
// watched. Ids only, since each step has a store transaction of its own.
static int settle_outbox_list(struct settle_outbox *outbox)
{
	struct db_txn txn;
	struct db_iter iter;
	struct settle_tx tx;

	outbox->n_open = 0;
	outbox->n_done = 0;
	outbox->is_crowded = false;
	db_txn_begin_read(&txn, outbox->conf.db);
	db_iter_init(&iter, &txn, DB_SETTLE_LIVE, NULL);
	while (db_iter_next(&iter)) {
		if (!settle_tx_get(&txn, db_key_first(&iter.key), &tx) ||
		    tx.chain_id != outbox->conf.chain.chain_id)
			continue;
		if (tx.state != SETTLE_TX_DONE && outbox->n_open == SETTLE_OUTBOX_OPEN_MAX)
			outbox->is_crowded = true;
		else if (tx.state != SETTLE_TX_DONE)
			outbox->open[outbox->n_open++] = tx.id;
		else if (tx.state == SETTLE_TX_DONE && outbox->n_done < SETTLE_OUTBOX_DONE_MAX)
			outbox->done[outbox->n_done++] =
				(struct settle_outbox_done){tx.mined_block, tx.id};
	}
	db_iter_fini(&iter);
	return settle_outbox_commit(outbox, &txn);
}

static int settle_outbox_load(struct settle_outbox *outbox, uint64_t id, struct settle_tx *ret)
{
	struct db_txn txn;

	db_txn_begin_read(&txn, outbox->conf.db);
	(void)settle_tx_get(&txn, id, ret);
	return settle_outbox_commit(outbox, &txn);
}

static int settle_outbox_compare_done(const void *a, const void *b)
{
	const struct settle_outbox_done *x = a, *y = b;

	return x->mined_block < y->mined_block ? 1 : x->mined_block > y->mined_block ? -1 : 0;
}

// Done ones from the youngest block down: where one block still stands, those below it do. Those too
// old to be watched are let go.
static int settle_outbox_watch_done(struct settle_outbox *outbox)
{
	bool is_intact = false;
	struct settle_tx tx;
	int r = 0;

	qsort(outbox->done, outbox->n_done, sizeof(outbox->done[0]), settle_outbox_compare_done);
	for (size_t i = 0; i < outbox->n_done && r == 0; i++) {
		bool is_old = outbox->head.number >
			outbox->done[i].mined_block + outbox->conf.watch_blocks;

		if (is_intact && !is_old)
			continue;
		r = settle_outbox_load(outbox, outbox->done[i].id, &tx);
		if (r == 0 && tx.state == SETTLE_TX_DONE)
			r = settle_outbox_recheck(outbox, &tx);
		is_intact |= r == 0 && tx.state == SETTLE_TX_DONE;
		if (r == 0 && tx.state != SETTLE_TX_DONE) {
			if (outbox->n_open < SETTLE_OUTBOX_OPEN_MAX)
				outbox->open[outbox->n_open++] = tx.id;
			else
				outbox->is_crowded = true;
		}
	}
	return r;
}

// One transaction as far as it goes now.
static int settle_outbox_step(struct settle_outbox *outbox, struct settle_tx *tx)
{
	int r = 0;

	if (tx->state == SETTLE_TX_INTENT)
		r = settle_outbox_sign(outbox, tx);
	if (r == 0 && tx->state == SETTLE_TX_SIGNED)
		r = settle_outbox_send(outbox, tx);
	if (r == 0 && tx->state == SETTLE_TX_SENT)
		r = settle_outbox_follow(outbox, tx);
	if (r == 0 && tx->state == SETTLE_TX_MINED)
		r = settle_outbox_confirm(outbox, tx);
	return r;
}

static int settle_outbox_form_and_send(struct settle_outbox *outbox)
{
	struct settle_tx tx;
	bool is_new;
	int r;

	r = settle_outbox_form(outbox, &tx, &is_new);
	if (r == 0 && is_new)
		r = settle_outbox_step(outbox, &tx);
	return r;
}

// Held items are told of at the start, too, until the last was retried or got a newer content.
static int settle_outbox_watch_held(struct settle_outbox *outbox)
{
	struct settle_item item;
	struct db_txn txn;
	struct db_iter iter;
	uint64_t n_held = 0, id = 0;
	int r;

	if (outbox->is_held_known && !outbox->is_alert[SETTLE_ALERT_ITEM_HELD])
		return 0;
	db_txn_begin_read(&txn, outbox->conf.db);
	db_iter_init(&iter, &txn, DB_SETTLE_ITEMS, NULL);
	while (db_iter_next(&iter)) {
		if (!settle_item_get(&txn, db_key_first(&iter.key), &item) ||
		    item.chain_id != outbox->conf.chain.chain_id || item.state != SETTLE_ITEM_HELD)
			continue;
		n_held++;
		id = item.id;
	}
	db_iter_fini(&iter);
	r = settle_outbox_commit(outbox, &txn);
	if (r < 0)
		return r;
	outbox->is_held_known = true;
	if (n_held == 0)
		settle_outbox_calm(outbox, SETTLE_ALERT_ITEM_HELD);
	else
		settle_outbox_alert(
			outbox,
			SETTLE_ALERT_ITEM_HELD,
			"chain %" PRIu64 ": %" PRIu64 " settlements are held, the last is %" PRIu64
			"; see settle list",
			outbox->conf.chain.chain_id,
			n_held,
			id
		);
	return 0;
}

// The head of this round, and how far a second endpoint goes along with it.
static int settle_outbox_look(struct settle_outbox *outbox)
{
	const struct chain_driver *chain = &outbox->conf.chain;
	char why[CHAIN_WHY_SIZE] = "";
	struct chain_head second;
	int r;

	r = chain->ops->head(chain->driver, &outbox->head, why);
	if (r < 0)
		return settle_outbox_chain_error(outbox, r, why);
	outbox->sure_head = outbox->head.number;
	r = chain->ops->second_head(chain->driver, &second, why);
	if (r == 0 && second.number < outbox->sure_head)
		outbox->sure_head = second.number;
	if (r < 0 && r != -ENOENT)
		return settle_outbox_chain_error(outbox, r, why);
	settle_outbox_calm(outbox, SETTLE_ALERT_ENDPOINTS);
	return 0;
}

bool settle_outbox_is_final(const struct settle_outbox *outbox, uint64_t block_number)
{
	return outbox->sure_head + 1 >= block_number + outbox->conf.confirmations;
}

int settle_outbox_poll(struct settle_outbox *outbox)
{
	bool is_under_way = false;
	struct settle_tx tx;
	int r;

	r = settle_outbox_look(outbox);
	if (r == 0)
		r = settle_outbox_list(outbox);
	if (r == 0)
		r = settle_outbox_watch_done(outbox);
	for (size_t i = 0; i < outbox->n_open && r == 0; i++) {
		r = settle_outbox_load(outbox, outbox->open[i], &tx);
		if (r == 0 && tx.state == SETTLE_TX_INTENT)
			r = settle_outbox_reform(outbox, &tx);
		if (r == 0)
			r = settle_outbox_step(outbox, &tx);
		is_under_way |= tx.state == SETTLE_TX_INTENT || tx.state == SETTLE_TX_SIGNED ||
			tx.state == SETTLE_TX_SENT;
	}
	// The one on its way may be among those that this round did not look at.
	if (r == 0 && !is_under_way && !outbox->is_crowded)
		r = settle_outbox_form_and_send(outbox);
	if (r == 0)
		r = settle_outbox_watch_held(outbox);
	return r;
}
