// SPDX-License-Identifier: Apache-2.0
//
// Transport keys of a peer, and the three places they live in: previous, current, next (paper,
// section 6; rotation as in Linux's noise.c). Everything here belongs to the session's owner
// worker: no locks, no atomics. The slow path builds a keypair (wg_noise_begin_session) and hands
// it over; the owner installs it, and hands back the ones that fell out, whose indices the slow
// path unlinks, whose memory it wipes and reuses after the grace period.
//
// Only the owner takes send counters: two writers of a send counter are a reused iv.
#ifndef WG_KEYPAIR_H
#define WG_KEYPAIR_H

#include "dataplane/wg/wg_messages.h"
#include "dataplane/wg/wg_replay.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wg_keypair {
	uint8_t recv_key[WG_KEY_BYTES]; // first line: what opening a packet reads
	uint64_t created_ns; // when the handshake completed; its age decides everything
	uint32_t local_index; // the receiver index of messages to us; host order
	uint32_t remote_index; // the receiver index of messages we send; host order
	uint32_t slot; // session slot
	bool is_initiator; // of the handshake it comes from
	bool can_send;
	bool can_receive;
	_Alignas(64) uint8_t send_key[WG_KEY_BYTES]; // second line: sending, and the window's head
	uint64_t send_counter; // the next one to be used; only wg_keypair_take_counters() writes it
	struct wg_replay replay;
} __attribute__((aligned(64)));

static_assert(
	offsetof(struct wg_keypair, is_initiator) < 64, "one line says if a packet may be opened"
);
static_assert(
	offsetof(struct wg_keypair, replay.ring) <= 128, "two lines besides the window's words"
);

struct wg_keypairs {
	struct wg_keypair *previous; // received with, for packets still under way
	struct wg_keypair *current; // sent and received with
	struct wg_keypair *next; // responder's, until the first authentic packet confirms it
};

// Keypairs that an operation put out of use. They are no longer in the struct wg_keypairs, and not
// yet erased.
struct wg_keypair_retired {
	struct wg_keypair *keypair[3];
	unsigned int n;
};

// Puts a new keypair in its place: the initiator's is current at once, the responder's is next
// until confirmed. Takes keypair. ret_retired: those that fell out, the caller's again.
void wg_keypairs_install(
	struct wg_keypairs *keypairs,
	struct wg_keypair *keypair,
	struct wg_keypair_retired *ret_retired
);
// To be called for a packet that was authentic under keypair and passed its replay window. If
// keypair is the unconfirmed next, it becomes current, and current becomes previous. Returns
// whether it did.
bool wg_keypairs_confirm(
	struct wg_keypairs *keypairs,
	const struct wg_keypair *keypair,
	struct wg_keypair_retired *ret_retired
);
// Empties all three places (session removed, or REJECT_AFTER_TIME x 3 passed).
void wg_keypairs_retire_all(struct wg_keypairs *keypairs, struct wg_keypair_retired *ret_retired);

// Zeroes the whole keypair. After the grace period, by whoever reuses its memory.
void wg_keypair_erase(struct wg_keypair *keypair);

static inline bool wg_keypair_check_age(const struct wg_keypair *keypair, uint64_t now_ns)
{
	// Signed: a caller's now_ns may be a burst older than the keypair.
	return (int64_t)(now_ns - keypair->created_ns) <
		(int64_t)(WG_REJECT_AFTER_TIME_SEC * WG_NS_PER_SEC);
}

// Whether packets under this keypair may still be opened: younger than REJECT_AFTER_TIME. Before
// decryption.
static inline bool wg_keypair_check_receive(const struct wg_keypair *keypair, uint64_t now_ns)
{
	return keypair->can_receive && wg_keypair_check_age(keypair, now_ns);
}

// The keypair to seal with now, or NULL: current, younger than REJECT_AFTER_TIME and with counters
// left.
static inline struct wg_keypair *wg_keypairs_sending(
	const struct wg_keypairs *keypairs, uint64_t now_ns
)
{
	struct wg_keypair *current = keypairs->current;

	if (current == NULL || !current->can_send ||
	    current->send_counter >= WG_REJECT_AFTER_MESSAGES ||
	    !wg_keypair_check_age(current, now_ns))
		return NULL;
	return current;
}

// Takes up to n consecutive send counters, never one twice, never REJECT_AFTER_MESSAGES or more.
// Returns: how many; *ret_first is the first of them.
static inline unsigned int wg_keypair_take_counters(
	struct wg_keypair *keypair, unsigned int n, uint64_t *ret_first
)
{
	uint64_t first = keypair->send_counter;
	uint64_t left = first < WG_REJECT_AFTER_MESSAGES ? WG_REJECT_AFTER_MESSAGES - first : 0;

	if (n > left)
		n = (unsigned int)left;
	keypair->send_counter = first + n;
	*ret_first = first;
	return n;
}

#endif
