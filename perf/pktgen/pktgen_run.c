// SPDX-License-Identifier: Apache-2.0
//
// See pktgen_run.h.
#include "perf/pktgen/pktgen_run.h"

#include "perf/pktgen/pktgen_clock.h"

#include <rte_ethdev.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BURST 32
#define DESCRIPTORS 1024
#define POOL_MBUFS 16384
#define OUTER_BYTES (FRAME_ETHER_BYTES + FRAME_IPV4_BYTES + 8)
#define BUYER_PORT 20000
#define REMOTE_PORT 9000
#define INNER_PORT 5000
#define RETRY_NS 1000000000ull // of ARP requests and initiations
#define STOP_PKTS 64 // so many are sent from one look for the stop file to the next
#define LOST_NS 30000000000ull // what is under way for so long does not come any more
// Nothing arrived for so long: nothing more will; four times that while some have not arrived.
#define QUIET_NS 500000000ull

static int port_open(struct pktgen_run *run, enum pktgen_side side)
{
	struct pktgen_port *port = &run->ports[side];
	const char *devargs = run->conf.devargs[side];
	struct rte_dev_iterator iterator;
	struct rte_eth_conf conf = {0};
	struct rte_ether_addr mac;
	int result = rte_dev_probe(devargs);

	if (result != 0) {
		fprintf(stderr,
			"pktgen: port %s: cannot be probed: %s\n",
			devargs,
			strerror(-result));
		return result;
	}
	port->id = RTE_MAX_ETHPORTS;
	RTE_ETH_FOREACH_MATCHING_DEV(port->id, devargs, &iterator)
	{
		rte_eth_iterator_cleanup(&iterator);
		break;
	}
	if (port->id >= RTE_MAX_ETHPORTS || rte_eth_dev_configure(port->id, 1, 1, &conf) != 0 ||
	    rte_eth_rx_queue_setup(port->id, 0, DESCRIPTORS, SOCKET_ID_ANY, NULL, run->pool) != 0 ||
	    rte_eth_tx_queue_setup(port->id, 0, DESCRIPTORS, SOCKET_ID_ANY, NULL) != 0 ||
	    rte_eth_dev_start(port->id) != 0 || rte_eth_macaddr_get(port->id, &mac) != 0) {
		fprintf(stderr, "pktgen: port %s: cannot be started\n", devargs);
		return -EIO;
	}
	rte_eth_promiscuous_enable(port->id);
	memcpy(port->mac, &mac, 6);
	return 0;
}

int pktgen_run_open(struct pktgen_run *run)
{
	run->pool = rte_pktmbuf_pool_create(
		"pktgen", POOL_MBUFS, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY
	);
	if (run->pool == NULL) {
		fprintf(stderr, "pktgen: no memory for %d packet buffers\n", POOL_MBUFS);
		return -ENOMEM;
	}
	int result = port_open(run, SIDE_TUNNEL);
	return result != 0 ? result : port_open(run, SIDE_INTERNET);
}

void pktgen_run_close(struct pktgen_run *run)
{
	for (unsigned side = 0; side < N_SIDE; side++) {
		rte_eth_dev_stop(run->ports[side].id);
		rte_eth_dev_close(run->ports[side].id);
	}
}

// Sends a frame, waiting a little for a full queue; loss on the generator's own link would be taken
// for the node's.
static bool frame_send(
	struct pktgen_run *run, enum pktgen_side side, const uint8_t *frame, size_t len
)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(run->pool);
	uint64_t give_up_ns = 0;

	if (m == NULL)
		return false;
	memcpy(rte_pktmbuf_append(m, (uint16_t)len), frame, len);
	while (rte_eth_tx_burst(run->ports[side].id, 0, &m, 1) == 0) {
		uint64_t now_ns = pktgen_clock_mono_ns();
		if (give_up_ns == 0)
			give_up_ns = now_ns + 100000000;
		if (now_ns > give_up_ns) {
			run->n_tx_refused++;
			rte_pktmbuf_free(m);
			return false;
		}
	}
	return true;
}

