// SPDX-License-Identifier: Apache-2.0
//
// A session whose proposal the buyer contests. What the buyer signed cannot be disowned: the newest
// voucher is claimed at once. Then the attestor has its time, and its word, if the operator hands it
// in, resolves; after that time the session is executed at what is paid by then. Loop's thread.
#include "controlplane/lifecycle_private.h"

static uint64_t claimable_bytes(const struct purchase *purchase)
{
	return purchase->voucher_bytes < purchase->proposed_bytes ? purchase->voucher_bytes
								  : purchase->proposed_bytes;
}

static bool has_usable_attestation(const struct purchase *purchase)
{
	return purchase_is_attested(purchase) &&
		purchase->attested_bytes >= purchase_paid_bytes(purchase) &&
		purchase->attested_bytes <= purchase->proposed_bytes;
}

// Returns: true while an execution would come too soon: it settles at what is claimed by then.
static bool is_claim_under_way(struct lifecycle *life, struct lifecycle_round *round)
{
	const struct purchase *purchase = round->purchase;
	const struct session_identity *identity = &round->session->identity;
	struct chain_item item = {0};
	struct settle_item claim;
	bool has_claim = settle_item_find_phase(
		round->txn, identity->chain, identity->id, SETTLE_PHASE_CLAIM, &claim
	);

	if (has_claim && (claim.state == SETTLE_ITEM_QUEUED || claim.state == SETTLE_ITEM_BATCHED))
		return true;
	if (claimable_bytes(purchase) <= purchase_paid_bytes(purchase) ||
	    (has_claim && claim.call.voucher_bytes >= purchase->voucher_bytes))
		return false;
	lifecycle_fill_call(purchase, round->session, &item);
	if (lifecycle_queue(life, round, CHAIN_CALL_CLAIM, &item, purchase->resolve_until_sec))
		round->step = LIFECYCLE_STEP_CLAIM_STORED;
	return true;
}

void lifecycle_dispute(
	struct lifecycle *life, struct lifecycle_round *round, const struct settle_item *proposal
)
{
	const struct purchase *purchase = round->purchase;
	bool is_claiming = is_claim_under_way(life, round);

	if (round->now_sec == 0)
		return;
	if (round->now_sec < purchase->resolve_until_sec) {
		if (has_usable_attestation(purchase))
			lifecycle_queue_end(life, round, &proposal->call, CHAIN_CALL_RESOLVE);
	} else if (!is_claiming && proposal->state == SETTLE_ITEM_DONE) {
		lifecycle_queue_end(life, round, &proposal->call, CHAIN_CALL_EXECUTE);
	}
}

// An end that was queued before the dispute was known, or that missed the attestor's time, is passed
// over by the contract for ever: it becomes the one that the contract takes.
void lifecycle_redirect(
	struct lifecycle *life, struct lifecycle_round *round, const struct settle_item *end
)
{
	const struct purchase *purchase = round->purchase;
	bool is_claiming = is_claim_under_way(life, round);
	bool is_over = round->now_sec >= purchase->resolve_until_sec;
	enum chain_call_kind kind = CHAIN_CALL_EXECUTE;

	if (round->now_sec == 0)
		return;
	if (!is_over && has_usable_attestation(purchase))
		kind = CHAIN_CALL_RESOLVE;
	else if (!is_over || is_claiming)
		return;
	if (end->kind != (uint32_t)kind) {
		lifecycle_queue_end(life, round, &end->call, kind);
	} else if (end->state == SETTLE_ITEM_HELD && settle_retry(round->txn, end->id) == 0) {
		round->is_changed = true;
		round->is_queued = true;
		round->step = LIFECYCLE_STEP_EXECUTION_STORED;
	}
}
