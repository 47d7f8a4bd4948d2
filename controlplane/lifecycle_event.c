// SPDX-License-Identifier: Apache-2.0
//
// What a contract said, applied to the session that it is about. An event never fails for what it says:
// one that does not fit is noted in the audit log and is done with, or it would hold up all others.
#include "controlplane/lifecycle_private.h"
#include "controlplane/session/session_store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DETAIL_CAP 200

static uint64_t now_ns(const struct lifecycle *life)
{
	return clock_unix_ns(life->conf.clock);
}

struct session_identity lifecycle_identity_of(const struct chain_inbox_record *record)
{
	struct session_identity identity = {
		.source = SESSION_SOURCE_CHAIN,
		.chain = record->chain_id,
	};

	memcpy(identity.contract, record->contract, 32);
	memcpy(identity.id, record->event.session_id, 32);
	return identity;
}

static void fill_purchase(
	struct purchase *purchase, const struct chain_event *event, uint64_t session_id
)
{
	*purchase = (struct purchase){
		.session_id = session_id,
		.price_per_gb = event->price_per_gb,
		.mode = event->mode,
		.grace_sec = event->grace_sec,
		.created_block = event->block_number,
		.bought_bytes = event->bytes,
		.expires_sec = event->deadline_sec,
	};
	memcpy(purchase->buyer, event->buyer, 32);
	memcpy(purchase->voucher_signer, event->voucher_signer, 32);
	memcpy(purchase->asset, event->asset, 32);
	memcpy(purchase->usage_signer, event->usage_signer, 32);
	memcpy(purchase->attestor, event->attestor, 32);
}

// A purchase that cannot be served goes straight to its settlement at 0 bytes, so that the buyer has
// the money back without waiting for the grace. (One that has expired is seen by the round: a top-up
// that extends it may be the next event.)
static const char *refusal(const struct lifecycle_chain *chain, const struct chain_event *event)
{
	if (event->mode >= PURCHASE_N_MODE || event->bytes == 0 ||
	    event->bytes > SESSION_QUOTA_MAX_BYTES)
		return "beyond what this node can count";
	if (chain->terms != NULL) {
		enum chain_purchase verdict = chain_purchase_check(chain->terms, event);
		if (verdict != CHAIN_PURCHASE_ACCEPTED)
			return chain_purchase_help(verdict);
	}
	return NULL;
}

static void create(
	struct lifecycle *life,
	struct db_txn *txn,
	const struct chain_inbox_record *record,
	const struct lifecycle_chain *chain,
	struct session *ret
)
{
	const struct chain_event *event = &record->event;
	const struct session_identity identity = lifecycle_identity_of(record);
	const char *why = refusal(chain, event);
	struct session_add add = {.identity = &identity, .quota_bytes = event->bytes};
	struct purchase purchase;

	if (add.quota_bytes > SESSION_QUOTA_MAX_BYTES)
		add.quota_bytes = SESSION_QUOTA_MAX_BYTES;
	session_add_in(life->conf.sessions, txn, &add, event->deadline_sec, ret);
	fill_purchase(&purchase, event, ret->id);
	if (event->mode == PURCHASE_VOUCHER) {
		ret->voucher_limit_bytes = lifecycle_credit_bytes(life->conf.config, ret);
		session_store_save(txn, ret);
	}
	if (why != NULL) {
		session_store_transition(txn, ret, SESSION_SETTLING, now_ns(life), why);
		purchase.final_unix_sec = event->block_time_sec;
	}
	purchase_save(txn, &purchase);
}

// The id commits to chain, contract, buyer and salt: no more. The same transaction mined again in
// another branch cannot differ in anything below, for it carries the hash of its terms; another one
// of the same buyer can, and what was served under the first would never be paid under it.
static bool is_same_order(const struct purchase *purchase, const struct chain_event *event)
{
	return memcmp(purchase->buyer, event->buyer, 32) == 0 &&
		memcmp(purchase->voucher_signer, event->voucher_signer, 32) == 0 &&
		memcmp(purchase->asset, event->asset, 32) == 0 &&
		memcmp(purchase->usage_signer, event->usage_signer, 32) == 0 &&
		memcmp(purchase->attestor, event->attestor, 32) == 0 &&
		u256_equal(purchase->price_per_gb, event->price_per_gb) &&
		purchase->mode == event->mode && purchase->grace_sec == event->grace_sec &&
		event->bytes <= SESSION_QUOTA_MAX_BYTES;
}

