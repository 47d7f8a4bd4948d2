// SPDX-License-Identifier: Apache-2.0
//
// Clamps the TCP maximum segment size to what the tunnel carries, so that TCP through it never needs a
// fragment. Only lowers, only on segments with SYN; a segment without the option stays without it
// (RFC 9293 section 3.7.1: the peer then assumes 536). Pure: any thread, no state.
#pragma once

#include "net_parse.h"

// The MSS for an MTU: RFC 9293 section 3.7.1, fixed headers of 20 + 20 bytes.
static inline uint16_t net_mss_for_mtu(uint16_t mtu_bytes)
{
	return (uint16_t)(mtu_bytes - NET_IPV4_HEADER_BYTES - NET_TCP_HEADER_BYTES);
}

// Lowers the MSS option to mss_bytes. A packet that is not TCP, carries no SYN, or whose options are
// malformed before the MSS stays as it is.
//
// Returns: true when the packet was changed (its TCP checksum then is right if it was right before).
// In: l34 of a packet that net_parse_ip accepted.
bool net_mss_clamp(uint8_t *packet, const struct net_l3l4 *l34, uint16_t mss_bytes);
