// SPDX-License-Identifier: Apache-2.0
//
// A double for the data plane in tests of the control plane: real segments by the real creator, but
// instead of packets a function that counts bytes. Obeys add, set_limits, gate and remove as
// abi_control.h says; bytes beyond the limit in force are not counted. One thread.
#pragma once

#include "common/abi_guard.h"
#include "common/abi_segment.h"
#include "common/counter.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef FAKE_DATAPLANE_SLOTS
#define FAKE_DATAPLANE_SLOTS 16
#endif

struct fake_dataplane {
	struct abi_segment seg;
	struct abi_command adds[FAKE_DATAPLANE_SLOTS]; // as taken; generation 0: none
	struct abi_command last[ABI_N_COMMAND]; // of each kind
	unsigned n_taken[ABI_N_COMMAND];
	enum abi_ack_result refuse_with; // OK: obey
	bool is_deaf; // takes no command
	bool is_mute; // obeys, but acknowledges nothing
};

static inline int fake_dataplane_start(struct fake_dataplane *dp, const char *runtime_dir)
{
	static const uint8_t key[32] = {0x77};
	const struct abi_segment_conf conf = {
		.runtime_dir = runtime_dir,
		.n_slots = FAKE_DATAPLANE_SLOTS,
		.n_threads = 2,
		.n_ports = 1,
		.tsc_hz = 1000000000,
		.node_public_key = key,
	};
	char err[512];

	*dp = (struct fake_dataplane){.refuse_with = ABI_ACK_OK};
	return abi_segment_create(&dp->seg, &conf, err, sizeof(err));
}

// As kill -9: locks fall, files stay.
static inline void fake_dataplane_kill(struct fake_dataplane *dp)
{
	abi_guard_remove(dp->seg.control);
	munmap(dp->seg.header, dp->seg.counters_bytes);
	munmap(dp->seg.control, dp->seg.control_bytes);
	close(dp->seg.counters_fd);
	close(dp->seg.lock_fd);
	dp->seg.header = NULL;
}

static inline void fake_dataplane_limits(
	struct fake_dataplane *dp, const struct abi_command *command
)
{
	struct abi_session_limits *line = &dp->seg.slots[command->slot].limits;
	struct abi_session_limits copy = *line;
	size_t from = offsetof(struct abi_session_limits, base_out_bytes);

	if (command->kind == ABI_COMMAND_ADD) {
		copy.base_out_bytes = command->base_out_bytes;
		copy.base_in_bytes = command->base_in_bytes;
		memcpy(copy.endpoint_addr, command->endpoint.addr, 16);
		copy.endpoint_port_be = command->endpoint.port_be;
		copy.endpoint_family = command->endpoint.family;
	}
	copy.limit_bytes = command->limit_bytes;
	copy.expires_unix_sec = (uint32_t)command->expires_unix_sec;
	seqcount_write(
		&line->seq, (uint8_t *)line + from, (uint8_t *)&copy + from, sizeof(copy) - from
	);
}

static inline enum abi_ack_result fake_dataplane_add(
	struct fake_dataplane *dp, const struct abi_command *command
)
{
	struct abi_command *have = &dp->adds[command->slot];
	struct abi_command same = *command;

	same.id = have->id;
	if (have->generation == command->generation)
		return memcmp(have, &same, sizeof(same)) == 0 ? ABI_ACK_OK : ABI_ACK_CONFLICT;
	if (have->generation != 0 ||
	    command->generation <= dp->seg.slots[command->slot].live.generation)
		return ABI_ACK_STALE;
	*have = *command;
	fake_dataplane_limits(dp, command);
	abi_session_publish(
		&dp->seg.slots[command->slot], command->generation, ABI_SLOT_READY, command->gate
	);
	return ABI_ACK_OK;
}

static inline enum abi_ack_result fake_dataplane_obey(
	struct fake_dataplane *dp, const struct abi_command *command
)
{
	struct abi_session_slot *slot = &dp->seg.slots[command->slot];

	if (command->slot >= FAKE_DATAPLANE_SLOTS)
		return ABI_ACK_SLOT_RANGE;
	if (dp->refuse_with != ABI_ACK_OK)
		return dp->refuse_with;
	if (command->kind == ABI_COMMAND_ADD)
		return fake_dataplane_add(dp, command);
	if (dp->adds[command->slot].generation != command->generation)
		return ABI_ACK_STALE;
	if (command->kind == ABI_COMMAND_SET_LIMITS) {
		// A gate that the quota closed opens when the limit is raised, and by nothing else.
		if (slot->live.gate == ABI_GATE_QUOTA &&
		    command->limit_bytes > slot->limits.limit_bytes)
			slot->live.gate = ABI_GATE_OPEN;
		fake_dataplane_limits(dp, command);
	} else if (command->kind == ABI_COMMAND_GATE) {
		if (slot->live.gate != ABI_GATE_QUOTA || command->gate != ABI_GATE_OPEN)
			slot->live.gate = command->gate;
	} else if (command->kind == ABI_COMMAND_REMOVE) {
		slot->live.state = ABI_SLOT_REMOVED;
		dp->adds[command->slot] = (struct abi_command){0};
	}
	return ABI_ACK_OK;
}

// Takes all commands that wait.
static inline void fake_dataplane_poll(struct fake_dataplane *dp)
{
	struct abi_command command;

	counter_add(&dp->seg.header->heartbeat_unix_ns, 1);
	while (!dp->is_deaf && shm_ring_pop(&dp->seg.commands, &command) == 1) {
		struct abi_ack ack = {
			.id = command.id,
			.kind = command.kind,
			.slot = command.slot,
			.generation = command.generation,
			.result = fake_dataplane_obey(dp, &command),
			.slot_generation = command.slot < FAKE_DATAPLANE_SLOTS
				? dp->seg.slots[command.slot].live.generation
				: 0,
		};
		dp->last[command.kind] = command;
		dp->n_taken[command.kind]++;
		if (!dp->is_mute)
			shm_ring_push(&dp->seg.acks, &ack);
	}
}

static inline void fake_dataplane_handshake(struct fake_dataplane *dp, uint32_t idx)
{
	struct abi_session_limits *line = &dp->seg.slots[idx].limits;
	struct abi_session_limits copy = *line;
	size_t from = offsetof(struct abi_session_limits, base_out_bytes);

	copy.last_handshake_unix_ns = 1700000000000000000ull;
	copy.endpoint_family = ABI_FAMILY_IPV4;
	copy.endpoint_addr[0] = 198;
	copy.endpoint_port_be = 0x1234;
	seqcount_write(
		&line->seq, (uint8_t *)line + from, (uint8_t *)&copy + from, sizeof(copy) - from
	);
	dp->seg.slots[idx].live.state = ABI_SLOT_ACTIVE;
}

// Bills what fits the quota. Returns: the bytes billed.
static inline uint64_t fake_dataplane_bill(
	struct fake_dataplane *dp, uint32_t idx, uint64_t out_bytes, uint64_t in_bytes
)
{
	struct abi_session_slot *slot = &dp->seg.slots[idx];
	uint64_t used = slot->limits.base_out_bytes + slot->limits.base_in_bytes +
		slot->live.out_bytes + slot->live.in_bytes;

	if (slot->live.gate != ABI_GATE_OPEN ||
	    used + out_bytes + in_bytes > slot->limits.limit_bytes)
		return 0;
	counter_add(&slot->live.out_bytes, out_bytes);
	counter_add(&slot->live.in_bytes, in_bytes);
	return out_bytes + in_bytes;
}
