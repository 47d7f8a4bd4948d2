// SPDX-License-Identifier: Apache-2.0
//
// See scan.h.
#include "dataplane/scan.h"

#include "dataplane/session_mail.h"
#include "dataplane/slot_line.h"
#include "dataplane/slowpath.h"

static bool check_idle(const struct wg_timers *timers, uint64_t idle_ns, uint64_t now_ns)
{
	uint64_t received_ns = atomic_load_explicit(&timers->received_ns, memory_order_relaxed);

	return idle_ns != 0 && received_ns != 0 &&
		(int64_t)(now_ns - received_ns) >= (int64_t)idle_ns;
}

// A keepalive needs a keypair, and none is younger than the last one made.
static bool check_sendable(const struct wg_timers *timers, uint64_t now_ns)
{
	uint64_t derived_ns = atomic_load_explicit(&timers->derived_ns, memory_order_relaxed);

	return derived_ns != 0 &&
		(int64_t)(now_ns - derived_ns) < (int64_t)(WG_REJECT_AFTER_TIME_SEC * NS_PER_SEC);
}

unsigned scan_due(
	const struct peer *peer,
	const struct wg_timers *timers,
	const struct scan_timing *timing,
	uint64_t now_ns
)
{
	unsigned due = 0, ret = 0;

	if (!peer->is_expired && now_ns >= peer->limits.expires_ns)
		ret |= SCAN_EXPIRE;
	if (timers == NULL)
		return ret;
	if (check_idle(timers, timing->idle_ns, now_ns))
		ret |= SCAN_IDLE;
	if (peer->asked_ns != 0 && now_ns - peer->asked_ns < SCAN_ASK_AGAIN_NS)
		return ret;
	due = wg_timers_due(timers, timing->persistent_keepalive_ns, now_ns);
	if ((due & (WG_TIMERS_KEEPALIVE | WG_TIMERS_PERSISTENT_KEEPALIVE)) &&
	    check_sendable(timers, now_ns))
		ret |= SCAN_KEEPALIVE;
	if (due & WG_TIMERS_ERASE)
		ret |= SCAN_ERASE;
	return ret;
}

static void expire(struct slowpath *sp, struct peer *peer)
{
	if (peer->owner != ABI_OWNER_NONE &&
	    !session_mail_send(
		    sp, peer, (struct mail){.kind = MAIL_GATE, .gate = ABI_GATE_EXPIRED}
	    ))
		return; // again in the next pass; the worker refuses by the time itself meanwhile
	peer->is_expired = true;
	if (peer->owner == ABI_OWNER_NONE)
		slot_line_unowned(&sp->dp->segment.slots[peer_table_slot(&sp->peers, peer)], peer);
	slowpath_event(sp, ABI_EVENT_EXPIRED, peer);
}

static void ask_owner(struct slowpath *sp, struct peer *peer, unsigned due, uint64_t derived_ns)
{
	if (due & SCAN_ERASE)
		session_mail_send(
			sp, peer, (struct mail){.kind = MAIL_ERASE, .erase_ns = derived_ns}
		);
	else if (due & SCAN_KEEPALIVE)
		session_mail_send(sp, peer, (struct mail){.kind = MAIL_KEEPALIVE});
	else
		return;
	peer->asked_ns = sp->now_ns;
}

static void tell_idle(struct slowpath *sp, struct peer *peer, bool is_idle)
{
	if (is_idle && !peer->is_idle_told)
		slowpath_event(sp, ABI_EVENT_IDLE, peer);
	peer->is_idle_told = is_idle;
}

static void scan_one(struct slowpath *sp, uint32_t slot, const struct scan_timing *timing)
{
	struct peer *peer = &sp->peers.peers[slot];
	const struct wg_timers *timers = NULL;
	uint64_t derived_ns = 0;
	unsigned due;

	if (!peer->slot.is_live)
		return;
	if (peer->owner != ABI_OWNER_NONE) {
		timers = &sp->dp->sessions[slot].timers;
		derived_ns = atomic_load_explicit(&timers->derived_ns, memory_order_relaxed);
	}
	due = scan_due(peer, timers, timing, sp->now_ns);
	if (due & SCAN_EXPIRE)
		expire(sp, peer);
	ask_owner(sp, peer, due, derived_ns);
	tell_idle(sp, peer, due & SCAN_IDLE);
}

unsigned scan_poll(struct slowpath *sp)
{
	const struct config *config = sp->dp->config;
	const struct scan_timing timing = {
		.persistent_keepalive_ns = config->wireguard.persistent_keepalive_sec * NS_PER_SEC,
		.idle_ns = config->sessions.idle_event_sec * NS_PER_SEC,
	};
	struct scan *scan = &sp->scan;
	unsigned n = 0;

	if (scan->cursor == 0) {
		if (sp->now_ns - scan->pass_ns < SCAN_PASS_INTERVAL_NS)
			return 0;
		scan->pass_ns = sp->now_ns;
	}
	while (n < SCAN_SLOTS_PER_ROUND && scan->cursor < sp->peers.n_used_slots) {
		scan_one(sp, scan->cursor++, &timing);
		n++;
	}
	if (scan->cursor >= sp->peers.n_used_slots)
		scan->cursor = 0;
	return n;
}
