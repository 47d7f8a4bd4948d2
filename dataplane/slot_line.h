// SPDX-License-Identifier: Apache-2.0
//
// What the slow path writes into a session's slot in shared memory: the limits line always, the other
// two lines only while no worker owns the session. Slow path only.
#pragma once

#include "common/abi_session.h"
#include "dataplane/peer_table.h"

// Allots a slot to a session: lines zeroed, limits shown, the generation last (release).
// last_authentic_unix_ns: of an earlier boot, as the `add` said; 0 = never.
void slot_line_allot(
	struct abi_session_slot *slot, const struct peer *peer, uint64_t last_authentic_unix_ns
);

// Shows peer->record and peer->owner in the limits line.
void slot_line_limits(struct abi_session_slot *slot, const struct peer *peer);

// Shows gate and rates of a session that no worker owns yet.
void slot_line_unowned(struct abi_session_slot *slot, const struct peer *peer);

// The session has ended; its counters stay readable. In: no worker owns it (any more).
void slot_line_removed(struct abi_session_slot *slot, const struct peer *peer);