static bool apply_created(
	struct lifecycle *life,
	struct db_txn *txn,
	const struct chain_inbox_record *record,
	bool is_known,
	struct session *session
)
{
	const struct lifecycle_chain *chain =
		lifecycle_find_chain(life, record->chain_id, record->contract);
	struct purchase purchase;

	if (!is_known) {
		if (chain == NULL)
			return false;
		create(life, txn, record, chain, session);
		return true;
	}
	if (!purchase_load(txn, session->id, &purchase) || purchase.created_block != 0)
		return false; // told twice
	if (!is_same_order(&purchase, &record->event)) {
		session_store_audit(
			txn,
			now_ns(life),
			session->id,
			"mined again as another order",
			"stays void; the buyer has its money back after the grace"
		);
		return false;
	}
	// The expiry may have changed with the branch that it stands in.
	purchase.created_block = record->event.block_number;
	purchase.bought_bytes = record->event.bytes;
	purchase.expires_sec = record->event.deadline_sec;
	purchase_save(txn, &purchase);
	if (session->state != SESSION_VOID)
		return false;
	session->quota_bytes = record->event.bytes;
	session->expires_unix_sec = record->event.deadline_sec;
	session_revive_in(life->conf.sessions, txn, session, "mined again");
	return true;
}

static void apply_top_up(
	struct lifecycle *life,
	struct db_txn *txn,
	const struct chain_event *event,
	struct session *session,
	struct purchase *purchase
)
{
	const struct purchase_top_up before = {
		.block_number = event->block_number,
		.bytes_before = purchase->bought_bytes,
		.expires_before_sec = purchase->expires_sec,
	};
	char detail[DETAIL_CAP];

	if (event->bytes == before.bytes_before && event->deadline_sec == before.expires_before_sec)
		return; // told twice
	if (event->bytes < purchase->bought_bytes || event->bytes > SESSION_QUOTA_MAX_BYTES) {
		session_store_audit(
			txn, now_ns(life), session->id, "top-up refused", "an impossible amount"
		);
		return;
	}
	if (purchase->n_top_ups == PURCHASE_TOP_UPS_MAX) {
		memmove(purchase->top_ups,
			purchase->top_ups + 1,
			(PURCHASE_TOP_UPS_MAX - 1) * sizeof(before));
		purchase->n_top_ups--;
	}
	purchase->top_ups[purchase->n_top_ups++] = before;
	purchase->bought_bytes = event->bytes;
	purchase->expires_sec = event->deadline_sec;
	session->quota_bytes = event->bytes;
	session->expires_unix_sec = event->deadline_sec;
	snprintf(
		detail,
		sizeof(detail),
		"%" PRIu64 " -> %" PRIu64 " bytes, expiry %" PRIu64 " -> %" PRIu64,
		before.bytes_before,
		event->bytes,
		before.expires_before_sec,
		event->deadline_sec
	);
	session_store_save(txn, session);
	session_store_audit(txn, now_ns(life), session->id, "top-up", detail);
}

static void apply_claim(struct purchase *purchase, const struct chain_event *event)
{
	if (event->bytes <= purchase->claimed_bytes)
		return; // told twice
	if (purchase->n_claims == PURCHASE_CLAIMS_MAX) {
		memmove(purchase->claims,
			purchase->claims + 1,
			(PURCHASE_CLAIMS_MAX - 1) * sizeof(purchase->claims[0]));
		purchase->n_claims--;
	}
	purchase->claims[purchase->n_claims++] = (struct purchase_claim){
		.block_number = event->block_number,
		.bytes_before = purchase->claimed_bytes,
	};
	purchase->claimed_bytes = event->bytes;
}

