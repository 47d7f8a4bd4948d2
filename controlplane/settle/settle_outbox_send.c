// SPDX-License-Identifier: Apache-2.0
//
// Intent → signed → sent, and again at a higher price under the same account nonce.

#include "settle_outbox_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The items' calls, in the batch's order. Returns 0 or a store error.
static int settle_outbox_send_load(
	struct settle_outbox *outbox,
	const struct settle_tx *tx,
	struct chain_item items[CHAIN_BATCH_MAX]
)
{
	struct settle_item item;
	struct db_txn txn;

	db_txn_begin_read(&txn, outbox->conf.db);
	for (uint32_t i = 0; i < tx->n_items; i++) {
		if (settle_item_get(&txn, tx->items[i], &item))
			items[i] = item.call;
		else
			db_txn_fail(&txn, -EBADMSG, "an item of a batch is missing");
	}
	return settle_outbox_commit(outbox, &txn);
}

// The next account nonce: what the chain says, or above what we have signed and not seen mined.
static int settle_outbox_next_nonce(
	struct settle_outbox *outbox, const struct chain_account *account, uint64_t *ret
)
{
	uint64_t nonce = account->account_nonce;
	struct db_txn txn;
	struct db_iter iter;
	struct settle_tx other;

	db_txn_begin_read(&txn, outbox->conf.db);
	db_iter_init(&iter, &txn, DB_SETTLE_LIVE, NULL);
	while (db_iter_next(&iter)) {
		if (settle_tx_get(&txn, db_key_first(&iter.key), &other) &&
		    other.chain_id == outbox->conf.chain.chain_id &&
		    (other.state == SETTLE_TX_SIGNED || other.state == SETTLE_TX_SENT ||
		     other.state == SETTLE_TX_MINED) &&
		    other.account_nonce >= nonce)
			nonce = other.account_nonce + 1;
	}
	db_iter_fini(&iter);
	*ret = nonce;
	return settle_outbox_commit(outbox, &txn);
}

static int settle_outbox_check_balance(
	struct settle_outbox *outbox,
	const struct chain_account *account,
	uint64_t gas_limit,
	const struct chain_fees *fees
)
{
	char have[U256_DEC_SIZE], need[U256_DEC_SIZE];
	struct u256 cost;
	bool is_covered = settle_fee_cost(gas_limit, fees, &cost) == 0 &&
		u256_compare(account->balance_wei, cost) >= 0;

	if (is_covered && u256_compare(account->balance_wei, outbox->conf.balance_alarm_wei) >= 0) {
		settle_outbox_calm(outbox, SETTLE_ALERT_LOW_BALANCE);
		return 0;
	}
	u256_format_dec(account->balance_wei, have);
	u256_format_dec(is_covered ? outbox->conf.balance_alarm_wei : cost, need);
	settle_outbox_alert(
		outbox,
		SETTLE_ALERT_LOW_BALANCE,
		"chain %" PRIu64 ": the settling account holds %s wei, %s %s; send it more",
		outbox->conf.chain.chain_id,
		have,
		is_covered ? "the alarm stands at" : "the next transaction may take",
		need
	);
	return is_covered ? 0 : -EDQUOT;
}

static int settle_outbox_quote(
	struct settle_outbox *outbox,
	const struct chain_call *call,
	struct chain_account *account,
	struct chain_fees *suggested,
	uint64_t *gas_limit,
	char why[CHAIN_WHY_SIZE]
)
{
	const struct chain_driver *chain = &outbox->conf.chain;
	int r;

	r = chain->ops->account(chain->driver, account, why);
	if (r == 0)
		r = chain->ops->fees(chain->driver, suggested, why);
	if (r == 0 && call != NULL)
		r = chain->ops->gas(chain->driver, call, gas_limit, why);
	return r;
}

static void settle_outbox_fee_alert(struct settle_outbox *outbox, const struct chain_fees *wanted)
{
	char want[U256_DEC_SIZE], ceiling[U256_DEC_SIZE];

	u256_format_dec(wanted->max_fee_wei, want);
	u256_format_dec(outbox->conf.fee_ceiling_wei, ceiling);
	settle_outbox_alert(
		outbox,
		SETTLE_ALERT_FEE_CEILING,
		"chain %" PRIu64
		": gas is worth %s wei a unit, the ceiling is %s; settlement waits",
		outbox->conf.chain.chain_id,
		want,
		ceiling
	);
}

// Stores one more signed attempt. On success tx is the new record.
static int settle_outbox_store_attempt(
	struct settle_outbox *outbox,
	struct settle_tx *tx,
	const struct chain_fees *fees,
	size_t raw_len,
	const uint8_t tx_id[CHAIN_ID_SIZE]
)
{
	struct settle_tx next = *tx;
	struct settle_attempt *attempt = &next.attempts[next.n_attempts];
	struct db_txn txn;
	int r;

	memcpy(attempt->tx_id, tx_id, CHAIN_ID_SIZE);
	attempt->fees = *fees;
	attempt->raw_len = (uint32_t)raw_len;
	db_txn_begin_write(&txn, outbox->conf.db);
	settle_raw_put(&txn, next.id, next.n_attempts, outbox->raw, raw_len);
	next.n_attempts++;
	next.state = SETTLE_TX_SIGNED;
	settle_tx_put(&txn, &next);
	r = settle_outbox_commit(outbox, &txn);
	if (r == 0)
		*tx = next;
	return r;
}

