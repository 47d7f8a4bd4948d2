// SPDX-License-Identifier: Apache-2.0
//
// See nat.h: the two directions and the removal of a session. ICMP errors are in nat_error.c,
// configuration in nat_conf.c.
#include "nat.h"

#include "nat_error.h"

bool nat_check_external(const struct nat *nat, uint32_t addr_be32)
{
	return nat_map_lookup_external(&nat->map, addr_be32) != NAT_IDX_NONE;
}

// What the packet is to the NAT, by protocol and for ICMP by type and direction.
enum kind { KIND_FLOW, KIND_ERROR, KIND_REFUSED };

// Only queries go out and only replies come in: nothing from outside starts a conversation, and the
// node answers echo requests to its own addresses itself. Errors of types 3, 11 and 12 pass; source
// quench (RFC 6633), redirects and what RFC 6918 made obsolete do not.
static enum kind kind_of_icmp(const struct net_l3l4 *l34, bool is_outbound)
{
	switch (l34->icmp_type) {
	case NET_ICMP_ECHO_REQUEST:
	case NET_ICMP_TIMESTAMP:
		return is_outbound ? KIND_FLOW : KIND_REFUSED;
	case NET_ICMP_ECHO_REPLY:
	case NET_ICMP_TIMESTAMP_REPLY:
		return is_outbound ? KIND_REFUSED : KIND_FLOW;
	case NET_ICMP_UNREACHABLE:
	case NET_ICMP_TIME_EXCEEDED:
	case NET_ICMP_PARAMETER_PROBLEM:
		return KIND_ERROR;
	default:
		return KIND_REFUSED;
	}
}

static enum nat_verdict classify(
	const struct net_l3l4 *l34, bool is_outbound, bool *ret_is_error, uint8_t *ret_proto
)
{
	*ret_is_error = false;
	if (l34->is_fragment)
		return NAT_IP_FRAGMENT;
	if (!nat_error_proto(l34->proto, ret_proto))
		return NAT_PROTOCOL;
	if (*ret_proto != NAT_PROTO_ICMP)
		return NAT_OK;
	enum kind kind = kind_of_icmp(l34, is_outbound);
	*ret_is_error = kind == KIND_ERROR;
	return kind == KIND_REFUSED ? NAT_ICMP_TYPE : NAT_OK;
}

static struct nat_tuple tuple_of(uint32_t session_slot, const struct net_l3l4 *l34, uint8_t proto)
{
	return (struct nat_tuple){
		.session_slot = session_slot,
		.int_addr_be32 = l34->src_be32,
		.int_port_be16 = l34->src_port_be16,
		.proto = proto,
	};
}

// Makes the mapping of a first packet. Nothing is made unless the filter entry will find room, too.
static enum nat_verdict create_mapping(
	struct nat *nat,
	const struct nat_tuple *tuple,
	uint32_t hash,
	uint64_t now_ns,
	uint32_t *ret_idx
)
{
	if (nat->filter.free_head == NAT_IDX_NONE &&
	    nat->map.sessions[tuple->session_slot].n_filters == 0) {
		nat->counters.filter_pool_exhausted++;
		return NAT_PORT_EXHAUSTED;
	}
	switch (nat_map_insert(&nat->map, tuple, hash, now_ns, ret_idx)) {
	case NAT_MAP_OK:
		nat->counters.mappings_created++;
		return NAT_OK;
	case NAT_MAP_NO_PORT:
		nat->counters.port_exhausted++;
		return NAT_PORT_EXHAUSTED;
	case NAT_MAP_NO_ENTRY:
		nat->counters.mapping_pool_exhausted++;
		return NAT_PORT_EXHAUSTED;
	case NAT_MAP_SESSION_LIMIT:
		nat->counters.session_limit++;
		return NAT_SESSION_LIMIT;
	}
	return NAT_PORT_EXHAUSTED;
}

