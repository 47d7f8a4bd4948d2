// SPDX-License-Identifier: Apache-2.0
//
// WireGuard transport data in, inner IPv4 packets out. The order is the trust order: length and index
// were checked, then the tag of the whole burst, then, packet by packet, replay, endpoint, key
// confirmation, timers, inner header. Before its own tag is verified a packet changes nothing.
// Runs on the owner worker.
#include "common/counter.h"
#include "dataplane/net/net_checksum.h"
#include "dataplane/stage/stage.h"
#include "dataplane/worker.h"
#include "dataplane/worker_mail.h"

#define ECN_MASK 0x3u
#define ECN_NOT_ECT 0x0u
#define ECN_CE 0x3u
#define IPV4_CHECKSUM_OFFSET 10

struct decrypt_batch {
	struct rte_mbuf *pkts[BURST_CAP];
	struct wg_aead_op ops[BURST_CAP];
	uint8_t verdicts[BURST_CAP];
	unsigned n;
};

static const struct wg_message_data *message_of(struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod(m, const struct wg_message_data *);
}

// Whether the session still holds the keypair: one that fell out stays in the index table until the
// slow path has unlinked it.
static bool session_holds(const struct dp_session *session, const struct wg_keypair *keypair)
{
	const struct wg_keypairs *held = &session->keypairs;

	return session->generation != 0 &&
		(keypair == held->current || keypair == held->next || keypair == held->previous);
}

static void lookup_one(struct worker *worker, struct rte_mbuf *m, struct decrypt_batch *batch)
{
	struct pkt_meta *meta = pkt_meta(m);
	struct wg_index_ref ref;

	if (!wg_index_lookup(&worker->dp->index, le32toh(message_of(m)->receiver_index), &ref) ||
	    ref.kind != WG_INDEX_KEYPAIR || ref.owner != worker->id ||
	    !session_holds(&worker->dp->sessions[ref.slot], ref.handle)) {
		pkt_drop(meta, DROP_WG_INDEX_UNKNOWN);
		return;
	}
	meta->keypair = ref.handle;
	if (!wg_keypair_check_receive(meta->keypair, worker->now_ns)) {
		pkt_drop(meta, DROP_WG_KEYPAIR_EXPIRED);
		return;
	}
	meta->counter = le64toh(message_of(m)->counter);
	batch->ops[batch->n] = (struct wg_aead_op){
		.key = meta->keypair->recv_key,
		.counter = meta->counter,
		.data = rte_pktmbuf_mtod_offset(m, uint8_t *, sizeof(struct wg_message_data)),
		.len = m->data_len - WG_MESSAGE_DATA_OVERHEAD_BYTES,
	};
	batch->pkts[batch->n++] = m;
}

// Roaming: the endpoint is where the last authentic packet came from.
static void endpoint_update(
	struct worker *worker, struct dp_session *session, const struct pkt_meta *meta
)
{
	struct mail_endpoint *endpoint = &session->endpoint;

	if (endpoint->addr_be == meta->remote_addr_be && endpoint->port_be == meta->remote_port_be)
		return;
	endpoint->addr_be = meta->remote_addr_be;
	endpoint->port_be = meta->remote_port_be;
	worker_mail_hint(worker, MAIL_ENDPOINT, meta->slot);
}

static void keypair_confirm(
	struct worker *worker, struct dp_session *session, const struct pkt_meta *meta
)
{
	struct wg_keypair_retired retired;

	if (!wg_keypairs_confirm(&session->keypairs, meta->keypair, &retired))
		return;
	worker_mail_retire(worker, meta->slot, &retired);
	worker_mail_hint(worker, MAIL_CONFIRMED, meta->slot);
}

// RFC 6040 section 4.2: a mark that routers outside put on moves to the inner packet; one that cannot
// carry it is dropped, as the router would have done.
static enum drop_reason ecn_decapsulate(uint8_t *packet, uint8_t outer_tos)
{
	if ((outer_tos & ECN_MASK) != ECN_CE || (packet[1] & ECN_MASK) == ECN_CE)
		return DROP_NONE;
	if ((packet[1] & ECN_MASK) == ECN_NOT_ECT)
		return DROP_INNER_ECN;
	uint16_t old = net_load16(packet), check = net_load16(packet + IPV4_CHECKSUM_OFFSET);
	packet[1] |= ECN_CE;
	uint32_t delta = net_checksum_delta16(old, net_load16(packet));
	net_store16(packet + IPV4_CHECKSUM_OFFSET, net_checksum_apply(check, delta));
	return DROP_NONE;
}

static void parse_inner(struct rte_mbuf *m)
{
	struct pkt_meta *meta = pkt_meta(m);
	uint8_t *packet = rte_pktmbuf_mtod(m, uint8_t *);
	enum drop_reason drop = (enum drop_reason
	)net_parse_ip(packet, m->data_len, NET_PARSE_IP_CHECKSUM, &meta->l3l4);

	if (drop == DROP_NONE)
		drop = ecn_decapsulate(packet, meta->outer_tos);
	if (drop != DROP_NONE) {
		pkt_drop(meta, drop);
		return;
	}
	rte_pktmbuf_trim(m, m->data_len - meta->l3l4.total_len); // the padding
}

// A packet with a verified tag, in the order of arrival.
static void accept_one(struct worker *worker, struct rte_mbuf *m)
{
	struct pkt_meta *meta = pkt_meta(m);
	struct dp_session *session = &worker->dp->sessions[meta->keypair->slot];

	meta->slot = meta->keypair->slot; // from here on a drop is the session's, too
	if (!wg_replay_accept(&meta->keypair->replay, meta->counter)) {
		pkt_drop(meta, DROP_WG_REPLAY);
		return;
	}
	bool is_data = m->data_len > WG_MESSAGE_DATA_MIN_BYTES;
	endpoint_update(worker, session, meta);
	keypair_confirm(worker, session, meta);
	wg_timers_received(&session->timers, is_data, worker->now_ns);
	counter_set(&session->slot->live.last_authentic_unix_ns, worker->now_unix_ns);
	if (session->hints_pending != 0)
		worker_mail_hints_flush(worker, meta->slot);
	if (!is_data) {
		counter_add(&session->slot->free.keepalive_pkts, 1);
		pkt_consume(meta, CONSUMED_KEEPALIVE);
		return;
	}
	rte_pktmbuf_adj(m, sizeof(struct wg_message_data));
	rte_pktmbuf_trim(m, WG_TAG_BYTES);
	parse_inner(m);
}

void stage_decrypt(struct worker *worker, struct burst *burst)
{
	struct decrypt_batch batch;

	batch.n = 0;
	for (unsigned i = 0; i < burst->n; i++)
		wg_index_prefetch(
			&worker->dp->index, le32toh(message_of(burst->pkts[i])->receiver_index)
		);
	for (unsigned i = 0; i < burst->n; i++)
		lookup_one(worker, burst->pkts[i], &batch);
	wg_aead_open(worker->aead, batch.ops, batch.verdicts, batch.n);
	for (unsigned i = 0; i < batch.n; i++) {
		if (batch.verdicts[i] == WG_AEAD_AUTHENTIC)
			accept_one(worker, batch.pkts[i]);
		else
			pkt_drop(pkt_meta(batch.pkts[i]), DROP_WG_AUTH);
	}
}
