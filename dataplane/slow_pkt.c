// SPDX-License-Identifier: Apache-2.0
//
// See slow_pkt.h. Slow path only.
#include "dataplane/slow_pkt.h"

#include "common/counter.h"
#include "dataplane/net/net_checksum.h"
#include "dataplane/pkt.h"
#include "dataplane/slowpath.h"

#include <rte_ip.h>
#include <rte_ring.h>
#include <rte_udp.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REPLY_TTL 64

int slow_pkt_init(struct slowpath *sp)
{
	sp->pkt.returns = calloc(sp->dp->n_workers, sizeof(*sp->pkt.returns));
	sp->pkt.n_returns = 0;
	return sp->pkt.returns == NULL ? -ENOMEM : 0;
}

void slow_pkt_fini(struct slowpath *sp)
{
	for (unsigned i = 0; sp->pkt.returns != NULL && i < sp->dp->n_workers; i++)
		while (sp->pkt.returns[i].head != NULL) {
			struct rte_mbuf *m = sp->pkt.returns[i].head;

			sp->pkt.returns[i].head = m->next;
			m->next = NULL;
			rte_pktmbuf_free(m);
		}
	free(sp->pkt.returns);
	sp->pkt.returns = NULL;
	sp->pkt.n_returns = 0;
}

void slow_pkt_count_drop(struct slowpath *sp, enum drop_reason reason)
{
	counter_add(&sp->stats->drops[reason], 1);
}

void slow_pkt_count_consumed(struct slowpath *sp, enum consumed_kind kind)
{
	counter_add(&sp->stats->consumed[kind], 1);
}

void slow_pkt_drop(struct slowpath *sp, struct rte_mbuf *m, enum drop_reason reason)
{
	slow_pkt_count_drop(sp, reason);
	rte_pktmbuf_free(m);
}

void slow_pkt_consume(struct slowpath *sp, struct rte_mbuf *m, enum consumed_kind kind)
{
	slow_pkt_count_consumed(sp, kind);
	rte_pktmbuf_free(m);
}

static bool push_down(struct slowpath *sp, unsigned worker, struct rte_mbuf *m)
{
	return rte_ring_sp_enqueue(sp->dp->mailboxes[worker].down_pkts, m) == 0;
}

void slow_pkt_return(struct slowpath *sp, struct rte_mbuf *m, enum drop_reason reason)
{
	struct pkt_meta *meta = pkt_meta(m);
	struct slow_pkt_queue *queue = &sp->pkt.returns[meta->worker];

	meta->is_resumed = 1;
	meta->verdict = PKT_PASS;
	if (reason != DROP_NONE)
		pkt_drop(meta, reason);
	if (queue->head == NULL && push_down(sp, meta->worker, m))
		return;
	m->next = NULL;
	if (queue->head == NULL)
		queue->head = m;
	else
		queue->tail->next = m;
	queue->tail = m;
	sp->pkt.n_returns++;
}

void slow_pkt_flush(struct slowpath *sp)
{
	if (sp->pkt.n_returns == 0)
		return;
	for (unsigned i = 0; i < sp->dp->n_workers; i++) {
		struct slow_pkt_queue *queue = &sp->pkt.returns[i];

		while (queue->head != NULL) {
			struct rte_mbuf *m = queue->head, *next = m->next;

			m->next = NULL;
			if (!push_down(sp, i, m)) {
				m->next = next;
				break;
			}
			queue->head = next;
			sp->pkt.n_returns--;
		}
	}
}

// The buffer is the node's own from here on: counted as originated, then on its way or dropped.
static void send_originated(struct slowpath *sp, unsigned worker, struct rte_mbuf *m)
{
	counter_add(&sp->stats->originated_pkts, 1);
	if (!push_down(sp, worker, m))
		slow_pkt_drop(sp, m, DROP_RING_FULL);
}

static void init_meta(struct rte_mbuf *m, enum pkt_slow_kind kind, uint8_t port)
{
	*pkt_meta(m) = (struct pkt_meta){
		.verdict = PKT_PASS,
		.slow_kind = kind,
		.port = port,
		.is_originated = 1,
		.slot = PKT_SLOT_NONE,
	};
}

void slow_pkt_send_frame(struct slowpath *sp, uint8_t port, const void *frame, size_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(sp->dp->pool);

	if (m == NULL) {
		counter_add(&sp->stats->originated_pkts, 1);
		slow_pkt_count_drop(sp, DROP_NO_MBUF);
		return;
	}
	memcpy(rte_pktmbuf_append(m, len), frame, len);
	init_meta(m, PKT_SLOW_ARP, port);
	send_originated(sp, 0, m);
}

void slow_pkt_send_reply(
	struct slowpath *sp, unsigned worker, struct rte_mbuf *m, const void *payload, size_t len
)
{
	const struct dp *dp = sp->dp;
	uint32_t remote_be = pkt_meta(m)->remote_addr_be;
	uint16_t remote_port_be = pkt_meta(m)->remote_port_be;
	size_t total_len = sizeof(struct rte_ipv4_hdr) + sizeof(struct rte_udp_hdr) + len;

	rte_pktmbuf_reset(m);
	uint8_t *packet = (uint8_t *)rte_pktmbuf_append(m, total_len);
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)packet;
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);

	*ip = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.total_length = rte_cpu_to_be_16(total_len),
		.fragment_offset =
			rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG), // so an id of 0 (RFC 6864)
		.time_to_live = REPLY_TTL,
		.next_proto_id = IPPROTO_UDP,
		.src_addr = dp->ports[dp->tunnel_port].addr_be,
		.dst_addr = remote_be,
	};
	net_checksum_set_ipv4(packet, sizeof(*ip));
	*udp = (struct rte_udp_hdr){
		.src_port = rte_cpu_to_be_16(dp->config->wireguard.listen_port),
		.dst_port = remote_port_be,
		.dgram_len = rte_cpu_to_be_16(sizeof(*udp) + len),
		.dgram_cksum = 0, // none (RFC 768): the message is authenticated as a whole
	};
	memcpy(udp + 1, payload, len);
	init_meta(m, PKT_SLOW_HANDSHAKE, dp->tunnel_port);
	send_originated(sp, worker, m);
}
