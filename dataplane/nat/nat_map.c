// SPDX-License-Identifier: Apache-2.0
//
// See nat_map.h.
#include "nat_map.h"

#include <arpa/inet.h>

// Ports in quarantine that an allocation may free on its way: bounds the work of one packet.
#define RELEASE_PER_INSERT 4

uint32_t nat_map_hash(const struct nat_map *map, const struct nat_tuple *tuple)
{
	return (uint32_t)nat_hash_words(
		&map->hash,
		(uint64_t)tuple->session_slot << 32 | tuple->int_addr_be32,
		(uint64_t)tuple->proto << 16 | tuple->int_port_be16
	);
}

static bool check_tuple(const struct nat_mapping *mapping, const struct nat_tuple *tuple)
{
	return mapping->session_slot == tuple->session_slot &&
		mapping->int_addr_be32 == tuple->int_addr_be32 &&
		mapping->int_port_be16 == tuple->int_port_be16 && mapping->proto == tuple->proto;
}

// At most half of the buckets are used, so a run of used ones always ends.
uint32_t nat_map_lookup(const struct nat_map *map, const struct nat_tuple *tuple, uint32_t hash)
{
	for (uint32_t at = hash & map->bucket_mask;; at = (at + 1) & map->bucket_mask) {
		const struct nat_map_bucket *bucket = &map->buckets[at];
		if (bucket->mapping_idx == NAT_IDX_NONE)
			return NAT_IDX_NONE;
		if (bucket->hash == hash && check_tuple(&map->mappings[bucket->mapping_idx], tuple))
			return bucket->mapping_idx;
	}
}

uint32_t *nat_map_inbound_place(
	const struct nat_map *map, uint32_t ext_idx, uint8_t proto, uint16_t ext_port_be16
)
{
	uint16_t ext_port = ntohs(ext_port_be16);
	if (ext_port < map->port_lo || ext_port > map->port_hi)
		return NULL;
	size_t n_ports = (size_t)map->port_hi - map->port_lo + 1;
	size_t set = (size_t)ext_idx * NAT_N_PROTO + proto;
	return &map->inbound[set * n_ports + ext_port - map->port_lo];
}

uint32_t nat_map_lookup_inbound(
	const struct nat_map *map, uint32_t ext_idx, uint8_t proto, uint16_t ext_port_be16
)
{
	const uint32_t *place = nat_map_inbound_place(map, ext_idx, proto, ext_port_be16);
	return place != NULL ? *place : NAT_IDX_NONE;
}

uint32_t nat_map_lookup_external(const struct nat_map *map, uint32_t addr_be32)
{
	for (uint32_t i = 0; i < map->n_external; i++) {
		if (map->external_be32[i] == addr_be32)
			return i;
	}
	return NAT_IDX_NONE;
}

static void insert_bucket(struct nat_map *map, uint32_t hash, uint32_t idx)
{
	uint32_t at = hash & map->bucket_mask;
	while (map->buckets[at].mapping_idx != NAT_IDX_NONE)
		at = (at + 1) & map->bucket_mask;
	map->buckets[at].hash = hash;
	map->buckets[at].mapping_idx = idx;
}

// Removal by shifting back: whoever probed past the hole moves into it, so no tombstones remain.
static void remove_bucket(struct nat_map *map, uint32_t hash, uint32_t idx)
{
	uint32_t mask = map->bucket_mask;
	uint32_t hole = hash & mask;
	while (map->buckets[hole].mapping_idx != idx)
		hole = (hole + 1) & mask;
	for (uint32_t at = (hole + 1) & mask; map->buckets[at].mapping_idx != NAT_IDX_NONE;
	     at = (at + 1) & mask) {
		uint32_t home = map->buckets[at].hash & mask;
		if (((at - home) & mask) >= ((at - hole) & mask)) {
			map->buckets[hole] = map->buckets[at];
			hole = at;
		}
	}
	map->buckets[hole].mapping_idx = NAT_IDX_NONE;
}

static uint16_t alloc_on(
	struct nat_map *map, uint32_t ext_idx, const struct nat_tuple *tuple, uint32_t random
)
{
	return nat_port_alloc(
		&map->ports[ext_idx * NAT_N_PROTO + tuple->proto],
		ntohs(tuple->int_port_be16),
		random
	);
}

