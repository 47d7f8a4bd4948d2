// SPDX-License-Identifier: Apache-2.0
//
// See bringup.h.
#include "dataplane/bringup.h"

#include "common/counter.h"
#include "common/log.h"
#include "dataplane/eal.h"
#include "dataplane/key_file.h"
#include "dataplane/pkt.h"
#include "dataplane/wg/wg_primitives.h"
#include "dataplane/worker.h"

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_rcu_qsbr.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define POOL_CACHE 256

// Monotonic time as the workers know it, from the TSC: the slow path compares its own with theirs.
static uint64_t tsc_mono_ns(void *ctx)
{
	return dp_tsc_to_ns(ctx, rte_rdtsc());
}

static uint64_t system_unix_ns(void *ctx)
{
	(void)ctx;
	return clock_unix_ns(&clock_system);
}

int bringup_instance_start(struct bringup *bringup, char *err, size_t err_len)
{
	return abi_segment_probe(bringup->config.node.runtime_dir, err, err_len);
}

int bringup_secrets_start(struct bringup *bringup, char *err, size_t err_len)
{
	size_t bytes = slowpath_secret_bytes(bringup->config.sessions.max) +
		secret_arena_round(WG_KEY_BYTES);
	const char *path = bringup->config.wireguard.private_key_file;
	bool is_new;
	int rc = wg_primitives_init();

	if (rc < 0) {
		snprintf(err, err_len, "no source of randomness: %s", strerror(-rc));
		return rc;
	}
	rc = secret_arena_create(&bringup->arena, bytes, err, err_len);
	if (rc < 0)
		return rc;
	bringup->private_key = secret_arena_take(&bringup->arena, WG_KEY_BYTES);
	rc = key_file_load_private(path, bringup->private_key, &is_new, err, err_len);
	if (rc < 0) {
		secret_arena_destroy(&bringup->arena);
		return rc;
	}
	wg_primitives_derive_public(bringup->private_key, bringup->public_key);
	if (is_new)
		log_info("dataplane", "made a private key: %s", path);
	return 0;
}

void bringup_secrets_stop(struct bringup *bringup)
{
	secret_arena_destroy(&bringup->arena);
}

int bringup_eal_start(struct bringup *bringup, char *err, size_t err_len)
{
	struct dp *dp = &bringup->dp;
	int rc = eal_open(&bringup->config, err, err_len);

	if (rc < 0)
		return rc;
	dp->config = &bringup->config;
	dp->n_workers = bringup->config.worker.n_cores;
	dp->tsc_hz = rte_get_tsc_hz();
	dp->base_ns = clock_mono_ns(&clock_system);
	dp->tsc_base = rte_rdtsc();
	bringup->clock = (struct clock){tsc_mono_ns, system_unix_ns, dp};
	dp->clock = &bringup->clock;
	counter_set(&dp->wall_minus_mono_ns, clock_unix_ns(dp->clock) - clock_mono_ns(dp->clock));
	return 0;
}

void bringup_eal_stop(struct bringup *bringup)
{
	(void)bringup;
	eal_close();
}

int bringup_segment_start(struct bringup *bringup, char *err, size_t err_len)
{
	const struct abi_segment_conf conf = {
		.runtime_dir = bringup->config.node.runtime_dir,
		.n_slots = bringup->config.sessions.max,
		.n_threads = bringup->dp.n_workers + 1,
		.n_ports = bringup->config.n_ports,
		.tsc_hz = bringup->dp.tsc_hz,
		.node_public_key = bringup->public_key,
		.dir_mode_group_writable = 1,
	};

	return abi_segment_create(&bringup->dp.segment, &conf, err, err_len);
}

// The counters' last word: readers know that nothing is counted any more. A start that failed has
// counted nothing, and leaves nothing to be harvested.
void bringup_segment_stop(struct bringup *bringup)
{
	if (bringup->is_drained)
		counter_set(&bringup->dp.segment.header->is_stopped, 1);
	if (!bringup->is_started)
		unlink(bringup->dp.segment.counters_path);
	abi_segment_close(&bringup->dp.segment);
}