static void ether_write(struct pktgen_run *run, enum pktgen_side side, uint8_t *frame)
{
	memcpy(frame, run->ports[side].node_mac, 6);
	memcpy(frame + 6, run->ports[side].mac, 6);
	frame[12] = 8;
	frame[13] = 0;
}

// A WireGuard message of a buyer, as a datagram to the node.
static bool message_send(
	struct pktgen_run *run, const struct pktgen_buyer *buyer, const uint8_t *message, size_t len
)
{
	uint8_t frame[FRAME_CAP];
	uint8_t *ip = frame + FRAME_ETHER_BYTES;
	uint16_t words[] = {
		htons(buyer->port), htons(run->conf.listen_port), htons((uint16_t)(len + 8)), 0};
	uint16_t total = htons((uint16_t)(FRAME_IPV4_BYTES + 8 + len));

	ether_write(run, SIDE_TUNNEL, frame);
	memset(ip, 0, FRAME_IPV4_BYTES);
	ip[0] = 0x45;
	memcpy(ip + 2, &total, 2);
	ip[8] = 64;
	ip[9] = FRAME_UDP;
	memcpy(ip + 12, &buyer->addr_be, 4);
	memcpy(ip + 16, &run->conf.node_be[SIDE_TUNNEL], 4);
	uint16_t check = pktgen_frame_checksum(0, ip, FRAME_IPV4_BYTES);
	memcpy(ip + 10, &check, 2);
	memcpy(ip + FRAME_IPV4_BYTES, words, sizeof(words));
	memcpy(ip + FRAME_IPV4_BYTES + 8, message, len);
	return frame_send(run, SIDE_TUNNEL, frame, OUTER_BYTES + len);
}

static void bad(struct pktgen_run *run, const char *why)
{
	run->n_bad++;
	run->bad_why = why;
}

static bool is_ours(const struct pktgen_run *run, enum pktgen_side side, uint32_t addr_be)
{
	uint32_t offset = ntohl(addr_be) - ntohl(run->conf.first_buyer_be);

	return side == SIDE_INTERNET ? addr_be == run->conf.remote_be
				     : offset < run->conf.n_buyer_addresses;
}

static void arp_read(struct pktgen_run *run, enum pktgen_side side, const struct pktgen_arp *arp)
{
	struct pktgen_port *port = &run->ports[side];
	uint8_t frame[42];

	if (arp->op == 2 && arp->sender_be == run->conf.node_be[side]) {
		memcpy(port->node_mac, arp->sender_mac, 6);
		port->is_node_known = true;
		return;
	}
	if (arp->op != 1 || !is_ours(run, side, arp->target_be))
		return;
	struct pktgen_arp reply = {
		.op = 2, .sender_be = arp->target_be, .target_be = arp->sender_be};
	memcpy(reply.sender_mac, port->mac, 6);
	memcpy(reply.target_mac, arp->sender_mac, 6);
	pktgen_frame_build_arp(frame, &reply);
	frame_send(run, side, frame, sizeof(frame));
}

// The internet host: counts, and answers with the same mark from where the packet was sent to.
static void internet_read(struct pktgen_run *run, const struct pktgen_packet *packet)
{
	uint8_t frame[FRAME_CAP];

	if (packet->mark.buyer >= run->n_buyers || packet->mark.is_reply ||
	    packet->dst_be != run->conf.remote_be) {
		bad(run, "packet for nobody on the internet side");
		return;
	}
	struct pktgen_buyer *buyer = &run->buyers[packet->mark.buyer];
	run->n_under_way--;
	buyer->out_arrived_pkts++;
	buyer->out_arrived_bytes += packet->total_len;
	if (!run->conf.is_two_way)
		return;
	struct pktgen_packet reply = *packet;
	reply.src_be = packet->dst_be;
	reply.dst_be = packet->src_be;
	reply.sport = packet->proto == FRAME_ICMP ? packet->sport : packet->dport;
	reply.dport = packet->sport;
	reply.ttl = 64;
	reply.is_echo_reply = 1;
	reply.mark.is_reply = 1;
	ether_write(run, SIDE_INTERNET, frame);
	pktgen_frame_build(frame + FRAME_ETHER_BYTES, &reply);
	if (frame_send(run, SIDE_INTERNET, frame, FRAME_ETHER_BYTES + reply.total_len)) {
		run->n_under_way++;
		buyer->in_sent_pkts++;
		buyer->in_sent_bytes += reply.total_len;
	}
}

