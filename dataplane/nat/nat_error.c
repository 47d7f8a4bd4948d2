// SPDX-License-Identifier: Apache-2.0
//
// See nat_error.h.
#include "nat_error.h"

#include "dataplane/net/net_checksum.h"

bool nat_error_proto(uint8_t ip_proto, uint8_t *ret_proto)
{
	switch (ip_proto) {
	case NET_PROTO_TCP:
		*ret_proto = NAT_PROTO_TCP;
		return true;
	case NET_PROTO_UDP:
		*ret_proto = NAT_PROTO_UDP;
		return true;
	case NET_PROTO_ICMP:
		*ret_proto = NAT_PROTO_ICMP;
		return true;
	default:
		return false;
	}
}

// The quote of an error, if it can be believed.
static enum nat_verdict parse_quote(
	const struct net_l3l4 *l34,
	const uint8_t *packet,
	struct net_l3l4 *ret_quote,
	uint16_t *ret_offset,
	uint8_t *ret_proto
)
{
	//= RFC 5508 section 4.1 REQ-3
	//# When an ICMP Error packet is received, if the ICMP checksum fails to validate, the NAT
	//# SHOULD silently drop the ICMP Error packet.
	if (!net_checksum_check_l4(packet, l34))
		return NAT_L4_CHECKSUM;
	if (net_parse_icmp_quote(packet, l34, ret_quote, ret_offset) != NET_OK)
		return NAT_ICMP_UNMATCHED;
	//# a) If the IP checksum of the embedded packet fails to validate, the NAT SHOULD silently
	//# drop the Error packet
	if (!net_checksum_check_ipv4(packet + *ret_offset, ret_quote->l4_offset))
		return NAT_L4_CHECKSUM;
	//# c) The NAT device SHOULD NOT validate the transport checksum of the embedded packet within
	//# an ICMP Error message, even when it is possible to do so
	if (!ret_quote->has_ports || !nat_error_proto(ret_quote->proto, ret_proto))
		return NAT_ICMP_UNMATCHED;
	return NAT_OK;
}

// Whether a mapping is alive and its filter permits the remote. Out: the filter entry.
static bool check_permitted(
	const struct nat *nat,
	uint32_t mapping_idx,
	uint32_t remote_be32,
	uint64_t now_ns,
	uint32_t *ret_filter_idx
)
{
	if (mapping_idx == NAT_IDX_NONE ||
	    !nat_expire_check_mapping_live(nat, &nat->map.mappings[mapping_idx], now_ns))
		return false;
	uint32_t idx = nat_filter_lookup(&nat->filter, mapping_idx, remote_be32);
	*ret_filter_idx = idx;
	return idx != NAT_IDX_NONE &&
		nat_expire_check_filter_live(nat, &nat->filter.entries[idx], now_ns);
}

// The client tells a remote about a packet that came through its mapping: the quote's destination is
// the client, its source the remote, who is also the one that is told.
enum nat_verdict nat_error_outbound(
	const struct nat *nat,
	uint32_t session_slot,
	struct net_l3l4 *l34,
	uint8_t *packet,
	uint64_t now_ns
)
{
	struct net_l3l4 quote;
	uint16_t offset;
	uint8_t proto;
	enum nat_verdict verdict = parse_quote(l34, packet, &quote, &offset, &proto);
	if (verdict != NAT_OK)
		return verdict;

	//= RFC 5508 section 4.2 REQ-5
	//# If a NAT device receives an ICMP Error packet from the private realm, and the NAT does not
	//# have an active mapping for the embedded payload, the NAT SHOULD silently drop the ICMP
	//# Error packet.
	struct nat_tuple tuple = {
		.session_slot = session_slot,
		.int_addr_be32 = quote.dst_be32,
		.int_port_be16 = quote.dst_port_be16,
		.proto = proto,
	};
	uint32_t idx = nat_map_lookup(&nat->map, &tuple, nat_map_hash(&nat->map, &tuple));
	uint32_t filter_idx;
	if (quote.src_be32 != l34->dst_be32 || quote.dst_be32 != l34->src_be32 ||
	    !check_permitted(nat, idx, quote.src_be32, now_ns, &filter_idx))
		return NAT_ICMP_UNMATCHED;
	const struct nat_mapping *mapping = &nat->map.mappings[idx];
	nat_rewrite_error_outbound(
		packet, l34, &quote, offset, mapping->ext_addr_be32, mapping->ext_port_be16
	);
	return NAT_OK;
}

// Anybody on the way may send the error, but it quotes a packet that a mapping sent to a remote its
// filter permits, from the address that the error came to.
enum nat_verdict nat_error_inbound_lookup(
	const struct nat *nat,
	const struct net_l3l4 *l34,
	const uint8_t *packet,
	uint64_t now_ns,
	struct nat_inbound *ret
)
{
	struct net_l3l4 quote;
	uint16_t offset;
	uint8_t proto;
	enum nat_verdict verdict = parse_quote(l34, packet, &quote, &offset, &proto);
	if (verdict != NAT_OK)
		return verdict;

	//= RFC 5508 section 4.2 REQ-4
	//# If a NAT device receives an ICMP Error packet from an external realm, and the NAT device
	//# does not have an active mapping for the embedded payload, the NAT SHOULD silently drop the
	//# ICMP Error packet.
	uint32_t ext_idx = nat_map_lookup_external(&nat->map, quote.src_be32);
	uint32_t idx = NAT_IDX_NONE;
	if (ext_idx != NAT_IDX_NONE && quote.src_be32 == l34->dst_be32)
		idx = nat_map_lookup_inbound(&nat->map, ext_idx, proto, quote.src_port_be16);
	uint32_t filter_idx;
	if (!check_permitted(nat, idx, quote.dst_be32, now_ns, &filter_idx))
		return NAT_ICMP_UNMATCHED;
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

void nat_error_inbound_rewrite(
	const struct nat_inbound *inbound, struct net_l3l4 *l34, uint8_t *packet
)
{
	struct net_l3l4 quote;
	uint16_t offset;
	if (net_parse_icmp_quote(packet, l34, &quote, &offset) != NET_OK)
		return;
	nat_rewrite_error_inbound(
		packet, l34, &quote, offset, inbound->int_addr_be32, inbound->int_port_be16
	);
}
