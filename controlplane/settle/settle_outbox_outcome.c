// SPDX-License-Identifier: Apache-2.0
//
// What came of an item: its own event, in its own transaction or in anybody's (ours before a loss of
// the store, the operator's by hand, the buyer's); or not yet; or a skip. Asks the chain, so it runs
// before the store's transaction begins.

#include "settle_next.h"
#include "settle_outbox_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define KIND(id) (1u << CHAIN_EVENT_##id)

// The event by which an item of this phase is done.
static enum chain_event_kind settle_outbox_event_kind(enum settle_phase phase)
{
	switch (phase) {
	case SETTLE_PHASE_CLAIM:
		return CHAIN_EVENT_CLAIMED;
	case SETTLE_PHASE_PROPOSAL:
		return CHAIN_EVENT_PROPOSED;
	case SETTLE_PHASE_END:
		return CHAIN_EVENT_SETTLED;
	}
	return CHAIN_EVENT_SETTLED;
}

// And those of others' that leave nothing to do for it.
static unsigned int settle_outbox_event_kinds(enum settle_phase phase)
{
	switch (phase) {
	case SETTLE_PHASE_CLAIM:
		return KIND(CLAIMED) | KIND(DISPUTED) | KIND(SETTLED);
	case SETTLE_PHASE_PROPOSAL:
		return KIND(PROPOSED) | KIND(SETTLED);
	case SETTLE_PHASE_END:
		return KIND(SETTLED);
	}
	return KIND(SETTLED);
}

static enum settle_phase settle_outbox_phase(const struct settle_item *item)
{
	return settle_phase_of((enum chain_call_kind)item->kind);
}

// What the contract said about one item of this transaction; NULL when it said nothing.
static const struct chain_event *settle_outbox_event_of(
	const struct chain_tx_status *status, const struct settle_item *item
)
{
	enum chain_event_kind wanted = settle_outbox_event_kind(settle_outbox_phase(item));

	for (size_t i = 0; i < status->n_events; i++) {
		const struct chain_event *event = &status->events[i];

		if (memcmp(event->session_id, item->call.session_id, CHAIN_ID_SIZE) == 0 &&
		    (event->kind == wanted || event->kind == CHAIN_EVENT_SKIPPED))
			return event;
	}
	return NULL;
}

// The session's last event of these kinds. Its creation is looked for too, so that the search goes back
// no further.
static int settle_outbox_find(
	struct settle_outbox *outbox,
	const struct settle_item *item,
	unsigned int kinds,
	struct chain_event *ret
)
{
	const struct chain_driver *chain = &outbox->conf.chain;
	char why[CHAIN_WHY_SIZE] = "";
	int r;

	r = chain->ops->find_event(
		chain->driver,
		item->call.session_id,
		kinds | KIND(CREATED),
		outbox->head.number,
		ret,
		why
	);
	if (r == 0 && ret->kind == CHAIN_EVENT_CREATED)
		return -ENOENT;
	return r < 0 && r != -ENOENT ? settle_outbox_chain_error(outbox, r, why) : r;
}

// Whether the event that was found leaves nothing to do. A claim is cumulative: an older, smaller one
// does, if the contract took this one for no more than that.
static bool settle_outbox_is_outcome(
	const struct settle_item *item, const struct chain_event *event, bool is_accepted
)
{
	return item->kind != CHAIN_CALL_CLAIM || event->kind == CHAIN_EVENT_SETTLED ||
		event->bytes >= item->call.voucher_bytes || is_accepted;
}

// What stands no later than a receipt that is taken for final is final with it.
static bool settle_outbox_is_settled_fact(
	const struct settle_outbox *outbox,
	const struct chain_tx_status *status,
	const struct chain_event *event
)
{
	return (status != NULL && event->block_number <= status->block_number) ||
		settle_outbox_is_final(outbox, event->block_number);
}

static void settle_outbox_wait(
	const struct settle_outbox *outbox, struct settle_outcome *ret, const char *reason
)
{
	ret->verdict = SETTLE_VERDICT_WAITS;
	ret->reason = reason;
	ret->not_before_sec = outbox->head.timestamp_sec + 1;
}

