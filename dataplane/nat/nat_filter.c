// SPDX-License-Identifier: Apache-2.0
//
// See nat_filter.h.
#include "nat_filter.h"

static uint32_t *bucket_of(
	const struct nat_filter *filter, uint32_t mapping_idx, uint32_t remote_be32
)
{
	uint64_t hash = nat_hash_words(&filter->hash, mapping_idx, remote_be32);
	return &filter->buckets[hash & filter->bucket_mask];
}

uint32_t nat_filter_lookup(
	const struct nat_filter *filter, uint32_t mapping_idx, uint32_t remote_be32
)
{
	uint32_t recent = filter->map->mappings[mapping_idx].filter_recent;
	if (recent != NAT_IDX_NONE && filter->entries[recent].remote_be32 == remote_be32)
		return recent;
	uint32_t idx = *bucket_of(filter, mapping_idx, remote_be32);
	while (idx != NAT_IDX_NONE) {
		const struct nat_filter_entry *entry = &filter->entries[idx];
		if (entry->mapping_idx == mapping_idx && entry->remote_be32 == remote_be32)
			return idx;
		idx = entry->hash_next;
	}
	return NAT_IDX_NONE;
}

static struct nat_session *session_of(const struct nat_filter *filter, uint32_t mapping_idx)
{
	return &filter->map->sessions[filter->map->mappings[mapping_idx].session_slot];
}

static void lru_push(struct nat_filter *filter, struct nat_session *session, uint32_t idx)
{
	struct nat_filter_entry *entry = &filter->entries[idx];
	entry->newer = NAT_IDX_NONE;
	entry->older = session->filter_newest;
	if (session->filter_newest != NAT_IDX_NONE)
		filter->entries[session->filter_newest].newer = idx;
	else
		session->filter_oldest = idx;
	session->filter_newest = idx;
}

static void lru_unlink(struct nat_filter *filter, struct nat_session *session, uint32_t idx)
{
	struct nat_filter_entry *entry = &filter->entries[idx];
	if (entry->newer != NAT_IDX_NONE)
		filter->entries[entry->newer].older = entry->older;
	else
		session->filter_newest = entry->older;
	if (entry->older != NAT_IDX_NONE)
		filter->entries[entry->older].newer = entry->newer;
	else
		session->filter_oldest = entry->newer;
}

static void link_mapping(struct nat_filter *filter, uint32_t mapping_idx, uint32_t idx)
{
	struct nat_mapping *mapping = &filter->map->mappings[mapping_idx];
	struct nat_filter_entry *entry = &filter->entries[idx];
	entry->mapping_next = mapping->filter_head;
	entry->mapping_prev = NAT_IDX_NONE;
	if (mapping->filter_head != NAT_IDX_NONE)
		filter->entries[mapping->filter_head].mapping_prev = idx;
	mapping->filter_head = idx;
	mapping->filter_recent = idx;
	mapping->n_filters++;
}

static void unlink_mapping(struct nat_filter *filter, struct nat_mapping *mapping, uint32_t idx)
{
	struct nat_filter_entry *entry = &filter->entries[idx];
	if (entry->mapping_prev != NAT_IDX_NONE)
		filter->entries[entry->mapping_prev].mapping_next = entry->mapping_next;
	else
		mapping->filter_head = entry->mapping_next;
	if (entry->mapping_next != NAT_IDX_NONE)
		filter->entries[entry->mapping_next].mapping_prev = entry->mapping_prev;
	if (mapping->filter_recent == idx)
		mapping->filter_recent = NAT_IDX_NONE;
	mapping->n_filters--;
}

uint32_t nat_filter_insert(
	struct nat_filter *filter, uint32_t mapping_idx, uint32_t remote_be32, uint64_t now_ns
)
{
	struct nat_session *session = session_of(filter, mapping_idx);
	if (session->n_filters >= filter->session_filter_limit ||
	    filter->free_head == NAT_IDX_NONE) {
		if (session->filter_oldest == NAT_IDX_NONE)
			return NAT_IDX_NONE;
		nat_filter_remove(filter, session->filter_oldest);
		filter->n_replaced++;
	}

	uint32_t idx = filter->free_head;
	struct nat_filter_entry *entry = &filter->entries[idx];
	filter->free_head = entry->hash_next;
	*entry = (struct nat_filter_entry){
		.mapping_idx = mapping_idx,
		.remote_be32 = remote_be32,
		.last_refresh_ns = now_ns,
		.lru_ns = now_ns,
		.tcp_state = NAT_TCP_NONE,
	};
	lru_push(filter, session, idx);
	link_mapping(filter, mapping_idx, idx);
	session->n_filters++;
	filter->n_entries++;
	uint32_t *bucket = bucket_of(filter, mapping_idx, remote_be32);
	entry->hash_next = *bucket;
	*bucket = idx;
	return idx;
}

void nat_filter_touch(struct nat_filter *filter, uint32_t idx, uint64_t now_ns)
{
	struct nat_filter_entry *entry = &filter->entries[idx];
	entry->last_refresh_ns = now_ns;
	filter->map->mappings[entry->mapping_idx].filter_recent = idx;
	if (now_ns - entry->lru_ns < NAT_FILTER_LRU_NS)
		return;
	struct nat_session *session = session_of(filter, entry->mapping_idx);
	entry->lru_ns = now_ns;
	lru_unlink(filter, session, idx);
	lru_push(filter, session, idx);
}

void nat_filter_set_tcp_state(struct nat_filter *filter, uint32_t idx, enum nat_tcp_state state)
{
	struct nat_filter_entry *entry = &filter->entries[idx];
	struct nat_mapping *mapping = &filter->map->mappings[entry->mapping_idx];
	mapping->n_established -= nat_tcp_check_established((enum nat_tcp_state)entry->tcp_state);
	mapping->n_established += nat_tcp_check_established(state);
	entry->tcp_state = (uint8_t)state;
}

void nat_filter_remove(struct nat_filter *filter, uint32_t idx)
{
	struct nat_filter_entry *entry = &filter->entries[idx];
	struct nat_mapping *mapping = &filter->map->mappings[entry->mapping_idx];
	struct nat_session *session = &filter->map->sessions[mapping->session_slot];

	nat_filter_set_tcp_state(filter, idx, NAT_TCP_NONE);
	uint32_t *at = bucket_of(filter, entry->mapping_idx, entry->remote_be32);
	while (*at != idx)
		at = &filter->entries[*at].hash_next;
	*at = entry->hash_next;
	unlink_mapping(filter, mapping, idx);
	lru_unlink(filter, session, idx);
	session->n_filters--;
	filter->n_entries--;
	entry->mapping_idx = NAT_IDX_NONE;
	entry->hash_next = filter->free_head;
	filter->free_head = idx;
}
