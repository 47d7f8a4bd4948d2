// SPDX-License-Identifier: Apache-2.0
//
// See net_parse.h. Every length that a header states is compared with the bytes present before
// anything that it covers is read.
#include "net_parse.h"

#include "net_checksum.h"

#include <arpa/inet.h>
#include <string.h>

#define IPV4_DF 0x4000
#define IPV4_MF 0x2000
#define IPV4_OFFSET_MASK 0x1fff

#define IPV4_OPTION_END 0
#define IPV4_OPTION_NOP 1
#define IPV4_OPTION_LSRR 131
#define IPV4_OPTION_SSRR 137

#define QUOTE_L4_BYTES 8 // RFC 792: the first 64 bits of the original datagram's data

enum net_verdict net_parse_ether(const uint8_t *data, size_t len, struct net_ether *ret)
{
	if (len < NET_ETHER_HEADER_BYTES)
		return NET_L2_TRUNCATED;
	uint16_t type = ntohs(net_load16(data + 12));
	if (type != NET_ETHER_TYPE_IPV4 && type != NET_ETHER_TYPE_ARP)
		return NET_L2_TYPE;
	memcpy(ret->dst, data, sizeof(ret->dst));
	memcpy(ret->src, data + 6, sizeof(ret->src));
	ret->type = type;
	return NET_OK;
}

// RFC 7126 sections 4.3 and 4.4: source route options (LSRR, SSRR) are dropped by default.
// Options that cannot be walked may hide one, so they count as one.
static bool check_options(const uint8_t *packet, size_t header_len)
{
	size_t at = NET_IPV4_HEADER_BYTES;
	while (at < header_len) {
		uint8_t option = packet[at];
		if (option == IPV4_OPTION_END)
			return true;
		if (option == IPV4_OPTION_NOP) {
			at++;
			continue;
		}
		if (option == IPV4_OPTION_LSRR || option == IPV4_OPTION_SSRR)
			return false;
		if (at + 1 >= header_len || packet[at + 1] < 2 || packet[at + 1] > header_len - at)
			return false;
		at += packet[at + 1];
	}
	return true;
}

// Version and header length, then the fixed fields. Reads no further than the header.
static enum net_verdict parse_ipv4_header(const uint8_t *data, size_t len, struct net_l3l4 *l34)
{
	if (len == 0)
		return NET_IP_TRUNCATED;
	if (data[0] >> 4 == 6)
		return NET_IPV6;
	if (data[0] >> 4 != 4)
		return NET_IP_VERSION;
	if (len < NET_IPV4_HEADER_BYTES)
		return NET_IP_TRUNCATED;
	size_t header_len = (size_t)(data[0] & 0xf) * 4;
	if (header_len < NET_IPV4_HEADER_BYTES)
		return NET_IP_HEADER_LEN;
	if (len < header_len)
		return NET_IP_TRUNCATED;

	uint16_t fragment = ntohs(net_load16(data + 6));
	memset(l34, 0, sizeof(*l34));
	l34->tos = data[1];
	l34->total_len = ntohs(net_load16(data + 2));
	l34->ip_id_be16 = net_load16(data + 4);
	l34->has_df = (fragment & IPV4_DF) != 0;
	l34->has_mf = (fragment & IPV4_MF) != 0;
	l34->fragment_offset_bytes = (uint16_t)((fragment & IPV4_OFFSET_MASK) * 8);
	l34->is_fragment = l34->has_mf || l34->fragment_offset_bytes != 0;
	l34->ttl = data[8];
	l34->proto = data[9];
	l34->src_be32 = net_load32(data + 12);
	l34->dst_be32 = net_load32(data + 16);
	l34->l4_offset = (uint16_t)header_len;
	l34->payload_offset = l34->l4_offset;
	return l34->total_len < header_len ? NET_IP_TOTAL_LEN : NET_OK;
}

static void set_icmp(struct net_l3l4 *l34, const uint8_t *l4)
{
	l34->icmp_type = l4[0];
	l34->icmp_code = l4[1];
	switch (l34->icmp_type) {
	case NET_ICMP_ECHO_REQUEST:
	case NET_ICMP_ECHO_REPLY:
	case NET_ICMP_TIMESTAMP:
	case NET_ICMP_TIMESTAMP_REPLY:
		l34->has_ports = 1;
		l34->src_port_be16 = net_load16(l4 + 4);
		l34->dst_port_be16 = l34->src_port_be16;
		break;
	case NET_ICMP_UNREACHABLE:
	case NET_ICMP_SOURCE_QUENCH:
	case NET_ICMP_REDIRECT:
	case NET_ICMP_TIME_EXCEEDED:
	case NET_ICMP_PARAMETER_PROBLEM:
		l34->is_icmp_error = 1;
		break;
	default:
		break;
	}
}

