// SPDX-License-Identifier: Apache-2.0
//
// Bounds-checked parsing of Ethernet, IPv4, TCP, UDP and ICMP headers into one small struct. Nothing
// outside [data, data + len) is ever read, whatever the headers claim; a packet that is refused is
// refused for one named cause. It rewrites nothing, and ARP has its own file (net_arp_msg). Pure: any
// thread, no state.
#pragma once

#include "common/abi_names.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NET_ETHER_HEADER_BYTES 14
#define NET_ETHER_MIN_FRAME_BYTES 60 // without FCS; shorter payloads are padded to it
#define NET_ETHER_TYPE_IPV4 0x0800
#define NET_ETHER_TYPE_ARP 0x0806
#define NET_ETHER_TYPE_IPV6 0x86dd

#define NET_IPV4_HEADER_BYTES 20 // without options
#define NET_IPV4_MAX_HEADER_BYTES 60
#define NET_TCP_HEADER_BYTES 20
#define NET_UDP_HEADER_BYTES 8
#define NET_ICMP_HEADER_BYTES 8

#define NET_PROTO_ICMP 1
#define NET_PROTO_TCP 6
#define NET_PROTO_UDP 17

#define NET_TCP_FIN 0x01
#define NET_TCP_SYN 0x02
#define NET_TCP_RST 0x04
#define NET_TCP_ACK 0x10

#define NET_ICMP_ECHO_REPLY 0
#define NET_ICMP_UNREACHABLE 3
#define NET_ICMP_SOURCE_QUENCH 4
#define NET_ICMP_REDIRECT 5
#define NET_ICMP_ECHO_REQUEST 8
#define NET_ICMP_TIME_EXCEEDED 11
#define NET_ICMP_PARAMETER_PROBLEM 12
#define NET_ICMP_TIMESTAMP 13
#define NET_ICMP_TIMESTAMP_REPLY 14

// One cause each. The values are the drop reasons, so a stage stores a verdict as it is.
enum net_verdict {
	NET_OK = DROP_NONE,
	NET_L2_TRUNCATED = DROP_L2_TRUNCATED,
	NET_L2_TYPE = DROP_L2_TYPE, // neither IPv4 nor ARP; a VLAN tag and IPv6 among them
	NET_ARP_INVALID = DROP_ARP_INVALID,
	NET_IP_TRUNCATED = DROP_IP_TRUNCATED, // fewer bytes than the smallest or the stated header
	NET_IP_VERSION = DROP_IP_VERSION, // neither 4 nor 6
	NET_IP_HEADER_LEN = DROP_IP_HEADER_LEN, // IHL below 5
	NET_IP_TOTAL_LEN = DROP_IP_TOTAL_LEN, // below the header, or beyond the bytes present
	NET_IP_CHECKSUM = DROP_IP_CHECKSUM,
	NET_IP_SOURCE_ROUTE = DROP_IP_SOURCE_ROUTE, // or options that cannot be walked
	NET_IP_FRAGMENT = DROP_IP_FRAGMENT, // addresses and lengths are parsed, ports are not
	NET_L4_TRUNCATED = DROP_L4_TRUNCATED,
	NET_UDP_LENGTH = DROP_UDP_LENGTH,
	NET_TCP_DATA_OFFSET = DROP_TCP_DATA_OFFSET, // below 5 words or beyond the packet
	NET_IPV6 = DROP_INNER_IPV6, // net_parse_ip only: version 6, nothing else parsed
};

struct net_ether {
	uint8_t dst[6];
	uint8_t src[6];
	uint16_t type; // host order
};

// What is known of one IPv4 packet. Offsets count from the first byte of the IP header; addresses and
// ports are in network order. One cache line, lives beside the packet; written by the parser, then by
// whoever rewrites the packet, so that the two always agree.
struct net_l3l4 {
	uint32_t src_be32;
	uint32_t dst_be32;
	uint16_t src_port_be16; // ICMP query: the identifier, in both ports; other ICMP: 0
	uint16_t dst_port_be16;
	uint16_t total_len; // IP total length: what is billed; padding behind it is no part of it
	uint16_t l4_offset; // IHL * 4
	uint16_t payload_offset; // behind the TCP, UDP or ICMP header
	uint16_t fragment_offset_bytes;
	uint16_t ip_id_be16;
	uint8_t proto;
	uint8_t ttl;
	uint8_t tos;
	uint8_t tcp_flags;
	uint8_t icmp_type;
	uint8_t icmp_code;
	uint8_t has_df : 1; // don't fragment
	uint8_t has_mf : 1; // more fragments
	uint8_t is_fragment : 1; // offset or MF
	uint8_t has_ports : 1; // TCP, UDP, ICMP query
	uint8_t is_icmp_error : 1; // types 3, 4, 5, 11, 12
	uint8_t has_nat_hash : 1; // nat_hash is of the tuple as it stands (nat_outbound_prefetch)
	uint32_t nat_hash;
};

static_assert(sizeof(struct net_l3l4) <= 64, "one cache line beside the packet");

// Check the IPv4 header checksum; without it a receive offload has.
#define NET_PARSE_IP_CHECKSUM 0x1u

// Parses the Ethernet header. A VLAN tag is an unknown type to us.
//
// Returns: NET_OK, with ret filled, for IPv4 and ARP; NET_L2_TRUNCATED; NET_L2_TYPE.
enum net_verdict net_parse_ether(const uint8_t *data, size_t len, struct net_ether *ret);

// Parses an IP packet that starts at data; len is what is present and may include padding.
//
// Returns: NET_OK; NET_IP_FRAGMENT with everything but ports filled; any other verdict of this file's
// enum with ret undefined. TCP, UDP and ICMP are parsed further, other protocols pass with no ports.
enum net_verdict net_parse_ip(
	const uint8_t *data, size_t len, unsigned flags, struct net_l3l4 *ret
);

// Parses the packet that an ICMP error quotes (RFC 792: IP header and at least 64 bits of data).
// The quote may be cut short, so its total length is not compared with the bytes present, and only the
// first eight bytes of the transport header are needed.
//
// Returns: NET_OK with ret_offset = start of the quoted IP header from the outer one, and ret with
// offsets from that start (payload_offset = min(end of the transport header, what is present));
// NET_IP_* or NET_L4_TRUNCATED when the quote is unusable, NET_IP_FRAGMENT when it has no ports.
// In: l34 of an is_icmp_error packet that net_parse_ip accepted.
enum net_verdict net_parse_icmp_quote(
	const uint8_t *packet,
	const struct net_l3l4 *l34,
	struct net_l3l4 *ret,
	uint16_t *ret_offset
);