// What a buyer got through its tunnel.
static void inner_read(struct pktgen_run *run, uint32_t i, const uint8_t *inner, size_t len)
{
	struct pktgen_buyer *buyer = &run->buyers[i];
	struct pktgen_packet packet;
	const char *why = pktgen_frame_read(inner, len, &packet);

	if (why != NULL)
		bad(run, why);
	else if (packet.mark.buyer != i || packet.dst_be != buyer->inner_be)
		bad(run, "packet of another buyer in the tunnel");
	else if (!packet.mark.is_reply || packet.src_be != run->conf.remote_be)
		bad(run, "packet in the tunnel that the internet side did not send");
	else {
		run->n_under_way--;
		buyer->in_arrived_pkts++;
		buyer->in_arrived_bytes += packet.total_len;
	}
}

static void tunnel_read(struct pktgen_run *run, uint8_t *ip, size_t len)
{
	uint8_t inner[FRAME_CAP];
	uint16_t dport;
	uint32_t dst_be;
	const char *why;

	if (len < FRAME_IPV4_BYTES + 8 || ip[0] != 0x45 || ip[9] != FRAME_UDP ||
	    pktgen_frame_checksum(0, ip, FRAME_IPV4_BYTES) != 0) {
		bad(run, "no UDP datagram from the node on the tunnel link");
		return;
	}
	memcpy(&dst_be, ip + 16, 4);
	memcpy(&dport, ip + FRAME_IPV4_BYTES + 2, 2);
	uint32_t i = ntohs(dport) - BUYER_PORT;
	if (i >= run->n_buyers || run->buyers[i].addr_be != dst_be) {
		bad(run, "datagram to an endpoint that no buyer has");
		return;
	}
	size_t total = (size_t)(ip[2] << 8 | ip[3]);
	if (total > len || total < FRAME_IPV4_BYTES + 8) {
		bad(run, "datagram of a wrong length");
		return;
	}
	int inner_len = pktgen_buyer_read(
		&run->buyers[i],
		ip + FRAME_IPV4_BYTES + 8,
		total - FRAME_IPV4_BYTES - 8,
		inner,
		&why
	);
	if (inner_len < 0)
		bad(run, why);
	else if (inner_len > 0)
		inner_read(run, i, inner, (size_t)inner_len);
}

static void frame_read(struct pktgen_run *run, enum pktgen_side side, uint8_t *frame, size_t len)
{
	struct pktgen_packet packet;
	struct pktgen_arp arp;

	if (pktgen_frame_read_arp(frame, len, &arp)) {
		arp_read(run, side, &arp);
		return;
	}
	if (len < FRAME_ETHER_BYTES || frame[12] != 8 || frame[13] != 0)
		return; // the kernel's end of a veth speaks IPv6
	if (side == SIDE_TUNNEL) {
		tunnel_read(run, frame + FRAME_ETHER_BYTES, len - FRAME_ETHER_BYTES);
		return;
	}
	const char *why =
		pktgen_frame_read(frame + FRAME_ETHER_BYTES, len - FRAME_ETHER_BYTES, &packet);
	if (why != NULL)
		bad(run, why);
	else
		internet_read(run, &packet);
}

