// SPDX-License-Identifier: Apache-2.0
//
// ICMP errors through the NAT (RFC 5508 section 4): an error belongs to a mapping only by the packet it
// quotes, and passes only if the mapping exists and its filter permits the quoted remote. Errors make
// nothing, refresh nothing and end nothing. Used by nat.c alone. Owner worker only.
#pragma once

#include "nat.h"

// Returns: whether the NAT translates an IP protocol; Out: its enum nat_proto.
bool nat_error_proto(uint8_t ip_proto, uint8_t *ret_proto);

// Returns: NAT_OK with the packet rewritten; NAT_ICMP_UNMATCHED; NAT_L4_CHECKSUM.
enum nat_verdict nat_error_outbound(
	const struct nat *nat,
	uint32_t session_slot,
	struct net_l3l4 *l34,
	uint8_t *packet,
	uint64_t now_ns
);

// Returns: NAT_OK with ret filled; NAT_ICMP_UNMATCHED; NAT_L4_CHECKSUM.
enum nat_verdict nat_error_inbound_lookup(
	const struct nat *nat,
	const struct net_l3l4 *l34,
	const uint8_t *packet,
	uint64_t now_ns,
	struct nat_inbound *ret
);

// In: inbound of nat_error_inbound_lookup for the same packet, unchanged since.
void nat_error_inbound_rewrite(
	const struct nat_inbound *inbound, struct net_l3l4 *l34, uint8_t *packet
);
