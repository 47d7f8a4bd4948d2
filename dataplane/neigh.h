// SPDX-License-Identifier: Apache-2.0
//
// ARP of one port: answers for the node's addresses, asks for next hops, keeps what waits for them, and
// keeps the gateway resolved from the start. The table itself is net_neigh. Slow path only.
#pragma once

#include "dataplane/net/net_neigh.h"

#include <stdbool.h>
#include <stdint.h>

struct net_port;
struct rte_mbuf;
struct slowpath;

#define NEIGH_AGE_INTERVAL_NS 10000000ull

// Packets that wait for one next hop, linked by their `next`; the oldest first.
struct neigh_hold {
	struct rte_mbuf *head, *tail;
	unsigned n;
};

// Packets that wait on one port take at most this part of memory.mbufs.
#define NEIGH_HELD_PART 8

struct neigh {
	struct net_port *port;
	uint8_t port_idx;
	struct neigh_hold *holds; // by entry of the port's table
	unsigned n_held; // packets in all of them
	uint32_t *own_be; // addresses that are answered for
	unsigned n_own;
	struct net_neigh_entry *gateway; // pinned; NULL when the port has none
	bool is_gateway_lost; // told
	struct net_neigh_timing timing;
	uint64_t aged_ns;
};

int neigh_init(struct slowpath *sp, unsigned port_idx);
void neigh_fini(struct neigh *neigh); // frees what still waits

// An ARP frame from the port, data_off at its Ethernet header. Takes m.
void neigh_receive_arp(struct slowpath *sp, struct rte_mbuf *m);

// A packet whose next hop is unresolved (meta.next_hop_be, meta.port). Takes m.
void neigh_hold_packet(struct slowpath *sp, struct rte_mbuf *m);

// Asks, asks again, gives up; at most every NEIGH_AGE_INTERVAL_NS.
void neigh_age(struct slowpath *sp, struct neigh *neigh);

// Gives back all that waits, to be dropped as DROP_SHUTDOWN.
void neigh_drain(struct slowpath *sp, struct neigh *neigh);
