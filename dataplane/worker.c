// SPDX-License-Identifier: Apache-2.0
//
// The worker: one lcore that takes packets from the receive queues of all ports and runs each to its
// end. This page is the order of things and nothing else: a stage (stage/stage.h) works on a burst and
// marks its packets; sweep() moves the marked ones on; release() is the one place where a packet that
// did not leave is counted and freed.
//
// Runs on worker lcores. Owns everything in struct worker, the sessions adopted by mail, and its block
// of statistics.
#include "dataplane/worker.h"

#include "common/counter.h"
#include "dataplane/stage/stage.h"
#include "dataplane/worker_mail.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_rcu_qsbr.h>
#include <rte_ring.h>

#include <time.h>

// A sweep looks at 64,000 entries a second and worker.
#define HOUSEKEEP_INTERVAL_NS NS_PER_MS
#define HOUSEKEEP_ENTRIES 64

typedef void stage_fn(struct worker *worker, struct burst *burst);

static void stage_count(struct worker *worker, enum stage_id stage, unsigned n, uint64_t cycles)
{
	struct abi_stage_stats *stats = &worker->stats->stages[stage];

	counter_add(&stats->calls, 1);
	counter_add(&stats->pkts, n);
	counter_add(&stats->cycles, cycles);
}

// Gives a packet to the slow path, or drops it when the slow path does not keep up.
static void send_slow(struct worker *worker, struct rte_mbuf *m)
{
	struct pkt_meta *meta = pkt_meta(m);

	if (rte_ring_sp_enqueue(worker->mailbox->up_pkts, m) == 0)
		return;
	pkt_drop(meta, meta->slow_kind == PKT_SLOW_HANDSHAKE ? DROP_WG_QUEUE_FULL : DROP_RING_FULL);
	burst_push(&worker->done, m);
}

// Keeps the packets that pass, in order, and moves the others where their verdict says.
static void sweep(struct worker *worker, struct burst *burst)
{
	unsigned n_kept = 0;

	for (unsigned i = 0; i < burst->n; i++) {
		struct rte_mbuf *m = burst->pkts[i];

		switch ((enum pkt_verdict)pkt_meta(m)->verdict) {
		case PKT_PASS:
			burst->pkts[n_kept++] = m;
			break;
		case PKT_DROP:
		case PKT_CONSUMED:
			burst_push(&worker->done, m);
			break;
		case PKT_TRANSPORT:
			pkt_meta(m)->verdict = PKT_PASS;
			burst_push(&worker->transport, m);
			break;
		case PKT_INBOUND:
			pkt_meta(m)->verdict = PKT_PASS;
			burst_push(&worker->inbound, m);
			break;
		case PKT_SLOW:
			pkt_meta(m)->verdict = PKT_PASS;
			send_slow(worker, m);
			break;
		}
	}
	burst->n = n_kept;
}

static void run(struct worker *worker, enum stage_id stage, stage_fn *fn, struct burst *burst)
{
	unsigned n = burst->n;

	if (n == 0)
		return;
	uint64_t start = rte_rdtsc();
	fn(worker, burst);
	sweep(worker, burst);
	stage_count(worker, stage, n, rte_rdtsc() - start);
}

// Passes a burst on to the next one in line.
static void move(struct burst *from, struct burst *to)
{
	for (unsigned i = 0; i < from->n; i++)
		burst_push(to, from->pkts[i]);
	from->n = 0;
}

static void receive(struct worker *worker)
{
	struct burst *burst = &worker->received;
	uint64_t start = rte_rdtsc(), bytes = 0;

	burst->n = 0;
	for (unsigned port = 0; port < worker->dp->n_ports; port++) {
		struct rte_mbuf **pkts = burst->pkts + burst->n;
		uint16_t n = rte_eth_rx_burst(
			worker->dp->ports[port].ethdev_id, worker->queue, pkts, worker->rx_burst
		);

		for (uint16_t i = 0; i < n; i++) {
			struct pkt_meta *meta = pkt_meta(pkts[i]);

			*meta = (struct pkt_meta
			){.port = port, .slot = PKT_SLOT_NONE, .orig_len = pkts[i]->data_len};
			bytes += pkts[i]->pkt_len;
			rte_prefetch0(rte_pktmbuf_mtod(pkts[i], void *));
		}
		burst->n += n;
	}
	if (burst->n == 0)
		return;
	counter_add(&worker->stats->rx_pkts, burst->n);
	counter_add(&worker->stats->rx_bytes, bytes);
	stage_count(worker, STAGE_RX, burst->n, rte_rdtsc() - start);
}

