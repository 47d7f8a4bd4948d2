// SPDX-License-Identifier: Apache-2.0
//
// tollwire-dataplane: reads the YAML, builds the data plane by the table below, runs the slow path until
// a signal or a `stop` command, and takes everything down in reverse. What was not started is not
// stopped; secrets are zeroed on every way out.
#include "common/counter.h"
#include "common/log.h"
#include "config/config_load.h"
#include "config/config_report.h"
#include "config/config_write.h"
#include "dataplane/dp.h"
#include "dataplane/eal.h"
#include "dataplane/key_file.h"
#include "dataplane/pkt.h"
#include "dataplane/secret_arena.h"
#include "dataplane/slowpath.h"
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
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ERR_CAP 1024
#define POOL_CACHE 256

struct program {
	struct config config;
	struct config_report report;
	struct dp dp;
	struct clock clock;
	struct secret_arena arena;
	uint8_t *private_key; // in the arena
	uint8_t public_key[WG_KEY_BYTES];
	void *index_memory;
	struct slowpath slowpath;
	bool is_segment_open;
	bool is_drained;
};

struct step {
	const char *name;
	int (*start)(struct program *program, char *err, size_t err_len);
	void (*stop)(struct program *program);
};

static volatile int is_stop_asked;

static void on_signal(int signal_number)
{
	(void)signal_number;
	is_stop_asked = 1;
}

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

