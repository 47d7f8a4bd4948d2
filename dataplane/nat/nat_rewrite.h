// SPDX-License-Identifier: Apache-2.0
//
// Rewrites addresses, ports and identifiers in packets and brings every checksum that covers them up to
// date incrementally (RFC 1624): IP, TCP, UDP, ICMP, and in ICMP errors those of the quoted packet and
// of the error around it. It looks nothing up and decides nothing. Pure: any thread.
#pragma once

#include "dataplane/net/net_parse.h"

// Outbound: source address and port (ICMP query: identifier). Inbound: destination. l34 follows.
void nat_rewrite_source(
	uint8_t *packet, struct net_l3l4 *l34, uint32_t addr_be32, uint16_t port_be16
);
void nat_rewrite_destination(
	uint8_t *packet, struct net_l3l4 *l34, uint32_t addr_be32, uint16_t port_be16
);

// ICMP errors. Inbound (RFC 5508 REQ-4): the quoted packet is one that we sent, so its source and the
// error's destination become the internal ones. Outbound (REQ-5): the quoted packet is one that we
// delivered, so its destination and the error's source become the external ones.
// In: quote and quote_offset of net_parse_icmp_quote.
void nat_rewrite_error_inbound(
	uint8_t *packet,
	struct net_l3l4 *l34,
	const struct net_l3l4 *quote,
	uint16_t quote_offset,
	uint32_t addr_be32,
	uint16_t port_be16
);
void nat_rewrite_error_outbound(
	uint8_t *packet,
	struct net_l3l4 *l34,
	const struct net_l3l4 *quote,
	uint16_t quote_offset,
	uint32_t addr_be32,
	uint16_t port_be16
);

// Forwarding's part (RFC 1812 section 5.3.1). Returns: false, and nothing changed, when the packet must
// not be forwarded because its TTL would reach zero.
bool nat_rewrite_ttl(uint8_t *packet, struct net_l3l4 *l34);
