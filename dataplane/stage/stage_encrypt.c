// SPDX-License-Identifier: Apache-2.0
//
// Inner IPv4 packets (and keepalives) in, datagrams to the client out: keypair, counter, padding,
// seal, outer UDP and IPv4. The whole burst is handed to the AEAD engine at once. Runs on the owner
// worker, the only one that takes send counters (paper, section 5.4.6).
#include "dataplane/net/net_checksum.h"
#include "dataplane/stage/stage.h"
#include "dataplane/wg/wg_padding.h"
#include "dataplane/worker.h"

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include <string.h>

#define OUTER_TTL 64
#define ECN_MASK 0x3u

#define INNER_TOS_OFFSET 1

struct encrypt_batch {
	struct wg_aead_op ops[BURST_CAP];
	unsigned n;
};

static struct wg_keypair *keypair_choose(
	struct worker *worker, struct pkt_meta *meta, const struct dp_session *session
)
{
	struct wg_keypair *keypair = wg_keypairs_sending(&session->keypairs, worker->now_ns);

	if (session->generation == 0 || keypair == NULL || session->endpoint.port_be == 0) {
		pkt_drop(meta, DROP_WG_NO_KEYPAIR);
		return NULL;
	}
	return keypair;
}

// Queues one packet for sealing. m->data is the inner packet, trimmed to its total length.
static void encrypt_prepare(struct worker *worker, struct rte_mbuf *m, struct encrypt_batch *batch)
{
	struct pkt_meta *meta = pkt_meta(m);
	struct dp_session *session = &worker->dp->sessions[meta->slot];
	struct wg_keypair *keypair = keypair_choose(worker, meta, session);
	uint32_t inner = m->data_len;
	uint32_t padded = wg_padding_padded_bytes(inner, worker->dp->config->tunnel.mtu);
	uint64_t counter;

	if (keypair == NULL)
		return;
	char *tail = rte_pktmbuf_append(m, padded - inner + WG_TAG_BYTES);
	if (tail == NULL) {
		pkt_drop(meta, DROP_SEGMENTED);
		return;
	}
	if (wg_keypair_take_counters(keypair, 1, &counter) == 0) {
		pkt_drop(meta, DROP_WG_NO_KEYPAIR);
		return;
	}
	memset(tail, 0, padded - inner);
	meta->outer_tos = inner != 0
		? *rte_pktmbuf_mtod_offset(m, uint8_t *, INNER_TOS_OFFSET) & ECN_MASK
		: 0;
	batch->ops[batch->n++] = (struct wg_aead_op){
		.key = keypair->send_key,
		.counter = counter,
		.data = rte_pktmbuf_mtod(m, uint8_t *),
		.len = padded,
	};
	struct wg_message_data *head =
		(struct wg_message_data *)rte_pktmbuf_prepend(m, sizeof(*head));
	head->type = htole32(WG_MESSAGE_DATA);
	head->receiver_index = htole32(keypair->remote_index);
	head->counter = htole64(counter);
	wg_timers_sent(&session->timers, inner != 0, worker->now_ns);
}

// Outer headers. DF is clear, so that a path narrower than tunnel MTU + 60 still works; the UDP
// checksum is zero (RFC 768), since the payload carries its own, stronger one; the ECN field is the
// inner one's (RFC 6040, section 4.1), the DSCP is not told to the world.
static void encapsulate(struct worker *worker, struct rte_mbuf *m)
{
	struct pkt_meta *meta = pkt_meta(m);
	const struct net_port *port = &worker->dp->ports[worker->dp->tunnel_port];
	const struct mail_endpoint *endpoint = &worker->dp->sessions[meta->slot].endpoint;
	uint16_t payload = m->data_len;
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)rte_pktmbuf_prepend(
		m, sizeof(struct rte_ipv4_hdr) + sizeof(struct rte_udp_hdr)
	);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);

	udp->src_port = htobe16(worker->dp->config->wireguard.listen_port);
	udp->dst_port = endpoint->port_be;
	udp->dgram_len = htobe16(payload + sizeof(*udp));
	udp->dgram_cksum = 0;
	*ip = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.type_of_service = meta->outer_tos,
		.total_length = htobe16(m->data_len),
		.packet_id = htobe16(worker->ip_id++),
		.time_to_live = OUTER_TTL,
		.next_proto_id = IPPROTO_UDP,
		.src_addr = port->addr_be,
		.dst_addr = endpoint->addr_be,
	};
	if (port->has_tx_ip_cksum) {
		m->ol_flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;
		m->l2_len = sizeof(struct rte_ether_hdr);
		m->l3_len = sizeof(*ip);
	} else {
		net_checksum_set_ipv4((uint8_t *)ip, sizeof(*ip));
	}
	meta->port = worker->dp->tunnel_port;
}

void stage_encrypt(struct worker *worker, struct burst *burst)
{
	struct encrypt_batch batch;

	batch.n = 0;
	for (unsigned i = 0; i < burst->n; i++)
		encrypt_prepare(worker, burst->pkts[i], &batch);
	wg_aead_seal(worker->aead, batch.ops, batch.n);
	for (unsigned i = 0; i < burst->n; i++)
		if (pkt_meta(burst->pkts[i])->verdict == PKT_PASS)
			encapsulate(worker, burst->pkts[i]);
}
