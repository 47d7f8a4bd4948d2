// SPDX-License-Identifier: Apache-2.0
//
// See slowpath.h. slowpath_poll() is the order of things; what is done stands in the files it calls.
#include "dataplane/slowpath.h"

#include "common/counter.h"
#include "common/log.h"
#include "dataplane/net/net_port.h"
#include "dataplane/pkt.h"
#include "dataplane/session_mail.h"
#include "dataplane/wg/wg_cookie.h"

#include <rte_rcu_qsbr.h>
#include <rte_ring.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define PKTS_PER_ROUND 32 // of one worker; 32 handshakes are about 6 ms
#define IDLE_SLEEP_NS 500000
#define HEARTBEAT_INTERVAL_NS (100 * NS_PER_MS)
#define PUBLISH_INTERVAL_NS NS_PER_SEC
#define DRAIN_TIMEOUT_NS (5 * NS_PER_SEC)

uint32_t slowpath_n_keypairs(uint32_t n_slots)
{
	uint32_t n = 1024;

	while (n < 4 * n_slots)
		n *= 2;
	return n < WG_INDEX_CAPACITY_MAX ? n : WG_INDEX_CAPACITY_MAX;
}

size_t slowpath_secret_bytes(uint32_t n_slots)
{
	return secret_arena_round(sizeof(struct wg_local)) +
		secret_arena_round(sizeof(struct wg_cookie)) + secret_arena_round(WG_KEY_BYTES) +
		secret_arena_round(sizeof(struct wg_keypair)) * slowpath_n_keypairs(n_slots) +
		peer_table_secret_bytes(n_slots);
}

static int init_secrets(struct slowpath *sp, const uint8_t private_key[WG_KEY_BYTES])
{
	uint32_t n_slots = sp->dp->config->sessions.max;
	int rc;

	sp->local = secret_arena_take(sp->arena, sizeof(*sp->local));
	sp->cookie = secret_arena_take(sp->arena, sizeof(*sp->cookie));
	sp->psk = secret_arena_take(sp->arena, WG_KEY_BYTES);
	if (sp->local == NULL || sp->cookie == NULL || sp->psk == NULL)
		return -ENOMEM;
	wg_local_init(sp->local, private_key);
	wg_cookie_init(sp->cookie, sp->local->public_key);
	rc = secret_pool_init(
		&sp->keypairs, sp->arena, sizeof(struct wg_keypair), slowpath_n_keypairs(n_slots)
	);
	return rc < 0 ? rc : peer_table_init(&sp->peers, n_slots, sp->arena);
}

static void init_command(struct slowpath *sp)
{
	const struct config_tunnel *tunnel = &sp->dp->config->tunnel;
	struct command_check_conf conf = {
		.n_slots = sp->dp->config->sessions.max,
		.tunnel_addr = tunnel->network.addr,
		.tunnel_mask = config_cidr_mask(tunnel->network.prefix_len),
		.node_addr = tunnel->address,
	};

	memcpy(conf.node_public_key, sp->local->public_key, sizeof(conf.node_public_key));
	command_init(&sp->command, &conf);
}

static int init_parts(struct slowpath *sp, const uint8_t private_key[WG_KEY_BYTES])
{
	int rc = init_secrets(sp, private_key);

	if (rc == 0)
		rc = slow_pkt_init(sp);
	if (rc == 0)
		rc = handshake_init(sp);
	if (rc == 0)
		rc = reclaim_init(sp);
	for (unsigned i = 0; rc == 0 && i < sp->dp->n_ports; i++)
		rc = neigh_init(sp, i);
	return rc;
}

int slowpath_init(
	struct slowpath *sp,
	struct dp *dp,
	struct secret_arena *arena,
	const uint8_t private_key[WG_KEY_BYTES],
	char *err,
	size_t err_len
)
{
	int rc;

	memset(sp, 0, sizeof(*sp));
	sp->dp = dp;
	sp->arena = arena;
	sp->stats = &dp->segment.threads[dp->n_workers];
	sp->now_ns = clock_mono_ns(dp->clock);
	sp->events = (struct events){
		.ring = &dp->segment.events,
		.lost = &dp->segment.header->events_lost,
		.clock = dp->clock,
	};
	rc = init_parts(sp, private_key);
	if (rc < 0) {
		snprintf(
			err,
			err_len,
			"no memory for %u sessions (%s); lower sessions.max",
			dp->config->sessions.max,
			strerror(-rc)
		);
		slowpath_fini(sp);
		return rc;
	}
	init_command(sp);
	return 0;
}

void slowpath_fini(struct slowpath *sp)
{
	if (sp->dp == NULL)
		return;
	for (unsigned i = 0; i < sp->dp->n_ports; i++)
		neigh_fini(&sp->neigh[i]);
	reclaim_fini(sp);
	handshake_fini(sp);
	slow_pkt_fini(sp);
	peer_table_fini(&sp->peers);
	secret_pool_fini(&sp->keypairs);
	if (sp->cookie != NULL)
		wg_cookie_fini(sp->cookie);
	if (sp->local != NULL)
		wg_local_fini(sp->local);
	memset(sp, 0, sizeof(*sp));
}

static void take_packet(struct slowpath *sp, unsigned worker, struct rte_mbuf *m)
{
	struct pkt_meta *meta = pkt_meta(m);

	meta->worker = (uint16_t)worker;
	switch ((enum pkt_slow_kind)meta->slow_kind) {
	case PKT_SLOW_ARP:
		neigh_receive_arp(sp, m);
		break;
	case PKT_SLOW_HANDSHAKE:
		handshake_receive(sp, worker, m);
		break;
	case PKT_SLOW_NEIGH:
		neigh_hold_packet(sp, m);
		break;
	case PKT_SLOW_NONE: // no worker sends such a packet up
		slow_pkt_drop(sp, m, DROP_SHUTDOWN);
		break;
	}
}