// The filter entry of an outbound packet, made or renewed; an entry that was too old starts anew.
static uint32_t permit_remote(
	struct nat *nat, uint32_t mapping_idx, uint32_t remote_be32, uint64_t now_ns
)
{
	uint32_t idx = nat_filter_lookup(&nat->filter, mapping_idx, remote_be32);
	if (idx == NAT_IDX_NONE)
		return nat_filter_insert(&nat->filter, mapping_idx, remote_be32, now_ns);
	if (!nat_expire_check_filter_live(nat, &nat->filter.entries[idx], now_ns))
		nat_filter_set_tcp_state(&nat->filter, idx, NAT_TCP_NONE);
	nat_filter_touch(&nat->filter, idx, now_ns);
	return idx;
}

static void step_tcp(
	struct nat *nat, uint32_t filter_idx, enum nat_tcp_direction direction, uint8_t tcp_flags
)
{
	enum nat_tcp_state state = (enum nat_tcp_state)nat->filter.entries[filter_idx].tcp_state;
	enum nat_tcp_state next = nat_tcp_next(state, direction, tcp_flags);
	if (next != state)
		nat_filter_set_tcp_state(&nat->filter, filter_idx, next);
}

static enum nat_verdict outbound_flow(
	struct nat *nat,
	const struct nat_tuple *tuple,
	struct net_l3l4 *l34,
	uint8_t *packet,
	uint64_t now_ns
)
{
	uint32_t hash = l34->has_nat_hash ? l34->nat_hash : nat_map_hash(&nat->map, tuple);
	uint32_t idx = nat_map_lookup(&nat->map, tuple, hash);
	if (idx == NAT_IDX_NONE) {
		// A reset has nothing left to talk about: not worth a port.
		if (tuple->proto == NAT_PROTO_TCP && (l34->tcp_flags & NET_TCP_RST)) {
			nat->counters.no_mapping++;
			return NAT_NO_MAPPING;
		}
		enum nat_verdict verdict = create_mapping(nat, tuple, hash, now_ns, &idx);
		if (verdict != NAT_OK)
			return verdict;
	}
	uint32_t filter_idx = permit_remote(nat, idx, l34->dst_be32, now_ns);
	if (filter_idx == NAT_IDX_NONE) {
		nat->counters.filter_pool_exhausted++;
		return NAT_PORT_EXHAUSTED;
	}
	//= RFC 4787 section 4.3 REQ-6
	//# The NAT mapping Refresh Direction MUST have a "NAT Outbound refresh behavior" of "True".
	struct nat_mapping *mapping = &nat->map.mappings[idx];
	mapping->last_refresh_ns = now_ns;
	if (tuple->proto == NAT_PROTO_TCP)
		step_tcp(nat, filter_idx, NAT_TCP_OUTBOUND, l34->tcp_flags);
	nat_rewrite_source(packet, l34, mapping->ext_addr_be32, mapping->ext_port_be16);
	return NAT_OK;
}

enum nat_verdict nat_outbound(
	struct nat *nat,
	uint32_t session_slot,
	struct net_l3l4 *l34,
	uint8_t *packet,
	uint64_t now_ns
)
{
	bool is_error;
	uint8_t proto;
	enum nat_verdict verdict = classify(l34, true, &is_error, &proto);
	if (verdict != NAT_OK)
		return verdict;
	if (is_error) {
		verdict = nat_error_outbound(nat, session_slot, l34, packet, now_ns);
		nat->counters.icmp_unmatched += verdict == NAT_ICMP_UNMATCHED;
	} else {
		struct nat_tuple tuple = tuple_of(session_slot, l34, proto);
		verdict = outbound_flow(nat, &tuple, l34, packet, now_ns);
	}
	if (verdict != NAT_OK || !nat_check_external(nat, l34->dst_be32))
		return verdict;
	//= RFC 4787 section 6 REQ-9 a)
	//# A NAT Hairpinning behavior MUST be of type "External source IP address and port".
	nat->counters.hairpinned++;
	return NAT_HAIRPIN;
}

void nat_outbound_prefetch(const struct nat *nat, uint32_t session_slot, struct net_l3l4 *l34)
{
	uint8_t proto;
	if (!l34->has_ports || !nat_error_proto(l34->proto, &proto))
		return;
	struct nat_tuple tuple = tuple_of(session_slot, l34, proto);
	l34->nat_hash = nat_map_hash(&nat->map, &tuple);
	l34->has_nat_hash = 1;
	nat_map_prefetch(&nat->map, l34->nat_hash);
}

