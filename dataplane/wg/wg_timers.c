// SPDX-License-Identifier: Apache-2.0
//
// The slow path's half of the timers: what is due, and when the next thing will be. Reads stamps of
// a running worker: each is whole, but they are not of one moment; a decision made a scan too late
// or repeated does no harm.
#include "wg_timers.h"

#include <stddef.h>

void wg_timers_init(struct wg_timers *timers)
{
	wg_timers_stamp(&timers->unanswered_receive_ns, 0);
	wg_timers_stamp(&timers->unanswered_send_ns, 0);
	wg_timers_stamp(&timers->traversal_ns, 0);
	wg_timers_stamp(&timers->received_ns, 0);
	wg_timers_stamp(&timers->derived_ns, 0);
}

// When a timer started by this stamp runs out.
static uint64_t deadline(const _Atomic uint64_t *stamp, uint64_t interval_ns)
{
	uint64_t start_ns = atomic_load_explicit(stamp, memory_order_relaxed);

	return start_ns == 0 || interval_ns == 0 ? WG_TIMERS_NEVER : start_ns + interval_ns;
}

// The timers of one peer, in the order of the file's opening comment.
enum {
	N_TIMERS = 4,
};

static void deadlines(
	const struct wg_timers *timers, uint64_t persistent_ns, uint64_t ret_deadline_ns[N_TIMERS]
)
{
	const uint64_t silence_sec = WG_KEEPALIVE_TIMEOUT_SEC + WG_REKEY_TIMEOUT_SEC;

	ret_deadline_ns[0] =
		deadline(&timers->unanswered_receive_ns, WG_KEEPALIVE_TIMEOUT_SEC * WG_NS_PER_SEC);
	ret_deadline_ns[1] = deadline(&timers->traversal_ns, persistent_ns);
	ret_deadline_ns[2] = deadline(&timers->unanswered_send_ns, silence_sec * WG_NS_PER_SEC);
	ret_deadline_ns[3] = deadline(&timers->derived_ns, WG_ERASE_AFTER_TIME_SEC * WG_NS_PER_SEC);
}

unsigned int wg_timers_due(const struct wg_timers *timers, uint64_t persistent_ns, uint64_t now_ns)
{
	static const enum wg_timers_action action[N_TIMERS] = {
		WG_TIMERS_KEEPALIVE,
		WG_TIMERS_PERSISTENT_KEEPALIVE,
		WG_TIMERS_NEW_HANDSHAKE,
		WG_TIMERS_ERASE,
	};
	uint64_t deadline_ns[N_TIMERS];
	unsigned int due = 0;

	deadlines(timers, persistent_ns, deadline_ns);
	for (unsigned int i = 0; i < N_TIMERS; i++) {
		if (now_ns >= deadline_ns[i])
			due |= action[i];
	}
	return due;
}

uint64_t wg_timers_next_deadline_ns(const struct wg_timers *timers, uint64_t persistent_ns)
{
	uint64_t deadline_ns[N_TIMERS], next_ns = WG_TIMERS_NEVER;

	deadlines(timers, persistent_ns, deadline_ns);
	for (unsigned int i = 0; i < N_TIMERS; i++) {
		if (deadline_ns[i] < next_ns)
			next_ns = deadline_ns[i];
	}
	return next_ns;
}

enum wg_timers_attempt_action wg_timers_attempt_due(
	const struct wg_timers_attempt *attempt, uint64_t now_ns
)
{
	if (attempt->started_ns == 0)
		return WG_TIMERS_ATTEMPT_WAIT;
	if (now_ns >= attempt->started_ns + WG_REKEY_ATTEMPT_TIME_SEC * WG_NS_PER_SEC)
		return WG_TIMERS_ATTEMPT_GIVE_UP;
	if (now_ns >= attempt->sent_ns + WG_REKEY_TIMEOUT_SEC * WG_NS_PER_SEC + attempt->jitter_ns)
		return WG_TIMERS_ATTEMPT_RETRANSMIT;
	return WG_TIMERS_ATTEMPT_WAIT;
}
