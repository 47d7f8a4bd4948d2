// SPDX-License-Identifier: Apache-2.0
//
// WireGuard's timers (paper, section 6) as stamps and pure decisions. The owner worker says what
// happened, by inline functions that store a time; the slow path scans the stamps and asks what is
// due. Nothing here sends, arms a timer, or reads a clock. Rules that start a handshake are decided
// for both roles: whether this node initiates at all is the caller's decision.
//
//   passive keepalive      10 s after data was received and nothing was sent since
//   persistent keepalive   after the configured interval without an authentic packet either way
//   new handshake          15 s after data was sent and nothing was received since
//   retransmission         5 s (plus jitter) after an unanswered initiation; given up after 90 s
//   erasure                540 s after the last handshake
#ifndef WG_TIMERS_H
#define WG_TIMERS_H

#include "dataplane/wg/wg_keypair.h"
#include "dataplane/wg/wg_messages.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define WG_TIMERS_NEVER UINT64_MAX

// 0 in a stamp: not so since. Written by the owner worker alone (relaxed), read by the slow path.
struct wg_timers {
	_Atomic uint64_t unanswered_receive_ns; // first data received after our last packet
	_Atomic uint64_t unanswered_send_ns; // first data sent after their last packet
	_Atomic uint64_t traversal_ns; // last authentic packet, either way
	_Atomic uint64_t received_ns; // last authentic packet from the peer
	_Atomic uint64_t derived_ns; // last keypair
};

// Our own initiation under way; written and read by the slow path. 0: none.
struct wg_timers_attempt {
	uint64_t started_ns; // first initiation of this attempt
	uint64_t sent_ns; // last initiation
	uint64_t jitter_ns; // drawn by the caller, up to WG_REKEY_TIMEOUT_JITTER_MAX_MS
};

// Bits of wg_timers_due().
enum wg_timers_action {
	WG_TIMERS_KEEPALIVE = 1 << 0, // send an empty data message: passive
	WG_TIMERS_PERSISTENT_KEEPALIVE = 1 << 1, // send an empty data message: by the interval
	WG_TIMERS_NEW_HANDSHAKE = 1 << 2, // the peer is silent: handshake, if this node initiates
	WG_TIMERS_ERASE = 1 << 3, // retire all keypairs and erase them
};

enum wg_timers_attempt_action {
	WG_TIMERS_ATTEMPT_WAIT = 0,
	WG_TIMERS_ATTEMPT_RETRANSMIT,
	WG_TIMERS_ATTEMPT_GIVE_UP,
};

void wg_timers_init(struct wg_timers *timers);

static inline void wg_timers_stamp(_Atomic uint64_t *stamp, uint64_t now_ns)
{
	atomic_store_explicit(stamp, now_ns, memory_order_relaxed);
}

static inline void wg_timers_stamp_first(_Atomic uint64_t *stamp, uint64_t now_ns)
{
	if (atomic_load_explicit(stamp, memory_order_relaxed) == 0)
		wg_timers_stamp(stamp, now_ns);
}

// Owner worker, one of each for every packet sent or received; now_ns > 0, one reading for a burst
// will do. Received means: verdict authentic and new to the replay window. A keepalive is no data:
// that ends ping-pong between idle peers.
static inline void wg_timers_sent(struct wg_timers *timers, bool is_data, uint64_t now_ns)
{
	if (is_data)
		wg_timers_stamp_first(&timers->unanswered_send_ns, now_ns);
	wg_timers_stamp(&timers->unanswered_receive_ns, 0);
	wg_timers_stamp(&timers->traversal_ns, now_ns);
}

static inline void wg_timers_received(struct wg_timers *timers, bool is_data, uint64_t now_ns)
{
	if (is_data)
		wg_timers_stamp_first(&timers->unanswered_receive_ns, now_ns);
	wg_timers_stamp(&timers->unanswered_send_ns, 0);
	wg_timers_stamp(&timers->traversal_ns, now_ns);
	wg_timers_stamp(&timers->received_ns, now_ns);
}

// Owner worker, when it installs a keypair: the handshake was a packet each way.
static inline void wg_timers_derived(struct wg_timers *timers, uint64_t now_ns)
{
	wg_timers_sent(timers, false, now_ns);
	wg_timers_received(timers, false, now_ns);
	wg_timers_stamp(&timers->derived_ns, now_ns);
}

// Owner worker, when the slow path has begun a handshake with a silent peer: the next 15 s start
// with the next data.
static inline void wg_timers_handshake_begun(struct wg_timers *timers)
{
	wg_timers_stamp(&timers->unanswered_send_ns, 0);
}

// Owner worker, when it has retired all keypairs: nothing is due before the next handshake.
static inline void wg_timers_erased(struct wg_timers *timers)
{
	wg_timers_init(timers);
}

// Which of enum wg_timers_action are due at now_ns. persistent_ns is the configured interval, 0:
// off. An expired keypair cannot carry a keepalive: the owner's wg_keypairs_sending() decides that.
unsigned int wg_timers_due(const struct wg_timers *timers, uint64_t persistent_ns, uint64_t now_ns);
// When the first of them becomes due; it may lie in the past. WG_TIMERS_NEVER if nothing will.
uint64_t wg_timers_next_deadline_ns(const struct wg_timers *timers, uint64_t persistent_ns);

// What to do with an initiation of ours that has no response yet.
enum wg_timers_attempt_action wg_timers_attempt_due(
	const struct wg_timers_attempt *attempt, uint64_t now_ns
);

// Whether a packet sealed with this keypair should be followed by a handshake: as either role after
// REKEY_AFTER_MESSAGES, as initiator after REKEY_AFTER_TIME.
static inline bool wg_timers_check_rekey_on_send(const struct wg_keypair *keypair, uint64_t now_ns)
{
	int64_t age_ns = (int64_t)(now_ns - keypair->created_ns);

	return keypair->send_counter > WG_REKEY_AFTER_MESSAGES ||
		(keypair->is_initiator &&
		 age_ns >= (int64_t)(WG_REKEY_AFTER_TIME_SEC * WG_NS_PER_SEC));
}

// Whether a packet received with this keypair should be followed by a handshake: as initiator, at
// 165 s, so that one who only receives has new keys before the old ones are rejected. The caller
// does it once per keypair.
static inline bool wg_timers_check_rekey_on_receive(
	const struct wg_keypair *keypair, uint64_t now_ns
)
{
	const uint64_t limit_ns =
		(WG_REJECT_AFTER_TIME_SEC - WG_KEEPALIVE_TIMEOUT_SEC - WG_REKEY_TIMEOUT_SEC) *
		WG_NS_PER_SEC;

	return keypair->is_initiator &&
		(int64_t)(now_ns - keypair->created_ns) >= (int64_t)limit_ns;
}

#endif
