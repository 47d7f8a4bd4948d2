// SPDX-License-Identifier: Apache-2.0
//
// From final usage to a final settlement, in the way that was bought:
//   voucher     finalise at the newest voucher, at once when it covers the usage, else after the
//               patience; never more than was signed
//   others      finalise where a voucher covers the usage or nothing was used; else propose, and
//               execute after the window
// The settlement is queued in the transaction that decides on it. Loop's thread.
#include "controlplane/attest/attest_store.h"
#include "controlplane/lifecycle_private.h"
#include "controlplane/session/session_store.h"
#include "controlplane/settle/settle_outbox.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BYTES_PER_GB 1000000000ull
// After this much a reorganisation of its settlement is history, and the purchase is looked at no more.
#define RETIRE_SEC (24 * 3600)
// Chain and host clocks may be a minute apart before it is an alert.
#define CLOCK_SKEW_SEC 60

static uint64_t now_sec(const struct lifecycle *life)
{
	return clock_unix_ns(life->conf.clock) / NS_PER_SEC;
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

// When the buyer could take the money back: settled well before, by the outbox's margin.
static uint64_t reclaim_from(const struct purchase *purchase)
{
	return purchase->closed_block != 0 ? purchase->reclaim_from_sec
					   : purchase->expires_sec + LIFECYCLE_GRACE_MIN_SEC;
}

static bool may_wait_for_voucher(const struct lifecycle *life, const struct purchase *purchase)
{
	uint64_t patience_sec = life->conf.config->voucher.patience_sec;
	// However patient the operator is: half of the shortest grace stays for the chain.
	uint64_t until =
		min_u64(purchase->final_unix_sec + patience_sec,
			reclaim_from(purchase) - LIFECYCLE_GRACE_MIN_SEC / 2);

	return now_sec(life) < until;
}

static enum chain_call_kind decide(
	const struct purchase *purchase, uint64_t used_bytes, struct chain_item *item
)
{
	enum chain_call_kind kind = CHAIN_CALL_FINALIZE;

	item->bytes_used = min_u64(used_bytes, purchase->bought_bytes);
	if (purchase->mode == PURCHASE_VOUCHER)
		item->bytes_used = min_u64(item->bytes_used, purchase->voucher_bytes);
	else if (item->bytes_used > purchase->voucher_bytes)
		kind = CHAIN_CALL_PROPOSE;
	if (kind == CHAIN_CALL_FINALIZE && item->bytes_used != 0) {
		item->voucher_bytes = purchase->voucher_bytes;
		memcpy(item->voucher_r, purchase->voucher_r, 32);
		memcpy(item->voucher_vs, purchase->voucher_vs, 32);
	}
	return kind;
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

static bool queue(
	struct lifecycle *life,
	struct db_txn *txn,
	struct session *session,
	const struct purchase *purchase
)
{
	const struct lifecycle_chain *chain =
		lifecycle_find_chain(life, session->identity.chain, session->identity.contract);
	struct settle_request request = {.deadline_sec = reclaim_from(purchase)};

	if (chain == NULL)
		return false; // its chain is not configured now: it waits
	memcpy(request.item.session_id, session->identity.id, 32);
	memcpy(request.voucher_signer, purchase->voucher_signer, 32);
	request.kind = decide(purchase, lifecycle_billed_bytes(life, session->id), &request.item);
	request.value = value_of(purchase, request.item.bytes_used);
	if (!attest_store_root(txn, session->id, request.item.checkpoints_root))
		return false;
	return settle_queue(txn, &chain->driver, &request, NULL) == 0;
}

// The second half of a proposal. Its bytes and root are the proposal's.
static bool queue_execution(
	struct lifecycle *life,
	struct db_txn *txn,
	const struct session *session,
	const struct purchase *purchase,
	const struct settle_item *proposal
)
{
	const struct lifecycle_chain *chain =
		lifecycle_find_chain(life, session->identity.chain, session->identity.contract);
	struct settle_request request = {
		.kind = CHAIN_CALL_EXECUTE,
		.item = proposal->call,
		.value = proposal->value,
	};

	if (chain == NULL || purchase->window_end_sec == 0 ||
	    now_sec(life) < purchase->window_end_sec + CLOCK_SKEW_SEC)
		return false;
	return settle_queue(txn, &chain->driver, &request, NULL) == 0;
}

static void finish(
	struct lifecycle *life,
	struct db_txn *txn,
	struct session *session,
	struct purchase *purchase,
	const struct settle_item *item
)
{
	enum session_state to = item->bytes == 0 ? SESSION_REFUNDED : SESSION_SETTLED;
	char detail[128];

	snprintf(
		detail,
		sizeof(detail),
		"%" PRIu64 " bytes in block %" PRIu64,
		item->bytes,
		item->block_number
	);
	session_store_transition(txn, session, to, clock_unix_ns(life->conf.clock), detail);
	purchase->settled_unix_sec = now_sec(life);
	purchase_save(txn, purchase);
}

static bool settle_open(
	struct lifecycle *life,
	struct db_txn *txn,
	struct session *session,
	struct purchase *purchase,
	bool *ret_is_queued
)
{
	struct settle_item item;

	if (purchase->final_unix_sec == 0) {
		purchase->final_unix_sec = now_sec(life);
		purchase_save(txn, purchase);
	}
	if (!settle_item_find(txn, session->identity.chain, session->identity.id, &item)) {
		uint64_t used =
			min_u64(lifecycle_billed_bytes(life, session->id), purchase->bought_bytes);
		if (purchase->mode == PURCHASE_VOUCHER && purchase->voucher_bytes < used &&
		    may_wait_for_voucher(life, purchase))
			return true; // final_unix_sec may be new
		*ret_is_queued = queue(life, txn, session, purchase);
		return true;
	}
	bool is_changed = session_store_set_review(
		txn,
		session,
		SESSION_REVIEW_SETTLEMENT,
		item.is_review || item.state == SETTLE_ITEM_HELD,
		clock_unix_ns(life->conf.clock),
		item.reason
	);
	if (item.state != SETTLE_ITEM_DONE)
		return is_changed;
	if (item.kind == CHAIN_CALL_PROPOSE) {
		*ret_is_queued = queue_execution(life, txn, session, purchase, &item);
		return is_changed || *ret_is_queued;
	}
	finish(life, txn, session, purchase, &item);
	return true;
}

// A reorganisation may take a settlement back that was final: then it is open again.
static bool watch_settled(
	struct lifecycle *life,
	struct db_txn *txn,
	struct session *session,
	struct purchase *purchase
)
{
	struct settle_item item;

	if (settle_item_find(txn, session->identity.chain, session->identity.id, &item) &&
	    item.state != SETTLE_ITEM_DONE) {
		session_store_transition(
			txn,
			session,
			SESSION_SETTLING,
			clock_unix_ns(life->conf.clock),
			"its settlement was reorganised out"
		);
		purchase->settled_unix_sec = 0;
		purchase_save(txn, purchase);
		return true;
	}
	if (now_sec(life) < purchase->settled_unix_sec + RETIRE_SEC)
		return false;
	purchase_retire(txn, session->id);
	return true;
}

bool lifecycle_settle(
	struct lifecycle *life,
	struct db_txn *txn,
	struct session *session,
	struct purchase *purchase,
	bool *ret_is_queued
)
{
	switch (session->state) {
	case SESSION_SETTLING:
	case SESSION_DISPUTED:
		return settle_open(life, txn, session, purchase, ret_is_queued);
	case SESSION_SETTLED:
	case SESSION_REFUNDED:
		return watch_settled(life, txn, session, purchase);
	case SESSION_PENDING:
	case SESSION_PROVISIONED:
	case SESSION_ACTIVE:
	case SESSION_SUSPENDED:
	case SESSION_DRAINING:
	case SESSION_VOID:
	case SESSION_N_STATE:
		return false;
	}
	return false;
}