int bringup_pool_start(struct bringup *bringup, char *err, size_t err_len)
{
	const struct config_memory *memory = &bringup->config.memory;

	bringup->dp.pool = rte_pktmbuf_pool_create(
		"packets",
		memory->mbufs,
		POOL_CACHE,
		RTE_ALIGN(sizeof(struct pkt_meta), RTE_MBUF_PRIV_ALIGN),
		(uint16_t)memory->mbuf_bytes,
		rte_socket_id()
	);
	if (bringup->dp.pool != NULL)
		return 0;
	snprintf(
		err,
		err_len,
		"no room for %u packet buffers of %u bytes (%s): raise memory.size_mb (%u) or "
		"lower "
		"memory.mbufs",
		memory->mbufs,
		memory->mbuf_bytes,
		strerror(rte_errno),
		memory->size_mb
	);
	return -ENOMEM;
}

void bringup_pool_stop(struct bringup *bringup)
{
	rte_mempool_free(bringup->dp.pool);
	bringup->dp.pool = NULL;
}

void bringup_ports_stop(struct bringup *bringup)
{
	for (unsigned i = 0; i < bringup->dp.n_ports; i++)
		net_port_close(&bringup->dp.ports[i]);
	bringup->dp.n_ports = 0;
}

int bringup_ports_start(struct bringup *bringup, char *err, size_t err_len)
{
	const struct config *config = &bringup->config;
	struct dp *dp = &bringup->dp;

	dp->tunnel_port = (uint8_t)config->tunnel_port_idx;
	dp->internet_port = (uint8_t)config->internet_port_idx;
	for (unsigned i = 0; i < config->n_ports; i++) {
		int rc = net_port_open(
			&dp->ports[i], &config->ports[i], dp->pool, dp->n_workers, err, err_len
		);

		if (rc < 0) {
			bringup_ports_stop(bringup);
			return rc;
		}
		dp->n_ports = i + 1;
	}
	return 0;
}

static void add_rules(
	struct net_martian_rule *rules,
	size_t *n_rules,
	const struct config_cidr *cidrs,
	unsigned n_cidrs,
	bool is_allowed
)
{
	for (unsigned i = 0; i < n_cidrs; i++)
		rules[(*n_rules)++] = (struct net_martian_rule){
			.prefix_be32 = htonl(cidrs[i].addr),
			.len = cidrs[i].prefix_len,
			.is_allowed = is_allowed,
		};
}

int bringup_martians_start(struct bringup *bringup, char *err, size_t err_len)
{
	const struct config_firewall *firewall = &bringup->config.firewall;
	struct net_martian_rule rules[2 * CONFIG_MAX_RULES];
	uint32_t own_be[ABI_MAX_PORTS + 1];
	size_t n_rules = 0, n_own = 0;
	int rc;

	add_rules(rules, &n_rules, firewall->allow, firewall->n_allow, true);
	add_rules(rules, &n_rules, firewall->deny, firewall->n_deny, false);
	for (unsigned i = 0; i < bringup->dp.n_ports; i++)
		own_be[n_own++] = bringup->dp.ports[i].addr_be;
	own_be[n_own++] = htonl(bringup->config.tunnel.address);
	rc = net_martian_init(&bringup->dp.martian, rules, n_rules, own_be, n_own);
	if (rc < 0)
		snprintf(
			err,
			err_len,
			"%zu rules in firewall.allow and firewall.deny cannot be used: %s",
			n_rules,
			strerror(-rc)
		);
	return rc;
}

void bringup_tables_stop(struct bringup *bringup)
{
	rte_free(bringup->index_memory);
	rte_free(bringup->dp.sessions);
	rte_free(bringup->dp.qsbr);
	bringup->index_memory = NULL;
	bringup->dp.sessions = NULL;
	bringup->dp.qsbr = NULL;
}

