// SPDX-License-Identifier: Apache-2.0
//
// A real slow path without workers, ports or a control plane: the test plays all three, in one thread,
// on a clock that stands still. It puts packets and mail up as a worker would, takes what comes down,
// sends commands and reads acknowledgements and events through the rings of the ABI.
//
//   client ── port 0, 5.0.0.1/24 ── slow path ── port 1, 6.0.0.1/24 ── internet
//   no gateway, unless the configuration is adjusted; inner network 10.8.0.0/24, node 10.8.0.1; external addresses 6.0.0.1 and 6.0.0.77
#pragma once

#include "dataplane/pkt.h"
#include "dataplane/slowpath.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLOW_RIG_N_SLOTS 16
#define SLOW_RIG_N_WORKERS 2
#define SLOW_RIG_HOLD 4 // arp.hold_packets
#define SLOW_RIG_LISTEN_PORT 51820
#define SLOW_RIG_TUNNEL 0
#define SLOW_RIG_INTERNET 1

struct slow_rig {
	struct dp dp;
	struct config config;
	struct clock clock;
	struct clock_manual time;
	struct secret_arena arena;
	struct slowpath sp;
	struct abi_counters_header header;
	struct shm_ring commands; // the control plane's sides
	struct shm_ring acks;
	struct shm_ring events;
	void *ring_memory[3];
	uint64_t next_id; // of a command
	uint64_t n_put; // packets that workers sent up
	uint64_t n_taken; // packets that came down
};

// Starts EAL without hugepages or devices, once a process. Exits on failure.
void slow_rig_eal(void);

// adjust may change the configuration before anything is built; NULL = as it is. Exits on failure.
struct slow_rig *slow_rig_create(void (*adjust)(struct config *));

// Returns: packet buffers that were lost; 0 is right.
unsigned slow_rig_destroy(struct slow_rig *rig);

// Moves both clocks and runs rounds until there is nothing to do.
void slow_rig_advance(struct slow_rig *rig, uint64_t ns);
void slow_rig_run(struct slow_rig *rig);

// Reports a quiescent state of every worker, so that a grace period can end.
void slow_rig_quiesce(struct slow_rig *rig);

// A complete `add` for slot, with a gate that is open and 1 MB.
struct abi_command slow_rig_add_command(uint32_t slot, uint32_t generation, const uint8_t key[32]);

// Sends a command under a fresh id, runs a round and takes its acknowledgement.
//
// Returns: enum abi_ack_result, or -1 when there is no acknowledgement yet.
int slow_rig_command(struct slow_rig *rig, struct abi_command command);

// Returns: false when there is none. Out: ret.
bool slow_rig_ack(struct slow_rig *rig, struct abi_ack *ret);
bool slow_rig_event(struct slow_rig *rig, struct abi_event *ret);

// Returns: how many events of a kind are in the ring; all events are taken.
unsigned slow_rig_count_events(struct slow_rig *rig, enum abi_event_kind kind);

// Puts a packet up as `worker` would: data from data_off, meta as given but for `worker`.
void slow_rig_put(
	struct slow_rig *rig,
	unsigned worker,
	const struct pkt_meta *meta,
	const void *data,
	size_t len
);

// Takes a packet that came down to `worker`; NULL when there is none. The caller frees it.
struct rte_mbuf *slow_rig_take(struct slow_rig *rig, unsigned worker);

// Takes all mail that came down to `worker` until one of a kind, which is in ret.
//
// Returns: false when there is none of that kind.
bool slow_rig_take_mail(
	struct slow_rig *rig, unsigned worker, enum mail_kind kind, struct mail *ret
);

uint64_t slow_rig_drops(const struct slow_rig *rig, enum drop_reason reason);
uint64_t slow_rig_consumed(const struct slow_rig *rig, enum consumed_kind kind);

// Put up + originated = come down + drops + consumed + held.
bool slow_rig_check_conservation(const struct slow_rig *rig, uint64_t n_held);
