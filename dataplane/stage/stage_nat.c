// SPDX-License-Identifier: Apache-2.0
//
// NAT44 on the packet path: outbound mapping and rewrite, inbound lookup, and, once admitted, inbound
// rewrite. What a mapping is and who may use it stands in nat/; here bursts are prefetched and
// verdicts become marks. Runs on the owner worker.
#include "dataplane/net/net_mss.h"
#include "dataplane/stage/stage.h"
#include "dataplane/worker.h"
#include "dataplane/worker_mail.h"

static uint8_t *packet_of(struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod(m, uint8_t *);
}

static void mss_clamp(const struct worker *worker, struct rte_mbuf *m)
{
	const struct config_tunnel *tunnel = &worker->dp->config->tunnel;

	if (tunnel->mss_clamp)
		net_mss_clamp(packet_of(m), &pkt_meta(m)->l3l4, net_mss_for_mtu(tunnel->mtu));
}

static void tell_exhausted(struct worker *worker, uint32_t slot)
{
	struct dp_session *session = &worker->dp->sessions[slot];

	if (session->is_ports_exhausted_told)
		return;
	session->is_ports_exhausted_told = true;
	worker_mail_hint(worker, MAIL_PORTS_EXHAUSTED, slot);
}

static void nat_out_one(struct worker *worker, struct rte_mbuf *m)
{
	struct pkt_meta *meta = pkt_meta(m);

	nat_rewrite_ttl(packet_of(m), &meta->l3l4); // stage_admit refused a TTL that ends here
	enum nat_verdict verdict =
		nat_outbound(worker->nat, meta->slot, &meta->l3l4, packet_of(m), worker->now_ns);
	meta->port = worker->dp->internet_port;
	if (verdict == NAT_HAIRPIN) {
		meta->verdict = PKT_INBOUND;
		return;
	}
	if (verdict == NAT_PORT_EXHAUSTED || verdict == NAT_SESSION_LIMIT)
		tell_exhausted(worker, meta->slot);
	if (verdict != NAT_OK) {
		pkt_drop(meta, (enum drop_reason)verdict);
		return;
	}
	mss_clamp(worker, m);
}

void stage_nat_out(struct worker *worker, struct burst *burst)
{
	for (unsigned i = 0; i < burst->n; i++) {
		struct pkt_meta *meta = pkt_meta(burst->pkts[i]);
		nat_outbound_prefetch(worker->nat, meta->slot, &meta->l3l4);
	}
	for (unsigned i = 0; i < burst->n; i++)
		nat_outbound_prefetch_mapping(worker->nat, &pkt_meta(burst->pkts[i])->l3l4);
	for (unsigned i = 0; i < burst->n; i++)
		nat_out_one(worker, burst->pkts[i]);
}

static void nat_in_one(struct worker *worker, struct rte_mbuf *m)
{
	struct pkt_meta *meta = pkt_meta(m);
	enum nat_verdict verdict = nat_inbound_lookup(
		worker->nat, &meta->l3l4, packet_of(m), worker->now_ns, &meta->nat
	);

	if (verdict != NAT_OK) {
		pkt_drop(meta, (enum drop_reason)verdict);
		return;
	}
	meta->slot = meta->nat.session_slot;
	meta->is_inbound = 1;
}

void stage_nat_in(struct worker *worker, struct burst *burst)
{
	for (unsigned i = 0; i < burst->n; i++)
		nat_inbound_prefetch(worker->nat, &pkt_meta(burst->pkts[i])->l3l4);
	for (unsigned i = 0; i < burst->n; i++)
		nat_inbound_prefetch_mapping(worker->nat, &pkt_meta(burst->pkts[i])->l3l4);
	for (unsigned i = 0; i < burst->n; i++)
		nat_in_one(worker, burst->pkts[i]);
}

void stage_rewrite_in(struct worker *worker, struct burst *burst)
{
	for (unsigned i = 0; i < burst->n; i++) {
		struct rte_mbuf *m = burst->pkts[i];
		struct pkt_meta *meta = pkt_meta(m);

		nat_rewrite_ttl(packet_of(m), &meta->l3l4);
		nat_inbound_commit(
			worker->nat, &meta->nat, &meta->l3l4, packet_of(m), worker->now_ns
		);
		mss_clamp(worker, m);
	}
}