static void arrival_note(struct pktgen_run *run)
{
	uint64_t now_ns = pktgen_clock_mono_ns();

	if (run->n_under_way != 0 && now_ns - run->last_arrival_ns > run->silence_ns)
		run->silence_ns = now_ns - run->last_arrival_ns;
	run->last_arrival_ns = now_ns;
}

static void receive(struct pktgen_run *run)
{
	struct rte_mbuf *pkts[BURST];

	for (unsigned side = 0; side < N_SIDE; side++) {
		uint16_t n = rte_eth_rx_burst(run->ports[side].id, 0, pkts, BURST);

		if (n != 0)
			arrival_note(run);
		for (uint16_t i = 0; i < n; i++) {
			frame_read(
				run, side, rte_pktmbuf_mtod(pkts[i], uint8_t *), pkts[i]->data_len
			);
			rte_pktmbuf_free(pkts[i]);
		}
	}
}

static bool is_late(const struct pktgen_run *run)
{
	return pktgen_clock_mono_ns() - run->start_ns > run->conf.timeout_sec * 1000000000ull;
}

int pktgen_run_resolve(struct pktgen_run *run)
{
	uint64_t asked_ns = 0;

	while (!run->ports[0].is_node_known || !run->ports[1].is_node_known) {
		uint64_t now_ns = pktgen_clock_mono_ns();
		for (unsigned side = 0; side < N_SIDE && now_ns - asked_ns > RETRY_NS; side++) {
			struct pktgen_arp arp = {
				.op = 1,
				.sender_be = side == SIDE_TUNNEL ? run->conf.first_buyer_be
								 : run->conf.remote_be,
				.target_be = run->conf.node_be[side],
			};
			uint8_t frame[42];

			memcpy(arp.sender_mac, run->ports[side].mac, 6);
			pktgen_frame_build_arp(frame, &arp);
			frame_send(run, side, frame, sizeof(frame));
		}
		if (now_ns - asked_ns > RETRY_NS)
			asked_ns = now_ns;
		receive(run);
		if (is_late(run)) {
			fprintf(stderr,
				"pktgen: the node answers no ARP on the %s link\n",
				run->ports[0].is_node_known ? "internet" : "tunnel");
			return -ETIMEDOUT;
		}
	}
	run->n_tx_refused = 0; // questions on a link that was not up yet, asked again since
	return 0;
}

static void buyer_place(struct pktgen_run *run, uint32_t i)
{
	struct pktgen_buyer *buyer = &run->buyers[i];

	memcpy(buyer->node_public_key, run->conf.node_public_key, 32);
	buyer->addr_be = htonl(ntohl(run->conf.first_buyer_be) + i % run->conf.n_buyer_addresses);
	buyer->port = (uint16_t)(BUYER_PORT + i);
	buyer->index = i;
}

// Few at a time, so that the node's handshake queue is not what is measured.
int pktgen_run_connect(struct pktgen_run *run)
{
	uint32_t first = 0;

	for (uint32_t i = 0; i < run->n_buyers; i++)
		buyer_place(run, i);
	while (first < run->n_buyers) {
		uint32_t last = first + BURST < run->n_buyers ? first + BURST : run->n_buyers;
		uint64_t sent_ns = pktgen_clock_mono_ns();
		uint32_t n_open = 0;

		for (uint32_t i = first; i < last; i++) {
			struct wg_message_initiation message;
			if (run->buyers[i].is_connected)
				continue;
			run->buyers[i].index += BUYER_INDEX_STEP;
			pktgen_buyer_initiate(&run->buyers[i], pktgen_clock_unix_ns(), &message);
			message_send(run, &run->buyers[i], (uint8_t *)&message, sizeof(message));
		}
		do {
			receive(run);
			n_open = 0;
			for (uint32_t i = first; i < last; i++)
				n_open += !run->buyers[i].is_connected;
		} while (n_open != 0 && pktgen_clock_mono_ns() - sent_ns < RETRY_NS);
		if (n_open == 0)
			first = last;
		if (is_late(run)) {
			fprintf(stderr,
				"pktgen: %u of %u buyers connected; last trouble: %s\n",
				first,
				run->n_buyers,
				run->bad_why != NULL ? run->bad_why : "no answer");
			return -ETIMEDOUT;
		}
	}
	return 0;
}