//= RFC 4787 section 4.1 REQ-2
//# It is RECOMMENDED that a NAT have an "IP address pooling" behavior of "Paired".
// So a session takes another address of the pool only while it has no mapping.
static uint16_t alloc_port(
	struct nat_map *map,
	struct nat_session *session,
	const struct nat_tuple *tuple,
	uint8_t *ret_ext_idx
)
{
	uint64_t random = nat_hash_random(&map->hash);
	uint32_t first = session->ext_idx;
	uint32_t n_tries = 1;
	if (session->n_mappings == 0) {
		uint64_t slot_hash = nat_hash_words(&map->hash, tuple->session_slot, UINT64_MAX);
		first = (uint32_t)(slot_hash % map->n_external);
		n_tries = map->n_external;
	}
	for (uint32_t i = 0; i < n_tries; i++) {
		uint32_t ext_idx = (first + i) % map->n_external;
		uint16_t port = alloc_on(map, ext_idx, tuple, (uint32_t)random);
		if (port != NAT_PORT_NONE) {
			*ret_ext_idx = (uint8_t)ext_idx;
			return port;
		}
	}
	return NAT_PORT_NONE;
}

enum nat_map_result nat_map_insert(
	struct nat_map *map,
	const struct nat_tuple *tuple,
	uint32_t hash,
	uint64_t now_ns,
	uint32_t *ret_idx
)
{
	struct nat_session *session = &map->sessions[tuple->session_slot];
	if (session->n_mappings >= map->session_mapping_limit)
		return NAT_MAP_SESSION_LIMIT;
	uint32_t idx = map->free_head;
	if (idx == NAT_IDX_NONE)
		return NAT_MAP_NO_ENTRY;
	nat_port_quarantine_release(&map->quarantine, map->ports, now_ns, RELEASE_PER_INSERT);
	uint8_t ext_idx;
	uint16_t ext_port = alloc_port(map, session, tuple, &ext_idx);
	if (ext_port == NAT_PORT_NONE)
		return NAT_MAP_NO_PORT;

	struct nat_mapping *mapping = &map->mappings[idx];
	map->free_head = mapping->session_next;
	*mapping = (struct nat_mapping){
		.session_slot = tuple->session_slot,
		.int_addr_be32 = tuple->int_addr_be32,
		.ext_addr_be32 = map->external_be32[ext_idx],
		.int_port_be16 = tuple->int_port_be16,
		.ext_port_be16 = htons(ext_port),
		.last_refresh_ns = now_ns,
		.filter_recent = NAT_IDX_NONE,
		.filter_head = NAT_IDX_NONE,
		.proto = tuple->proto,
		.ext_idx = ext_idx,
		.is_used = 1,
		.session_next = session->mapping_head,
		.session_prev = NAT_IDX_NONE,
		.hash = hash,
	};
	if (session->mapping_head != NAT_IDX_NONE)
		map->mappings[session->mapping_head].session_prev = idx;
	session->mapping_head = idx;
	session->n_mappings++;
	session->ext_idx = ext_idx;
	map->n_mappings++;
	map->n_by_proto[tuple->proto]++;
	insert_bucket(map, hash, idx);
	*nat_map_inbound_place(map, ext_idx, tuple->proto, mapping->ext_port_be16) = idx;
	*ret_idx = idx;
	return NAT_MAP_OK;
}

void nat_map_remove(struct nat_map *map, uint32_t idx, uint64_t now_ns)
{
	struct nat_mapping *mapping = &map->mappings[idx];
	struct nat_session *session = &map->sessions[mapping->session_slot];
	uint16_t ext_port = ntohs(mapping->ext_port_be16);

	*nat_map_inbound_place(map, mapping->ext_idx, mapping->proto, mapping->ext_port_be16) =
		NAT_IDX_NONE;
	remove_bucket(map, mapping->hash, idx);
	if (mapping->session_prev != NAT_IDX_NONE)
		map->mappings[mapping->session_prev].session_next = mapping->session_next;
	else
		session->mapping_head = mapping->session_next;
	if (mapping->session_next != NAT_IDX_NONE)
		map->mappings[mapping->session_next].session_prev = mapping->session_prev;
	session->n_mappings--;
	map->n_mappings--;
	map->n_by_proto[mapping->proto]--;
	nat_port_quarantine_insert(
		&map->quarantine,
		map->ports,
		(uint8_t)(mapping->ext_idx * NAT_N_PROTO + mapping->proto),
		ext_port,
		now_ns
	);
	mapping->is_used = 0;
	mapping->session_next = map->free_head;
	map->free_head = idx;
}
