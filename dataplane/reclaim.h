// SPDX-License-Identifier: Apache-2.0
//
// Gives back what workers may still be looking at: keypairs that fell out of use and sessions that were
// removed. Unlink first, then one grace period for the whole batch, then wipe and free. Two batches:
// one waits, the other collects. Slow path only.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct slowpath;
struct wg_keypair;

struct reclaim_batch {
	struct wg_keypair **keypairs;
	uint32_t n_keypairs;
	uint32_t *slots;
	uint32_t n_slots;
};

struct reclaim {
	struct reclaim_batch collecting;
	struct reclaim_batch waiting;
	uint64_t token; // of the waiting batch's grace period
	bool is_waiting;
};

int reclaim_init(struct slowpath *sp);
void reclaim_fini(struct slowpath *sp);

// Unlinks the keypair's index; keypair and index are free after the grace period. Takes keypair.
void reclaim_keypair(struct slowpath *sp, struct wg_keypair *keypair);

// The owner gave the session up: its `remove` is acknowledged after the grace period.
void reclaim_session(struct slowpath *sp, uint32_t slot);

// Starts or ends a grace period, whichever can be; never waits.
//
// Returns: how much was freed.
unsigned reclaim_poll(struct slowpath *sp);
