// SPDX-License-Identifier: Apache-2.0
//
// See events.h.
#include "dataplane/events.h"

#include "common/counter.h"

void events_emit(
	struct events *events,
	enum abi_event_kind kind,
	uint32_t slot,
	uint32_t generation,
	uint32_t port
)
{
	struct abi_event event = {
		.time_unix_ns = clock_unix_ns(events->clock),
		.kind = kind,
		.slot = slot,
		.generation = generation,
		.port = port,
	};

	if (shm_ring_push(events->ring, &event) < 0)
		counter_add(events->lost, 1);
}
