// SPDX-License-Identifier: Apache-2.0
//
// See nat_expire.h.
#include "nat_expire.h"

#include "nat.h"

static uint64_t query_timeout_ns(const struct nat *nat, uint8_t proto)
{
	return proto == NAT_PROTO_UDP ? nat->udp_timeout_ns : nat->icmp_timeout_ns;
}

uint64_t nat_expire_mapping_timeout_ns(const struct nat *nat, const struct nat_mapping *mapping)
{
	if (mapping->proto != NAT_PROTO_TCP)
		return query_timeout_ns(nat, mapping->proto);
	return mapping->n_established > 0 ? nat->tcp_established_timeout_ns
					  : nat->tcp_transitory_timeout_ns;
}

bool nat_expire_check_mapping_live(
	const struct nat *nat, const struct nat_mapping *mapping, uint64_t now_ns
)
{
	return now_ns - mapping->last_refresh_ns < nat_expire_mapping_timeout_ns(nat, mapping);
}

bool nat_expire_check_filter_live(
	const struct nat *nat, const struct nat_filter_entry *entry, uint64_t now_ns
)
{
	uint64_t idle_ns = now_ns - entry->last_refresh_ns;
	uint8_t proto = nat->map.mappings[entry->mapping_idx].proto;
	if (proto != NAT_PROTO_TCP)
		return idle_ns < query_timeout_ns(nat, proto);
	if (nat_tcp_check_established((enum nat_tcp_state)entry->tcp_state))
		return idle_ns < nat->tcp_established_timeout_ns;
	return idle_ns < nat->tcp_transitory_timeout_ns;
}

// Removes an idle mapping with its filter entries, at most *budget of them.
// Returns: false when the budget ended before the mapping was gone.
static bool expire_mapping(struct nat *nat, uint32_t idx, uint64_t now_ns, uint32_t *budget)
{
	struct nat_mapping *mapping = &nat->map.mappings[idx];
	while (mapping->filter_head != NAT_IDX_NONE) {
		if (*budget == 0)
			return false;
		(*budget)--;
		nat_filter_remove(&nat->filter, mapping->filter_head);
		nat->counters.filters_expired++;
	}
	nat_map_remove(&nat->map, idx, now_ns);
	nat->counters.mappings_expired++;
	return true;
}

static uint32_t sweep_mappings(struct nat *nat, uint32_t n, uint64_t now_ns)
{
	uint32_t removed = 0;
	uint32_t budget = n;
	uint32_t looks = n < nat->map.n_mappings_cap ? n : nat->map.n_mappings_cap;
	for (uint32_t i = 0; i < looks; i++) {
		uint32_t idx = nat->sweep_mapping;
		const struct nat_mapping *mapping = &nat->map.mappings[idx];
		if (mapping->is_used && !nat_expire_check_mapping_live(nat, mapping, now_ns)) {
			if (!expire_mapping(nat, idx, now_ns, &budget))
				break; // goes on here
			removed++;
		}
		nat->sweep_mapping = idx + 1 < nat->map.n_mappings_cap ? idx + 1 : 0;
	}
	return removed;
}

static void sweep_filters(struct nat *nat, uint32_t n, uint64_t now_ns)
{
	uint32_t looks = n < nat->filter.n_entries_cap ? n : nat->filter.n_entries_cap;
	for (uint32_t i = 0; i < looks; i++) {
		uint32_t idx = nat->sweep_filter;
		const struct nat_filter_entry *entry = &nat->filter.entries[idx];
		if (entry->mapping_idx != NAT_IDX_NONE &&
		    !nat_expire_check_filter_live(nat, entry, now_ns)) {
			nat_filter_remove(&nat->filter, idx);
			nat->counters.filters_expired++;
		}
		nat->sweep_filter = idx + 1 < nat->filter.n_entries_cap ? idx + 1 : 0;
	}
}

uint32_t nat_expire_sweep(struct nat *nat, uint32_t n, uint64_t now_ns)
{
	sweep_filters(nat, n, now_ns);
	uint32_t removed = sweep_mappings(nat, n, now_ns);
	nat_port_quarantine_release(&nat->map.quarantine, nat->map.ports, now_ns, n);
	return removed;
}
