// SPDX-License-Identifier: Apache-2.0
//
// See worker_rig.h. One thread is client, node and internet in turn.
#include "tests/rig/worker_rig.h"

#include "common/counter.h"
#include "dataplane/net/net_checksum.h"
#include "dataplane/wg/wg_primitives.h"

#include <rte_bus_vdev.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_ring.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RING_FRAMES 1024
#define POOL_MBUFS 8192
#define LISTEN_PORT 51820
#define CLIENT_PORT 40000
#define ADDR(a, b, c, d) htonl((a) << 24 | (b) << 16 | (c) << 8 | (d))
#define OUTER_BYTES (20 + 8)
#define STANDSTILL_HZ UINT64_MAX // eight seconds of the TSC are a nanosecond

const char *worker_rig_pool_ops;

static const uint8_t far_mac[6] = {2, 0, 0, 0, 0, 9};

static void must(bool is_right, const char *what)
{
	if (is_right)
		return;
	fprintf(stderr, "rig: %s: %s\n", what, rte_strerror(rte_errno));
	exit(1);
}

void worker_rig_eal(void)
{
	// EAL takes a writable vector, and writes no more than its order.
	const char *args[] = {
		"rig",
		"--no-huge",
		"--no-shconf",
		"--no-pci",
		"--no-telemetry",
		"-m",
		"1024",
		"-l",
		"0",
		"--log-level=4",
		NULL,
	};

	must(rte_eal_init(RTE_DIM(args) - 1, (char **)(uintptr_t)args) >= 0, "EAL");
}

static void configure(struct config *config, unsigned n_clients)
{
	*config = (struct config){
		.n_ports = 2,
		.worker = {.count = 1, .n_cores = 1, .burst = 32},
		.ports = {{.name = "tunnel"}, {.name = "internet"}},
		.wireguard =
			{
				.listen_port = LISTEN_PORT,
				.under_load_handshakes = 64,
				.handshakes_per_source = 10000,
				.handshake_burst = 1000,
			},
		.memory = {.mbufs = POOL_MBUFS},
		.arp = {.timeout_sec = 86400, .retry_ms = 1000, .hold_packets = 16},
		.tunnel =
			{
				.network = {.addr = 10u << 24 | 8u << 16, .prefix_len = 16},
				.address = 10u << 24 | 8u << 16 | 1,
				.mtu = 1420,
				.mss_clamp = true,
			},
		.nat =
			{
				.external_addresses = {6u << 24 | 1},
				.n_external_addresses = 1,
				.port_min = 1024,
				.port_max = 65535,
				.ports_per_session = 1024,
				.filters_per_session = 256,
				.timeouts =
					{.udp_sec = 300,
					 .tcp_established_sec = 7440,
					 .tcp_transitory_sec = 240,
					 .icmp_sec = 60},
			},
		.icmp = {.rate_per_sec = 1000, .burst = 50},
		.sessions = {.max = n_clients != 0 ? n_clients : 16, .idle_event_sec = 3600},
		.internet_port_idx = 1,
	};
}

static void port_open(struct worker_rig *rig, unsigned i, uint32_t addr_be)
{
	struct rte_eth_conf conf = {0};
	struct net_port *port = &rig->dp.ports[i];
	char name[32];

	snprintf(name, sizeof(name), "rig_to%u", i);
	rig->to_node[i] = rte_ring_create(name, RING_FRAMES, SOCKET_ID_ANY, 0);
	snprintf(name, sizeof(name), "rig_from%u", i);
	rig->from_node[i] = rte_ring_create(name, RING_FRAMES, SOCKET_ID_ANY, 0);
	must(rig->to_node[i] != NULL && rig->from_node[i] != NULL, "ring");
	snprintf(name, sizeof(name), "rig_port%u", i);
	int id = rte_eth_from_rings(name, &rig->to_node[i], 1, &rig->from_node[i], 1, 0);
	must(id >= 0, "net_ring port");
	must(rte_eth_dev_configure(id, 1, 1, &conf) == 0, "configure");
	must(rte_eth_rx_queue_setup(id, 0, 64, 0, NULL, rig->dp.pool) == 0, "rx queue");
	must(rte_eth_tx_queue_setup(id, 0, 64, 0, NULL) == 0, "tx queue");
	must(rte_eth_dev_start(id) == 0, "start");
	*port = (struct net_port){
		.ethdev_id = id,
		.mac = {2, 0, 0, 0, 0, 1 + i},
		.mtu = 1500,
		.addr_be = addr_be,
		.mask_be = ADDR(255u, 255, 255, 0),
		.is_tunnel = i == WORKER_RIG_TUNNEL,
		.is_internet = i == WORKER_RIG_INTERNET,
		.config = &rig->config.ports[i],
		.neigh = &rig->neighs[i],
	};
}