// A packet that waited for its next hop while its session was removed goes nowhere.
static void check_bills(struct worker *worker, struct pkt_meta *meta)
{
	for (unsigned i = 0; i < meta->n_bills; i++) {
		const struct pkt_bill *bill = &meta->bills[i];

		if (worker->dp->sessions[bill->slot].generation != bill->generation)
			pkt_drop(meta, DROP_SHUTDOWN);
	}
}

// Mail, then packets that come down from the slow path: its own, and those that waited for a next hop.
// Only packets that were there before the mail was taken, and only once no mail is left: none overtakes
// a message that was sent before it (mail.h).
static unsigned receive_down(struct worker *worker)
{
	struct rte_mbuf *pkts[BURST_RX];
	unsigned n = mail_n_waiting(worker->mailbox->down_pkts);
	unsigned n_mail = worker_mail_take(worker);

	if (n == 0 || mail_n_waiting(worker->mailbox->down_mail) != 0)
		return n_mail;
	n = rte_ring_sc_dequeue_burst(
		worker->mailbox->down_pkts, (void **)pkts, n < BURST_RX ? n : BURST_RX, NULL
	);

	for (unsigned i = 0; i < n; i++) {
		check_bills(worker, pkt_meta(pkts[i]));
		burst_push(&worker->to_send, pkts[i]);
	}
	sweep(worker, &worker->to_send);
	return n_mail + n;
}

// Gives back what a packet had reserved.
static void return_bills(struct worker *worker, const struct pkt_meta *meta)
{
	for (unsigned i = 0; i < meta->n_bills; i++) {
		const struct pkt_bill *bill = &meta->bills[i];
		struct dp_session *session = &worker->dp->sessions[bill->slot];

		if ((bill->flags & (PKT_BILL_FREE | PKT_BILL_ORIGINATED)) == 0 &&
		    session->generation == bill->generation)
			dp_session_return(session, bill->bytes);
	}
}

static void count_drop(struct worker *worker, const struct pkt_meta *meta)
{
	counter_add(&worker->stats->drops[meta->drop], 1);
	if (meta->slot == PKT_SLOT_NONE || worker->dp->sessions[meta->slot].generation == 0)
		return;
	struct abi_session_free *line = &worker->dp->sessions[meta->slot].slot->free;
	counter_add(meta->is_inbound ? &line->drop_in_pkts : &line->drop_out_pkts, 1);
}

// The end of every packet that the driver did not take.
static void release(struct worker *worker)
{
	struct burst *burst = &worker->done;

	for (unsigned i = 0; i < burst->n; i++) {
		const struct pkt_meta *meta = pkt_meta(burst->pkts[i]);

		return_bills(worker, meta);
		if (meta->verdict == PKT_CONSUMED)
			counter_add(&worker->stats->consumed[meta->consumed], 1);
		else
			count_drop(worker, meta);
	}
	rte_pktmbuf_free_bulk(burst->pkts, burst->n);
	burst->n = 0;
}