void nat_outbound_prefetch_mapping(const struct nat *nat, const struct net_l3l4 *l34)
{
	if (!l34->has_nat_hash)
		return;
	uint32_t idx = nat->map.buckets[l34->nat_hash & nat->map.bucket_mask].mapping_idx;
	if (idx != NAT_IDX_NONE)
		__builtin_prefetch(&nat->map.mappings[idx], 1);
}

static enum nat_verdict inbound_flow(
	struct nat *nat,
	const struct net_l3l4 *l34,
	uint8_t proto,
	uint64_t now_ns,
	struct nat_inbound *ret
)
{
	uint32_t ext_idx = nat_map_lookup_external(&nat->map, l34->dst_be32);
	uint32_t idx = NAT_IDX_NONE;
	if (ext_idx != NAT_IDX_NONE)
		idx = nat_map_lookup_inbound(&nat->map, ext_idx, proto, l34->dst_port_be16);
	//= RFC 5382 section 4.3 REQ-4
	//# A NAT MUST NOT respond to an unsolicited inbound SYN packet for at least 6 seconds after
	//# the packet is received.
	// It is dropped in silence for good (REQ-4a): an answer to strangers is not our policy.
	if (idx == NAT_IDX_NONE ||
	    !nat_expire_check_mapping_live(nat, &nat->map.mappings[idx], now_ns)) {
		nat->counters.no_mapping++;
		return NAT_NO_MAPPING;
	}
	//= RFC 4787 section 5 REQ-8
	//# If a more stringent filtering behavior is most important, it is RECOMMENDED that a NAT
	//# have an "Address-Dependent Filtering" behavior.
	uint32_t filter_idx = nat_filter_lookup(&nat->filter, idx, l34->src_be32);
	if (filter_idx == NAT_IDX_NONE ||
	    !nat_expire_check_filter_live(nat, &nat->filter.entries[filter_idx], now_ns)) {
		nat->counters.filtered++;
		return NAT_FILTERED;
	}
	const struct nat_mapping *mapping = &nat->map.mappings[idx];
	*ret = (struct nat_inbound){
		.mapping_idx = idx,
		.filter_idx = filter_idx,
		.session_slot = mapping->session_slot,
		.int_addr_be32 = mapping->int_addr_be32,
		.int_port_be16 = mapping->int_port_be16,
	};
	return NAT_OK;
}

enum nat_verdict nat_inbound_lookup(
	struct nat *nat,
	const struct net_l3l4 *l34,
	const uint8_t *packet,
	uint64_t now_ns,
	struct nat_inbound *ret
)
{
	bool is_error;
	uint8_t proto;
	enum nat_verdict verdict = classify(l34, false, &is_error, &proto);
	if (verdict != NAT_OK)
		return verdict;
	if (!is_error)
		return inbound_flow(nat, l34, proto, now_ns, ret);
	verdict = nat_error_inbound_lookup(nat, l34, packet, now_ns, ret);
	nat->counters.icmp_unmatched += verdict == NAT_ICMP_UNMATCHED;
	return verdict;
}

static void refresh(struct nat *nat, const struct nat_inbound *inbound, uint64_t now_ns)
{
	nat->map.mappings[inbound->mapping_idx].last_refresh_ns = now_ns;
	nat_filter_touch(&nat->filter, inbound->filter_idx, now_ns);
}

// A remote alone keeps nothing alive, unless so configured for UDP. But the end of an established
// connection starts the 4 minutes from now (RFC 7857 section 2.2); no inbound segment leads back to
// established, so that this happens once.
static void inbound_state(
	struct nat *nat,
	const struct nat_inbound *inbound,
	const struct net_l3l4 *l34,
	uint64_t now_ns
)
{
	const struct nat_filter_entry *entry = &nat->filter.entries[inbound->filter_idx];
	if (l34->proto == NET_PROTO_UDP && nat->refreshes_inbound)
		refresh(nat, inbound, now_ns);
	if (l34->proto != NET_PROTO_TCP)
		return;
	bool was_established = nat_tcp_check_established((enum nat_tcp_state)entry->tcp_state);
	step_tcp(nat, inbound->filter_idx, NAT_TCP_INBOUND, l34->tcp_flags);
	if (was_established && !nat_tcp_check_established((enum nat_tcp_state)entry->tcp_state))
		refresh(nat, inbound, now_ns);
}