static void neighbour_add(struct worker_rig *rig, unsigned port, uint32_t addr_be)
{
	struct net_neigh_entry *entry =
		net_neigh_insert(&rig->neighs[port], addr_be, rig->dp.base_ns);

	if (entry != NULL)
		net_neigh_confirm(entry, far_mac, rig->dp.base_ns);
}

// What the slow path does at a handshake, without one: keys by lot, adoption and installation by mail.
static void client_add(struct worker_rig *rig, unsigned slot, uint64_t limit_bytes)
{
	struct worker_rig_client *client = &rig->clients[slot];
	struct wg_keypair *keypair = rte_zmalloc("keypair", sizeof(*keypair), 64);
	uint32_t host = 2 + slot;

	must(keypair != NULL, "keypair");
	*client = (struct worker_rig_client){
		.keypair = keypair,
		.inner_be = ADDR(10u, 8, host >> 8, host & 0xff),
		.addr_be = ADDR(5u, 0, 0, 100 + slot % 100),
		.port_be = htons(CLIENT_PORT + slot),
	};
	wg_primitives_random(client->send_key, sizeof(client->send_key));
	wg_primitives_random(client->recv_key, sizeof(client->recv_key));
	must(wg_index_allot(&rig->dp.index, &client->node_index) == 0, "index");
	memcpy(keypair->recv_key, client->send_key, 32);
	memcpy(keypair->send_key, client->recv_key, 32);
	keypair->created_ns = rig->dp.base_ns;
	keypair->local_index = client->node_index;
	keypair->remote_index = 0x1000 + slot;
	keypair->slot = slot;
	keypair->can_send = keypair->can_receive = true;
	wg_replay_init(&keypair->replay);
	struct wg_index_ref ref = {.handle = keypair, .kind = WG_INDEX_KEYPAIR, .slot = slot};
	wg_index_publish(&rig->dp.index, client->node_index, &ref);
	struct mail adopt = {
		.kind = MAIL_ADOPT,
		.gate = ABI_GATE_OPEN,
		.slot = slot,
		.generation = WORKER_RIG_GENERATION,
		.session =
			{.limits = {.limit_bytes = limit_bytes, .expires_ns = UINT64_MAX},
			 .inner_addr_be = client->inner_be},
	};
	struct mail install = {
		.kind = MAIL_INSTALL,
		.slot = slot,
		.generation = WORKER_RIG_GENERATION,
		.install = {keypair, {client->addr_be, client->port_be}},
	};
	rig->dp.segment.slots[slot].live.generation = WORKER_RIG_GENERATION;
	must(mail_send_down(&rig->dp.mailboxes[0], &adopt), "adopt");
	must(mail_send_down(&rig->dp.mailboxes[0], &install), "install");
	worker_poll(rig->worker);
	worker_rig_send(rig, slot, NULL, 0); // confirms the keypair
	worker_poll(rig->worker);
	worker_rig_flush(rig);
}