int settle_outbox_sign(struct settle_outbox *outbox, struct settle_tx *tx)
{
	const struct chain_driver *chain = &outbox->conf.chain;
	struct chain_item items[CHAIN_BATCH_MAX];
	struct chain_call call = {(enum chain_call_kind)tx->kind, items, tx->n_items};
	struct chain_fees suggested, fees;
	struct chain_account account;
	uint8_t tx_id[CHAIN_ID_SIZE];
	char why[CHAIN_WHY_SIZE] = "";
	size_t raw_len;
	int r;

	r = settle_outbox_send_load(outbox, tx, items);
	if (r < 0)
		return r;
	r = settle_outbox_quote(outbox, &call, &account, &suggested, &tx->gas_limit, why);
	// Not (any more) the settler, the wrong node: nothing about the items. It is tried again until
	// somebody mended it.
	if (r == -EPERM) {
		settle_outbox_alert(outbox, SETTLE_ALERT_REFUSED, "%s", why);
		return 0;
	}
	// Nothing is sent for a call that would fail.
	if (r == -EREMOTEIO)
		return settle_outbox_fail(outbox, tx, why);
	if (r < 0)
		return settle_outbox_chain_error(outbox, r, why);
	settle_outbox_calm(outbox, SETTLE_ALERT_REFUSED);
	if (settle_fee_first(&suggested, outbox->conf.fee_ceiling_wei, &fees) < 0) {
		settle_outbox_fee_alert(outbox, &suggested);
		return 0;
	}
	settle_outbox_calm(outbox, SETTLE_ALERT_FEE_CEILING);
	if (settle_outbox_check_balance(outbox, &account, tx->gas_limit, &fees) < 0)
		return 0;
	r = settle_outbox_next_nonce(outbox, &account, &tx->account_nonce);
	if (r < 0)
		return r;
	r = chain->ops->sign(
		chain->driver,
		&call,
		tx->account_nonce,
		tx->gas_limit,
		&fees,
		outbox->raw,
		&raw_len,
		tx_id,
		why
	);
	if (r < 0)
		return r;
	settle_failpoint(SETTLE_STEP_TX_SIGNED);
	r = settle_outbox_store_attempt(outbox, tx, &fees, raw_len, tx_id);
	if (r == 0)
		settle_failpoint(SETTLE_STEP_RAW_STORED);
	return r;
}

static int settle_outbox_broadcast(
	struct settle_outbox *outbox,
	const struct settle_tx *tx,
	uint32_t attempt,
	char why[CHAIN_WHY_SIZE]
)
{
	const struct chain_driver *chain = &outbox->conf.chain;
	struct db_txn txn;
	size_t len = 0;
	int r;

	db_txn_begin_read(&txn, outbox->conf.db);
	if (!settle_raw_get(&txn, tx->id, attempt, outbox->raw, &len))
		db_txn_fail(&txn, -EBADMSG, "a signed transaction is missing");
	r = settle_outbox_commit(outbox, &txn);
	if (r < 0)
		return r;
	r = chain->ops->broadcast(chain->driver, outbox->raw, len, why);
	if (r == 0)
		settle_outbox_calm(outbox, SETTLE_ALERT_REFUSED);
	return r;
}

static void settle_outbox_pace(
	struct settle_outbox *outbox, const struct settle_tx *tx, bool priced
)
{
	uint64_t now_ns = clock_mono_ns(outbox->conf.clock);

	if (outbox->pace_tx != tx->id || priced)
		outbox->priced_ns = now_ns;
	outbox->pace_tx = tx->id;
	outbox->sent_ns = now_ns;
}

int settle_outbox_send(struct settle_outbox *outbox, struct settle_tx *tx)
{
	struct settle_tx next = *tx;
	char why[CHAIN_WHY_SIZE] = "";
	struct db_txn txn;
	int r;

	r = settle_outbox_broadcast(outbox, tx, tx->n_attempts - 1, why);
	if (r == -EDQUOT) {
		settle_outbox_alert(outbox, SETTLE_ALERT_LOW_BALANCE, "%s", why);
		return 0;
	}
	// An account nonce that is used may be our own transaction, mined before a kill: following it
	// will tell. Any other refusal is told and followed too, since that is what sends again and
	// offers more: a price below the base fee is refused at the door, and another endpoint may
	// have taken what this one refuses.
	if (r == -EREMOTEIO)
		settle_outbox_alert(outbox, SETTLE_ALERT_REFUSED, "%s", why);
	else if (r < 0 && r != -ESTALE)
		return settle_outbox_chain_error(outbox, r, why);
	settle_failpoint(SETTLE_STEP_TX_BROADCAST);
	next.state = SETTLE_TX_SENT;
	db_txn_begin_write(&txn, outbox->conf.db);
	settle_tx_put(&txn, &next);
	r = settle_outbox_commit(outbox, &txn);
	if (r < 0)
		return r;
	*tx = next;
	settle_outbox_pace(outbox, tx, true);
	settle_failpoint(SETTLE_STEP_SENT_STORED);
	return 0;
}

