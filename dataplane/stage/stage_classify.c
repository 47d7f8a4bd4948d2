// SPDX-License-Identifier: Apache-2.0
//
// What a frame is, by its outer headers alone: WireGuard transport data, a packet to an external
// address, something for the slow path, or nothing of ours. Believes no length it has not checked
// (net_parse). Runs on a worker.
#include "dataplane/net/net_checksum.h"
#include "dataplane/stage/stage.h"
#include "dataplane/stage/stage_originate.h"
#include "dataplane/worker.h"

#include <rte_ether.h>
#include <rte_mbuf.h>

#include <string.h>

// A UDP datagram to the WireGuard port, from its IPv4 header.
static void classify_wireguard(struct rte_mbuf *m)
{
	struct pkt_meta *meta = pkt_meta(m);

	meta->remote_addr_be = meta->l3l4.src_be32;
	meta->remote_port_be = meta->l3l4.src_port_be16;
	meta->outer_tos = meta->l3l4.tos;
	rte_pktmbuf_adj(m, meta->l3l4.payload_offset);
	const uint8_t *message = rte_pktmbuf_mtod(m, const uint8_t *);

	switch (wg_message_classify(message, m->data_len)) {
	case WG_MESSAGE_DATA:
		meta->verdict = PKT_TRANSPORT;
		break;
	case WG_MESSAGE_INITIATION:
	case WG_MESSAGE_RESPONSE:
	case WG_MESSAGE_COOKIE_REPLY:
		meta->verdict = PKT_SLOW;
		meta->slow_kind = PKT_SLOW_HANDSHAKE;
		break;
	case WG_MESSAGE_INVALID:
		if (m->data_len < WG_MESSAGE_DATA_MIN_BYTES)
			pkt_drop(meta, DROP_WG_TRUNCATED);
		else if (message[0] < WG_MESSAGE_INITIATION || message[0] > WG_MESSAGE_DATA || message[1] || message[2] || message[3])
			pkt_drop(meta, DROP_WG_TYPE);
		else
			pkt_drop(meta, DROP_WG_LENGTH);
		break;
	}
}

// A packet to an address of the node that neither WireGuard nor the NAT claims.
static void classify_local(struct worker *worker, struct rte_mbuf *m)
{
	struct pkt_meta *meta = pkt_meta(m);
	const uint8_t *packet = rte_pktmbuf_mtod(m, const uint8_t *);

	if (meta->l3l4.proto != NET_PROTO_ICMP)
		pkt_drop(meta, DROP_IP_UNCLAIMED);
	else if (!net_checksum_check_l4(packet, &meta->l3l4))
		pkt_drop(meta, DROP_L4_CHECKSUM);
	else if (meta->l3l4.icmp_type != NET_ICMP_ECHO_REQUEST)
		pkt_consume(meta, CONSUMED_ICMP_OTHER);
	else {
		enum drop_reason drop = stage_originate_echo_reply(worker, m);
		if (drop != DROP_NONE)
			pkt_drop(meta, drop);
		else
			pkt_consume(meta, CONSUMED_ICMP_ECHO);
	}
}

static void classify_destination(struct worker *worker, struct rte_mbuf *m)
{
	struct pkt_meta *meta = pkt_meta(m);
	const struct net_port *port = &worker->dp->ports[meta->port];
	const struct net_l3l4 *l3l4 = &meta->l3l4;
	bool is_ours = l3l4->dst_be32 == port->addr_be;
	bool is_echo = l3l4->proto == NET_PROTO_ICMP && l3l4->icmp_type == NET_ICMP_ECHO_REQUEST;

	if (port->is_tunnel && is_ours && l3l4->proto == NET_PROTO_UDP &&
	    l3l4->dst_port_be16 == htobe16(worker->dp->config->wireguard.listen_port)) {
		classify_wireguard(m);
	} else if (port->is_internet && nat_check_external(worker->nat, l3l4->dst_be32)) {
		// The node answers pings to its external addresses; no mapping waits for requests.
		if (is_echo)
			classify_local(worker, m);
		else
			meta->verdict = PKT_INBOUND;
	} else if (is_ours) {
		classify_local(worker, m);
	} else {
		pkt_drop(meta, DROP_IP_NOT_OURS);
	}
}

//= RFC 1812 section 5.3.7
//# An IP source address is invalid if it is a special IP address, as defined in 4.2.2.11 or 5.3.7, or
//# is not a unicast address. [...] A router SHOULD NOT forward any packet that has an invalid IP source
//# address
// An address of the node's own from outside is forged: it would pass the filter of whoever has
// hairpinned, at the buyer's cost, and answers to it would come back to the node.
static bool check_source(const struct worker *worker, uint32_t src_be)
{
	for (unsigned i = 0; i < worker->dp->n_ports; i++)
		if (worker->dp->ports[i].addr_be == src_be)
			return false;
	return net_martian_check_single_host(src_be) && !nat_check_external(worker->nat, src_be);
}

static void classify_ipv4(struct worker *worker, struct rte_mbuf *m)
{
	struct pkt_meta *meta = pkt_meta(m);
	uint64_t hardware = m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
	bool is_checked = hardware == RTE_MBUF_F_RX_IP_CKSUM_GOOD;

	rte_pktmbuf_adj(m, NET_ETHER_HEADER_BYTES);
	enum drop_reason drop = (enum drop_reason)net_parse_ip(
		rte_pktmbuf_mtod(m, const uint8_t *),
		m->data_len,
		is_checked ? 0 : NET_PARSE_IP_CHECKSUM,
		&meta->l3l4
	);
	if (drop == DROP_INNER_IPV6)
		drop = DROP_IP_VERSION; // EtherType says IPv4
	if (drop == DROP_NONE && !check_source(worker, meta->l3l4.src_be32))
		drop = DROP_MARTIAN;
	if (drop != DROP_NONE) {
		pkt_drop(meta, drop);
		return;
	}
	rte_pktmbuf_trim(m, m->data_len - meta->l3l4.total_len); // Ethernet padding
	classify_destination(worker, m);
}

static void classify_one(struct worker *worker, struct rte_mbuf *m)
{
	struct pkt_meta *meta = pkt_meta(m);
	const struct net_port *port = &worker->dp->ports[meta->port];
	struct net_ether ether;

	if (m->nb_segs != 1) {
		pkt_drop(meta, DROP_SEGMENTED);
		return;
	}
	enum drop_reason drop = (enum drop_reason
	)net_parse_ether(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len, &ether);
	if (drop != DROP_NONE) {
		pkt_drop(meta, drop);
		return;
	}
	bool is_for_us = memcmp(ether.dst, port->mac, sizeof(ether.dst)) == 0;
	if (ether.type == NET_ETHER_TYPE_ARP &&
	    (is_for_us || rte_is_broadcast_ether_addr((struct rte_ether_addr *)ether.dst))) {
		meta->verdict = PKT_SLOW;
		meta->slow_kind = PKT_SLOW_ARP;
	} else if (!is_for_us) {
		pkt_drop(meta, DROP_L2_NOT_FOR_US);
	} else {
		classify_ipv4(worker, m);
	}
}

void stage_classify(struct worker *worker, struct burst *burst)
{
	for (unsigned i = 0; i < burst->n; i++)
		classify_one(worker, burst->pkts[i]);
}
