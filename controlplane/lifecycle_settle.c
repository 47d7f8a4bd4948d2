// SPDX-License-Identifier: Apache-2.0
//
// From final usage to a final settlement, in the way that was bought:
//   voucher     finalise at the newest voucher, at once when it covers the usage, else after the
//               patience; never more than was signed
//   attested    finalise by the attestor's word; where none came within the patience propose, and
//               finalise by it when it comes later
//   optimistic  finalise where a voucher covers the usage or nothing was used; else propose, and
//               execute after the window
// A dispute is answered in lifecycle_dispute.c. Whatever is done is queued in the transaction that
// decides on it. What others settled is believed when it is deep in the chain. Loop's thread.
#include "controlplane/attest/attest_store.h"
#include "controlplane/lifecycle_private.h"
#include "controlplane/session/session_store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BYTES_PER_GB 1000000000ull
// After this much a reorganisation of its settlement is history, and the purchase is looked at no more.
#define RETIRE_SEC (24 * 3600)
#define SETTLE_CONFIRMATIONS 10 // where the chain names none

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

const struct lifecycle_chain *lifecycle_chain_of(
	const struct lifecycle *life, const struct session *session
)
{
	return lifecycle_find_chain(life, session->identity.chain, session->identity.contract);
}

// floor(bytes × price / 10^9): what it earns before the fee, to weigh batches by.
static struct u256 value_of(const struct purchase *purchase, uint64_t bytes)
{
	struct u256 value = U256_ZERO;

	if (u256_mul_div(
		    u256_from_u64(bytes),
		    purchase->price_per_gb,
		    u256_from_u64(BYTES_PER_GB),
		    &value
	    ) != 0)
		return U256_ZERO;
	return value;
}

void lifecycle_fill_call(
	const struct purchase *purchase, const struct session *session, struct chain_item *item
)
{
	memcpy(item->session_id, session->identity.id, 32);
	item->voucher_bytes = purchase->voucher_bytes;
	memcpy(item->voucher_r, purchase->voucher_r, 32);
	memcpy(item->voucher_vs, purchase->voucher_vs, 32);
	memcpy(item->attestation_r, purchase->attestation_r, 32);
	memcpy(item->attestation_vs, purchase->attestation_vs, 32);
}

static void strip_voucher(struct chain_item *item)
{
	item->voucher_bytes = 0;
	memset(item->voucher_r, 0, 32);
	memset(item->voucher_vs, 0, 32);
}

static void strip_attestation(struct chain_item *item)
{
	memset(item->attestation_r, 0, 32);
	memset(item->attestation_vs, 0, 32);
}

bool lifecycle_queue(
	struct lifecycle *life,
	struct lifecycle_round *round,
	enum chain_call_kind kind,
	struct chain_item *item,
	uint64_t deadline_sec
)
{
	const struct lifecycle_chain *chain = lifecycle_chain_of(life, round->session);
	struct settle_request request = {.kind = kind, .deadline_sec = deadline_sec};

	if (chain == NULL)
		return false; // not configured now: it waits
	if (kind != CHAIN_CALL_FINALIZE && kind != CHAIN_CALL_CLAIM)
		strip_voucher(item);
	if (kind != CHAIN_CALL_FINALIZE_ATTESTED && kind != CHAIN_CALL_RESOLVE)
		strip_attestation(item);
	request.item = *item;
	request.value = value_of(
		round->purchase, kind == CHAIN_CALL_CLAIM ? item->voucher_bytes : item->bytes_used
	);
	memcpy(request.voucher_signer, round->purchase->voucher_signer, 32);
	memcpy(request.attestor, round->purchase->attestor, 32);
	memcpy(request.asset, round->purchase->asset, 32);
	if (settle_queue(round->txn, &chain->driver, &request, NULL) != 0)
		return false;
	round->is_changed = true;
	round->is_queued = true;
	return true;
}

// ---- usage that is final ----------------------------------------------------------------------

static bool is_covered(const struct purchase *purchase, uint64_t used_bytes)
{
	switch ((enum purchase_mode)purchase->mode) {
	case PURCHASE_VOUCHER:
		return purchase->voucher_bytes >= used_bytes;
	case PURCHASE_ATTESTED:
		return purchase_is_attested(purchase) || purchase->voucher_bytes >= used_bytes;
	case PURCHASE_OPTIMISTIC:
	case PURCHASE_N_MODE:
		return true;
	}
	return true;
}

static bool may_wait(const struct lifecycle *life, const struct lifecycle_round *round)
{
	uint64_t until_sec =
		round->purchase->final_unix_sec + life->conf.config->voucher.patience_sec;
	uint64_t reclaim_sec = purchase_reclaim_from(round->purchase);

	// However patient the operator is: half of the shortest grace stays for the chain.
	return round->now_sec == 0 ||
		(round->now_sec < until_sec && round->now_sec + LIFECYCLE_MARGIN_SEC < reclaim_sec);
}

