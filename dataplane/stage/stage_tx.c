// SPDX-License-Identifier: Apache-2.0
//
// The transmit call and the meter. A packet is billed when the NIC has accepted it and at no other
// moment; what a packet had reserved is copied before the call, because afterwards the buffer is the
// driver's. Runs on a worker.
#include "common/counter.h"
#include "dataplane/stage/stage.h"
#include "dataplane/worker.h"

#include <rte_ethdev.h>

struct tx_batch {
	struct rte_mbuf *pkts[BURST_CAP];
	struct pkt_bill bills[BURST_CAP][2];
	uint8_t n_bills[BURST_CAP];
	uint16_t len[BURST_CAP];
	uint16_t n;
};

static void batch_add(struct tx_batch *batch, struct rte_mbuf *m)
{
	const struct pkt_meta *meta = pkt_meta(m);
	unsigned i = batch->n++;

	batch->pkts[i] = m;
	batch->bills[i][0] = meta->bills[0];
	batch->bills[i][1] = meta->bills[1];
	batch->n_bills[i] = meta->n_bills;
	batch->len[i] = m->data_len;
}

// Free bytes stand apart from billed ones, and what the node made itself apart from both.
static void bill_free(struct abi_session_free *line, const struct pkt_bill *bill)
{
	uint64_t *counter = &line->free_out_bytes;

	if (bill->flags & PKT_BILL_ORIGINATED)
		counter = &line->originated_bytes;
	else if (bill->flags & PKT_BILL_INBOUND)
		counter = &line->free_in_bytes;
	counter_add(counter, bill->bytes);
}

static void bill_count(struct worker *worker, const struct pkt_bill *bill)
{
	struct dp_session *session = &worker->dp->sessions[bill->slot];

	if (bill->flags & (PKT_BILL_FREE | PKT_BILL_ORIGINATED))
		bill_free(&session->slot->free, bill);
	else
		dp_session_bill(session, bill->bytes, bill->flags & PKT_BILL_INBOUND);
}

static void transmit(struct worker *worker, struct tx_batch *batch, uint16_t ethdev_id)
{
	uint64_t bytes = 0;
	uint16_t n_sent = rte_eth_tx_burst(ethdev_id, worker->queue, batch->pkts, batch->n);

	for (uint16_t i = 0; i < n_sent; i++) {
		bytes += batch->len[i];
		for (unsigned b = 0; b < batch->n_bills[i]; b++)
			bill_count(worker, &batch->bills[i][b]);
	}
	counter_add(&worker->stats->tx_pkts, n_sent);
	counter_add(&worker->stats->tx_bytes, bytes);
	for (uint16_t i = n_sent; i < batch->n; i++) {
		pkt_drop(pkt_meta(batch->pkts[i]), DROP_TX_FULL);
		burst_push(&worker->done, batch->pkts[i]);
	}
}

void stage_tx(struct worker *worker, struct burst *burst)
{
	struct tx_batch batch;

	for (unsigned port = 0; port < worker->dp->n_ports; port++) {
		batch.n = 0;
		for (unsigned i = 0; i < burst->n; i++)
			if (pkt_meta(burst->pkts[i])->port == port)
				batch_add(&batch, burst->pkts[i]);
		if (batch.n != 0)
			transmit(worker, &batch, worker->dp->ports[port].ethdev_id);
	}
	burst->n = 0; // every packet is the driver's or in worker->done
}
