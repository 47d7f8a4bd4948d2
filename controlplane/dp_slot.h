// SPDX-License-Identifier: Apache-2.0
//
// What one session needs from the data plane next: a small state machine per slot that compares what
// the store says with what was acknowledged, and names the command. One command at a time per
// session; every command is absolute, so sending it again is harmless. Pure: no shared memory, no
// store, no clock of its own.
#pragma once

#include "common/abi_control.h"
#include "controlplane/session/session.h"

#include <stdbool.h>
#include <stdint.h>

enum dp_slot_phase {
	DP_SLOT_EMPTY, // no session
	DP_SLOT_UNBOUND, // its ledger is not bound to the attached boot yet
	DP_SLOT_BOUND, // bound and committed: `add` may go out
	DP_SLOT_ADDED, // the data plane has it
	DP_SLOT_REMOVED, // `remove` is acknowledged: its counters are final
};

struct dp_slot {
	enum dp_slot_phase phase;
	struct session session; // as committed
	struct abi_command sent; // waits for its acknowledgement while id != 0
	struct abi_command in_force; // limits and gate as last acknowledged; id 0: unknown
	uint64_t sent_mono_ns;
	uint64_t retry_mono_ns; // not before; 0 = at once
	bool is_refused; // the last command was refused by name
	bool is_binding; // in the transaction of dp_sessions_bind()
	bool is_connected; // first handshake seen, not committed yet
};

#define DP_SLOT_ACK_TIMEOUT_NS (5 * NS_PER_SEC)
#define DP_SLOT_REFUSED_RETRY_NS (30 * NS_PER_SEC)
#define DP_SLOT_BUSY_RETRY_NS (100 * NS_PER_MS)

// The session is new, or has changed. One that lost its slot empties the entry.
void dp_slot_set(struct dp_slot *slot, const struct session *session);

// The boot is gone or another came: everything starts at UNBOUND.
void dp_slot_reset(struct dp_slot *slot);

// The data plane turned out to have it: limits and gate are sent again, to be sure.
void dp_slot_found(struct dp_slot *slot);

// Returns: true when a command is due now. Out: command, but for the id and what usage_base() fills in
//          an `add`.
bool dp_slot_next(const struct dp_slot *slot, uint64_t now_mono_ns, struct abi_command *command);

void dp_slot_sent(struct dp_slot *slot, const struct abi_command *command, uint64_t now_mono_ns);

enum dp_slot_verdict {
	DP_SLOT_IGNORED, // not the acknowledgement that is waited for
	DP_SLOT_ACCEPTED,
	DP_SLOT_REFUSED, // by name; tried again later
	DP_SLOT_LOST, // the data plane does not have the session: close it and give it anew
};

enum dp_slot_verdict dp_slot_ack(
	struct dp_slot *slot, const struct abi_ack *ack, uint64_t now_mono_ns
);

// Returns: true when the session's state wants it served as it is there; false when it is leaving, also
//          to come back with another public key.
bool dp_slot_is_wanted(const struct dp_slot *slot);

// Returns: true while something is unsent or unacknowledged.
bool dp_slot_is_waiting(const struct dp_slot *slot);
