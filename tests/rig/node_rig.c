// SPDX-License-Identifier: Apache-2.0
//
// See node_rig.h.
#include "tests/rig/node_rig.h"

#include "dataplane/wg/wg_primitives.h"

#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define EPOCH_UNIX_NS (1700000000 * NS_PER_SEC)

static void must(bool is_right, const char *what, const char *detail)
{
	if (is_right)
		return;
	fprintf(stderr, "node rig: %s: %s\n", what, detail);
	exit(1);
}

// Both halves read the same clock, the worker from the TSC itself.
static uint64_t rig_mono_ns(void *ctx)
{
	return dp_tsc_to_ns(ctx, rte_rdtsc());
}

static uint64_t rig_unix_ns(void *ctx)
{
	return EPOCH_UNIX_NS + rig_mono_ns(ctx);
}

static void segment_open(struct node_rig *rig, unsigned n_slots)
{
	struct dp *dp = &rig->worker_rig->dp;
	char err[256] = "";
	struct abi_segment_conf conf = {
		.runtime_dir = rig->dir,
		.n_slots = n_slots,
		.n_threads = 2,
		.n_ports = 2,
		.tsc_hz = dp->tsc_hz,
		.node_public_key = rig->public_key,
	};

	rig->own_slots = dp->segment.slots;
	rig->own_threads = dp->segment.threads;
	must(abi_segment_create(&dp->segment, &conf, err, sizeof(err)) == 0, "segment", err);
	rig->worker_rig->worker->stats = &dp->segment.threads[0];
	must(abi_attach_open(&rig->control, rig->dir, dp->segment.boot_id, err, sizeof(err)) == 0 &&
		     abi_attach_open_control(&rig->control, rig->dir, err, sizeof(err)) == 0,
	     "attach",
	     err);
}

static void threads_prepare(struct dp *dp)
{
	dp->qsbr = rte_zmalloc("qsbr", rte_rcu_qsbr_get_memsize(1), RTE_CACHE_LINE_SIZE);
	must(dp->qsbr != NULL && rte_rcu_qsbr_init(dp->qsbr, 1) == 0, "RCU", "memory");
	rte_rcu_qsbr_thread_register(dp->qsbr, 0);
	rte_rcu_qsbr_thread_online(dp->qsbr, 0);
}

struct node_rig *node_rig_create(unsigned time_factor, void (*adjust)(struct config *))
{
	struct node_rig *rig = calloc(1, sizeof(*rig));
	uint8_t private_key[32];
	char err[256] = "";

	must(rig != NULL, "memory", "none");
	rig->worker_rig = worker_rig_create(0, 0, adjust);
	struct dp *dp = &rig->worker_rig->dp;
	worker_rig_start_clock(rig->worker_rig, time_factor);
	rig->worker_rig->clock = (struct clock){rig_mono_ns, rig_unix_ns, dp};
	strcpy(rig->dir, "/tmp/node_rig.XXXXXX");
	must(mkdtemp(rig->dir) != NULL, "folder", rig->dir);
	wg_primitives_generate_private(private_key);
	wg_primitives_derive_public(private_key, rig->public_key);
	segment_open(rig, rig->worker_rig->config.sessions.max);
	threads_prepare(dp);
	must(secret_arena_create(
		     &rig->arena,
		     slowpath_secret_bytes(rig->worker_rig->config.sessions.max),
		     err,
		     sizeof(err)
	     ) == 0,
	     "arena",
	     err);
	must(slowpath_init(&rig->sp, dp, &rig->arena, private_key, err, sizeof(err)) == 0,
	     "slow path",
	     err);
	return rig;
}

void node_rig_destroy(struct node_rig *rig)
{
	struct dp *dp = &rig->worker_rig->dp;
	char path[256];

	slowpath_fini(&rig->sp);
	secret_arena_destroy(&rig->arena);
	abi_attach_close(&rig->control);
	abi_segment_counters_path(path, sizeof(path), rig->dir, dp->segment.boot_id);
	abi_segment_close(&dp->segment);
	unlink(path);
	snprintf(path, sizeof(path), "%s/dataplane.lock", rig->dir);
	unlink(path);
	rmdir(rig->dir);
	dp->segment.slots = rig->own_slots;
	dp->segment.threads = rig->own_threads;
	rte_free(dp->qsbr);
	worker_rig_destroy(rig->worker_rig);
	free(rig);
}

void node_rig_command(struct node_rig *rig, struct abi_command command)
{
	command.id = ++rig->last_command_id;
	must(shm_ring_push(&rig->control.commands, &command) == 0, "command ring", "full");
}

bool node_rig_ack(struct node_rig *rig, struct abi_ack *ret)
{
	return shm_ring_pop(&rig->control.acks, ret) == 1;
}

bool node_rig_check_conservation(const struct node_rig *rig)
{
	uint64_t in = 0, out = 0;

	for (unsigned t = 0; t < 2; t++) {
		const struct abi_thread_stats *stats = &rig->control.threads[t];

		in += stats->rx_pkts + stats->originated_pkts;
		out += stats->tx_pkts;
		for (unsigned i = 0; i < N_DROP; i++)
			out += stats->drops[i];
		for (unsigned i = 0; i < N_CONSUMED; i++)
			out += stats->consumed[i];
	}
	return in == out;
}
