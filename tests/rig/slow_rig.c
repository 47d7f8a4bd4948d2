// SPDX-License-Identifier: Apache-2.0
//
// See slow_rig.h.
#include "tests/rig/slow_rig.h"

#include "dataplane/wg/wg_primitives.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_rcu_qsbr.h>
#include <rte_ring.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADDR(a, b, c, d) ((a) << 24 | (b) << 16 | (c) << 8 | (d))

static void must(bool is_right, const char *what)
{
	if (is_right)
		return;
	fprintf(stderr, "slow_rig: %s: %s\n", what, rte_strerror(rte_errno));
	exit(1);
}

void slow_rig_eal(void)
{
	// EAL takes a writable vector, and writes no more than its order.
	const char *args[] = {
		"slow_rig",
		"--no-huge",
		"--no-shconf",
		"--no-pci",
		"--no-telemetry",
		"-m",
		"64",
		"-l",
		"0",
		"--log-level=critical",
		NULL,
	};

	must(wg_primitives_init() == 0, "randomness");
	must(rte_eal_init(RTE_DIM(args) - 1, (char **)(uintptr_t)args) >= 0, "EAL");
}

static void configure(struct config *config)
{
	*config = (struct config){
		.n_ports = 2,
		.worker = {.count = SLOW_RIG_N_WORKERS, .n_cores = SLOW_RIG_N_WORKERS},
		.wireguard =
			{
				.listen_port = SLOW_RIG_LISTEN_PORT,
				.under_load_handshakes = 1000,
				.handshakes_per_source = 20,
				.handshake_burst = 5,
			},
		.tunnel =
			{
				.network = {.addr = ADDR(10u, 8, 0, 0), .prefix_len = 24},
				.address = ADDR(10u, 8, 0, 1),
				.mtu = 1420,
			},
		.nat =
			{
				.external_addresses = {ADDR(6u, 0, 0, 1), ADDR(6u, 0, 0, 77)},
				.n_external_addresses = 2,
			},
		.sessions = {.max = SLOW_RIG_N_SLOTS, .idle_event_sec = 300},
		.memory = {.mbufs = 256},
		.arp = {.timeout_sec = 60, .retry_ms = 1000, .hold_packets = SLOW_RIG_HOLD},
		.ports = {{.name = "tun", .mtu = 1500}, {.name = "net", .mtu = 1500}},
		.internet_port_idx = SLOW_RIG_INTERNET,
	};
	strcpy(config->wireguard.psk_dir, "/nonexistent");
}

static void build_port(struct slow_rig *rig, unsigned idx, uint32_t addr)
{
	rig->dp.ports[idx] = (struct net_port){
		.ethdev_id = RTE_MAX_ETHPORTS, // no device: statistics stay zero
		.mac = {2, 0, 0, 0, 0, (uint8_t)(1 + idx)},
		.mtu = 1500,
		.addr_be = htonl(addr),
		.mask_be = htonl(0xffffff00),
		.gateway_be = htonl(rig->config.ports[idx].gateway),
		.is_tunnel = idx == SLOW_RIG_TUNNEL,
		.is_internet = idx == SLOW_RIG_INTERNET,
		.config = &rig->config.ports[idx],
		.neigh = calloc(1, sizeof(struct net_neigh)),
	};
	must(rig->dp.ports[idx].neigh != NULL, "neighbour table");
}

static void build_ring(
	struct slow_rig *rig,
	unsigned i,
	struct shm_ring *consumer,
	struct shm_ring *producer,
	uint32_t capacity,
	uint32_t record_bytes
)
{
	rig->ring_memory[i] = calloc(1, shm_ring_bytes(capacity, record_bytes));
	must(rig->ring_memory[i] != NULL, "shared ring");
	shm_ring_attach_consumer(consumer, rig->ring_memory[i], capacity, record_bytes);
	shm_ring_attach_producer(producer, rig->ring_memory[i], capacity, record_bytes);
}

static void build_segment(struct slow_rig *rig)
{
	struct abi_segment *segment = &rig->dp.segment;

	segment->header = &rig->header;
	segment->slots = rte_zmalloc("slots", SLOW_RIG_N_SLOTS * sizeof(*segment->slots), 64);
	segment->threads =
		rte_zmalloc("threads", (SLOW_RIG_N_WORKERS + 1) * sizeof(*segment->threads), 64);
	segment->ports = rte_zmalloc("ports", 2 * sizeof(*segment->ports), 64);
	must(segment->slots && segment->threads && segment->ports, "segment");
	build_ring(
		rig,
		0,
		&segment->commands,
		&rig->commands,
		ABI_COMMAND_RING,
		sizeof(struct abi_command)
	);
	build_ring(rig, 1, &rig->acks, &segment->acks, ABI_ACK_RING, sizeof(struct abi_ack));
	build_ring(
		rig, 2, &rig->events, &segment->events, ABI_EVENT_RING, sizeof(struct abi_event)
	);
}