struct worker_rig *worker_rig_create(
	unsigned n_clients, uint64_t limit_bytes, void (*adjust)(struct config *)
)
{
	struct worker_rig *rig = rte_zmalloc("rig", sizeof(*rig), 64);
	uint32_t n_indices = 1024;
	char err[256];

	must(rig != NULL && n_clients <= WORKER_RIG_MAX_CLIENTS, "memory");
	configure(&rig->config, n_clients);
	if (adjust != NULL)
		adjust(&rig->config);
	clock_manual_init(&rig->clock, &rig->time, 1700000000 * NS_PER_SEC);
	struct dp *dp = &rig->dp;
	dp->config = &rig->config;
	dp->clock = &rig->clock;
	dp->tsc_hz = STANDSTILL_HZ;
	dp->tsc_base = rte_rdtsc();
	dp->base_ns = 1000 * NS_PER_SEC;
	dp->n_workers = 1;
	dp->n_ports = 2;
	dp->internet_port = WORKER_RIG_INTERNET;
	dp->pool = rte_pktmbuf_pool_create_by_ops(
		"rig_pool",
		POOL_MBUFS,
		0,
		RTE_ALIGN(sizeof(struct pkt_meta), 64),
		2432,
		0,
		worker_rig_pool_ops
	);
	must(dp->pool != NULL, "pool");
	uint32_t n_slots = rig->config.sessions.max;
	while (n_indices < 4 * n_slots)
		n_indices *= 2;
	rig->index_memory = rte_zmalloc("index", wg_index_memory_bytes(n_indices), 64);
	must(rig->index_memory != NULL &&
		     wg_index_init(&dp->index, rig->index_memory, n_indices) == 0,
	     "index table");
	dp->sessions = rte_zmalloc("sessions", n_slots * sizeof(*dp->sessions), 64);
	dp->segment.slots = rte_zmalloc("slots", n_slots * sizeof(*dp->segment.slots), 64);
	dp->segment.threads = rte_zmalloc("threads", 2 * sizeof(*dp->segment.threads), 64);
	must(dp->sessions && dp->segment.slots && dp->segment.threads, "slots");
	must(mailbox_create(&dp->mailboxes[0], 0, SOCKET_ID_ANY) == 0, "mailbox");
	const uint32_t own[] = {ADDR(5u, 0, 0, 1), ADDR(6u, 0, 0, 1)};
	must(net_martian_init(&dp->martian, NULL, 0, own, 2) == 0, "martian");
	port_open(rig, WORKER_RIG_TUNNEL, own[0]);
	port_open(rig, WORKER_RIG_INTERNET, own[1]);
	neighbour_add(rig, WORKER_RIG_INTERNET, ADDR(6u, 0, 0, 9));
	for (unsigned i = 0; i < 100; i++)
		neighbour_add(rig, WORKER_RIG_TUNNEL, ADDR(5u, 0, 0, 100 + i));
	if (worker_create(&rig->worker, dp, 0, err, sizeof(err)) != 0) {
		fprintf(stderr, "rig: %s\n", err);
		exit(1);
	}
	rig->n_clients = n_clients;
	for (unsigned i = 0; i < n_clients; i++)
		client_add(rig, i, limit_bytes);
	// What setting up counted is not the test's.
	memset(dp->segment.threads, 0, 2 * sizeof(*dp->segment.threads));
	return rig;
}

void worker_rig_destroy(struct worker_rig *rig)
{
	char name[32];

	worker_rig_flush(rig);
	worker_destroy(rig->worker);
	for (unsigned i = 0; i < 2; i++) {
		rte_eth_dev_stop(rig->dp.ports[i].ethdev_id);
		snprintf(name, sizeof(name), "net_ring_rig_port%u", i);
		rte_vdev_uninit(name);
		rte_ring_free(rig->to_node[i]);
		rte_ring_free(rig->from_node[i]);
	}
	mailbox_destroy(&rig->dp.mailboxes[0]);
	for (unsigned i = 0; i < rig->n_clients; i++)
		rte_free(rig->clients[i].keypair);
	rte_free(rig->index_memory);
	rte_free(rig->dp.sessions);
	rte_free(rig->dp.segment.slots);
	rte_free(rig->dp.segment.threads);
	rte_mempool_free(rig->dp.pool);
	rte_free(rig);
}