void nat_inbound_commit(
	struct nat *nat,
	const struct nat_inbound *inbound,
	struct net_l3l4 *l34,
	uint8_t *packet,
	uint64_t now_ns
)
{
	//= RFC 5382 section 7.3 REQ-10
	//# Receipt of any sort of ICMP message MUST NOT terminate the NAT mapping or TCP connection
	//# for which the ICMP was generated.
	if (l34->is_icmp_error) {
		nat_error_inbound_rewrite(inbound, l34, packet);
		return;
	}
	inbound_state(nat, inbound, l34, now_ns);
	nat_rewrite_destination(packet, l34, inbound->int_addr_be32, inbound->int_port_be16);
}

void nat_inbound_prefetch(const struct nat *nat, const struct net_l3l4 *l34)
{
	uint8_t proto;
	uint32_t ext_idx = nat_map_lookup_external(&nat->map, l34->dst_be32);
	if (ext_idx == NAT_IDX_NONE || !l34->has_ports || !nat_error_proto(l34->proto, &proto))
		return;
	const uint32_t *place =
		nat_map_inbound_place(&nat->map, ext_idx, proto, l34->dst_port_be16);
	if (place != NULL)
		__builtin_prefetch(place);
}

void nat_inbound_prefetch_mapping(const struct nat *nat, const struct net_l3l4 *l34)
{
	uint8_t proto;
	uint32_t ext_idx = nat_map_lookup_external(&nat->map, l34->dst_be32);
	if (ext_idx == NAT_IDX_NONE || !l34->has_ports || !nat_error_proto(l34->proto, &proto))
		return;
	uint32_t idx = nat_map_lookup_inbound(&nat->map, ext_idx, proto, l34->dst_port_be16);
	if (idx != NAT_IDX_NONE)
		__builtin_prefetch(&nat->map.mappings[idx], 1);
}

bool nat_session_remove(struct nat *nat, uint32_t session_slot, uint32_t n, uint64_t now_ns)
{
	const struct nat_session *session = &nat->map.sessions[session_slot];
	while (session->mapping_head != NAT_IDX_NONE && n-- > 0) {
		const struct nat_mapping *mapping = &nat->map.mappings[session->mapping_head];
		if (mapping->filter_head != NAT_IDX_NONE) {
			nat_filter_remove(&nat->filter, mapping->filter_head);
			continue;
		}
		nat_map_remove(&nat->map, session->mapping_head, now_ns);
		nat->counters.mappings_removed++;
	}
	return session->mapping_head != NAT_IDX_NONE;
}

uint32_t nat_iterate(
	const struct nat *nat,
	uint32_t *cursor,
	uint32_t n_look,
	struct nat_view *ret,
	uint32_t cap,
	uint64_t now_ns
)
{
	uint32_t n = 0;
	uint32_t at = *cursor;
	for (; at < nat->map.n_mappings_cap && n_look > 0 && n < cap; at++, n_look--) {
		const struct nat_mapping *mapping = &nat->map.mappings[at];
		if (!mapping->is_used)
			continue;
		ret[n++] = (struct nat_view){
			.session_slot = mapping->session_slot,
			.int_addr_be32 = mapping->int_addr_be32,
			.ext_addr_be32 = mapping->ext_addr_be32,
			.int_port_be16 = mapping->int_port_be16,
			.ext_port_be16 = mapping->ext_port_be16,
			.proto = mapping->proto,
			.n_filters = mapping->n_filters,
			.n_established = mapping->n_established,
			.idle_ns = now_ns - mapping->last_refresh_ns,
			.timeout_ns = nat_expire_mapping_timeout_ns(nat, mapping),
		};
	}
	*cursor = at < nat->map.n_mappings_cap ? at : NAT_IDX_NONE;
	return n;
}