static void build_tables(struct slow_rig *rig)
{
	uint32_t n_indices = slowpath_n_keypairs(SLOW_RIG_N_SLOTS);
	struct dp *dp = &rig->dp;
	void *indices = rte_zmalloc("index", wg_index_memory_bytes(n_indices), 64);

	must(indices != NULL && wg_index_init(&dp->index, indices, n_indices) == 0, "indices");
	dp->sessions = rte_zmalloc("sessions", SLOW_RIG_N_SLOTS * sizeof(*dp->sessions), 64);
	dp->qsbr = rte_zmalloc("qsbr", rte_rcu_qsbr_get_memsize(SLOW_RIG_N_WORKERS), 64);
	must(dp->sessions != NULL && dp->qsbr != NULL, "tables");
	must(rte_rcu_qsbr_init(dp->qsbr, SLOW_RIG_N_WORKERS) == 0, "qsbr");
	for (unsigned i = 0; i < SLOW_RIG_N_WORKERS; i++) {
		must(mailbox_create(&dp->mailboxes[i], i, SOCKET_ID_ANY) == 0, "mailbox");
		must(rte_rcu_qsbr_thread_register(dp->qsbr, i) == 0, "qsbr thread");
		rte_rcu_qsbr_thread_online(dp->qsbr, i);
	}
}

struct slow_rig *slow_rig_create(void (*adjust)(struct config *))
{
	struct slow_rig *rig = calloc(1, sizeof(*rig));
	uint8_t private_key[WG_KEY_BYTES];
	char err[256];

	must(rig != NULL, "memory");
	configure(&rig->config);
	if (adjust != NULL)
		adjust(&rig->config);
	clock_manual_init(&rig->clock, &rig->time, 1700000000 * NS_PER_SEC);
	clock_manual_advance(&rig->time, 1000 * NS_PER_SEC);
	rig->dp.config = &rig->config;
	rig->dp.clock = &rig->clock;
	rig->dp.n_workers = SLOW_RIG_N_WORKERS;
	rig->dp.n_ports = 2;
	rig->dp.internet_port = SLOW_RIG_INTERNET;
	rig->dp.pool = rte_pktmbuf_pool_create(
		"slow_rig", 4095, 0, RTE_ALIGN(sizeof(struct pkt_meta), 64), 2176, SOCKET_ID_ANY
	);
	must(rig->dp.pool != NULL, "pool");
	build_port(rig, SLOW_RIG_TUNNEL, ADDR(5u, 0, 0, 1));
	build_port(rig, SLOW_RIG_INTERNET, ADDR(6u, 0, 0, 1));
	build_segment(rig);
	build_tables(rig);
	wg_primitives_generate_private(private_key);
	if (secret_arena_create(
		    &rig->arena, slowpath_secret_bytes(SLOW_RIG_N_SLOTS), err, sizeof(err)
	    ) < 0 ||
	    slowpath_init(&rig->sp, &rig->dp, &rig->arena, private_key, err, sizeof(err)) < 0) {
		fprintf(stderr, "slow_rig: %s\n", err);
		exit(1);
	}
	return rig;
}

unsigned slow_rig_destroy(struct slow_rig *rig)
{
	struct dp *dp = &rig->dp;
	unsigned n_leaked;
	struct rte_mbuf *m;

	for (unsigned i = 0; i < SLOW_RIG_N_WORKERS; i++) {
		while ((m = slow_rig_take(rig, i)) != NULL)
			rte_pktmbuf_free(m);
		while (rte_ring_dequeue(dp->mailboxes[i].up_pkts, (void **)&m) == 0)
			rte_pktmbuf_free(m);
		mailbox_destroy(&dp->mailboxes[i]);
	}
	slowpath_fini(&rig->sp);
	secret_arena_destroy(&rig->arena);
	for (unsigned i = 0; i < 3; i++)
		free(rig->ring_memory[i]);
	free(dp->ports[0].neigh);
	free(dp->ports[1].neigh);
	rte_free(dp->index.entries);
	rte_free(dp->sessions);
	rte_free(dp->qsbr);
	rte_free(dp->segment.slots);
	rte_free(dp->segment.threads);
	rte_free(dp->segment.ports);
	n_leaked = rte_mempool_in_use_count(dp->pool);
	rte_mempool_free(dp->pool);
	free(rig);
	return n_leaked;
}