// Refused because of a proposal or a dispute that stands: another time, or another call.
static int settle_outbox_outcome_next(
	struct settle_outbox *outbox,
	const struct settle_item *item,
	const struct chain_tx_status *status,
	struct settle_outcome *ret
)
{
	struct settle_next next;
	struct chain_event last;
	int r;

	r = settle_outbox_find(outbox, item, KIND(PROPOSED) | KIND(DISPUTED), &last);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	if (!settle_outbox_is_settled_fact(outbox, status, &last)) {
		settle_outbox_wait(outbox, ret, "a proposal or dispute that is not final yet");
		return 0;
	}
	if (!settle_next_end(item, &last, outbox->head.timestamp_sec, &next))
		return 0;
	ret->verdict = SETTLE_VERDICT_WAITS;
	ret->kind = next.kind;
	ret->not_before_sec = next.not_before_sec;
	ret->deadline_sec = next.deadline_sec;
	return 0;
}

int settle_outbox_outcome(
	struct settle_outbox *outbox,
	const struct settle_item *item,
	const struct chain_tx_status *status,
	const char *reason,
	struct settle_outcome *ret
)
{
	const struct chain_event *event = NULL;
	int r;

	*ret = (struct settle_outcome){
		.verdict = SETTLE_VERDICT_SKIPPED,
		.kind = (enum chain_call_kind)item->kind,
		.deadline_sec = item->deadline_sec,
		.reason = reason,
	};
	if (status != NULL)
		event = settle_outbox_event_of(status, item);
	if (event != NULL && event->kind != CHAIN_EVENT_SKIPPED) {
		ret->verdict = SETTLE_VERDICT_DONE;
		ret->event = *event;
		return 0;
	}
	if (event != NULL)
		ret->reason = event->reason;
	r = settle_outbox_find(
		outbox, item, settle_outbox_event_kinds(settle_outbox_phase(item)), &ret->event
	);
	if (r == 0 && settle_outbox_is_outcome(item, &ret->event, status != NULL)) {
		if (settle_outbox_is_settled_fact(outbox, status, &ret->event))
			ret->verdict = SETTLE_VERDICT_DONE;
		else
			settle_outbox_wait(
				outbox, ret, "done by a transaction that is not final yet"
			);
		return 0;
	}
	if (r < 0 && r != -ENOENT)
		return r;
	return settle_outbox_phase(item) == SETTLE_PHASE_END
		? settle_outbox_outcome_next(outbox, item, status, ret)
		: 0;
}

// A session that is settled has nothing left to propose: the event is the outcome of its end.
static void settle_outbox_become_end(struct db_txn *txn, struct settle_item *item)
{
	struct settle_item end;

	if (settle_item_find_phase(
		    txn, item->chain_id, item->call.session_id, SETTLE_PHASE_END, &end
	    ))
		item->state = SETTLE_ITEM_WITHDRAWN;
	else
		settle_item_turn(txn, item, CHAIN_CALL_EXECUTE);
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
	if (event->kind != settle_outbox_event_kind(settle_outbox_phase(item))) {
		snprintf(item->reason, sizeof(item->reason), "overtaken by another step");
		if (settle_outbox_phase(item) == SETTLE_PHASE_PROPOSAL)
			settle_outbox_become_end(txn, item);
	}
	settle_item_put(txn, item);
}

static void settle_outbox_skip_item(
	struct settle_outbox *outbox, struct settle_item *item, const char *reason
)
{
	snprintf(item->reason, sizeof(item->reason), "%s", reason);
	item->state = SETTLE_ITEM_QUEUED;
	item->n_skips++;
	item->not_before_sec =
		outbox->head.timestamp_sec + (uint64_t)outbox->conf.skip_wait_sec * item->n_skips;
	if (item->n_skips < outbox->conf.skips_max)
		return;
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

void settle_outbox_apply(
	struct settle_outbox *outbox,
	struct db_txn *txn,
	struct settle_item *item,
	const struct settle_outcome *outcome
)
{
	switch (outcome->verdict) {
	case SETTLE_VERDICT_DONE:
		settle_outbox_finish_item(txn, item, &outcome->event);
		return;
	case SETTLE_VERDICT_WAITS:
		snprintf(item->reason, sizeof(item->reason), "%s", outcome->reason);
		item->state = SETTLE_ITEM_QUEUED;
		item->kind = outcome->kind; // of the same phase
		item->not_before_sec = outcome->not_before_sec;
		item->deadline_sec = outcome->deadline_sec;
		break;
	case SETTLE_VERDICT_SKIPPED:
		settle_outbox_skip_item(outbox, item, outcome->reason);
		break;
	}
	settle_item_put(txn, item);
}
