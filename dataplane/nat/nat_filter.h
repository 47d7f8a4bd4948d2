// SPDX-License-Identifier: Apache-2.0
//
// Address-dependent filtering (RFC 4787 section 5, RFC 5382 REQ-3): who may send to a mapping. An entry
// (mapping, remote address) is made by an outbound packet and by nothing else; entries are bounded per
// session, the least recently used is replaced. A TCP entry carries the state of the connection with
// that remote. Two connections from one internal port to one remote address share an entry, hence the
// state: the later one decides. Owner worker only; the memory is the caller's.
#pragma once

#include "nat_map.h"
#include "nat_tcp.h"

// Entries move to the front of the session's list at most once in this time, so that a busy flow does
// not touch three cache lines per packet.
#define NAT_FILTER_LRU_NS 1000000000ull

struct nat_filter_entry {
	uint32_t mapping_idx; // NAT_IDX_NONE: free
	uint32_t remote_be32;
	uint64_t last_refresh_ns;
	uint64_t lru_ns; // when it moved to the front
	uint32_t hash_next; // chain of its bucket; of a free entry: free list
	uint32_t mapping_next;
	uint32_t mapping_prev;
	uint32_t newer; // session's list
	uint32_t older;
	uint8_t tcp_state; // enum nat_tcp_state
	uint8_t reserved[3];
};

static_assert(sizeof(struct nat_filter_entry) <= 64, "an entry is one cache line");

struct nat_filter {
	struct nat_map *map; // its sessions and mappings hold the lists
	struct nat_hash hash;
	struct nat_filter_entry *entries;
	uint32_t n_entries_cap;
	uint32_t n_entries;
	uint32_t free_head;
	uint32_t *buckets; // first entry of the chain
	uint32_t bucket_mask;
	uint16_t session_filter_limit;
	uint64_t n_replaced;
};

// Returns: the entry's index, or NAT_IDX_NONE. Time is not looked at.
uint32_t nat_filter_lookup(
	const struct nat_filter *filter, uint32_t mapping_idx, uint32_t remote_be32
);

// Makes an entry for a pair that has none, replacing the session's least recently used one at its limit
// or when the pool is used up. Returns: its index; NAT_IDX_NONE when the pool is used up and the session
// has none to give.
uint32_t nat_filter_insert(
	struct nat_filter *filter, uint32_t mapping_idx, uint32_t remote_be32, uint64_t now_ns
);

// Marks an entry as used now.
void nat_filter_touch(struct nat_filter *filter, uint32_t idx, uint64_t now_ns);

// Moves an entry to a TCP state, keeping the mapping's count of established ones.
void nat_filter_set_tcp_state(struct nat_filter *filter, uint32_t idx, enum nat_tcp_state state);

void nat_filter_remove(struct nat_filter *filter, uint32_t idx);
