// SPDX-License-Identifier: Apache-2.0
//
// A port's neighbour table (ARP). The slow path inserts and ages; workers look up without a lock: an
// entry's hardware address with a valid mark is one 64-bit word, and a sequence count tells a reader
// that the entry was given to another address meanwhile, even when it came back. Sets of eight, so that
// a lookup touches few lines however full the table is. Pure: no DPDK, no I/O; memory inside the struct.
//
// The life of an entry (RFC 4861's words; RFC 1122 section 2.3.2.1 for ARP):
//   INCOMPLETE  asked by broadcast every retry; given up after NET_NEIGH_MAX_ASKED
//   REACHABLE   confirmed; believed for the timeout
//   PROBING     three quarters of the timeout have passed and somebody uses it: asked by unicast, then
//               by broadcast, while packets still go; given up like INCOMPLETE
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define NET_NEIGH_CAP 1024 // entries; on-link hosts beyond that replace the least recently used
#define NET_NEIGH_WAYS 8
#define NET_NEIGH_MAX_ASKED 3 // requests of one kind without a reply
// A lookup writes the stamp of its entry at most so often: the line is shared by all workers.
#define NET_NEIGH_USED_GRAIN_NS 100000000ull

enum net_neigh_state {
	NET_NEIGH_FREE,
	NET_NEIGH_INCOMPLETE,
	NET_NEIGH_REACHABLE,
	NET_NEIGH_PROBING,
};

struct net_neigh_entry {
	uint32_t addr_be; // 0 = free; slow path writes, under seq
	uint32_t seq; // counts changes of addr_be
	uint8_t state; // enum net_neigh_state, slow path alone
	bool is_pinned; // slow path: a gateway; never replaced, asked for ever
	uint16_t n_asked; // slow path: requests without a reply
	uint64_t mac_word; // bits 0-47 hardware address as in memory, bit 48 valid; slow path
	uint64_t used_ns; // workers write (relaxed): last lookup
	uint64_t confirmed_ns; // slow path: last reply
	uint64_t asked_ns; // slow path: last request
};

struct net_neigh {
	struct net_neigh_entry entries[NET_NEIGH_CAP];
};

// What is to be done about an entry now.
enum net_neigh_action {
	NET_NEIGH_WAIT,
	NET_NEIGH_ASK_BROADCAST,
	NET_NEIGH_ASK_UNICAST, // the entry holds the hardware address
	NET_NEIGH_GIVE_UP, // nobody answers: it was invalidated (pinned) or freed
	NET_NEIGH_EXPIRED, // nobody needed it: it was freed
};

struct net_neigh_timing {
	uint64_t timeout_ns;
	uint64_t retry_ns;
};

// Looks up a next hop for a worker.
//
// Returns: true with the hardware address in ret_mac; false when it is unknown (the packet then goes
//          to the slow path, which asks).
bool net_neigh_lookup(
	struct net_neigh *neigh, uint32_t addr_be, uint64_t now_ns, uint8_t ret_mac[6]
);

// ---- slow path -------------------------------------------------------------------------------

// Returns: the entry of an address, or NULL. Does not count as use.
struct net_neigh_entry *net_neigh_find(struct net_neigh *neigh, uint32_t addr_be);

// Finds or makes the entry of an address. A new one is INCOMPLETE and was not asked for yet; in a full
// set it takes the place of the least recently used one that is neither pinned nor INCOMPLETE.
//
// Returns: the entry, or NULL when its set holds nothing but those.
struct net_neigh_entry *net_neigh_insert(
	struct net_neigh *neigh, uint32_t addr_be, uint64_t now_ns
);

// A reply (or a request of its own) told the hardware address.
void net_neigh_confirm(struct net_neigh_entry *entry, const uint8_t mac[6], uint64_t now_ns);

// Returns: true with the address in ret_mac when the entry has a valid one.
bool net_neigh_mac(const struct net_neigh_entry *entry, uint8_t ret_mac[6]);

// Decides what is due and notes it in the entry (a request counts as sent).
enum net_neigh_action net_neigh_age(
	struct net_neigh_entry *entry, const struct net_neigh_timing *timing, uint64_t now_ns
);
