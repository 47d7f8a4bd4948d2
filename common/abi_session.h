// SPDX-License-Identifier: Apache-2.0
//
// A session slot: what the data plane tells the world about one session, in three cache lines with
// one writer each.
//
// Caveats first:
// - A slot means nothing without its generation. Read `live.generation` (acquire), the counters, and
//   the generation again; a change in between means another session.
// - Counters start at zero when the slot is allotted in this boot. Total billed bytes of a session =
//   limits.base_* + live.*_bytes. The base is what earlier boots billed; the control plane gave it.
// - Counters only rise within one generation. They stay readable after `remove` until the slot is
//   allotted again.
// - The writer may be dead. Read heartbeats and the file lock before believing that a value moves.
#pragma once

#include "common/counter.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define ABI_CACHE_LINE 64
#define ABI_OWNER_NONE 0xffff // no worker owns the session yet: the slow path holds it

// IP address: family + 16 bytes, so that IPv6 needs no new layout. IPv4 in the first four.
#define ABI_FAMILY_NONE 0
#define ABI_FAMILY_IPV4 4
#define ABI_FAMILY_IPV6 6

struct abi_endpoint {
	uint8_t addr[16]; // network order
	uint16_t port_be; // 0 for an address alone
	uint8_t family;
	uint8_t reserved[5];
};

// Line 0. dp owner worker: rw, cp: ro. Billed bytes: inner IP total lengths that the NIC accepted.
struct abi_session_live {
	uint32_t generation; // stored last (release) when the slot is allotted, after the zeroing
	uint8_t state; // enum abi_slot_state
	uint8_t gate; // enum abi_gate
	uint16_t reserved0;
	uint64_t out_pkts; // client -> internet
	uint64_t in_pkts; // internet -> client
	uint64_t out_bytes;
	uint64_t in_bytes;
	uint64_t last_authentic_unix_ns; // of an earlier boot until the first one of this
	uint64_t reserved1[2];
} __attribute__((aligned(ABI_CACHE_LINE)));

// Line 1. dp slow path: rw, cp: ro. Under seq (seqcount_read from `base_out_bytes` on).
struct abi_session_limits {
	uint32_t seq;
	uint16_t owner; // worker, or ABI_OWNER_NONE
	uint16_t reserved0;
	uint64_t base_out_bytes; // billed in earlier boots
	uint64_t base_in_bytes;
	uint64_t
		limit_bytes; // cumulative billed bytes, both directions and bases together, may reach this
	uint64_t last_handshake_unix_ns;
	uint8_t endpoint_addr[16];
	uint16_t endpoint_port_be;
	uint8_t endpoint_family;
	uint8_t reserved1;
	uint32_t expires_unix_sec; // 0 = never
} __attribute__((aligned(ABI_CACHE_LINE)));

// Line 2. dp owner worker: rw, cp: ro.
struct abi_session_free {
	uint64_t free_out_bytes; // passed while throttled
	uint64_t free_in_bytes;
	uint64_t originated_bytes; // made by the node: ICMP errors, echo replies
	uint64_t drop_out_pkts;
	uint64_t drop_in_pkts;
	uint32_t rate_out_kbps; // in force; 0 = unlimited
	uint32_t rate_in_kbps;
	uint64_t keepalive_pkts;
	uint64_t reserved0;
} __attribute__((aligned(ABI_CACHE_LINE)));

struct abi_session_slot {
	struct abi_session_live live;
	struct abi_session_limits limits;
	struct abi_session_free free;
};

static_assert(sizeof(struct abi_endpoint) == 24, "endpoint is packed by hand");
static_assert(sizeof(struct abi_session_live) == ABI_CACHE_LINE, "line 0");
static_assert(sizeof(struct abi_session_limits) == ABI_CACHE_LINE, "line 1");
static_assert(sizeof(struct abi_session_free) == ABI_CACHE_LINE, "line 2");
static_assert(offsetof(struct abi_session_live, out_pkts) == 8, "counters are 8-byte aligned");
static_assert(offsetof(struct abi_session_limits, base_out_bytes) == 8, "record starts at 8");
static_assert(offsetof(struct abi_session_slot, limits) == 64, "line 1 follows line 0");
static_assert(offsetof(struct abi_session_slot, free) == 128, "line 2 follows line 1");

// Allots a slot to a new session: lines 0 and 2, by whoever owns them now. The old generation goes
// first, so that no reader sees the zeros under it; the new one comes last, after all of them. The
// limits line is the slow path's and stands complete before this is called.
static inline void abi_session_publish(
	struct abi_session_slot *slot, uint32_t generation, uint8_t state, uint8_t gate
)
{
	__atomic_store_n(&slot->live.generation, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	counter_set(&slot->live.out_pkts, 0);
	counter_set(&slot->live.in_pkts, 0);
	counter_set(&slot->live.out_bytes, 0);
	counter_set(&slot->live.in_bytes, 0);
	counter_set(&slot->live.last_authentic_unix_ns, 0);
	counter_set(&slot->free.free_out_bytes, 0);
	counter_set(&slot->free.free_in_bytes, 0);
	counter_set(&slot->free.originated_bytes, 0);
	counter_set(&slot->free.drop_out_pkts, 0);
	counter_set(&slot->free.drop_in_pkts, 0);
	counter_set(&slot->free.keepalive_pkts, 0);
	__atomic_store_n(&slot->live.state, state, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->live.gate, gate, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->live.generation, generation, __ATOMIC_RELEASE);
}
