// SPDX-License-Identifier: Apache-2.0
//
// The event ring up to the control plane. Events are hints: a full ring loses them and says so by one
// counter (events_lost), upon which the control plane reads all slots again. Only the slow path
// writes.
#pragma once

#include "common/abi_control.h"
#include "common/abi_names.h"
#include "common/clock.h"
#include "common/shm_ring.h"

struct events {
	struct shm_ring *ring;
	uint64_t *lost; // in shared memory; slow path writes
	const struct clock *clock;
};

// slot, generation: 0, 0 for an event that is about no session. port: index, 0 for one about none.
void events_emit(
	struct events *events,
	enum abi_event_kind kind,
	uint32_t slot,
	uint32_t generation,
	uint32_t port
);
