// SPDX-License-Identifier: Apache-2.0
//
// Next hop and Ethernet header. A packet arrives at its IPv4 header with the port it leaves by; a next
// hop that is not resolved sends it to the slow path, which asks and gives it back. Runs on a worker.
#include "dataplane/stage/stage.h"
#include "dataplane/worker.h"

#include <rte_ether.h>
#include <rte_ip.h>

#include <string.h>

static void route_one(struct worker *worker, struct rte_mbuf *m)
{
	struct pkt_meta *meta = pkt_meta(m);
	struct net_port *port = &worker->dp->ports[meta->port];
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, struct rte_ipv4_hdr *);
	uint8_t mac[6];

	meta->next_hop_be = net_port_next_hop(port, ip->dst_addr);
	if (meta->next_hop_be == 0) {
		pkt_drop(meta, DROP_NEIGH_UNRESOLVED);
		return;
	}
	if (!net_neigh_lookup(port->neigh, meta->next_hop_be, worker->now_ns, mac)) {
		meta->verdict = PKT_SLOW;
		meta->slow_kind = PKT_SLOW_NEIGH;
		return;
	}
	struct rte_ether_hdr *eth =
		(struct rte_ether_hdr *)rte_pktmbuf_prepend(m, sizeof(struct rte_ether_hdr));
	memcpy(&eth->dst_addr, mac, sizeof(mac));
	memcpy(&eth->src_addr, port->mac, sizeof(port->mac));
	eth->ether_type = htobe16(RTE_ETHER_TYPE_IPV4);
}

void stage_route(struct worker *worker, struct burst *burst)
{
	for (unsigned i = 0; i < burst->n; i++)
		// A frame that the slow path built whole needs no route.
		if (pkt_meta(burst->pkts[i])->slow_kind != PKT_SLOW_ARP)
			route_one(worker, burst->pkts[i]);
}
