// SPDX-License-Identifier: Apache-2.0
//
// From purchase to final usage: expiry, quota, the wait for vouchers, draining. Loop's thread.
#include "controlplane/lifecycle_private.h"
#include "controlplane/session/session_store.h"

#include <stdio.h>

#define WARN_TENTHS 9 // of the quota

static void end_live(struct lifecycle *life, struct lifecycle_round *round, const char *reason)
{
	round->purchase->waiting_unix_sec = 0;
	lifecycle_keep(round, LIFECYCLE_STEP_ENDED_STORED);
	lifecycle_stop_serving(life, round->txn, round->session, reason);
}

// The gate is closed at what vouchers cover and the credit.
static void take_waiting(struct lifecycle *life, struct lifecycle_round *round)
{
	struct purchase *purchase = round->purchase;

	if (round->now_sec == 0)
		return;
	if (purchase->waiting_unix_sec == 0) {
		purchase->waiting_unix_sec = round->now_sec;
		lifecycle_keep(round, LIFECYCLE_STEP_WAITING_STORED);
	} else if (round->now_sec >= purchase->waiting_unix_sec + life->conf.config->voucher.patience_sec) {
		// It was waited for long enough: not once more after the end.
		purchase->final_unix_sec = purchase->waiting_unix_sec;
		end_live(life, round, "no voucher within the patience");
	}
}

static void warn_near_quota(
	struct lifecycle *life, struct lifecycle_round *round, const struct usage_view *view
)
{
	uint64_t quota_bytes = round->session->quota_bytes, used_bytes;
	char detail[128];

	if (round->purchase->warned_bytes == quota_bytes ||
	    __builtin_add_overflow(view->out_bytes, view->in_bytes, &used_bytes) ||
	    used_bytes < quota_bytes - quota_bytes / 10 * (10 - WARN_TENTHS))
		return;
	round->purchase->warned_bytes = quota_bytes;
	lifecycle_keep(round, LIFECYCLE_STEP_WARNED_STORED);
	snprintf(
		detail,
		sizeof(detail),
		"%" PRIu64 " of %" PRIu64 " bytes are used",
		used_bytes,
		quota_bytes
	);
	session_store_audit(
		round->txn,
		clock_unix_ns(life->conf.clock),
		round->session->id,
		"90 % of quota",
		detail
	);
}

static void watch_live(struct lifecycle *life, struct lifecycle_round *round)
{
	struct purchase *purchase = round->purchase;
	struct session *session = round->session;
	struct usage_view view;

	if (round->now_sec >= purchase->expires_sec) {
		end_live(life, round, "expired");
		return;
	}
	if (session->state == SESSION_PENDING ||
	    usage_read(life->conf.usage, session->id, &view) != 0)
		return;
	warn_near_quota(life, round, &view);
	if (usage_view_is_waiting(&view, session)) {
		take_waiting(life, round);
	} else if (usage_view_is_used_up(&view, session)) {
		end_live(life, round, "used up");
	} else if (view.is_in_dataplane && view.gate == ABI_GATE_OPEN && purchase->waiting_unix_sec != 0) {
		purchase->waiting_unix_sec = 0;
		lifecycle_keep(round, LIFECYCLE_STEP_WAITING_STORED);
	}
}

// A data plane that neither ends nor answers must not cost the operator what was earned: before the
// buyer may reclaim, the session is settled at what was counted last.
static void watch_draining(struct lifecycle *life, struct lifecycle_round *round)
{
	bool is_overdue = round->now_sec != 0 &&
		round->now_sec + LIFECYCLE_MARGIN_SEC >= purchase_reclaim_from(round->purchase);

	// Without a slot its counters were closed before (it was void in between).
	if (round->session->has_slot && !is_overdue)
		return;
	lifecycle_keep(round, LIFECYCLE_STEP_OVERDUE_STORED);
	session_store_transition(
		round->txn,
		round->session,
		SESSION_SETTLING,
		clock_unix_ns(life->conf.clock),
		is_overdue ? "the data plane does not answer: settled at what was counted last"
			   : "usage is final"
	);
}

void lifecycle_serve(struct lifecycle *life, struct lifecycle_round *round)
{
	if (round->session->state == SESSION_DRAINING)
		watch_draining(life, round);
	else
		watch_live(life, round);
}