void slow_rig_run(struct slow_rig *rig)
{
	while (slowpath_poll(&rig->sp) != 0)
		;
}

void slow_rig_advance(struct slow_rig *rig, uint64_t ns)
{
	clock_manual_advance(&rig->time, ns);
	slow_rig_run(rig);
}

void slow_rig_quiesce(struct slow_rig *rig)
{
	for (unsigned i = 0; i < SLOW_RIG_N_WORKERS; i++)
		rte_rcu_qsbr_quiescent(rig->dp.qsbr, i);
}

struct abi_command slow_rig_add_command(uint32_t slot, uint32_t generation, const uint8_t key[32])
{
	struct abi_command command = {
		.kind = ABI_COMMAND_ADD,
		.slot = slot,
		.generation = generation,
		.inner = {.family = ABI_FAMILY_IPV4, .addr = {10, 8, 0, (uint8_t)(2 + slot)}},
		.limit_bytes = 1000000,
		.gate = ABI_GATE_OPEN,
	};

	memcpy(command.public_key, key, sizeof(command.public_key));
	return command;
}

int slow_rig_command(struct slow_rig *rig, struct abi_command command)
{
	struct abi_ack ack;

	command.id = ++rig->next_id;
	must(shm_ring_push(&rig->commands, &command) == 0, "command ring");
	slow_rig_run(rig);
	if (!slow_rig_ack(rig, &ack))
		return -1;
	must(ack.id == command.id, "acknowledgement of another command");
	return (int)ack.result;
}

bool slow_rig_ack(struct slow_rig *rig, struct abi_ack *ret)
{
	return shm_ring_pop(&rig->acks, ret) == 1;
}

bool slow_rig_event(struct slow_rig *rig, struct abi_event *ret)
{
	return shm_ring_pop(&rig->events, ret) == 1;
}

unsigned slow_rig_count_events(struct slow_rig *rig, enum abi_event_kind kind)
{
	struct abi_event event;
	unsigned n = 0;

	while (slow_rig_event(rig, &event))
		n += event.kind == kind;
	return n;
}

void slow_rig_put(
	struct slow_rig *rig,
	unsigned worker,
	const struct pkt_meta *meta,
	const void *data,
	size_t len
)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(rig->dp.pool);

	must(m != NULL, "packet buffer");
	memcpy(rte_pktmbuf_append(m, (uint16_t)len), data, len);
	*pkt_meta(m) = *meta;
	must(rte_ring_enqueue(rig->dp.mailboxes[worker].up_pkts, m) == 0, "ring up");
	rig->n_put++;
}

struct rte_mbuf *slow_rig_take(struct slow_rig *rig, unsigned worker)
{
	struct rte_mbuf *m;

	if (rte_ring_dequeue(rig->dp.mailboxes[worker].down_pkts, (void **)&m) != 0)
		return NULL;
	rig->n_taken++;
	return m;
}

bool slow_rig_take_mail(
	struct slow_rig *rig, unsigned worker, enum mail_kind kind, struct mail *ret
)
{
	struct mail mail;

	while (mail_recv_down(&rig->dp.mailboxes[worker], &mail))
		if (mail.kind == kind) {
			*ret = mail;
			return true;
		}
	return false;
}

uint64_t slow_rig_drops(const struct slow_rig *rig, enum drop_reason reason)
{
	return rig->sp.stats->drops[reason];
}

uint64_t slow_rig_consumed(const struct slow_rig *rig, enum consumed_kind kind)
{
	return rig->sp.stats->consumed[kind];
}

bool slow_rig_check_conservation(const struct slow_rig *rig, uint64_t n_held)
{
	const struct abi_thread_stats *stats = rig->sp.stats;
	uint64_t n_in = rig->n_put + stats->originated_pkts, n_out = rig->n_taken + n_held;

	for (unsigned i = 0; i < N_DROP; i++)
		n_out += stats->drops[i];
	for (unsigned i = 0; i < N_CONSUMED; i++)
		n_out += stats->consumed[i];
	for (unsigned i = 0; i < SLOW_RIG_N_WORKERS; i++)
		n_out += rte_ring_count(rig->dp.mailboxes[i].down_pkts);
	return n_in == n_out;
}
