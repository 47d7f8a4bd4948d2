// SPDX-License-Identifier: Apache-2.0
//
// Sent → mined, and what keeps it from a block: an account nonce that somebody else used, a gap
// before it, a price.

#include "settle_outbox_private.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

int settle_outbox_store(struct settle_outbox *outbox, struct settle_tx *tx, struct settle_tx *next)
{
	struct db_txn txn;
	int r;

	db_txn_begin_write(&txn, outbox->conf.db);
	settle_tx_put(&txn, next);
	r = settle_outbox_commit(outbox, &txn);
	if (r == 0)
		*tx = *next;
	return r;
}

// Looks for any of the attempts in a block. status->is_mined says whether one is.
static int settle_outbox_find_mined(
	struct settle_outbox *outbox,
	const struct settle_tx *tx,
	bool is_sure,
	struct chain_tx_status *status,
	uint32_t *ret_attempt
)
{
	const struct chain_driver *chain = &outbox->conf.chain;
	char why[CHAIN_WHY_SIZE] = "";
	int r;

	for (uint32_t i = tx->n_attempts; i-- > 0;) {
		*status = (struct chain_tx_status){0};
		r = chain->ops->status(chain->driver, tx->attempts[i].tx_id, is_sure, status, why);
		if (r < 0)
			return settle_outbox_chain_error(outbox, r, why);
		*ret_attempt = i;
		if (status->is_mined)
			return 0;
	}
	return 0;
}

int settle_outbox_count_poll(struct settle_outbox *outbox, struct settle_tx *tx)
{
	struct settle_tx next = *tx;

	if (!tx->is_review)
		next.n_polls++;
	next.is_review |= next.n_polls >= outbox->conf.review_polls;
	// Also what was raised before a restart.
	if (next.is_review)
		settle_outbox_alert(
			outbox,
			SETTLE_ALERT_NEEDS_REVIEW,
			"transaction %" PRIu64 " of chain %" PRIu64 " is not final after %u polls",
			tx->id,
			tx->chain_id,
			next.n_polls
		);
	return tx->is_review ? 0 : settle_outbox_store(outbox, tx, &next);
}

// Remembers since which head the account nonce is not what it should be (is_astray), or forgets it.
// *ret_is_deep says whether that is as long ago as a settlement must be deep.
static int settle_outbox_astray(
	struct settle_outbox *outbox, struct settle_tx *tx, bool is_astray, bool *ret_is_deep
)
{
	uint64_t head = outbox->head.number > 0 ? outbox->head.number : 1;
	struct settle_tx next = *tx;
	int r = 0;

	if (!is_astray)
		next.astray_since_block = 0;
	else if (tx->astray_since_block == 0 || head < tx->astray_since_block)
		next.astray_since_block = head;
	if (next.astray_since_block != tx->astray_since_block)
		r = settle_outbox_store(outbox, tx, &next);
	*ret_is_deep =
		is_astray && head - next.astray_since_block + 1 >= outbox->conf.confirmations;
	return r;
}

// No attempt is mined though the account went past its nonce: somebody else's transaction took it.
// Believed only when it stands as deep as a settlement must, and a second endpoint agrees.
static int settle_outbox_taken(struct settle_outbox *outbox, struct settle_tx *tx)
{
	struct chain_tx_status status;
	uint32_t attempt;
	int r;

	r = settle_outbox_find_mined(outbox, tx, true, &status, &attempt);
	if (r < 0 || status.is_mined)
		return r;
	settle_outbox_alert(
		outbox,
		SETTLE_ALERT_NONCE_TAKEN,
		"chain %" PRIu64 ": account nonce %" PRIu64
		" was used by a transaction that is not ours; nobody else may use the settling key",
		tx->chain_id,
		tx->account_nonce
	);
	return settle_outbox_drop(outbox, tx, "account nonce used by another transaction");
}

