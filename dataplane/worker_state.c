// SPDX-License-Identifier: Apache-2.0
//
// Building and taking down a worker: its part of the external ports, its NAT tables, its AEAD engine.
// Runs on the main lcore before the worker starts and after it ended.
#include "dataplane/worker.h"

#include <rte_lcore.h>
#include <rte_malloc.h>
#include <sodium.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

// Filter entries and mappings of one worker: what its sessions may hold, within its ports.
static void nat_sizes(const struct config *config, struct nat_conf *conf)
{
	uint64_t ports =
		(uint64_t)NAT_N_PROTO * conf->n_external * (conf->port_hi - conf->port_lo + 1u);
	uint64_t mappings = (uint64_t)config->sessions.max * config->nat.ports_per_session;
	uint64_t filters = (uint64_t)config->sessions.max * config->nat.filters_per_session;

	conf->n_mappings = mappings < ports ? mappings : ports;
	conf->n_filters = filters < UINT32_MAX / 2 ? filters : UINT32_MAX / 2;
}

static void nat_configure(const struct dp *dp, unsigned id, struct nat_conf *conf)
{
	const struct config_nat *nat = &dp->config->nat;
	unsigned per_worker = (nat->port_max - nat->port_min + 1u) / dp->n_workers;

	nat_conf_init(conf);
	conf->n_sessions = dp->config->sessions.max;
	conf->n_external = nat->n_external_addresses;
	for (unsigned i = 0; i < nat->n_external_addresses; i++)
		conf->external_be32[i] = htonl(nat->external_addresses[i]);
	conf->port_lo = nat->port_min + id * per_worker;
	conf->port_hi = conf->port_lo + per_worker - 1;
	conf->session_mapping_limit = nat->ports_per_session;
	conf->session_filter_limit = nat->filters_per_session;
	conf->n_reserved = 1; // CVE-2021-3773: no mapping ever shadows the node's own port
	conf->reserved[0] = (struct nat_reserved){NAT_PROTO_UDP, dp->config->wireguard.listen_port};
	conf->udp_timeout_ns = nat->timeouts.udp_sec * NS_PER_SEC;
	conf->tcp_established_timeout_ns = nat->timeouts.tcp_established_sec * NS_PER_SEC;
	conf->tcp_transitory_timeout_ns = nat->timeouts.tcp_transitory_sec * NS_PER_SEC;
	conf->icmp_timeout_ns = nat->timeouts.icmp_sec * NS_PER_SEC;
	randombytes_buf(conf->seed, sizeof(conf->seed));
	nat_sizes(dp->config, conf);
}

static int nat_create(struct worker *worker, int socket, char *err, size_t err_len)
{
	struct nat_conf conf;

	nat_configure(worker->dp, worker->id, &conf);
	const char *invalid = nat_conf_invalid(&conf);
	if (invalid != NULL) {
		snprintf(
			err,
			err_len,
			"worker %u: NAT cannot use %s of the nat section",
			worker->id,
			invalid
		);
		return -EINVAL;
	}
	size_t bytes = nat_mem_size(&conf);
	void *memory = rte_zmalloc_socket("nat", bytes, RTE_CACHE_LINE_SIZE, socket);
	if (memory == NULL) {
		snprintf(
			err,
			err_len,
			"worker %u: no %zu MB for NAT tables; raise memory.size_mb or lower "
			"sessions.max, nat.ports_per_session or nat.filters_per_session",
			worker->id,
			(bytes >> 20) + 1
		);
		return -ENOMEM;
	}
	worker->nat = nat_init(memory, &conf);
	return 0;
}

int worker_create(struct worker **ret, struct dp *dp, unsigned id, char *err, size_t err_len)
{
	int socket = (int)rte_lcore_to_socket_id(dp->config->worker.cores[id]);
	struct worker *worker =
		rte_zmalloc_socket("worker", sizeof(*worker), RTE_CACHE_LINE_SIZE, socket);
	int result = -ENOMEM;

	if (worker == NULL) {
		snprintf(err, err_len, "worker %u: no memory; raise memory.size_mb", id);
		return -ENOMEM;
	}
	worker->dp = dp;
	worker->id = id;
	worker->queue = id;
	worker->mailbox = &dp->mailboxes[id];
	worker->stats = &dp->segment.threads[id];
	worker->rx_burst = dp->config->worker.burst;
	worker->now_ns = clock_mono_ns(dp->clock);
	net_icmp_bucket_init(
		&worker->icmp_bucket,
		dp->config->icmp.rate_per_sec,
		dp->config->icmp.burst,
		worker->now_ns
	);
	result = wg_aead_create(&worker->aead);
	if (result != 0) {
		snprintf(err, err_len, "worker %u: AEAD engine: processor or memory lacking", id);
		goto err_free;
	}
	result = nat_create(worker, socket, err, err_len);
	if (result != 0)
		goto err_aead;
	*ret = worker;
	return 0;

err_aead:
	wg_aead_destroy(worker->aead);
err_free:
	rte_free(worker);
	return result;
}

void worker_destroy(struct worker *worker)
{
	if (worker == NULL)
		return;
	wg_aead_destroy(worker->aead);
	rte_free(worker->nat);
	rte_free(worker);
}
