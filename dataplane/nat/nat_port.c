// SPDX-License-Identifier: Apache-2.0
//
// See nat_port.h.
#include "nat_port.h"

#include <string.h>

#define HALF_BITS (NAT_PORT_MAX / 2)
#define NO_BIT NAT_PORT_MAX

static uint32_t bit_of(uint16_t port)
{
	return (uint32_t)(port & 1) << 15 | port >> 1;
}

static uint16_t port_of(uint32_t bit)
{
	return (uint16_t)(bit << 1 | bit >> 15);
}

static void set_free(struct nat_port *ports, uint32_t bit)
{
	uint32_t word = bit / 64;
	ports->free[word] |= 1ull << bit % 64;
	ports->summary[word / 64] |= 1ull << word % 64;
	ports->n_free++;
}

static void set_taken(struct nat_port *ports, uint32_t bit)
{
	uint32_t word = bit / 64;
	ports->free[word] &= ~(1ull << bit % 64);
	if (ports->free[word] == 0)
		ports->summary[word / 64] &= ~(1ull << word % 64);
	ports->n_free--;
}

// Returns: the first set bit in [from, to) of a bitmap of words; to when there is none.
static uint32_t find_set(const uint64_t *words, uint32_t from, uint32_t to)
{
	if (from >= to)
		return to;
	uint32_t word = from / 64;
	uint64_t bits = words[word] & ~0ull << from % 64;
	while (bits == 0) {
		if (++word * 64 >= to)
			return to;
		bits = words[word];
	}
	uint32_t bit = word * 64 + (uint32_t)__builtin_ctzll(bits);
	return bit < to ? bit : to;
}

// Returns: the first free bit in [from, to), NO_BIT when there is none: the rest of the word that from
// is in, then the next word that the summary shows, at most 16 summary words away.
static uint32_t find_free(const struct nat_port *ports, uint32_t from, uint32_t to)
{
	uint32_t word_end = (from | 63) + 1;
	uint32_t bit = find_set(ports->free, from, word_end < to ? word_end : to);
	if (bit < to && bit < word_end)
		return bit;
	uint32_t word = find_set(ports->summary, word_end / 64, (to + 63) / 64);
	if (word >= (to + 63) / 64)
		return NO_BIT;
	bit = find_set(ports->free, word * 64, to);
	return bit < to ? bit : NO_BIT;
}

// From a start inside [lo, hi) round to it again.
static uint32_t find_free_round(
	const struct nat_port *ports, uint32_t lo, uint32_t hi, uint32_t random
)
{
	uint32_t start = lo + (uint32_t)(((uint64_t)random * (hi - lo)) >> 32);
	uint32_t bit = find_free(ports, start, hi);
	return bit != NO_BIT ? bit : find_free(ports, lo, start);
}

void nat_port_init(struct nat_port *ports, uint16_t lo, uint16_t hi, bool preserves_parity)
{
	memset(ports, 0, sizeof(*ports));
	ports->lo = lo;
	ports->hi = hi;
	ports->preserves_parity = preserves_parity;
	for (uint32_t port = lo; port <= hi; port++)
		set_free(ports, bit_of((uint16_t)port));
	ports->n_total = ports->n_free;
}

void nat_port_reserve(struct nat_port *ports, uint16_t port)
{
	if (!nat_port_check_free(ports, port))
		return;
	set_taken(ports, bit_of(port));
	ports->n_total--;
}

bool nat_port_check_free(const struct nat_port *ports, uint16_t port)
{
	uint32_t bit = bit_of(port);
	return (ports->free[bit / 64] >> bit % 64 & 1) != 0;
}

// The random start falls among the range's own ports of a parity, so that a small range is not always
// entered at its first port.
static uint32_t find_parity(const struct nat_port *ports, uint32_t parity, uint32_t random)
{
	uint32_t first = ports->lo + ((ports->lo ^ parity) & 1);
	uint32_t last = ports->hi - ((ports->hi ^ parity) & 1);
	if (first > last)
		return NO_BIT;
	return find_free_round(ports, bit_of((uint16_t)first), bit_of((uint16_t)last) + 1, random);
}

uint16_t nat_port_alloc(struct nat_port *ports, uint16_t want, uint32_t random)
{
	if (ports->n_free == 0)
		return NAT_PORT_NONE;
	uint32_t bit = bit_of(want);
	if (!nat_port_check_free(ports, want)) {
		//= RFC 4787 section 4.2.2 REQ-4
		//# It is RECOMMENDED that a NAT have a "Port parity preservation" behavior of "Yes".
		uint32_t parity = ports->preserves_parity ? want & 1 : random & 1;
		bit = find_parity(ports, parity, random);
		if (bit == NO_BIT)
			bit = find_parity(ports, parity ^ 1, random);
	}
	//= RFC 4787 section 4.2.1 REQ-3
	//# A NAT MUST NOT have a "Port assignment" behavior of "Port overloading".
	set_taken(ports, bit);
	return port_of(bit);
}

void nat_port_free(struct nat_port *ports, uint16_t port)
{
	set_free(ports, bit_of(port));
}

void nat_port_quarantine_init(
	struct nat_port_quarantine *quarantine,
	struct nat_port_waiting *ring,
	uint32_t cap,
	uint64_t time_ns
)
{
	quarantine->ring = ring;
	quarantine->cap = cap;
	quarantine->head = 0;
	quarantine->tail = 0;
	quarantine->time_ns = time_ns;
}

static void release_oldest(struct nat_port_quarantine *quarantine, struct nat_port *sets)
{
	struct nat_port_waiting *oldest = &quarantine->ring[quarantine->head++ % quarantine->cap];
	nat_port_free(&sets[oldest->set_idx], oldest->port);
}

void nat_port_quarantine_insert(
	struct nat_port_quarantine *quarantine,
	struct nat_port *sets,
	uint8_t set_idx,
	uint16_t port,
	uint64_t now_ns
)
{
	if (quarantine->time_ns == 0) {
		nat_port_free(&sets[set_idx], port);
		return;
	}
	if (quarantine->tail - quarantine->head == quarantine->cap)
		release_oldest(quarantine, sets);
	quarantine->ring[quarantine->tail++ % quarantine->cap] = (struct nat_port_waiting){
		.free_at_ns = now_ns + quarantine->time_ns,
		.port = port,
		.set_idx = set_idx,
	};
}

uint32_t nat_port_quarantine_release(
	struct nat_port_quarantine *quarantine, struct nat_port *sets, uint64_t now_ns, uint32_t n
)
{
	uint32_t done = 0;
	while (done < n && quarantine->head != quarantine->tail &&
	       quarantine->ring[quarantine->head % quarantine->cap].free_at_ns <= now_ns) {
		release_oldest(quarantine, sets);
		done++;
	}
	return done;
}