// What to offer next. The last price stands when the ceiling is reached, and -EDQUOT is returned. The
// last attempt that there is room for offers all that the ceiling allows, since none can follow it.
static int settle_outbox_next_fees(
	struct settle_outbox *outbox,
	const struct settle_tx *tx,
	const struct chain_fees *suggested,
	struct chain_fees *ret
)
{
	const struct chain_fees *last = &tx->attempts[tx->n_attempts - 1].fees;
	char offered[U256_DEC_SIZE], ceiling[U256_DEC_SIZE];
	struct chain_fees wanted = *suggested;

	u256_format_dec(last->max_fee_wei, offered);
	u256_format_dec(outbox->conf.fee_ceiling_wei, ceiling);
	if (tx->n_attempts + 1 >= SETTLE_ATTEMPTS_MAX)
		wanted.max_fee_wei = outbox->conf.fee_ceiling_wei;
	if (settle_fee_next(last, &wanted, outbox->conf.fee_ceiling_wei, ret) < 0) {
		settle_outbox_alert(
			outbox,
			SETTLE_ALERT_FEE_CEILING,
			"chain %" PRIu64 ": transaction %" PRIu64
			" offers %s wei a unit of gas and is not mined; more would pass the "
			"ceiling, which is %s",
			tx->chain_id,
			tx->id,
			offered,
			ceiling
		);
		return -EDQUOT;
	}
	if (tx->n_attempts < SETTLE_ATTEMPTS_MAX)
		return 0;
	settle_outbox_alert(
		outbox,
		SETTLE_ALERT_ATTEMPTS,
		"chain %" PRIu64 ": transaction %" PRIu64
		" was offered at %u prices, the last %s wei a "
		"unit of gas, and is not mined; it waits at that price though the ceiling is %s",
		tx->chain_id,
		tx->id,
		tx->n_attempts,
		offered,
		ceiling
	);
	return -EDQUOT;
}

// Signs the same call again, for more.
static int settle_outbox_reprice(struct settle_outbox *outbox, struct settle_tx *tx)
{
	const struct chain_driver *chain = &outbox->conf.chain;
	struct chain_item items[CHAIN_BATCH_MAX];
	struct chain_call call = {(enum chain_call_kind)tx->kind, items, tx->n_items};
	struct chain_fees suggested, fees;
	struct chain_account account;
	uint8_t tx_id[CHAIN_ID_SIZE];
	char why[CHAIN_WHY_SIZE] = "";
	size_t raw_len;
	int r;

	r = settle_outbox_quote(outbox, NULL, &account, &suggested, NULL, why);
	if (r < 0)
		return settle_outbox_chain_error(outbox, r, why);
	if (settle_outbox_next_fees(outbox, tx, &suggested, &fees) < 0) {
		outbox->priced_ns = clock_mono_ns(outbox->conf.clock);
		return 0;
	}
	if (settle_outbox_check_balance(outbox, &account, tx->gas_limit, &fees) < 0)
		return 0;
	r = settle_outbox_send_load(outbox, tx, items);
	if (r == 0)
		r = chain->ops->sign(
			chain->driver,
			&call,
			tx->account_nonce,
			tx->gas_limit,
			&fees,
			outbox->raw,
			&raw_len,
			tx_id,
			why
		);
	if (r < 0)
		return r;
	settle_failpoint(SETTLE_STEP_REPRICE_SIGNED);
	r = settle_outbox_store_attempt(outbox, tx, &fees, raw_len, tx_id);
	if (r < 0)
		return r;
	settle_failpoint(SETTLE_STEP_REPRICE_STORED);
	return settle_outbox_send(outbox, tx);
}

// Not mined and the account nonce is free: the network may have dropped it, or want more for it.
int settle_outbox_push(struct settle_outbox *outbox, struct settle_tx *tx)
{
	uint64_t now_ns = clock_mono_ns(outbox->conf.clock);
	char why[CHAIN_WHY_SIZE] = "";
	int r;

	// After a restart nobody knows when it was sent: send again, and wait a whole time before
	// offering more.
	if (outbox->pace_tx != tx->id) {
		settle_outbox_pace(outbox, tx, true);
		outbox->sent_ns = 0;
	}
	if (now_ns - outbox->priced_ns >= outbox->conf.reprice_ms * NS_PER_MS)
		return settle_outbox_reprice(outbox, tx);
	if (outbox->sent_ns != 0 && now_ns - outbox->sent_ns < outbox->conf.resend_ms * NS_PER_MS)
		return 0;
	r = settle_outbox_broadcast(outbox, tx, tx->n_attempts - 1, why);
	outbox->sent_ns = now_ns;
	if (r == -EREMOTEIO || r == -EDQUOT) {
		settle_outbox_alert(outbox, SETTLE_ALERT_REFUSED, "%s", why);
		return 0;
	}
	return r == -ESTALE ? 0 : r;
}
