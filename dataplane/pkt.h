// SPDX-License-Identifier: Apache-2.0
//
// What the stages know about a packet: struct pkt_meta, in the mbuf's private area, and the burst
// they work on. A stage marks packets with a verdict; the worker moves them on, and one place frees
// and counts them.
//
// A frame is in one buffer. `m->data_off` always points at the header that the present stage is
// concerned with: Ethernet after rx, the outer or inner IPv4 header after classify and decrypt, the
// IPv4 header to be sent before route, Ethernet again before tx.
#pragma once

#include "common/abi_names.h"
#include "dataplane/nat/nat.h"
#include "dataplane/net/net_parse.h"

#include <rte_mbuf.h>

#include <stdint.h>

#define BURST_RX 32 // packets per receive call
#define BURST_CAP 256 // of a burst between stages: rx of both ports, originated and resumed packets

enum pkt_verdict {
	PKT_PASS, // to the next stage in line
	PKT_DROP, // `drop` says why
	PKT_CONSUMED, // `consumed` says as what
	PKT_TRANSPORT, // classify: WireGuard transport data
	PKT_INBOUND, // classify: to an external address; nat_out: hairpin (RFC 4787 REQ-9)
	PKT_SLOW, // to the slow path, which takes the packet
};

// Why the slow path gets a packet.
enum pkt_slow_kind {
	PKT_SLOW_NONE,
	PKT_SLOW_ARP,
	PKT_SLOW_HANDSHAKE, // data_off at the WireGuard message; meta.remote is its source
	PKT_SLOW_NEIGH, // next hop unresolved; data_off at the IPv4 header, meta.next_hop_be is wanted
};

#define PKT_BILL_INBOUND 0x1u
#define PKT_BILL_FREE 0x2u // counts as free bytes (throttled)
#define PKT_BILL_ORIGINATED 0x4u // made by the node

// A reservation that travels with the packet until it is transmitted (counted) or dropped
// (returned). Up to two: a hairpinned packet is outbound for one session and inbound for another.
struct pkt_bill {
	uint32_t slot;
	uint32_t
		generation; // of the session: a packet may wait for ARP longer than its session lives
	uint16_t bytes; // inner IP total length
	uint8_t flags; // PKT_BILL_*
	uint8_t reserved;
};

#define PKT_SLOT_NONE UINT32_MAX

struct pkt_meta {
	uint8_t verdict; // enum pkt_verdict
	uint8_t drop; // enum drop_reason
	uint8_t consumed; // enum consumed_kind
	uint8_t slow_kind;
	uint8_t port; // where it came in; after route: where it goes out
	uint8_t n_bills;
	uint8_t is_originated; // made by the node, not received
	uint8_t is_resumed; // came back from the slow path
	uint8_t is_inbound; // the present direction
	uint8_t is_keepalive; // to be sealed without payload
	uint8_t outer_tos; // of the WireGuard datagram, for RFC 6040
	uint32_t slot; // session of the present direction, PKT_SLOT_NONE before it is known
	uint32_t next_hop_be;
	uint32_t remote_addr_be; // outer source of a WireGuard message
	uint16_t remote_port_be;
	uint16_t orig_len; // bytes of the received frame
	uint16_t worker; // that sent it up; slow path writes
	struct pkt_bill bills[2];
	struct wg_keypair *keypair;
	struct nat_inbound nat; // of an inbound packet, from nat_in to rewrite_in
	uint64_t counter; // of the transport data message
	struct net_l3l4 l3l4; // of the inner packet (outbound) or of the packet from the internet
};

struct burst {
	struct rte_mbuf *pkts[BURST_CAP];
	unsigned n;
};

static inline struct pkt_meta *pkt_meta(struct rte_mbuf *m)
{
	return (struct pkt_meta *)rte_mbuf_to_priv(m);
}

static inline void pkt_drop(struct pkt_meta *meta, enum drop_reason reason)
{
	meta->verdict = PKT_DROP;
	meta->drop = reason;
}

static inline void pkt_consume(struct pkt_meta *meta, enum consumed_kind kind)
{
	meta->verdict = PKT_CONSUMED;
	meta->consumed = kind;
}

static inline void burst_push(struct burst *burst, struct rte_mbuf *m)
{
	burst->pkts[burst->n++] = m;
}