static unsigned take_packets(struct slowpath *sp)
{
	unsigned n_queued = 0, n_taken = 0;

	for (unsigned i = 0; i < sp->dp->n_workers; i++)
		n_queued += mail_n_waiting(sp->dp->mailboxes[i].up_pkts);
	handshake_measure_load(sp, n_queued);
	for (unsigned i = 0; n_queued != 0 && i < sp->dp->n_workers; i++) {
		struct rte_mbuf *pkts[PKTS_PER_ROUND];
		unsigned n = rte_ring_sc_dequeue_burst(
			sp->dp->mailboxes[i].up_pkts, (void **)pkts, PKTS_PER_ROUND, NULL
		);

		for (unsigned j = 0; j < n; j++)
			take_packet(sp, i, pkts[j]);
		n_taken += n;
	}
	return n_taken;
}

static void beat(struct slowpath *sp)
{
	struct abi_counters_header *header = sp->dp->segment.header;
	const struct abi_segment *segment = &sp->dp->segment;
	uint64_t unix_ns = clock_unix_ns(sp->dp->clock);

	counter_set(&sp->dp->wall_minus_mono_ns, unix_ns - sp->now_ns);
	if (sp->heartbeat_ns != 0 && sp->now_ns - sp->heartbeat_ns < HEARTBEAT_INTERVAL_NS)
		return;
	sp->heartbeat_ns = sp->now_ns;
	counter_set(&header->heartbeat_unix_ns, unix_ns);
	counter_set(
		&header->control_corrupt,
		segment->commands.n_corrupt + segment->acks.n_corrupt + segment->events.n_corrupt
	);
}

static void publish_ports(struct slowpath *sp)
{
	if (sp->published_ns != 0 && sp->now_ns - sp->published_ns < PUBLISH_INTERVAL_NS)
		return;
	sp->published_ns = sp->now_ns;
	for (unsigned i = 0; i < sp->dp->n_ports; i++)
		net_port_publish(&sp->dp->ports[i], &sp->dp->segment.ports[i]);
}

// The drain is over when every worker has answered, nothing is in a ring or held, and every worker has
// since ended the round in which it took the last of it: a drop counted in that round is counted now.
static void drain_step(struct slowpath *sp, unsigned n_taken)
{
	unsigned n_waiting = sp->pkt.n_returns + n_taken;

	for (unsigned i = 0; i < sp->dp->n_workers; i++) {
		const struct mailbox *box = &sp->dp->mailboxes[i];

		n_waiting += mail_n_waiting(box->up_pkts) + mail_n_waiting(box->down_pkts) +
			mail_n_waiting(box->up_mail) + mail_n_waiting(box->down_mail);
	}
	if (sp->n_drained < sp->dp->n_workers || n_waiting != 0) {
		sp->drain_token = 0;
		return;
	}
	if (sp->drain_token == 0)
		sp->drain_token = rte_rcu_qsbr_start(sp->dp->qsbr);
	else if (rte_rcu_qsbr_check(sp->dp->qsbr, sp->drain_token, false) == 1)
		sp->phase = SLOWPATH_DRAINED;
}

unsigned slowpath_poll(struct slowpath *sp)
{
	unsigned n;

	sp->now_ns = clock_mono_ns(sp->dp->clock);
	beat(sp);
	slow_pkt_flush(sp);
	n = session_mail_take(sp);
	n += take_packets(sp);
	if (sp->phase == SLOWPATH_DRAINING)
		drain_step(sp, n);
	n += command_poll(sp);
	if (sp->phase == SLOWPATH_RUNNING) { // what they begin would have no end after a drain
		scan_poll(sp);
		for (unsigned i = 0; i < sp->dp->n_ports; i++)
			neigh_age(sp, &sp->neigh[i]);
	}
	n += reclaim_poll(sp);
	publish_ports(sp);
	counter_add(&sp->stats->loops, 1);
	return n;
}

void slowpath_drain(struct slowpath *sp)
{
	log_info("dataplane", "draining");
	events_emit(&sp->events, ABI_EVENT_STOPPING, 0, 0, 0);
	sp->phase = SLOWPATH_DRAINING;
	sp->drain_ns = sp->now_ns;
	sp->n_drained = 0;
	for (unsigned i = 0; i < sp->dp->n_ports; i++)
		neigh_drain(sp, &sp->neigh[i]);
	for (unsigned i = 0; i < sp->dp->n_workers; i++)
		while (!mail_send_down(&sp->dp->mailboxes[i], &(struct mail){.kind = MAIL_DRAIN}))
			slowpath_poll(sp); // the worker empties the ring, its mail up is taken
}

static void sleep_idle(void)
{
	const struct timespec wait = {.tv_nsec = IDLE_SLEEP_NS};

	nanosleep(&wait, NULL);
}

int slowpath_run(struct slowpath *sp, const volatile int *is_stop_asked)
{
	while (!*is_stop_asked && !sp->command.is_stop_asked)
		if (slowpath_poll(sp) == 0)
			sleep_idle();
	slowpath_drain(sp);
	while (sp->phase != SLOWPATH_DRAINED) {
		if (sp->now_ns - sp->drain_ns > DRAIN_TIMEOUT_NS) {
			log_error(
				"dataplane",
				"only %u of %u workers drained within 5 s: packets in flight are "
				"lost, uncounted",
				sp->n_drained,
				sp->dp->n_workers
			);
			return -ETIMEDOUT;
		}
		if (slowpath_poll(sp) == 0)
			sleep_idle();
	}
	command_finish_stop(sp);
	return 0;
}