void worker_rig_advance(struct worker_rig *rig, uint64_t ns)
{
	rig->dp.base_ns += ns;
}

void worker_rig_start_clock(struct worker_rig *rig, unsigned factor)
{
	rig->dp.tsc_base = rte_rdtsc();
	rig->dp.tsc_hz = rte_get_tsc_hz() / factor;
}

static size_t l4_build(uint8_t *l4, const struct worker_rig_packet *packet)
{
	size_t len = packet->total_len - 20;

	for (size_t i = 8; i < len; i++)
		l4[i] = (uint8_t)i;
	net_store16(l4, htons(packet->sport));
	net_store16(l4 + 2, htons(packet->dport));
	switch (packet->proto) {
	case NET_PROTO_UDP:
		net_store16(l4 + 4, htons((uint16_t)len));
		break;
	case NET_PROTO_TCP:
		memset(l4 + 4, 0, 16);
		l4[12] = 5 << 4;
		l4[13] = NET_TCP_SYN;
		break;
	default:
		net_store32(l4, htonl(NET_ICMP_ECHO_REQUEST << 24));
		net_store16(l4 + 4, htons(packet->sport));
		net_store16(l4 + 6, htons(1));
	}
	return len;
}

size_t worker_rig_ipv4(uint8_t *at, const struct worker_rig_packet *packet)
{
	struct net_l3l4 l3l4;

	memset(at, 0, 20);
	at[0] = 0x45;
	net_store16(at + 2, htons(packet->total_len));
	at[8] = packet->ttl;
	at[9] = packet->proto;
	net_store32(at + 12, packet->src_be);
	net_store32(at + 16, packet->dst_be);
	l4_build(at + 20, packet);
	net_checksum_set_ipv4(at, 20);
	if (net_parse_ip(at, packet->total_len, 0, &l3l4) == NET_OK)
		net_checksum_set_l4(at, &l3l4);
	return packet->total_len;
}

void worker_rig_put(struct worker_rig *rig, unsigned port, const uint8_t *frame, size_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(rig->dp.pool);

	must(m != NULL, "mbuf");
	memcpy(rte_pktmbuf_append(m, len), frame, len);
	must(rte_ring_enqueue(rig->to_node[port], m) == 0, "receive queue");
}

void worker_rig_put_ipv4(struct worker_rig *rig, unsigned port, const uint8_t *packet, size_t len)
{
	uint8_t frame[WORKER_RIG_FRAME_CAP];

	memcpy(frame, rig->dp.ports[port].mac, 6);
	memcpy(frame + 6, far_mac, 6);
	net_store16(frame + 12, htons(NET_ETHER_TYPE_IPV4));
	memcpy(frame + 14, packet, len);
	worker_rig_put(rig, port, frame, len + 14);
}

size_t worker_rig_seal(
	struct worker_rig *rig, unsigned client_idx, const uint8_t *inner, size_t len, uint8_t *at
)
{
	struct worker_rig_client *client = &rig->clients[client_idx];
	uint8_t plain[WORKER_RIG_FRAME_CAP] = {0};
	size_t padded = (len + 15) & ~(size_t)15;
	struct worker_rig_packet outer = {
		.src_be = client->addr_be,
		.dst_be = rig->dp.ports[WORKER_RIG_TUNNEL].addr_be,
		.sport = ntohs(client->port_be),
		.dport = LISTEN_PORT,
		.proto = NET_PROTO_UDP,
		.ttl = 64,
		.total_len = OUTER_BYTES + 16 + padded + 16,
	};

	worker_rig_ipv4(at, &outer);
	if (len != 0)
		memcpy(plain, inner, len);
	struct wg_message_data *message = (struct wg_message_data *)(at + OUTER_BYTES);
	message->type = htole32(WG_MESSAGE_DATA);
	message->receiver_index = htole32(client->node_index);
	message->counter = htole64(client->send_counter);
	wg_primitives_aead_seal(
		client->send_key,
		client->send_counter++,
		(struct wg_primitives_span){0},
		(struct wg_primitives_span){.data = plain, .len = padded},
		at + OUTER_BYTES + 16
	);
	net_store16(at + 26, 0); // no UDP checksum
	return outer.total_len;
}