int bringup_tables_start(struct bringup *bringup, char *err, size_t err_len)
{
	struct dp *dp = &bringup->dp;
	uint32_t n_slots = bringup->config.sessions.max;
	uint32_t n_indices = slowpath_n_keypairs(n_slots);

	bringup->index_memory =
		rte_zmalloc("index", wg_index_memory_bytes(n_indices), RTE_CACHE_LINE_SIZE);
	dp->sessions =
		rte_zmalloc("sessions", sizeof(struct dp_session) * n_slots, RTE_CACHE_LINE_SIZE);
	dp->qsbr =
		rte_zmalloc("qsbr", rte_rcu_qsbr_get_memsize(ABI_MAX_THREADS), RTE_CACHE_LINE_SIZE);
	if (bringup->index_memory == NULL || dp->sessions == NULL || dp->qsbr == NULL ||
	    wg_index_init(&dp->index, bringup->index_memory, n_indices) < 0 ||
	    rte_rcu_qsbr_init(dp->qsbr, ABI_MAX_THREADS) != 0) {
		bringup_tables_stop(bringup);
		snprintf(
			err,
			err_len,
			"no memory for the tables of %u sessions; raise memory.size_mb (%u) or "
			"lower sessions.max",
			n_slots,
			bringup->config.memory.size_mb
		);
		return -ENOMEM;
	}
	return 0;
}

void bringup_mailboxes_stop(struct bringup *bringup)
{
	for (unsigned i = 0; i < bringup->dp.n_workers; i++)
		mailbox_destroy(&bringup->dp.mailboxes[i]);
}

int bringup_mailboxes_start(struct bringup *bringup, char *err, size_t err_len)
{
	struct dp *dp = &bringup->dp;

	for (unsigned i = 0; i < dp->n_workers; i++) {
		int socket = (int)rte_lcore_to_socket_id(bringup->config.worker.cores[i]);

		if (mailbox_create(&dp->mailboxes[i], i, socket) < 0) {
			bringup_mailboxes_stop(bringup);
			snprintf(
				err,
				err_len,
				"no memory for the rings of %u workers; raise memory.size_mb (%u)",
				dp->n_workers,
				bringup->config.memory.size_mb
			);
			return -ENOMEM;
		}
	}
	return 0;
}

int bringup_slowpath_start(struct bringup *bringup, char *err, size_t err_len)
{
	return slowpath_init(
		&bringup->slowpath,
		&bringup->dp,
		&bringup->arena,
		bringup->private_key,
		err,
		err_len
	);
}

void bringup_slowpath_stop(struct bringup *bringup)
{
	slowpath_fini(&bringup->slowpath);
}

void bringup_workers_stop(struct bringup *bringup)
{
	struct dp *dp = &bringup->dp;

	__atomic_store_n(&dp->is_stopping, true, __ATOMIC_RELEASE);
	rte_eal_mp_wait_lcore();
	for (unsigned i = 0; i < dp->n_workers; i++) {
		worker_destroy(dp->workers[i]);
		dp->workers[i] = NULL;
	}
}

int bringup_workers_start(struct bringup *bringup, char *err, size_t err_len)
{
	struct dp *dp = &bringup->dp;
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < dp->n_workers; i++)
		rc = worker_create(&dp->workers[i], dp, i, err, err_len);
	for (unsigned i = 0; rc == 0 && i < dp->n_workers; i++) {
		unsigned lcore = bringup->config.worker.cores[i];

		rc = rte_eal_remote_launch(worker_main, dp->workers[i], lcore);
		if (rc < 0)
			snprintf(err, err_len, "worker %u does not start on core %u", i, lcore);
	}
	if (rc < 0)
		bringup_workers_stop(bringup);
	return rc;
}
