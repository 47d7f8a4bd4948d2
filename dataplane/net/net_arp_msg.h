// SPDX-License-Identifier: Apache-2.0
//
// ARP messages for IPv4 over Ethernet (RFC 826): parse, check, build. The table of neighbours and the
// decision to answer are elsewhere (net_neigh). Pure: any thread, no state.
#pragma once

#include "net_parse.h"

#define NET_ARP_BYTES 28 // the ARP message behind the Ethernet header

enum net_arp_op { NET_ARP_REQUEST = 1, NET_ARP_REPLY = 2 };

struct net_arp_msg {
	enum net_arp_op op;
	uint8_t sender_mac[6];
	uint8_t target_mac[6]; // of no meaning in a request
	uint32_t sender_be32; // 0: an address probe (RFC 5227), never to be learnt from
	uint32_t target_be32;
};

// Parses and checks what needs no knowledge of us: hardware and protocol types and lengths, a request
// or a reply, a sender hardware address that is one station, a sender address that is a host or 0.
//
// Returns: NET_OK; NET_ARP_INVALID with ret undefined. Trailing padding is ignored.
enum net_verdict net_arp_msg_parse(const uint8_t *data, size_t len, struct net_arp_msg *ret);

// Whether the sender is somebody else: neither our hardware address nor one of our addresses. A message
// that claims an address of ours from another station is not learnt from.
bool net_arp_msg_check_foreign(
	const struct net_arp_msg *msg,
	const uint8_t own_mac[static 6],
	const uint32_t *own_be32,
	size_t n_own
);

// Builds the ARP message (NET_ARP_BYTES) and the Ethernet header before it.
// Out: frame of NET_ETHER_HEADER_BYTES + NET_ARP_BYTES; a driver that does not pad to
// NET_ETHER_MIN_FRAME_BYTES leaves it to the caller. Returns: bytes written.
//
// A request goes to broadcast, or to dst_mac where it refreshes a neighbour (RFC 1122 2.3.2.1 (2)).
size_t net_arp_msg_build_request(
	uint8_t *frame,
	const uint8_t own_mac[static 6],
	uint32_t own_be32,
	uint32_t target_be32,
	const uint8_t *dst_mac // NULL: broadcast
);

// A reply to request, which asked for own_be32.
size_t net_arp_msg_build_reply(
	uint8_t *frame,
	const uint8_t own_mac[static 6],
	uint32_t own_be32,
	const struct net_arp_msg *request
);