void worker_rig_send(struct worker_rig *rig, unsigned client, const uint8_t *inner, size_t len)
{
	uint8_t datagram[WORKER_RIG_FRAME_CAP];
	size_t n = worker_rig_seal(rig, client, inner, len, datagram);

	worker_rig_put_ipv4(rig, WORKER_RIG_TUNNEL, datagram, n);
}

size_t worker_rig_take(struct worker_rig *rig, unsigned port, uint8_t *at)
{
	void *taken;

	if (rte_ring_dequeue(rig->from_node[port], &taken) != 0)
		return 0;
	struct rte_mbuf *m = taken;
	size_t len = m->data_len;
	memcpy(at, rte_pktmbuf_mtod(m, void *), len);
	rte_pktmbuf_free(m);
	return len;
}

int worker_rig_receive(struct worker_rig *rig, unsigned client_idx, uint8_t *inner)
{
	const struct worker_rig_client *client = &rig->clients[client_idx];
	uint8_t frame[WORKER_RIG_FRAME_CAP];
	size_t len = worker_rig_take(rig, WORKER_RIG_TUNNEL, frame);
	const uint8_t *ip = frame + 14;
	const struct wg_message_data *message = (const void *)(ip + OUTER_BYTES);

	if (len == 0)
		return -1;
	if (len < 14 + OUTER_BYTES + WG_MESSAGE_DATA_MIN_BYTES ||
	    !net_checksum_check_ipv4(ip, 20) || net_load32(ip + 16) != client->addr_be ||
	    net_load16(ip + 22) != client->port_be ||
	    le32toh(message->receiver_index) != client->keypair->remote_index)
		return -2;
	struct wg_primitives_span sealed = {
		.data = (const uint8_t *)(message + 1),
		.len = len - 14 - OUTER_BYTES - sizeof(*message),
	};
	if (wg_primitives_aead_open(
		    client->recv_key,
		    le64toh(message->counter),
		    (struct wg_primitives_span){0},
		    sealed,
		    inner
	    ) != 0)
		return -2;
	return (int)(sealed.len - WG_TAG_BYTES);
}

unsigned worker_rig_flush(struct worker_rig *rig)
{
	uint8_t frame[WORKER_RIG_FRAME_CAP];
	struct mail mail;
	unsigned n = 0;
	void *m;

	for (unsigned port = 0; port < 2; port++)
		while (worker_rig_take(rig, port, frame) != 0)
			n++;
	while (rte_ring_dequeue(rig->dp.mailboxes[0].up_pkts, &m) == 0)
		rte_pktmbuf_free(m);
	while (mail_recv_up(&rig->dp.mailboxes[0], &mail))
		;
	return n;
}

bool worker_rig_check_conservation(const struct worker_rig *rig, uint64_t n_held)
{
	const struct abi_thread_stats *stats = rig->worker->stats;
	uint64_t in = stats->rx_pkts + stats->originated_pkts;
	uint64_t out = stats->tx_pkts + n_held;

	for (unsigned i = 0; i < N_DROP; i++)
		out += stats->drops[i];
	for (unsigned i = 0; i < N_CONSUMED; i++)
		out += stats->consumed[i];
	return in == out;
}

uint64_t worker_rig_drops(const struct worker_rig *rig, enum drop_reason reason)
{
	return counter_read(&rig->worker->stats->drops[reason]);
}