static void forward(struct worker *worker)
{
	run(worker, STAGE_CLASSIFY, stage_classify, &worker->received);

	run(worker, STAGE_DECRYPT, stage_decrypt, &worker->transport);
	run(worker, STAGE_ADMIT_OUT, stage_admit_out, &worker->transport);
	run(worker, STAGE_NAT_OUT, stage_nat_out, &worker->transport);
	move(&worker->transport, &worker->to_send);

	run(worker, STAGE_NAT_IN, stage_nat_in, &worker->inbound);
	run(worker, STAGE_ADMIT_IN, stage_admit_in, &worker->inbound);
	run(worker, STAGE_REWRITE_IN, stage_rewrite_in, &worker->inbound);
	move(&worker->inbound, &worker->to_client);
	run(worker, STAGE_ENCRYPT, stage_encrypt, &worker->to_client);
	move(&worker->to_client, &worker->to_send);

	run(worker, STAGE_ROUTE, stage_route, &worker->to_send);
	run(worker, STAGE_TX, stage_tx, &worker->to_send);
	release(worker);
}

// Once in a while: expires idle mappings, a few at a time, and shows what the NAT holds.
static void housekeep(struct worker *worker)
{
	struct abi_nat_stats *stats = &worker->stats->nat;
	const struct nat *nat = worker->nat;

	if (worker->now_ns - worker->housekept_ns < HOUSEKEEP_INTERVAL_NS)
		return;
	worker->housekept_ns = worker->now_ns;
	nat_expire_sweep(worker->nat, HOUSEKEEP_ENTRIES, worker->now_ns);
	counter_set(&stats->mappings_tcp, nat->map.n_by_proto[NAT_PROTO_TCP]);
	counter_set(&stats->mappings_udp, nat->map.n_by_proto[NAT_PROTO_UDP]);
	counter_set(&stats->mappings_icmp, nat->map.n_by_proto[NAT_PROTO_ICMP]);
	counter_set(&stats->filter_entries, nat->filter.n_entries);
	counter_set(&stats->mappings_created, nat->counters.mappings_created);
	counter_set(&stats->mappings_expired, nat->counters.mappings_expired);
	counter_set(&stats->filters_replaced, nat->filter.n_replaced);
	counter_set(&stats->ports_total, nat->ports_total);
}

unsigned worker_poll(struct worker *worker)
{
	uint64_t start = rte_rdtsc();
	unsigned n;

	worker->now_ns = dp_tsc_to_ns(worker->dp, start);
	worker->now_unix_ns = worker->now_ns + counter_read(&worker->dp->wall_minus_mono_ns);
	worker->originated_room = BURST_RX;

	n = receive_down(worker);
	if (n != 0)
		stage_count(worker, STAGE_MAIL, n, rte_rdtsc() - start);
	if (!worker->is_draining && worker_mail_has_room(worker))
		receive(worker);
	n += worker->received.n;
	forward(worker);
	worker_mail_finish(worker);
	housekeep(worker);
	counter_add(&worker->stats->loops, 1);
	if (n != 0)
		counter_add(&worker->stats->busy_cycles, rte_rdtsc() - start);
	else
		stage_count(worker, STAGE_IDLE, 0, rte_rdtsc() - start);
	return n;
}

// Waits a little when there is nothing to do, so that a host without a core to spare can run.
static void idle(const struct worker *worker, unsigned n_idle)
{
	const struct config_worker *config = &worker->dp->config->worker;

	if (config->idle == CONFIG_IDLE_SPIN || n_idle < 16) {
		rte_pause();
		return;
	}
	struct timespec wait = {.tv_nsec = (long)config->sleep_us * 1000};
	nanosleep(&wait, NULL);
}

int worker_main(void *arg)
{
	struct worker *worker = arg;
	struct rte_rcu_qsbr *qsbr = worker->dp->qsbr;
	unsigned n_idle = 0;

	rte_rcu_qsbr_thread_register(qsbr, worker->id);
	rte_rcu_qsbr_thread_online(qsbr, worker->id);
	while (!__atomic_load_n(&worker->dp->is_stopping, __ATOMIC_ACQUIRE)) {
		n_idle = worker_poll(worker) == 0 ? n_idle + 1 : 0;
		rte_rcu_qsbr_quiescent(qsbr, worker->id);
		if (n_idle != 0)
			idle(worker, n_idle);
	}
	rte_rcu_qsbr_thread_offline(qsbr, worker->id);
	rte_rcu_qsbr_thread_unregister(qsbr, worker->id);
	return 0;
}
