// SPDX-License-Identifier: Apache-2.0
//
// The mapping table (RFC 4787: endpoint-independent mapping). A mapping ties an internal tuple (session
// slot, internal address, protocol, port or ICMP identifier) to one external port. Inbound it is found
// by array indexing, outbound by an open-addressing keyed hash that can be prefetched. Filters hang on
// a mapping but live in nat_filter; rewriting is nat_rewrite's. Owner worker only; the memory is the
// caller's.
#pragma once

#include "nat_hash.h"
#include "nat_port.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAT_MAX_EXTERNAL 16
#define NAT_IDX_NONE 0xffffffffu

enum nat_proto { NAT_PROTO_TCP, NAT_PROTO_UDP, NAT_PROTO_ICMP, NAT_N_PROTO };

// One mapping, one cache line. It is found only through the hash and the inbound array, and enters both
// after every field is set.
struct nat_mapping {
	// what both directions read
	uint32_t session_slot;
	uint32_t int_addr_be32;
	uint32_t ext_addr_be32;
	uint16_t int_port_be16; // ICMP: identifier
	uint16_t ext_port_be16;
	uint64_t last_refresh_ns; // last packet that keeps it alive (RFC 4787 REQ-6)
	uint32_t filter_recent; // filter entry used last: the common case needs no hash
	uint32_t filter_head; // list of its filter entries
	uint32_t n_established; // its filter entries in an established TCP state
	uint8_t proto; // enum nat_proto
	uint8_t ext_idx;
	uint8_t is_used;
	uint8_t reserved;
	// what creation and removal read
	uint32_t session_next;
	uint32_t session_prev;
	uint32_t hash; // of the internal tuple
	uint32_t n_filters;
};

static_assert(sizeof(struct nat_mapping) <= 64, "a mapping is one cache line");

struct nat_map_bucket {
	uint32_t hash;
	uint32_t mapping_idx; // NAT_IDX_NONE: empty
};

// What a session holds here. One per slot.
struct nat_session {
	uint32_t mapping_head;
	uint32_t filter_newest; // least recently used order of its filter entries
	uint32_t filter_oldest;
	uint16_t n_mappings;
	uint16_t n_filters;
	uint8_t ext_idx; // paired pooling: holds while it has a mapping (RFC 4787 REQ-2)
	uint8_t reserved[3];
};

struct nat_tuple {
	uint32_t session_slot;
	uint32_t int_addr_be32;
	uint16_t int_port_be16;
	uint8_t proto; // enum nat_proto
};

enum nat_map_result {
	NAT_MAP_OK,
	NAT_MAP_NO_PORT, // no free port on the session's address
	NAT_MAP_NO_ENTRY, // pool of mappings used up
	NAT_MAP_SESSION_LIMIT,
};

struct nat_map {
	struct nat_hash hash;
	struct nat_mapping *mappings;
	uint32_t n_mappings_cap;
	uint32_t n_mappings;
	uint32_t free_head; // through session_next
	struct nat_map_bucket *buckets;
	uint32_t bucket_mask;
	uint32_t *inbound; // [ext_idx][proto][port - port_lo]
	uint32_t n_external;
	uint32_t external_be32[NAT_MAX_EXTERNAL];
	uint16_t port_lo;
	uint16_t port_hi;
	uint16_t session_mapping_limit;
	uint32_t n_sessions;
	struct nat_session *sessions;
	struct nat_port *ports; // [ext_idx * NAT_N_PROTO + proto]
	struct nat_port_quarantine quarantine;
	uint32_t n_by_proto[NAT_N_PROTO];
};

uint32_t nat_map_hash(const struct nat_map *map, const struct nat_tuple *tuple);

// Two-phase lookup of a burst: prefetch the bucket for all, then lookup each.
static inline void nat_map_prefetch(const struct nat_map *map, uint32_t hash)
{
	__builtin_prefetch(&map->buckets[hash & map->bucket_mask]);
}

// Returns: the mapping's index, or NAT_IDX_NONE. In: hash = nat_map_hash(map, tuple).
uint32_t nat_map_lookup(const struct nat_map *map, const struct nat_tuple *tuple, uint32_t hash);

// Returns: where the mapping of an external port is kept; NULL for a port outside the range.
uint32_t *nat_map_inbound_place(
	const struct nat_map *map, uint32_t ext_idx, uint8_t proto, uint16_t ext_port_be16
);

// Returns: the mapping that owns an external port, or NAT_IDX_NONE.
uint32_t nat_map_lookup_inbound(
	const struct nat_map *map, uint32_t ext_idx, uint8_t proto, uint16_t ext_port_be16
);

// Returns: the index of an external address, or NAT_IDX_NONE.
uint32_t nat_map_lookup_external(const struct nat_map *map, uint32_t addr_be32);

// Makes a mapping for a tuple that has none. Out: ret_idx on NAT_MAP_OK.
enum nat_map_result nat_map_insert(
	struct nat_map *map,
	const struct nat_tuple *tuple,
	uint32_t hash,
	uint64_t now_ns,
	uint32_t *ret_idx
);

// Removes a mapping that has no filter entries; its port goes into quarantine.
void nat_map_remove(struct nat_map *map, uint32_t idx, uint64_t now_ns);