static uint16_t next_size(const struct pktgen_run *run, uint64_t n)
{
	unsigned n_sizes = 0;

	while (n_sizes < 12 && run->conf.sizes[n_sizes] != 0)
		n_sizes++;
	return run->conf.sizes[n % n_sizes];
}

static void buyer_send(struct pktgen_run *run, uint32_t i)
{
	struct pktgen_buyer *buyer = &run->buyers[i];
	uint8_t inner[FRAME_CAP], message[FRAME_CAP];
	struct pktgen_packet packet = {
		.src_be = buyer->inner_be,
		.dst_be = run->conf.remote_be,
		.sport = INNER_PORT,
		.dport = run->conf.proto == FRAME_ICMP ? INNER_PORT : REMOTE_PORT,
		.proto = run->conf.proto,
		.ttl = 64,
		.total_len = next_size(run, buyer->sequence),
		.mark = {.buyer = i, .sequence = buyer->sequence},
	};

	pktgen_frame_build(inner, &packet);
	size_t len = pktgen_buyer_seal(buyer, inner, packet.total_len, message);
	buyer->sequence++;
	if (!message_send(run, buyer, message, len))
		return;
	buyer->out_sent_pkts++;
	buyer->out_sent_bytes += packet.total_len;
	run->n_sent++;
	run->n_under_way++;
}

static bool is_window_full(const struct pktgen_run *run)
{
	return run->conf.window_pkts != 0 && run->n_under_way >= run->conf.window_pkts;
}

// Whether the n-th packet, from 0, has to wait: for its time, or for others to arrive.
static bool is_early(const struct pktgen_run *run, uint64_t n, uint64_t start_ns)
{
	uint64_t rate_pps = run->conf.rate_pps;

	if (is_window_full(run))
		return pktgen_clock_mono_ns() - run->last_arrival_ns < LOST_NS;
	return rate_pps != 0 && pktgen_clock_mono_ns() - start_ns < n * 1000000000ull / rate_pps;
}

static bool is_stopped(const struct pktgen_run *run, uint64_t n)
{
	return run->conf.stop_file != NULL && n % STOP_PKTS == 0 &&
		access(run->conf.stop_file, F_OK) == 0;
}

// How long nothing must arrive for the run to be over. Within a window nothing is lost by itself: what is
// missing waits in a node that does not run for the moment, and will be billed.
static uint64_t quiet_after_ns(const struct pktgen_run *run)
{
	if (run->n_under_way == 0)
		return QUIET_NS;
	return run->conf.window_pkts != 0 ? LOST_NS : 4 * QUIET_NS;
}

int pktgen_run_traffic(struct pktgen_run *run)
{
	uint64_t n_total = run->conf.n_packets * run->n_buyers;
	uint64_t start_ns = pktgen_clock_mono_ns();

	run->last_arrival_ns = start_ns;
	for (uint64_t n = 0; n < n_total && !is_stopped(run, n); n++) {
		buyer_send(run, (uint32_t)(n % run->n_buyers));
		do {
			receive(run);
		} while (is_early(run, n + 1, start_ns) && !is_late(run));
		if (is_window_full(run)) {
			fprintf(stderr, "pktgen: %lu packets did not arrive\n", run->n_under_way);
			return -ETIMEDOUT;
		}
		if (is_late(run)) {
			fprintf(stderr, "pktgen: %lu of %lu packets sent in time\n", n, n_total);
			return -ETIMEDOUT;
		}
	}
	do {
		receive(run);
	} while (pktgen_clock_mono_ns() - run->last_arrival_ns < quiet_after_ns(run) &&
		 !is_late(run));
	return 0;
}
