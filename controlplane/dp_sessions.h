// SPDX-License-Identifier: Apache-2.0
//
// All sessions that have a slot, and what is done about them against the store: binding ledgers to a
// boot before `add`, reading counters into usage, taking acknowledgements, finishing those that left.
// Counters are read only through the function in struct usage_harvest, so no shared memory here.
// Belongs to dp_link.c; loop's thread.
#pragma once

#include "controlplane/dp_link.h"
#include "controlplane/dp_slot.h"
#include "controlplane/usage/usage_harvest.h"

struct dp_sessions {
	struct dp_link_conf conf;
	struct dp_slot *slots;
	uint32_t
		n_slots; // sessions.max, or more where a session has a slot from when that was higher
	uint32_t n_boot_slots; // of the attached boot; 0: none
	uint32_t n_used; // no entry from here on has a session
	bool has_foreign_ledger; // a session waits for the harvest of another boot
	bool is_incomplete; // the store did not give all sessions: load again
};

// Loads all sessions that have a slot. Returns: 0 or -errno.
int dp_sessions_init(struct dp_sessions *all, const struct dp_link_conf *conf);
void dp_sessions_fini(struct dp_sessions *all);

// A session was committed.
void dp_sessions_set(struct dp_sessions *all, const struct session *session);

// Everything again from the store, nothing in any data plane: after a harvest. What the store does not
// give leaves is_incomplete set.
void dp_sessions_reload(struct dp_sessions *all);

// Another boot, or none (0 slots): nothing is in it yet.
void dp_sessions_reset(struct dp_sessions *all, uint32_t n_boot_slots);

// Limits of all sessions are sent again.
void dp_sessions_resend(struct dp_sessions *all);

bool dp_sessions_is_known(const struct dp_sessions *all, uint32_t slot, uint32_t generation);

// One transaction binds the ledgers of all sessions that are not bound; after it their `add` may go
// out. Those that the boot has already (a restart of ours) are found by their generation.
void dp_sessions_bind(
	struct dp_sessions *all, const uint8_t boot_id[16], const struct usage_harvest *live
);

void dp_sessions_ack(
	struct dp_sessions *all, const struct abi_ack *ack, const struct usage_harvest *live
);

// Reads every slot into usage; the first handshake makes a session active.
void dp_sessions_poll(struct dp_sessions *all, const struct usage_harvest *live);

// Sessions that leave and are in no data plane.
void dp_sessions_finish(struct dp_sessions *all, const struct usage_harvest *gone);

void dp_sessions_log_event(const struct dp_sessions *all, const struct abi_event *event);
