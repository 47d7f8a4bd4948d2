// SPDX-License-Identifier: Apache-2.0
//
// See stage_originate.h. Runs on a worker; puts what it makes into the worker's own bursts.
#include "dataplane/stage/stage_originate.h"

#include "common/counter.h"
#include "dataplane/worker.h"

#include <arpa/inet.h>
#include <string.h>

static struct rte_mbuf *packet_new(struct worker *worker, uint8_t port, uint32_t slot)
{
	if (worker->originated_room == 0)
		return NULL;
	struct rte_mbuf *m = rte_pktmbuf_alloc(worker->dp->pool);
	if (m == NULL)
		return NULL;
	worker->originated_room--;
	counter_add(&worker->stats->originated_pkts, 1);
	*pkt_meta(m) = (struct pkt_meta){.port = port, .slot = slot, .is_originated = 1};
	return m;
}

// To a session's client through the tunnel, or out of the port.
static void packet_queue(struct worker *worker, struct rte_mbuf *m)
{
	struct pkt_meta *meta = pkt_meta(m);

	if (meta->slot == PKT_SLOT_NONE) {
		burst_push(&worker->to_send, m);
		return;
	}
	meta->is_inbound = 1;
	meta->n_bills = 1;
	meta->bills[0] = (struct pkt_bill){
		.slot = meta->slot,
		.generation = worker->dp->sessions[meta->slot].generation,
		.bytes = m->data_len,
		.flags = PKT_BILL_INBOUND | PKT_BILL_ORIGINATED,
	};
	burst_push(&worker->to_client, m);
}

// Whom the answer to a packet goes to: the client of an outbound packet, else the port it came from.
static uint32_t answer_slot(const struct pkt_meta *meta)
{
	return meta->is_inbound ? PKT_SLOT_NONE : meta->slot;
}

int stage_originate_echo_reply(struct worker *worker, struct rte_mbuf *request)
{
	struct pkt_meta *meta = pkt_meta(request);

	if (!net_icmp_bucket_take(&worker->icmp_bucket, worker->now_ns))
		return DROP_ICMP_RATE;
	struct rte_mbuf *m = packet_new(worker, meta->port, answer_slot(meta));
	if (m == NULL)
		return DROP_NO_MBUF;
	struct net_l3l4 l3l4 = meta->l3l4;
	uint8_t *packet = (uint8_t *)rte_pktmbuf_append(m, l3l4.total_len);
	memcpy(packet, rte_pktmbuf_mtod(request, uint8_t *), l3l4.total_len);
	net_icmp_echo_reply(packet, &l3l4);
	packet_queue(worker, m);
	return DROP_NONE;
}

void stage_originate_error(
	struct worker *worker, struct rte_mbuf *about, enum net_icmp_error_kind kind, uint16_t mtu
)
{
	struct pkt_meta *meta = pkt_meta(about);
	uint32_t slot = answer_slot(meta);
	uint32_t inner_be = htonl(worker->dp->config->tunnel.address);
	struct net_icmp_error error = {
		.kind = kind,
		.src_be32 = slot != PKT_SLOT_NONE ? inner_be : meta->l3l4.dst_be32,
		.next_hop_mtu_bytes = mtu,
		.ip_id_be16 = htons(worker->ip_id),
	};

	// A hairpinned packet comes from a mapping, not from a host on the port's link.
	if (nat_check_external(worker->nat, meta->l3l4.src_be32) ||
	    !net_icmp_check_error_allowed(&meta->l3l4) ||
	    !net_icmp_bucket_take(&worker->icmp_bucket, worker->now_ns))
		return;
	struct rte_mbuf *m = packet_new(worker, meta->port, slot);
	if (m == NULL)
		return;
	worker->ip_id++;
	const uint8_t *packet = rte_pktmbuf_mtod(about, const uint8_t *);
	uint8_t *out = rte_pktmbuf_mtod(m, uint8_t *);
	// The buffer holds the largest error, and the packet was found fit for one.
	rte_pktmbuf_append(
		m, net_icmp_build_error(out, rte_pktmbuf_tailroom(m), &error, packet, &meta->l3l4)
	);
	packet_queue(worker, m);
}

void stage_originate_keepalive(struct worker *worker, uint32_t slot)
{
	const struct wg_keypairs *keypairs = &worker->dp->sessions[slot].keypairs;

	// The slow path knows when the last keypair was made, not whether the client confirmed it.
	if (wg_keypairs_sending(keypairs, worker->now_ns) == NULL)
		return;
	struct rte_mbuf *m = packet_new(worker, worker->dp->tunnel_port, slot);
	if (m == NULL)
		return;
	pkt_meta(m)->is_inbound = 1;
	burst_push(&worker->to_client, m);
}
