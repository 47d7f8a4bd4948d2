// SPDX-License-Identifier: Apache-2.0
//
// The external ports of one (external address, protocol): a bitmap of free ports with one summary bit
// per 64, so that the first free port from any start costs a few words. Gives out each port at most
// once (RFC 4787 REQ-3: no overloading), never a reserved one, and keeps freed ports in quarantine for
// a time (nat_port_quarantine), so that late packets meet no new owner. Session limits are nat_map's.
// Owner worker only.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAT_PORT_NONE 0u // port 0 is never given out
#define NAT_PORT_MAX 65536
#define NAT_PORT_WORDS (NAT_PORT_MAX / 64)

// Ports are stored by parity: bit = (port & 1) << 15 | port >> 1, so "an even port from here on" is a
// search in one half.
struct nat_port {
	uint64_t summary[NAT_PORT_WORDS / 64]; // bit set: the word has a free port
	uint64_t free[NAT_PORT_WORDS]; // bit set: free
	uint32_t n_free;
	uint32_t n_total; // given out or free; reserved ports are neither
	uint16_t lo;
	uint16_t hi; // inclusive
	bool preserves_parity;
};

// All ports of lo..hi become free. In: 1 <= lo <= hi.
void nat_port_init(struct nat_port *ports, uint16_t lo, uint16_t hi, bool preserves_parity);

// Takes a port out for good; before the first allocation. One outside the range is ignored.
void nat_port_reserve(struct nat_port *ports, uint16_t port);

// Gives out want if it is free (port preservation), else the first free port at or after a random
// start, of want's parity if parity is preserved and such a port is left (RFC 4787 REQ-4).
//
// Returns: the port, now taken; NAT_PORT_NONE when none is free. In: random, 32 fresh random bits.
uint16_t nat_port_alloc(struct nat_port *ports, uint16_t want, uint32_t random);

// In: a port that nat_port_alloc returned and that was not freed since.
void nat_port_free(struct nat_port *ports, uint16_t port);

bool nat_port_check_free(const struct nat_port *ports, uint16_t port);

// Freed ports of all addresses and protocols of a worker wait here in the order of their release, all
// for the same time. When the ring is full the oldest leaves early.
struct nat_port_waiting {
	uint64_t free_at_ns;
	uint16_t port;
	uint8_t set_idx; // which struct nat_port
};

struct nat_port_quarantine {
	struct nat_port_waiting *ring; // caller's memory
	uint32_t cap; // a power of two
	uint32_t head; // next to leave; head and tail run freely
	uint32_t tail;
	uint64_t time_ns; // 0: freed at once
};

void nat_port_quarantine_init(
	struct nat_port_quarantine *quarantine,
	struct nat_port_waiting *ring,
	uint32_t cap,
	uint64_t time_ns
);

// Puts a port that is in use into quarantine.
void nat_port_quarantine_insert(
	struct nat_port_quarantine *quarantine,
	struct nat_port *sets,
	uint8_t set_idx,
	uint16_t port,
	uint64_t now_ns
);

// Frees at most n ports whose time has come. Returns: how many.
uint32_t nat_port_quarantine_release(
	struct nat_port_quarantine *quarantine, struct nat_port *sets, uint64_t now_ns, uint32_t n
);
