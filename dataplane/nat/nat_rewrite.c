// SPDX-License-Identifier: Apache-2.0
//
// See nat_rewrite.h. Every changed word goes once into a delta, and the delta into each checksum that
// covers the word; net_checksum.h does the arithmetic.
#include "nat_rewrite.h"

#include "dataplane/net/net_checksum.h"

#define IPV4_CHECKSUM_AT 10
#define IPV4_SRC_AT 12
#define IPV4_DST_AT 16
#define TCP_CHECKSUM_AT 16
#define UDP_CHECKSUM_AT 6
#define ICMP_CHECKSUM_AT 2
#define ICMP_ID_AT 4

static void apply_at(uint8_t *check, uint32_t delta)
{
	net_store16(check, net_checksum_apply(net_load16(check), delta));
}

// Writes a 32-bit address at a place of an IP header, and the header's checksum.
// Returns: the address's delta.
static uint32_t set_addr(uint8_t *ip, size_t at, uint32_t addr_be32)
{
	uint32_t delta = net_checksum_delta32(net_load32(ip + at), addr_be32);
	net_store32(ip + at, addr_be32);
	apply_at(ip + IPV4_CHECKSUM_AT, delta);
	return delta;
}

// Writes a port, or the identifier of an ICMP query. Returns: its delta.
static uint32_t set_port(uint8_t *l4, uint8_t proto, bool is_source, uint16_t port_be16)
{
	uint8_t *at = proto == NET_PROTO_ICMP ? l4 + ICMP_ID_AT : l4 + (is_source ? 0 : 2);
	uint32_t delta = net_checksum_delta16(net_load16(at), port_be16);
	net_store16(at, port_be16);
	return delta;
}

// Brings the transport checksum up to date, if its field is within l4_len bytes. ICMP has no pseudo
// header, so the address does not count.
static void apply_l4(
	uint8_t *l4, size_t l4_len, uint8_t proto, uint32_t addr_delta, uint32_t port_delta
)
{
	if (proto == NET_PROTO_TCP) {
		if (l4_len >= TCP_CHECKSUM_AT + 2)
			apply_at(l4 + TCP_CHECKSUM_AT, addr_delta + port_delta);
	} else if (proto == NET_PROTO_UDP) {
		uint8_t *check = l4 + UDP_CHECKSUM_AT;
		net_store16(
			check, net_checksum_apply_udp(net_load16(check), addr_delta + port_delta)
		);
	} else {
		apply_at(l4 + ICMP_CHECKSUM_AT, port_delta);
	}
}

static void rewrite(
	uint8_t *packet,
	const struct net_l3l4 *l34,
	bool is_source,
	uint32_t addr_be32,
	uint16_t port_be16
)
{
	uint8_t *l4 = packet + l34->l4_offset;
	uint32_t addr_delta = set_addr(packet, is_source ? IPV4_SRC_AT : IPV4_DST_AT, addr_be32);
	uint32_t port_delta = set_port(l4, l34->proto, is_source, port_be16);
	size_t l4_len = (size_t)l34->total_len - l34->l4_offset;
	if (l34->proto == NET_PROTO_ICMP)
		net_checksum_update_icmp(l4, l4_len, port_delta);
	else
		apply_l4(l4, l4_len, l34->proto, addr_delta, port_delta);
}

void nat_rewrite_source(
	uint8_t *packet, struct net_l3l4 *l34, uint32_t addr_be32, uint16_t port_be16
)
{
	rewrite(packet, l34, true, addr_be32, port_be16);
	l34->src_be32 = addr_be32;
	l34->src_port_be16 = port_be16;
	if (l34->proto == NET_PROTO_ICMP)
		l34->dst_port_be16 = port_be16;
	l34->has_nat_hash = 0;
}

void nat_rewrite_destination(
	uint8_t *packet, struct net_l3l4 *l34, uint32_t addr_be32, uint16_t port_be16
)
{
	rewrite(packet, l34, false, addr_be32, port_be16);
	l34->dst_be32 = addr_be32;
	l34->dst_port_be16 = port_be16;
	if (l34->proto == NET_PROTO_ICMP)
		l34->src_port_be16 = port_be16;
	l34->has_nat_hash = 0;
}

// The error's checksum covers the quote, so it takes the difference of every word that changes there.
// The quote starts at an even offset of the ICMP message and is at most 60 + 20 bytes of headers.
static void rewrite_quote(
	uint8_t *packet,
	const struct net_l3l4 *l34,
	const struct net_l3l4 *quote,
	uint16_t quote_offset,
	bool is_source,
	uint32_t addr_be32,
	uint16_t port_be16
)
{
	uint8_t *inner = packet + quote_offset;
	size_t inner_len = quote->payload_offset & ~(size_t)1;
	uint64_t before = net_checksum_add(0, inner, inner_len);

	//= RFC 5508 section 4.2 REQ-4 a)
	//# Revert the IP and transport headers of the embedded IP packet to their original form,
	//# using the matching mapping
	uint8_t *l4 = inner + quote->l4_offset;
	size_t l4_len = (size_t)quote->payload_offset - quote->l4_offset; // present, at most
	uint32_t addr_delta = set_addr(inner, is_source ? IPV4_SRC_AT : IPV4_DST_AT, addr_be32);
	uint32_t port_delta = set_port(l4, quote->proto, is_source, port_be16);
	apply_l4(l4, l4_len, quote->proto, addr_delta, port_delta);

	uint16_t sum_before = net_checksum_fold(before);
	uint16_t sum_after = net_checksum_fold(net_checksum_add(0, inner, inner_len));
	apply_at(
		packet + l34->l4_offset + ICMP_CHECKSUM_AT,
		net_checksum_delta16(sum_before, sum_after)
	);
}

void nat_rewrite_error_inbound(
	uint8_t *packet,
	struct net_l3l4 *l34,
	const struct net_l3l4 *quote,
	uint16_t quote_offset,
	uint32_t addr_be32,
	uint16_t port_be16
)
{
	rewrite_quote(packet, l34, quote, quote_offset, true, addr_be32, port_be16);
	//= RFC 5508 section 4.2 REQ-4
	//# b) Leave the ICMP type and code unchanged; and
	//# c) Modify the destination IP address of the outer IP header to be same as the source IP
	//# address of the embedded packet after translation
	set_addr(packet, IPV4_DST_AT, addr_be32);
	l34->dst_be32 = addr_be32;
}

void nat_rewrite_error_outbound(
	uint8_t *packet,
	struct net_l3l4 *l34,
	const struct net_l3l4 *quote,
	uint16_t quote_offset,
	uint32_t addr_be32,
	uint16_t port_be16
)
{
	rewrite_quote(packet, l34, quote, quote_offset, false, addr_be32, port_be16);
	set_addr(packet, IPV4_SRC_AT, addr_be32);
	l34->src_be32 = addr_be32;
}

bool nat_rewrite_ttl(uint8_t *packet, struct net_l3l4 *l34)
{
	if (l34->ttl <= 1)
		return false;
	uint16_t old_be16 = net_load16(packet + 8);
	packet[8]--;
	l34->ttl--;
	apply_at(packet + IPV4_CHECKSUM_AT, net_checksum_delta16(old_be16, net_load16(packet + 8)));
	return true;
}
