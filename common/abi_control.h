// SPDX-License-Identifier: Apache-2.0
//
// The control mapping: commands down, acknowledgements and events up. Three single-producer
// single-consumer rings of fixed records. The control plane can write all of it, so the data plane
// believes nothing in it: it keeps its own indices, copies a record, checks it, and uses the copy.
#pragma once

#include "common/abi_session.h"

#define ABI_ADD_HAS_PSK 0x1u // preshared key in <keys.psk_dir>/<public key in hex>, mode 0600

// cp writes, dp reads (copy, bounds-check, use). All limits are absolute, so a repeat is harmless.
struct abi_command {
	uint64_t id; // rises by one a command; the acknowledgement carries it
	uint32_t kind; // enum abi_command_kind
	uint32_t slot;
	uint32_t generation; // of the slot, never 0; in LMDB before the command is sent
	uint32_t flags; // ABI_ADD_*
	uint8_t public_key[32]; // ADD
	struct abi_endpoint inner; // ADD: the client's address in the tunnel
	struct abi_endpoint endpoint; // ADD: where the client was last; family NONE if unknown
	uint64_t last_authentic_unix_ns; // ADD: 0 if never
	uint64_t base_out_bytes; // ADD: billed in earlier boots
	uint64_t base_in_bytes;
	uint64_t limit_bytes; // ADD, SET_LIMITS: cumulative billed bytes may reach this
	uint64_t expires_unix_sec; // ADD, SET_LIMITS: 0 = never
	uint32_t
		rate_out_kbps; // ADD, SET_LIMITS: 0 = unlimited; 1 kbps = 1000 bit/s of billed bytes
	uint32_t rate_in_kbps;
	uint32_t free_rate_kbps; // ADD, SET_LIMITS: rate while throttled, each direction
	uint8_t gate; // ADD, GATE: ABI_GATE_OPEN, _CLOSED or _THROTTLED
	uint8_t is_throttled_on_quota; // ADD, SET_LIMITS: at the quota throttle instead of closing
	uint8_t reserved[98];
};

// dp writes, cp reads.
struct abi_ack {
	uint64_t id;
	uint32_t kind;
	uint32_t slot;
	uint32_t generation;
	uint32_t result; // enum abi_ack_result
	uint32_t slot_generation; // what the slot holds, for STALE and CONFLICT
	uint32_t reserved;
};

// dp slow path writes, cp reads. Hints: everything they say can be read from the slots.
struct abi_event {
	uint64_t time_unix_ns;
	uint32_t kind; // enum abi_event_kind
	uint32_t slot;
	uint32_t generation;
	uint32_t port;
	uint64_t reserved;
};

static_assert(sizeof(struct abi_command) == 256, "fixed record");
static_assert(sizeof(struct abi_ack) == 32, "fixed record");
static_assert(sizeof(struct abi_event) == 32, "fixed record");
