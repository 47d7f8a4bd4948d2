// SPDX-License-Identifier: Apache-2.0
//
// The slow path: all that is not per packet, on the main lcore. Handshakes, ARP, commands, timers,
// events, reclaiming. It shares nothing with a worker but the mailbox, the index table (it writes, they
// read) and the stamps (they write, it reads). Everything below is its own.
#pragma once

#include "common/abi_stats.h"
#include "dataplane/command.h"
#include "dataplane/dp.h"
#include "dataplane/events.h"
#include "dataplane/handshake.h"
#include "dataplane/neigh.h"
#include "dataplane/peer_table.h"
#include "dataplane/reclaim.h"
#include "dataplane/scan.h"
#include "dataplane/secret_arena.h"
#include "dataplane/slow_pkt.h"

enum slowpath_phase {
	SLOWPATH_RUNNING,
	SLOWPATH_DRAINING, // MAIL_DRAIN is out; packets still come up and go back
	SLOWPATH_DRAINED, // nothing is on its way between the threads any more
};

struct slowpath {
	struct dp *dp;
	struct abi_thread_stats *stats; // the last block of the segment
	struct secret_arena *arena;
	uint64_t now_ns; // monotonic, read once a round
	enum slowpath_phase phase;
	unsigned n_drained; // workers that answered MAIL_DRAIN
	uint64_t drain_ns; // when the drain began
	uint64_t drain_token; // of the last grace period; 0 = not started
	uint64_t heartbeat_ns; // last one
	uint64_t published_ns; // ports' statistics, last time

	// Secrets, in the arena.
	struct wg_local *local;
	struct wg_cookie *cookie;
	uint8_t *psk; // WG_KEY_BYTES, while a session is added
	struct secret_pool keypairs;

	struct peer_table peers;
	struct events events;
	struct slow_pkt pkt;
	struct handshake handshake;
	struct neigh neigh[ABI_MAX_PORTS];
	struct command command;
	struct scan scan;
	struct reclaim reclaim;
};

// Returns: bytes of the arena that a slow path for n_slots sessions takes.
size_t slowpath_secret_bytes(uint32_t n_slots);

// Returns: how many keypairs and receiver indices n_slots sessions need: three a session and those
//          that wait for their grace period; a power of two.
uint32_t slowpath_n_keypairs(uint32_t n_slots);

// Builds the slow path on a dp whose ports, index table, segment and mailboxes are there. private_key
// is copied into the arena.
//
// Returns: 0 or -errno with a sentence in err.
int slowpath_init(
	struct slowpath *sp,
	struct dp *dp,
	struct secret_arena *arena,
	const uint8_t private_key[WG_KEY_BYTES],
	char *err,
	size_t err_len
);
void slowpath_fini(struct slowpath *sp);

// One round: mail, packets, commands, scan, ARP, reclaiming, heartbeat; each bounded.
//
// Returns: how much it did; 0 = it may sleep.
unsigned slowpath_poll(struct slowpath *sp);

// Starts the end: workers stop receiving, what is held goes back, then phase is SLOWPATH_DRAINED.
void slowpath_drain(struct slowpath *sp);

// The main lcore's loop until *is_stop_asked or a `stop` command, drain included. The caller then sets
// dp->is_stopping and joins the workers.
//
// Returns: 0, or -ETIMEDOUT when a worker did not drain.
int slowpath_run(struct slowpath *sp, const volatile int *is_stop_asked);

// An event about a session.
static inline void slowpath_event(
	struct slowpath *sp, enum abi_event_kind kind, const struct peer *peer
)
{
	events_emit(&sp->events, kind, peer_table_slot(&sp->peers, peer), peer->slot.generation, 0);
}
