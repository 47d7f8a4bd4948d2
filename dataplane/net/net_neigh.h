// SPDX-License-Identifier: Apache-2.0
//
// A port's neighbour table (ARP). The slow path inserts and ages; workers look up without a lock: an
// entry's address never changes while it is in use, and its hardware address with a valid mark is
// one 64-bit word. Pure: no DPDK, no I/O; memory inside the struct.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define NET_NEIGH_CAP 1024 // entries; on-link hosts beyond that replace the least recently used

struct net_neigh_entry {
	uint32_t addr_be; // 0 = free; slow path writes
	uint32_t state; // enum net_neigh_state, slow path alone
	uint64_t
		mac_word; // bits 0-47 hardware address as in memory, bit 48 valid; slow path writes
	uint64_t used_ns; // workers write (relaxed): last lookup
	uint64_t confirmed_ns; // slow path: last reply
	uint64_t asked_ns; // slow path: last request
	uint32_t n_asked; // slow path: requests without a reply
	uint32_t reserved;
};

struct net_neigh {
	struct net_neigh_entry entries[NET_NEIGH_CAP];
};

// Looks up a next hop for a worker.
//
// Returns: true with the hardware address in ret_mac; false when it is unknown (the packet then goes
//          to the slow path, which asks).
bool net_neigh_lookup(
	struct net_neigh *neigh, uint32_t addr_be, uint64_t now_ns, uint8_t ret_mac[6]
);