static void set_ports(struct net_l3l4 *l34, const uint8_t *l4)
{
	l34->has_ports = 1;
	l34->src_port_be16 = net_load16(l4);
	l34->dst_port_be16 = net_load16(l4 + 2);
}

// The transport header of a whole packet; l4_len bytes belong to it by the IP total length.
static enum net_verdict parse_l4(const uint8_t *l4, size_t l4_len, struct net_l3l4 *l34)
{
	size_t header_len = 0;

	if (l34->proto == NET_PROTO_TCP) {
		if (l4_len < NET_TCP_HEADER_BYTES)
			return NET_L4_TRUNCATED;
		header_len = (size_t)(l4[12] >> 4) * 4;
		if (header_len < NET_TCP_HEADER_BYTES || header_len > l4_len)
			return NET_TCP_DATA_OFFSET;
		set_ports(l34, l4);
		l34->tcp_flags = l4[13];
	} else if (l34->proto == NET_PROTO_UDP) {
		if (l4_len < NET_UDP_HEADER_BYTES)
			return NET_L4_TRUNCATED;
		// Exactly the IP payload: a length of its own would let two readers see two packets.
		if (ntohs(net_load16(l4 + 4)) != l4_len)
			return NET_UDP_LENGTH;
		header_len = NET_UDP_HEADER_BYTES;
		set_ports(l34, l4);
	} else if (l34->proto == NET_PROTO_ICMP) {
		if (l4_len < NET_ICMP_HEADER_BYTES)
			return NET_L4_TRUNCATED;
		header_len = NET_ICMP_HEADER_BYTES;
		set_icmp(l34, l4);
	}
	l34->payload_offset = (uint16_t)(l34->l4_offset + header_len);
	return NET_OK;
}

enum net_verdict net_parse_ip(const uint8_t *data, size_t len, unsigned flags, struct net_l3l4 *ret)
{
	enum net_verdict verdict = parse_ipv4_header(data, len, ret);
	if (verdict != NET_OK)
		return verdict;
	if (ret->total_len > len)
		return NET_IP_TOTAL_LEN;
	if ((flags & NET_PARSE_IP_CHECKSUM) && !net_checksum_check_ipv4(data, ret->l4_offset))
		return NET_IP_CHECKSUM;
	if (ret->l4_offset > NET_IPV4_HEADER_BYTES && !check_options(data, ret->l4_offset))
		return NET_IP_SOURCE_ROUTE;
	if (ret->is_fragment)
		return NET_IP_FRAGMENT;
	return parse_l4(data + ret->l4_offset, (size_t)ret->total_len - ret->l4_offset, ret);
}

enum net_verdict net_parse_icmp_quote(
	const uint8_t *packet,
	const struct net_l3l4 *l34,
	struct net_l3l4 *ret,
	uint16_t *ret_offset
)
{
	uint16_t offset = l34->payload_offset;
	size_t present = (size_t)l34->total_len - offset;
	const uint8_t *quote = packet + offset;
	enum net_verdict verdict = parse_ipv4_header(quote, present, ret);
	if (verdict != NET_OK)
		return verdict;
	if (ret->fragment_offset_bytes != 0)
		return NET_IP_FRAGMENT;

	//= RFC 5508 section 4.1 REQ-3 b)
	//# If the embedded packet includes IP options, the NAT device MUST traverse past the IP
	//# options to locate the start of the transport header for the embedded packet
	const uint8_t *l4 = quote + ret->l4_offset;
	size_t l4_present = present - ret->l4_offset;
	if (l4_present < QUOTE_L4_BYTES)
		return NET_L4_TRUNCATED;
	size_t header_len = 0;
	if (ret->proto == NET_PROTO_TCP || ret->proto == NET_PROTO_UDP) {
		header_len =
			ret->proto == NET_PROTO_TCP ? NET_TCP_HEADER_BYTES : NET_UDP_HEADER_BYTES;
		set_ports(ret, l4);
	} else if (ret->proto == NET_PROTO_ICMP) {
		header_len = NET_ICMP_HEADER_BYTES;
		set_icmp(ret, l4);
	}
	if (header_len > l4_present)
		header_len = l4_present;
	ret->payload_offset = (uint16_t)(ret->l4_offset + header_len);
	*ret_offset = offset;
	return NET_OK;
}