static void apply_settled(struct purchase *purchase, const struct chain_event *event)
{
	purchase->settled_block = event->block_number;
	purchase->settled_bytes = event->bytes;
	purchase->settled_operator_amount = event->operator_amount;
	purchase->settled_fee_amount = event->fee_amount;
	purchase->settled_refund = event->buyer_amount;
	memcpy(purchase->settled_tx_id, event->tx_id, 32);
}

// Returns: true when the session itself changed.
static bool apply_known(
	struct lifecycle *life,
	struct db_txn *txn,
	const struct chain_event *event,
	struct session *session,
	struct purchase *purchase
)
{
	switch (event->kind) {
	case CHAIN_EVENT_TOPPED_UP:
		apply_top_up(life, txn, event, session, purchase);
		return true;
	case CHAIN_EVENT_CLOSED:
		purchase->closed_block = event->block_number;
		purchase->reclaim_from_sec = event->deadline_sec;
		return lifecycle_stop_serving(life, txn, session, "closed by the buyer on chain");
	case CHAIN_EVENT_CLAIMED:
		apply_claim(purchase, event);
		return false;
	case CHAIN_EVENT_PROPOSED:
		purchase->proposed_block = event->block_number;
		purchase->proposed_bytes = event->bytes;
		purchase->window_end_sec = event->deadline_sec;
		// Nothing beyond a proposal is ever paid, whoever made it.
		return lifecycle_stop_serving(life, txn, session, "proposed on chain");
	case CHAIN_EVENT_DISPUTED:
		purchase->disputed_block = event->block_number;
		purchase->accepted_bytes = event->bytes;
		purchase->resolve_until_sec = event->deadline_sec;
		return false; // the round moves it
	case CHAIN_EVENT_SETTLED:
		// By whomever: nobody is served on a settled session. It is over for us when the block
		// is final.
		apply_settled(purchase, event);
		return lifecycle_stop_serving(life, txn, session, "settled on chain");
	case CHAIN_EVENT_CREATED:
	case CHAIN_EVENT_SKIPPED:
		return false;
	}
	return false;
}

bool lifecycle_apply_event(
	struct lifecycle *life,
	struct db_txn *txn,
	const struct chain_event *event,
	const struct chain_inbox_record *record,
	struct session *ret
)
{
	const struct session_identity identity = lifecycle_identity_of(record);
	bool is_known = session_store_find_identity(txn, &identity, ret);
	struct purchase purchase;
	bool is_changed;

	if (event->kind == CHAIN_EVENT_CREATED)
		return apply_created(life, txn, record, is_known, ret);
	if (!is_known || !purchase_load(txn, ret->id, &purchase))
		return false; // another node's
	is_changed = apply_known(life, txn, event, ret, &purchase);
	purchase_save(txn, &purchase);
	return is_changed;
}

// The states that the chain alone decides on. Returns: true when the session changed.
bool lifecycle_follow_chain(
	struct lifecycle *life,
	struct db_txn *txn,
	struct session *session,
	const struct purchase *purchase
)
{
	enum session_state to = session->state;
	const char *reason = "";

	if (purchase->created_block == 0 &&
	    session_state_check_transition(session->state, SESSION_VOID, session->former)) {
		to = SESSION_VOID;
		reason = "its creation was reorganised out";
	} else if (purchase->disputed_block != 0 && session->state == SESSION_SETTLING) {
		to = SESSION_DISPUTED;
		reason = "the buyer contests the usage";
	} else if (purchase->disputed_block == 0 && session->state == SESSION_DISPUTED) {
		to = SESSION_SETTLING;
		reason = "the dispute was reorganised out";
	}
	if (to == session->state)
		return false;
	session_store_transition(txn, session, to, now_ns(life), reason);
	return true;
}

// ---- reorganisations -------------------------------------------------------------------------

