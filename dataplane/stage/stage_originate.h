// SPDX-License-Identifier: Apache-2.0
//
// Packets that the node itself makes on a worker: ICMP errors, echo replies, keepalives. They are free,
// counted as originated, limited by the ICMP bucket and by what a round has room for; one that is not
// made for want of a buffer or of a token is simply not made (RFC 1812 section 4.3.2.8).
#pragma once

#include "dataplane/net/net_icmp.h"

#include <stdint.h>

struct rte_mbuf;
struct worker;

// Answers an echo request that stands at its IPv4 header, in the direction it came from.
//
// Returns: DROP_NONE, or the reason for which no reply was made (ICMP_RATE, NO_MBUF).
int stage_originate_echo_reply(struct worker *worker, struct rte_mbuf *request);

// Tells the source of a packet (at its IPv4 header) why it goes no further. A client is told from the
// node's inner address, a host on the internet from the external address it wrote to.
void stage_originate_error(
	struct worker *worker, struct rte_mbuf *about, enum net_icmp_error_kind kind, uint16_t mtu
);

// Queues an empty transport data message to a session's client.
void stage_originate_keepalive(struct worker *worker, uint32_t slot);
