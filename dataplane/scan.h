// SPDX-License-Identifier: Apache-2.0
//
// Looks at the sessions' stamps, some slots a round, and decides what time has made due: keepalives,
// erasure of keys, expiry, idleness. Workers only stamp. Slow path only; what is due is a pure function.
#pragma once

#include "dataplane/peer_table.h"
#include "dataplane/wg/wg_timers.h"

#include <stdint.h>

struct slowpath;

#define SCAN_PASS_INTERVAL_NS 10000000ull // from the start of a pass over all slots to the next
#define SCAN_SLOTS_PER_ROUND 1024
// An owner that cannot do what it was asked for (no valid keypair, a full ring) is asked again.
#define SCAN_ASK_AGAIN_NS 1000000000ull

struct scan {
	uint32_t cursor; // next slot; 0 = between two passes
	uint64_t pass_ns; // when the pass began
};

// Bits of scan_due().
enum scan_action {
	SCAN_KEEPALIVE = 1 << 0,
	SCAN_ERASE = 1 << 1,
	SCAN_EXPIRE = 1 << 2,
	SCAN_IDLE = 1 << 3, // the idle time has passed since the last authentic packet
};

struct scan_timing {
	uint64_t persistent_keepalive_ns; // 0 = off
	uint64_t idle_ns;
};

// timers: NULL for a session that no worker owns.
unsigned scan_due(
	const struct peer *peer,
	const struct wg_timers *timers,
	const struct scan_timing *timing,
	uint64_t now_ns
);

// Returns: how many slots were looked at.
unsigned scan_poll(struct slowpath *sp);