// Never below what was delivered: those bytes were sold in good faith, and the counters stand.
static void undo_top_ups(
	struct lifecycle *life,
	struct db_txn *txn,
	uint64_t to,
	struct session *session,
	struct purchase *purchase
)
{
	uint64_t billed = lifecycle_billed_bytes(life, session->id);
	bool is_undone = false;
	char detail[DETAIL_CAP];

	while (purchase->n_top_ups > 0 &&
	       purchase->top_ups[purchase->n_top_ups - 1].block_number > to) {
		const struct purchase_top_up *last = &purchase->top_ups[--purchase->n_top_ups];
		purchase->bought_bytes = last->bytes_before;
		purchase->expires_sec = last->expires_before_sec;
		is_undone = true;
	}
	if (!is_undone)
		return;
	session->quota_bytes = billed > purchase->bought_bytes ? billed : purchase->bought_bytes;
	session->expires_unix_sec = purchase->expires_sec;
	snprintf(
		detail,
		sizeof(detail),
		"bought %" PRIu64 ", billed %" PRIu64 ": the limit is %" PRIu64 " bytes",
		purchase->bought_bytes,
		billed,
		session->quota_bytes
	);
	session_store_save(txn, session);
	session_store_audit(txn, now_ns(life), session->id, "top-up reorganised out", detail);
}

static void undo_settlement(uint64_t to, struct purchase *purchase)
{
	const struct chain_event nothing = {.block_number = 0};

	if (purchase->settled_block > to)
		apply_settled(purchase, &nothing);
	while (purchase->n_claims > 0 && purchase->claims[purchase->n_claims - 1].block_number > to)
		purchase->claimed_bytes = purchase->claims[--purchase->n_claims].bytes_before;
	if (purchase->proposed_block > to) {
		purchase->proposed_block = 0;
		purchase->proposed_bytes = 0;
		purchase->window_end_sec = 0;
	}
	if (purchase->disputed_block > to) {
		purchase->disputed_block = 0;
		purchase->accepted_bytes = 0;
		purchase->resolve_until_sec = 0;
	}
}

static void unwind_one(
	struct lifecycle *life,
	struct db_txn *txn,
	uint64_t to,
	struct session *session,
	struct purchase *purchase
)
{
	undo_top_ups(life, txn, to, session, purchase);
	undo_settlement(to, purchase);
	if (purchase->closed_block > to) {
		// It goes on ending: a buyer who closed it once has no use for it.
		purchase->closed_block = 0;
		purchase->reclaim_from_sec = 0;
	}
	if (purchase->created_block > to)
		purchase->created_block = 0;
	purchase_save(txn, purchase);
	lifecycle_follow_chain(life, txn, session, purchase);
}

static bool is_of_contract(const struct session *session, const struct chain_inbox_record *record)
{
	return session->identity.chain == record->chain_id &&
		memcmp(session->identity.contract, record->contract, 32) == 0;
}

void lifecycle_apply_unwound(
	struct lifecycle *life, struct db_txn *txn, const struct chain_inbox_record *record
)
{
	uint64_t id = 0;

	while (txn->error == 0 && purchase_list_open(txn, id + 1, &id, 1) == 1) {
		struct purchase purchase;
		struct session session;
		if (session_store_load(txn, id, &session) && purchase_load(txn, id, &purchase) &&
		    is_of_contract(&session, record))
			unwind_one(life, txn, record->unwound_to, &session, &purchase);
	}
}

void lifecycle_tell_unwound(struct lifecycle *life, const struct chain_inbox_record *record)
{
	uint64_t id = 0;
	bool is_more = true;

	while (is_more) {
		struct session session;
		struct db_txn txn;
		db_txn_begin_read(&txn, life->conf.db);
		is_more = purchase_list_open(&txn, id + 1, &id, 1) == 1;
		bool is_told = is_more && session_store_load(&txn, id, &session) &&
			is_of_contract(&session, record);
		if (db_txn_commit(&txn) != 0)
			return; // what the data plane knows is sent again at its next attach
		if (is_told)
			session_tell(life->conf.sessions, &session);
	}
}
