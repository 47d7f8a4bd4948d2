// SPDX-License-Identifier: Apache-2.0
//
// Who may send what where, and whether it is paid for. First what a router and the contract with the
// buyer demand of the packet, which costs nothing; then expiry, gate, rate and quota
// (dp_session_admit): a packet that passes carries a reservation until stage_tx bills it or the worker
// returns it. Runs on the session's owner worker.
#include "dataplane/net/net_checksum.h"
#include "dataplane/stage/stage.h"
#include "dataplane/stage/stage_originate.h"
#include "dataplane/worker.h"
#include "dataplane/worker_mail.h"

static enum drop_reason refusal(enum dp_admission admission, bool is_inbound)
{
	switch (admission) {
	case DP_ADMIT_BILLED:
	case DP_ADMIT_FREE:
		break;
	case DP_REFUSE_GATE:
		return DROP_GATE_CLOSED;
	case DP_REFUSE_QUOTA:
		return DROP_QUOTA;
	case DP_REFUSE_EXPIRED:
		return DROP_EXPIRED;
	case DP_REFUSE_RATE:
		return is_inbound ? DROP_RATE_IN : DROP_RATE_OUT;
	}
	return DROP_NONE;
}

// What the slow path wants to hear of: a gate that closed, a quota that nears its end.
static void tell(struct worker *worker, uint32_t slot, uint8_t gate_before)
{
	struct dp_session *session = &worker->dp->sessions[slot];
	uint64_t used = session->base_bytes + session->billed_bytes + session->reserved_bytes;

	if (session->gate != gate_before)
		worker_mail_hint(worker, MAIL_GATE_CLOSED, slot);
	if (!session->is_quota_90_told &&
	    used >= session->limit_bytes - session->limit_bytes / 10) {
		session->is_quota_90_told = true;
		worker_mail_hint(worker, MAIL_QUOTA_90, slot);
	}
}

// Reserves `bytes`; with 0 it only asks whether expiry and gate let anything pass.
//
// Returns: whether the packet passes; otherwise it is marked.
static bool admit(struct worker *worker, struct pkt_meta *meta, uint16_t bytes)
{
	struct dp_session *session = &worker->dp->sessions[meta->slot];
	uint8_t gate_before = session->gate;
	enum dp_admission admission =
		dp_session_admit(session, bytes, meta->is_inbound, worker->now_ns);
	enum drop_reason drop = refusal(admission, meta->is_inbound);

	tell(worker, meta->slot, gate_before);
	if (drop != DROP_NONE) {
		pkt_drop(meta, drop);
		return false;
	}
	if (bytes == 0)
		return true;
	meta->bills[meta->n_bills++] = (struct pkt_bill){
		.slot = meta->slot,
		.generation = session->generation,
		.bytes = bytes,
		.flags = (meta->is_inbound ? PKT_BILL_INBOUND : 0) |
			(admission == DP_ADMIT_FREE ? PKT_BILL_FREE : 0),
	};
	return true;
}

// Forwarding's part (RFC 1812 section 5.3.1, RFC 1191): what cannot go on is told to its source.
static bool check_forward(struct worker *worker, struct rte_mbuf *m, uint16_t mtu)
{
	struct pkt_meta *meta = pkt_meta(m);

	if (meta->l3l4.ttl <= 1) {
		stage_originate_error(worker, m, NET_ICMP_ERROR_TTL, 0);
		pkt_drop(meta, DROP_TTL_EXPIRED);
		return false;
	}
	if (meta->l3l4.total_len <= mtu)
		return true;
	if (meta->l3l4.has_df)
		stage_originate_error(worker, m, NET_ICMP_ERROR_TOO_BIG, mtu);
	pkt_drop(meta, meta->l3l4.has_df ? DROP_TOO_BIG_DF : DROP_TOO_BIG);
	return false;
}

// A packet to the node's inner address: it answers pings, and nothing else.
static void admit_local(struct worker *worker, struct rte_mbuf *m)
{
	struct pkt_meta *meta = pkt_meta(m);
	const uint8_t *packet = rte_pktmbuf_mtod(m, const uint8_t *);
	enum drop_reason drop = DROP_MARTIAN;

	if (meta->l3l4.proto == NET_PROTO_ICMP && meta->l3l4.icmp_type == NET_ICMP_ECHO_REQUEST)
		drop = net_checksum_check_l4(packet, &meta->l3l4)
			? (enum drop_reason)stage_originate_echo_reply(worker, m)
			: DROP_L4_CHECKSUM;
	if (drop != DROP_NONE)
		pkt_drop(meta, drop);
	else
		pkt_consume(meta, CONSUMED_ICMP_ECHO);
}

// Where the packet may go. Hairpins pass here and meet the filter of the mapping they aim at.
static enum drop_reason check_destination(const struct worker *worker, uint32_t dst_be)
{
	if (nat_check_external(worker->nat, dst_be))
		return DROP_NONE;
	if (config_cidr_contains(&worker->dp->config->tunnel.network, be32toh(dst_be)))
		return DROP_INNER_TO_INNER;
	return net_martian_check_refused(&worker->dp->martian, dst_be) ? DROP_MARTIAN : DROP_NONE;
}

static void admit_out_one(struct worker *worker, struct rte_mbuf *m)
{
	struct pkt_meta *meta = pkt_meta(m);
	const struct dp *dp = worker->dp;

	// Cryptokey routing (paper, section 2): a key speaks for its one inner address.
	if (meta->l3l4.src_be32 != dp->sessions[meta->slot].inner_addr_be) {
		pkt_drop(meta, DROP_SOURCE_CHECK);
		return;
	}
	if (!admit(worker, meta, 0))
		return;
	if (meta->l3l4.dst_be32 == htobe32(dp->config->tunnel.address)) {
		admit_local(worker, m);
		return;
	}
	enum drop_reason drop = check_destination(worker, meta->l3l4.dst_be32);
	if (drop != DROP_NONE) {
		pkt_drop(meta, drop);
		return;
	}
	if (check_forward(worker, m, dp->ports[dp->internet_port].mtu))
		admit(worker, meta, meta->l3l4.total_len);
}

void stage_admit_out(struct worker *worker, struct burst *burst)
{
	for (unsigned i = 0; i < burst->n; i++)
		admit_out_one(worker, burst->pkts[i]);
}

static void admit_in_one(struct worker *worker, struct rte_mbuf *m)
{
	struct pkt_meta *meta = pkt_meta(m);

	if (admit(worker, meta, 0) && check_forward(worker, m, worker->dp->config->tunnel.mtu))
		admit(worker, meta, meta->l3l4.total_len);
}

void stage_admit_in(struct worker *worker, struct burst *burst)
{
	for (unsigned i = 0; i < burst->n; i++)
		admit_in_one(worker, burst->pkts[i]);
}