static int start_signals(struct program *program, char *err, size_t err_len)
{
	const struct sigaction on_stop = {.sa_handler = on_signal};

	(void)program;
	(void)err;
	(void)err_len;
	sigaction(SIGTERM, &on_stop, NULL);
	sigaction(SIGINT, &on_stop, NULL);
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

static int start_secrets(struct program *program, char *err, size_t err_len)
{
	size_t bytes = slowpath_secret_bytes(program->config.sessions.max) +
		secret_arena_round(WG_KEY_BYTES);
	const char *path = program->config.wireguard.private_key_file;
	bool is_new;
	int rc = wg_primitives_init();

	if (rc < 0) {
		snprintf(err, err_len, "no source of randomness: %s", strerror(-rc));
		return rc;
	}
	rc = secret_arena_create(&program->arena, bytes, err, err_len);
	if (rc < 0)
		return rc;
	program->private_key = secret_arena_take(&program->arena, WG_KEY_BYTES);
	rc = key_file_load_private(path, program->private_key, &is_new, err, err_len);
	if (rc < 0) {
		secret_arena_destroy(&program->arena);
		return rc;
	}
	wg_primitives_derive_public(program->private_key, program->public_key);
	if (is_new)
		log_info("dataplane", "made a private key: %s", path);
	return 0;
}

static void stop_secrets(struct program *program)
{
	secret_arena_destroy(&program->arena);
}

static int start_eal(struct program *program, char *err, size_t err_len)
{
	struct dp *dp = &program->dp;
	int rc = eal_open(&program->config, err, err_len);

	if (rc < 0)
		return rc;
	dp->config = &program->config;
	dp->n_workers = program->config.worker.n_cores;
	dp->tsc_hz = rte_get_tsc_hz();
	dp->base_ns = clock_mono_ns(&clock_system);
	dp->tsc_base = rte_rdtsc();
	program->clock = (struct clock){tsc_mono_ns, system_unix_ns, dp};
	dp->clock = &program->clock;
	counter_set(&dp->wall_minus_mono_ns, clock_unix_ns(dp->clock) - clock_mono_ns(dp->clock));
	return 0;
}

static void stop_eal(struct program *program)
{
	(void)program;
	eal_close();
}

static int start_segment(struct program *program, char *err, size_t err_len)
{
	const struct abi_segment_conf conf = {
		.runtime_dir = program->config.node.runtime_dir,
		.n_slots = program->config.sessions.max,
		.n_threads = program->dp.n_workers + 1,
		.n_ports = program->config.n_ports,
		.tsc_hz = program->dp.tsc_hz,
		.node_public_key = program->public_key,
		.dir_mode_group_writable = 1,
	};

	return abi_segment_create(&program->dp.segment, &conf, err, err_len);
}

// The counters' last word: readers know that nothing is counted any more.
static void stop_segment(struct program *program)
{
	if (program->is_drained)
		counter_set(&program->dp.segment.header->is_stopped, 1);
	abi_segment_close(&program->dp.segment);
}

static int start_pool(struct program *program, char *err, size_t err_len)
{
	const struct config_memory *memory = &program->config.memory;

	program->dp.pool = rte_pktmbuf_pool_create(
		"packets",
		memory->mbufs,
		POOL_CACHE,
		RTE_ALIGN(sizeof(struct pkt_meta), RTE_MBUF_PRIV_ALIGN),
		(uint16_t)memory->mbuf_bytes,
		rte_socket_id()
	);
	if (program->dp.pool != NULL)
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

static void stop_pool(struct program *program)
{
	rte_mempool_free(program->dp.pool);
	program->dp.pool = NULL;
}

static void stop_ports(struct program *program)
{
	for (unsigned i = 0; i < program->dp.n_ports; i++)
		net_port_close(&program->dp.ports[i]);
	program->dp.n_ports = 0;
}

static int start_ports(struct program *program, char *err, size_t err_len)
{
	const struct config *config = &program->config;
	struct dp *dp = &program->dp;

	dp->tunnel_port = (uint8_t)config->tunnel_port_idx;
	dp->internet_port = (uint8_t)config->internet_port_idx;
	for (unsigned i = 0; i < config->n_ports; i++) {
		int rc = net_port_open(
			&dp->ports[i], &config->ports[i], dp->pool, dp->n_workers, err, err_len
		);

		if (rc < 0) {
			stop_ports(program);
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

static int start_martians(struct program *program, char *err, size_t err_len)
{
	const struct config_firewall *firewall = &program->config.firewall;
	struct net_martian_rule rules[2 * CONFIG_MAX_RULES];
	uint32_t own_be[ABI_MAX_PORTS + 1];
	size_t n_rules = 0, n_own = 0;
	int rc;

	add_rules(rules, &n_rules, firewall->allow, firewall->n_allow, true);
	add_rules(rules, &n_rules, firewall->deny, firewall->n_deny, false);
	for (unsigned i = 0; i < program->dp.n_ports; i++)
		own_be[n_own++] = program->dp.ports[i].addr_be;
	own_be[n_own++] = htonl(program->config.tunnel.address);
	rc = net_martian_init(&program->dp.martian, rules, n_rules, own_be, n_own);
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

static void stop_tables(struct program *program)
{
	rte_free(program->index_memory);
	rte_free(program->dp.sessions);
	rte_free(program->dp.qsbr);
	program->index_memory = NULL;
	program->dp.sessions = NULL;
	program->dp.qsbr = NULL;
}

static int start_tables(struct program *program, char *err, size_t err_len)
{
	struct dp *dp = &program->dp;
	uint32_t n_slots = program->config.sessions.max;
	uint32_t n_indices = slowpath_n_keypairs(n_slots);

	program->index_memory =
		rte_zmalloc("index", wg_index_memory_bytes(n_indices), RTE_CACHE_LINE_SIZE);
	dp->sessions =
		rte_zmalloc("sessions", sizeof(struct dp_session) * n_slots, RTE_CACHE_LINE_SIZE);
	dp->qsbr =
		rte_zmalloc("qsbr", rte_rcu_qsbr_get_memsize(ABI_MAX_THREADS), RTE_CACHE_LINE_SIZE);
	if (program->index_memory == NULL || dp->sessions == NULL || dp->qsbr == NULL ||
	    wg_index_init(&dp->index, program->index_memory, n_indices) < 0 ||
	    rte_rcu_qsbr_init(dp->qsbr, ABI_MAX_THREADS) != 0) {
		stop_tables(program);
		snprintf(
			err,
			err_len,
			"no memory for the tables of %u sessions; raise memory.size_mb (%u) or "
			"lower sessions.max",
			n_slots,
			program->config.memory.size_mb
		);
		return -ENOMEM;
	}
	return 0;
}

static void stop_mailboxes(struct program *program)
{
	for (unsigned i = 0; i < program->dp.n_workers; i++)
		mailbox_destroy(&program->dp.mailboxes[i]);
}

static int start_mailboxes(struct program *program, char *err, size_t err_len)
{
	struct dp *dp = &program->dp;

	for (unsigned i = 0; i < dp->n_workers; i++) {
		int socket = (int)rte_lcore_to_socket_id(program->config.worker.cores[i]);

		if (mailbox_create(&dp->mailboxes[i], i, socket) < 0) {
			stop_mailboxes(program);
			snprintf(
				err,
				err_len,
				"no memory for the rings of %u workers; raise memory.size_mb (%u)",
				dp->n_workers,
				program->config.memory.size_mb
			);
			return -ENOMEM;
		}
	}
	return 0;
}

static int start_slowpath(struct program *program, char *err, size_t err_len)
{
	return slowpath_init(
		&program->slowpath,
		&program->dp,
		&program->arena,
		program->private_key,
		err,
		err_len
	);
}

static void stop_slowpath(struct program *program)
{
	slowpath_fini(&program->slowpath);
}

static void stop_workers(struct program *program)
{
	struct dp *dp = &program->dp;

	__atomic_store_n(&dp->is_stopping, true, __ATOMIC_RELEASE);
	rte_eal_mp_wait_lcore();
	for (unsigned i = 0; i < dp->n_workers; i++) {
		worker_destroy(dp->workers[i]);
		dp->workers[i] = NULL;
	}
}

static int start_workers(struct program *program, char *err, size_t err_len)
{
	struct dp *dp = &program->dp;
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < dp->n_workers; i++)
		rc = worker_create(&dp->workers[i], dp, i, err, err_len);
	for (unsigned i = 0; rc == 0 && i < dp->n_workers; i++) {
		unsigned lcore = program->config.worker.cores[i];

		rc = rte_eal_remote_launch(worker_main, dp->workers[i], lcore);
		if (rc < 0)
			snprintf(err, err_len, "worker %u does not start on core %u", i, lcore);
	}
	if (rc < 0)
		stop_workers(program);
	return rc;
}

// In the order of start. `stop` undoes a start that returned 0.
static const struct step steps[] = {
	{"signals", start_signals, NULL},
	{"secrets", start_secrets, stop_secrets},
	{"dpdk", start_eal, stop_eal},
	{"segment", start_segment, stop_segment},
	{"packet buffers", start_pool, stop_pool},
	{"ports", start_ports, stop_ports},
	{"martians", start_martians, NULL},
	{"tables", start_tables, stop_tables},
	{"mailboxes", start_mailboxes, stop_mailboxes},
	{"slow path", start_slowpath, stop_slowpath},
	{"workers", start_workers, stop_workers},
};

#define N_STEPS (sizeof(steps) / sizeof(steps[0]))

static void stop_steps(struct program *program, size_t n_started)
{
	while (n_started-- > 0)
		if (steps[n_started].stop != NULL)
			steps[n_started].stop(program);
}

static int run(struct program *program)
{
	char err[ERR_CAP] = "";
	int rc;

	for (size_t i = 0; i < N_STEPS; i++) {
		rc = steps[i].start(program, err, sizeof(err));
		if (rc < 0) {
			log_error("dataplane", "cannot start %s: %s", steps[i].name, err);
			stop_steps(program, i);
			return rc;
		}
	}
	events_emit(&program->slowpath.events, ABI_EVENT_STARTING, 0, 0, 0);
	log_info(
		"dataplane",
		"running: %u worker%s, %u session slots",
		program->dp.n_workers,
		program->dp.n_workers == 1 ? "" : "s",
		program->config.sessions.max
	);
	rc = slowpath_run(&program->slowpath, &is_stop_asked);
	program->is_drained = rc == 0;
	stop_steps(program, N_STEPS);
	log_info("dataplane", "stopped");
	return rc;
}

static const char usage[] =
	"Usage: tollwire-dataplane --config FILE [--check]\n"
	"\n"
	"The packet half of a tollwire node: WireGuard, NAT and metering through DPDK.\n"
	"Runs until SIGTERM, SIGINT or `stop` from the control plane; then drains and ends.\n"
	"\n"
	"  --config FILE  the node's YAML, shared with tollwire-control\n"
	"  --check        check the configuration, say what is wrong, and end\n"
	"  --version      print the version and end\n"
	"  --help         print this and end\n";

struct options {
	const char *config_path;
	bool is_check;
};

// Returns: 0 to go on, 1 to end well, -EINVAL.
static int parse_options(struct options *ret, int argc, char **argv)
{
	static const struct option table[] = {
		{"config", required_argument, NULL, 'c'},
		{"check", no_argument, NULL, 'k'},
		{"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", table, NULL)) != -1)
		switch (option) {
		case 'c':
			ret->config_path = optarg;
			break;
		case 'k':
			ret->is_check = true;
			break;
		case 'v':
			puts("tollwire-dataplane " TOLLWIRE_VERSION);
			return 1;
		case 'h':
			fputs(usage, stdout);
			return 1;
		default:
			fputs(usage, stderr);
			return -EINVAL;
		}
	if (ret->config_path == NULL || optind != argc) {
		fputs(usage, stderr);
		return -EINVAL;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct program program; // large: tables of pointers by worker
	struct options options = {0};
	int rc = parse_options(&options, argc, argv);

	if (rc != 0)
		return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	rc = config_load(&program.config, options.config_path, &program.report);
	config_report_log(&program.report);
	if (rc < 0)
		return EXIT_FAILURE;
	log_set_level(program.config.node.log_level);
	if (options.is_check)
		return EXIT_SUCCESS;
	config_write_log(&program.config);
	return run(&program) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
