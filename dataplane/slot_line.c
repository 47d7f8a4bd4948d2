// SPDX-License-Identifier: Apache-2.0
//
// See slot_line.h.
#include "dataplane/slot_line.h"

#include "common/abi_names.h"
#include "common/counter.h"

#include <string.h>

static void store8(uint8_t *at, uint8_t value)
{
	__atomic_store_n(at, value, __ATOMIC_RELAXED);
}

void slot_line_limits(struct abi_session_slot *slot, const struct peer *peer)
{
	struct abi_session_limits *line = &slot->limits;

	seqcount_write(&line->seq, &line->base_out_bytes, &peer->record, sizeof(peer->record));
	__atomic_store_n(&line->owner, peer->owner, __ATOMIC_RELAXED);
}

void slot_line_unowned(struct abi_session_slot *slot, const struct peer *peer)
{
	store8(&slot->live.gate, peer->is_expired ? ABI_GATE_EXPIRED : peer->gate);
	__atomic_store_n(&slot->free.rate_out_kbps, peer->limits.rate_out_kbps, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->free.rate_in_kbps, peer->limits.rate_in_kbps, __ATOMIC_RELAXED);
}

// Readers compare the generation before and after they read: while it is 0 they find nothing.
void slot_line_allot(
	struct abi_session_slot *slot, const struct peer *peer, uint64_t last_authentic_unix_ns
)
{
	const struct abi_session_live zero_live = {0};
	const struct abi_session_free zero_free = {0};

	__atomic_store_n(&slot->live.generation, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	for (size_t i = 1; i < sizeof(zero_live) / 8; i++)
		counter_set((uint64_t *)&slot->live + i, ((const uint64_t *)&zero_live)[i]);
	for (size_t i = 0; i < sizeof(zero_free) / 8; i++)
		counter_set((uint64_t *)&slot->free + i, ((const uint64_t *)&zero_free)[i]);
	counter_set(&slot->live.last_authentic_unix_ns, last_authentic_unix_ns);
	slot_line_limits(slot, peer);
	slot_line_unowned(slot, peer);
	store8(&slot->live.state, ABI_SLOT_READY);
	__atomic_store_n(&slot->live.generation, peer->slot.generation, __ATOMIC_RELEASE);
}

void slot_line_removed(struct abi_session_slot *slot, const struct peer *peer)
{
	store8(&slot->live.state, ABI_SLOT_REMOVED);
	slot_line_limits(slot, peer);
}