static enum chain_call_kind decide(
	const struct purchase *purchase, uint64_t used_bytes, struct chain_item *item
)
{
	uint64_t paid_bytes = purchase_paid_bytes(purchase);

	if (purchase->mode == PURCHASE_ATTESTED && purchase_is_attested(purchase)) {
		item->bytes_used = purchase->attested_bytes;
		memcpy(item->checkpoints_root, purchase->attested_root, 32);
		return CHAIN_CALL_FINALIZE_ATTESTED;
	}
	item->bytes_used = max_u64(used_bytes, paid_bytes);
	if (purchase->mode == PURCHASE_VOUCHER)
		item->bytes_used =
			max_u64(min_u64(used_bytes, purchase->voucher_bytes), paid_bytes);
	else if (item->bytes_used > max_u64(purchase->voucher_bytes, paid_bytes))
		return CHAIN_CALL_PROPOSE;
	// Without a voucher the contract takes exactly what is claimed; but a claim may be reorganised out,
	// so a voucher that covers it goes along.
	if (item->bytes_used == 0 || item->bytes_used > purchase->voucher_bytes)
		strip_voucher(item);
	return CHAIN_CALL_FINALIZE;
}

static void settle_final(struct lifecycle *life, struct lifecycle_round *round)
{
	struct purchase *purchase = round->purchase;
	uint64_t used_bytes =
		min_u64(lifecycle_billed_bytes(life, round->session->id), purchase->bought_bytes);
	struct chain_item item = {0};

	if (purchase->final_unix_sec == 0 && round->now_sec != 0) {
		purchase->final_unix_sec = round->now_sec;
		lifecycle_keep(round, LIFECYCLE_STEP_FINAL_STORED);
	}
	if (!is_covered(purchase, used_bytes) && may_wait(life, round))
		return;
	lifecycle_fill_call(purchase, round->session, &item);
	if (!attest_store_root(round->txn, round->session->id, item.checkpoints_root))
		return;
	enum chain_call_kind kind = decide(purchase, used_bytes, &item);
	if (lifecycle_queue(life, round, kind, &item, purchase_reclaim_from(purchase)))
		round->step = LIFECYCLE_STEP_QUEUED_STORED;
}

// ---- a proposal that stands -------------------------------------------------------------------

void lifecycle_queue_end(
	struct lifecycle *life,
	struct lifecycle_round *round,
	const struct chain_item *former,
	enum chain_call_kind kind
)
{
	struct chain_item item = *former;
	uint64_t deadline_sec = 0;

	lifecycle_fill_call(round->purchase, round->session, &item);
	if (kind != CHAIN_CALL_EXECUTE) {
		item.bytes_used = round->purchase->attested_bytes;
		memcpy(item.checkpoints_root, round->purchase->attested_root, 32);
	}
	// The attestor's word counts until the buyer may dispute no more, or until its time is over: no
	// payout threshold may hold it up beyond that. An execution has no end of time.
	if (kind == CHAIN_CALL_FINALIZE_ATTESTED)
		deadline_sec = round->purchase->window_end_sec;
	if (kind == CHAIN_CALL_RESOLVE)
		deadline_sec = round->purchase->resolve_until_sec;
	if (lifecycle_queue(life, round, kind, &item, deadline_sec))
		round->step = LIFECYCLE_STEP_EXECUTION_STORED;
}

static void follow_proposal(
	struct lifecycle *life, struct lifecycle_round *round, const struct settle_item *proposal
)
{
	const struct purchase *purchase = round->purchase;
	bool is_undisputed = proposal->state == SETTLE_ITEM_DONE && purchase->window_end_sec != 0 &&
		round->now_sec >= purchase->window_end_sec;

	if (round->session->state == SESSION_DISPUTED)
		lifecycle_dispute(life, round, proposal);
	else if (purchase->mode == PURCHASE_ATTESTED && purchase_is_attested(purchase))
		lifecycle_queue_end(life, round, &proposal->call, CHAIN_CALL_FINALIZE_ATTESTED);
	else if (is_undisputed)
		lifecycle_queue_end(life, round, &proposal->call, CHAIN_CALL_EXECUTE);
}

// ---- the end ----------------------------------------------------------------------------------

static void finish(
	struct lifecycle *life, struct lifecycle_round *round, uint64_t bytes, uint64_t block_number
)
{
	enum session_state to = bytes == 0 ? SESSION_REFUNDED : SESSION_SETTLED;
	char detail[128];

	snprintf(
		detail, sizeof(detail), "%" PRIu64 " bytes in block %" PRIu64, bytes, block_number
	);
	session_store_transition(
		round->txn, round->session, to, clock_unix_ns(life->conf.clock), detail
	);
	round->purchase->settled_unix_sec =
		round->now_sec != 0 ? round->now_sec : clock_unix_ns(life->conf.clock) / NS_PER_SEC;
	lifecycle_keep(round, LIFECYCLE_STEP_OUTCOME_STORED);
}