// Whether one of our transactions has this account nonce and may still be mined (again) with it.
static int settle_outbox_is_ours(
	struct settle_outbox *outbox, uint64_t account_nonce, bool *ret_is_ours
)
{
	struct settle_tx other;
	struct db_txn txn;
	struct db_iter iter;

	*ret_is_ours = false;
	db_txn_begin_read(&txn, outbox->conf.db);
	db_iter_init(&iter, &txn, DB_SETTLE_LIVE, NULL);
	while (db_iter_next(&iter)) {
		if (settle_tx_get(&txn, db_key_first(&iter.key), &other) &&
		    other.chain_id == outbox->conf.chain.chain_id &&
		    other.state != SETTLE_TX_INTENT && other.account_nonce == account_nonce)
			*ret_is_ours = true;
	}
	db_iter_fini(&iter);
	return settle_outbox_commit(outbox, &txn);
}

// The account stands before our nonce and nobody will ever use the one between: what was mined with
// it was reorganised out for good, or an endpoint lied about the account. Nothing can be mined then.
// The items go into another transaction, which takes the missing nonce; should this one be mined
// after it, the contract passes over what was settled.
static int settle_outbox_gap(struct settle_outbox *outbox, struct settle_tx *tx, uint64_t missing)
{
	settle_outbox_alert(
		outbox,
		SETTLE_ALERT_NONCE_GAP,
		"chain %" PRIu64 ": transaction %" PRIu64 " has account nonce %" PRIu64
		", but the account still stands at %" PRIu64 "; it is made anew",
		tx->chain_id,
		tx->id,
		tx->account_nonce,
		missing
	);
	return settle_outbox_drop(outbox, tx, "a gap in the account's nonces");
}

// In no block: another's nonce, a gap before ours, or it is to be sent again.
static int settle_outbox_unseen(
	struct settle_outbox *outbox, struct settle_tx *tx, const struct chain_account *account
)
{
	bool is_taken = account->account_nonce > tx->account_nonce;
	bool is_gap = account->account_nonce < tx->account_nonce, is_ours = false, is_deep = false;
	int r = 0;

	if (is_gap)
		r = settle_outbox_is_ours(outbox, account->account_nonce, &is_ours);
	if (r == 0)
		r = settle_outbox_astray(outbox, tx, is_taken || (is_gap && !is_ours), &is_deep);
	if (r < 0)
		return r;
	if (is_deep)
		return is_taken ? settle_outbox_taken(outbox, tx)
				: settle_outbox_gap(outbox, tx, account->account_nonce);
	return is_taken ? 0 : settle_outbox_push(outbox, tx);
}

int settle_outbox_follow(struct settle_outbox *outbox, struct settle_tx *tx)
{
	const struct chain_driver *chain = &outbox->conf.chain;
	struct chain_account account;
	struct chain_tx_status status;
	struct settle_tx next;
	char why[CHAIN_WHY_SIZE] = "";
	uint32_t attempt = 0;
	int r;

	// The account first: a transaction mined between the two questions is then found.
	r = chain->ops->account(chain->driver, &account, why);
	if (r < 0)
		return settle_outbox_chain_error(outbox, r, why);
	r = settle_outbox_find_mined(outbox, tx, false, &status, &attempt);
	if (r < 0)
		return r;
	r = settle_outbox_count_poll(outbox, tx);
	if (r < 0)
		return r;
	if (!status.is_mined)
		return settle_outbox_unseen(outbox, tx, &account);
	settle_failpoint(SETTLE_STEP_MINED_SEEN);
	next = *tx;
	next.state = SETTLE_TX_MINED;
	next.mined_attempt = attempt;
	next.mined_block = status.block_number;
	memcpy(next.mined_hash, status.block_hash, CHAIN_ID_SIZE);
	next.astray_since_block = 0;
	r = settle_outbox_store(outbox, tx, &next);
	if (r == 0)
		settle_failpoint(SETTLE_STEP_MINED_STORED);
	return r;
}