// By the buyer's execute or reclaim, the attestor's resolve, the operator by hand.
static bool is_settled_by_others(struct lifecycle *life, struct lifecycle_round *round)
{
	const struct lifecycle_chain *chain = lifecycle_chain_of(life, round->session);
	uint64_t depth = SETTLE_CONFIRMATIONS, next_block = 0;

	if (round->purchase->settled_block == 0 || chain == NULL)
		return false;
	if (chain->settle_confirmations != 0)
		depth = chain->settle_confirmations;
	return lifecycle_chain_time(round->txn, round->session, &next_block) != 0 &&
		next_block >= round->purchase->settled_block + depth;
}

static bool find(
	const struct lifecycle_round *round, enum settle_phase phase, struct settle_item *ret
)
{
	const struct session_identity *identity = &round->session->identity;

	return settle_item_find_phase(round->txn, identity->chain, identity->id, phase, ret);
}

// Whichever step a person should look at.
static void note_review(
	struct lifecycle *life, struct lifecycle_round *round, const struct settle_item *item
)
{
	struct settle_item claim;

	if (find(round, SETTLE_PHASE_CLAIM, &claim) && claim.state == SETTLE_ITEM_HELD)
		item = &claim;
	if (!session_store_set_review(
		    round->txn,
		    round->session,
		    SESSION_REVIEW_SETTLEMENT,
		    item->is_review || item->state == SETTLE_ITEM_HELD,
		    clock_unix_ns(life->conf.clock),
		    item->reason
	    ))
		return;
	round->is_changed = true;
	round->step = LIFECYCLE_STEP_REVIEW_STORED;
}

// An end that nobody was told of takes the form of what is better.
static void follow_end(
	struct lifecycle *life, struct lifecycle_round *round, const struct settle_item *end
)
{
	if (end->state != SETTLE_ITEM_QUEUED && end->state != SETTLE_ITEM_HELD)
		return;
	if (round->session->state == SESSION_DISPUTED)
		lifecycle_redirect(life, round, end);
	else if (end->kind == CHAIN_CALL_FINALIZE &&
		 round->purchase->voucher_bytes > end->call.voucher_bytes &&
		 lifecycle_billed_bytes(life, round->session->id) > end->call.bytes_used)
		settle_final(life, round);
}

static void settle_open(struct lifecycle *life, struct lifecycle_round *round)
{
	struct settle_item end, proposal;
	bool has_end = find(round, SETTLE_PHASE_END, &end);
	bool has_proposal = find(round, SETTLE_PHASE_PROPOSAL, &proposal);

	if (has_end || has_proposal)
		note_review(life, round, has_end ? &end : &proposal);
	if (has_end && end.state == SETTLE_ITEM_DONE)
		finish(life, round, end.bytes, end.block_number);
	else if (is_settled_by_others(life, round))
		finish(life, round, round->purchase->settled_bytes, round->purchase->settled_block);
	else if (round->purchase->settled_block != 0)
		return; // not deep enough
	else if (has_end)
		follow_end(life, round, &end);
	else if (has_proposal)
		follow_proposal(life, round, &proposal);
	else if (round->purchase->proposed_block == 0)
		settle_final(life, round);
	// else the operator proposed it by hand, and executes it so
}

// A reorganisation may take a settlement back that was final: then it is open again.
static void watch_settled(struct lifecycle *life, struct lifecycle_round *round)
{
	struct purchase *purchase = round->purchase;
	struct settle_item end;
	bool has_end = find(round, SETTLE_PHASE_END, &end);
	bool is_standing =
		purchase->settled_block != 0 || (has_end && end.state == SETTLE_ITEM_DONE);

	if (!is_standing) {
		session_store_transition(
			round->txn,
			round->session,
			SESSION_SETTLING,
			clock_unix_ns(life->conf.clock),
			"its settlement was reorganised out"
		);
		purchase->settled_unix_sec = 0;
		lifecycle_keep(round, LIFECYCLE_STEP_REOPENED_STORED);
	} else if (round->now_sec >= purchase->settled_unix_sec + RETIRE_SEC) {
		purchase_retire(round->txn, round->session->id);
		round->is_changed = true;
		round->step = LIFECYCLE_STEP_RETIRED_STORED;
	}
}

void lifecycle_settle(struct lifecycle *life, struct lifecycle_round *round)
{
	if (round->session->state == SESSION_SETTLED || round->session->state == SESSION_REFUNDED)
		watch_settled(life, round);
	else
		settle_open(life, round);
}
