// SPDX-License-Identifier: Apache-2.0
//
// Cycles per packet by stage, outbound and inbound, of a real worker between two net_ring ports, beside
// the bare AEAD engine on the same sizes and burst in the same run. The feeder seals fresh counters
// and builds frames outside what is counted, so replay check, quota and metering do their full work.
// Rings cost less than a NIC's driver; everything between rx and tx is the product's own code.
//
// Each figure is the median over repetitions in which all cases take turns, with minimum and maximum:
// machines drift, ratios inside a run hold.
#include "common/counter.h"
#include "dataplane/wg/wg_primitives.h"
#include "tests/rig/worker_rig.h"

#include <rte_cycles.h>
#include <rte_ring.h>

#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BURST 32
#define MAX_REPETITIONS 101
#define REMOTE_BE htonl(6u << 24 | 9)
#define EXTERNAL_BE htonl(6u << 24 | 1)
#define SPORT 5000
#define DPORT 9000

// What is measured beside the stages.
// RATIO is of path to engine within a repetition, so that a machine that drifts does not bend it.
enum figure { FIGURE_TOTAL = N_STAGE, FIGURE_AEAD, FIGURE_RATIO, N_FIGURE };
enum direction { OUTBOUND, INBOUND, N_DIRECTION };

struct size_case {
	const char *name;
	uint16_t pattern[12]; // inner bytes, in turn; 0 ends
};

static const struct size_case sizes[] = {
	{"64", {64}},
	{"512", {512}},
	{"1420", {1420}},
	{"IMIX", {64, 64, 64, 576, 64, 64, 576, 64, 576, 64, 576, 1420}}, // 7:4:1
};
#define N_SIZES (sizeof(sizes) / sizeof(sizes[0]))

static struct {
	struct worker_rig *rig;
	struct wg_aead *aead;
	unsigned n_repetitions;
	unsigned n_rounds; // bursts in a repetition
	uint16_t ext_port_be[WORKER_RIG_MAX_CLIENTS];
	unsigned next_client;
	unsigned next_size;
	double samples[N_SIZES][N_DIRECTION][N_FIGURE][MAX_REPETITIONS];
} bench;

static uint16_t size_next(const struct size_case *size)
{
	unsigned n = 0;

	while (n < 12 && size->pattern[n] != 0)
		n++;
	return size->pattern[bench.next_size++ % n];
}

static void drain(void)
{
	struct rte_mbuf *pkts[BURST];
	struct mail mail;

	for (unsigned port = 0; port < 2; port++)
		for (unsigned n; (n = rte_ring_dequeue_burst(
					  bench.rig->from_node[port], (void **)pkts, BURST, NULL
				  )) != 0;)
			rte_pktmbuf_free_bulk(pkts, n);
	while (mail_recv_up(bench.rig->worker->mailbox, &mail))
		;
}

static void feed(enum direction direction, uint16_t inner_bytes)
{
	unsigned client = bench.next_client++ % bench.rig->n_clients;
	struct worker_rig_packet packet = {
		.src_be = direction == OUTBOUND ? bench.rig->clients[client].inner_be : REMOTE_BE,
		.dst_be = direction == OUTBOUND ? REMOTE_BE : EXTERNAL_BE,
		.sport = direction == OUTBOUND ? SPORT : DPORT,
		.dport = direction == OUTBOUND ? DPORT : ntohs(bench.ext_port_be[client]),
		.proto = NET_PROTO_UDP,
		.ttl = 64,
		.total_len = inner_bytes,
	};
	uint8_t at[WORKER_RIG_FRAME_CAP];
	size_t len = worker_rig_ipv4(at, &packet);

	if (direction == OUTBOUND)
		worker_rig_send(bench.rig, client, at, len);
	else
		worker_rig_put_ipv4(bench.rig, WORKER_RIG_INTERNET, at, len);
}

// One flow for each client, so that inbound packets find a mapping and its filter.
static void flows_open(void)
{
	uint8_t frame[WORKER_RIG_FRAME_CAP];

	for (unsigned i = 0; i < bench.rig->n_clients; i++) {
		feed(OUTBOUND, 64);
		worker_poll(bench.rig->worker);
		if (worker_rig_take(bench.rig, WORKER_RIG_INTERNET, frame) == 0) {
			fprintf(stderr, "client %u: its first packet did not pass\n", i);
			exit(1);
		}
		memcpy(&bench.ext_port_be[i], frame + 14 + 20, 2);
		drain();
	}
	bench.next_client = 0;
}

static void measure_path(enum direction direction, unsigned size, unsigned repetition)
{
	struct abi_thread_stats *stats = bench.rig->worker->stats;
	struct abi_thread_stats before = *stats;
	unsigned n_pkts = bench.n_rounds * BURST;

	for (unsigned round = 0; round < bench.n_rounds; round++) {
		for (unsigned i = 0; i < BURST; i++)
			feed(direction, size_next(&sizes[size]));
		worker_poll(bench.rig->worker);
		drain();
	}
	if (stats->tx_pkts - before.tx_pkts != n_pkts) {
		fprintf(stderr,
			"of %u packets %lu passed\n",
			n_pkts,
			stats->tx_pkts - before.tx_pkts);
		exit(1);
	}
	for (unsigned i = 0; i < N_STAGE; i++)
		bench.samples[size][direction][i][repetition] =
			(double)(stats->stages[i].cycles - before.stages[i].cycles) / n_pkts;
	bench.samples[size][direction][FIGURE_TOTAL][repetition] =
		(double)(stats->busy_cycles - before.busy_cycles) / n_pkts;
}

// The engine alone: the same burst, sizes, number of keys and padding; buffers warm from the copy that
// stands for the NIC's write.
static void measure_aead(enum direction direction, unsigned size, unsigned repetition)
{
	static uint8_t buffers[BURST][2048], sealed[BURST][2048];
	struct wg_aead_op ops[BURST];
	uint8_t verdicts[BURST];
	uint64_t cycles = 0;

	for (unsigned round = 0; round < bench.n_rounds; round++) {
		for (unsigned i = 0; i < BURST; i++) {
			unsigned client = bench.next_client++ % bench.rig->n_clients;
			ops[i] = (struct wg_aead_op){
				.key = bench.rig->clients[client].send_key,
				.counter = bench.next_client,
				.data = sealed[i],
				.len = (size_next(&sizes[size]) + 15u) & ~15u,
			};
		}
		wg_aead_seal(bench.aead, ops, BURST);
		memcpy(buffers, sealed, sizeof(buffers));
		for (unsigned i = 0; i < BURST; i++)
			ops[i].data = buffers[i];
		uint64_t start = rte_rdtsc();
		if (direction == OUTBOUND)
			wg_aead_open(bench.aead, ops, verdicts, BURST);
		else
			wg_aead_seal(bench.aead, ops, BURST);
		cycles += rte_rdtsc() - start;
	}
	bench.samples[size][direction][FIGURE_AEAD][repetition] =
		(double)cycles / (bench.n_rounds * BURST);
}

static void note_ratio(enum direction direction, unsigned size, unsigned repetition)
{
	bench.samples[size][direction][FIGURE_RATIO][repetition] =
		bench.samples[size][direction][FIGURE_TOTAL][repetition] /
		bench.samples[size][direction][FIGURE_AEAD][repetition];
}

static int compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

struct summary {
	double min, median, max;
};

static struct summary summarise(unsigned size, enum direction direction, unsigned figure)
{
	double *samples = bench.samples[size][direction][figure];

	qsort(samples, bench.n_repetitions, sizeof(*samples), compare);
	return (struct summary
	){samples[0], samples[bench.n_repetitions / 2], samples[bench.n_repetitions - 1]};
}

static const unsigned shown[N_DIRECTION][9] = {
	{STAGE_RX,
	 STAGE_CLASSIFY,
	 STAGE_DECRYPT,
	 STAGE_ADMIT_OUT,
	 STAGE_NAT_OUT,
	 STAGE_ROUTE,
	 STAGE_TX,
	 N_STAGE},
	{STAGE_RX,
	 STAGE_CLASSIFY,
	 STAGE_NAT_IN,
	 STAGE_ADMIT_IN,
	 STAGE_REWRITE_IN,
	 STAGE_ENCRYPT,
	 STAGE_ROUTE,
	 STAGE_TX,
	 N_STAGE},
};

static void print_direction(enum direction direction)
{
	printf("\n%s, %u session%s, cycles per packet (median; min-max of total)\n%-6s",
	       direction == OUTBOUND ? "outbound (open)" : "inbound (seal)",
	       bench.rig->n_clients,
	       bench.rig->n_clients == 1 ? "" : "s",
	       "inner");
	for (unsigned i = 0; shown[direction][i] != N_STAGE; i++)
		printf(" %10s", abi_stage_name(shown[direction][i]));
	printf(" %8s %13s %9s %6s\n", "total", "min-max", "bare AEAD", "ratio");
	for (unsigned size = 0; size < N_SIZES; size++) {
		struct summary total = summarise(size, direction, FIGURE_TOTAL);
		struct summary aead = summarise(size, direction, FIGURE_AEAD);
		struct summary ratio = summarise(size, direction, FIGURE_RATIO);

		printf("%-6s", sizes[size].name);
		for (unsigned i = 0; shown[direction][i] != N_STAGE; i++)
			printf(" %10.1f", summarise(size, direction, shown[direction][i]).median);
		printf(" %8.0f %6.0f-%-6.0f %9.0f %6.2f\n",
		       total.median,
		       total.min,
		       total.max,
		       aead.median,
		       ratio.median);
	}
}

static void write_summary(FILE *out, const char *name, struct summary summary)
{
	fprintf(out,
		"\"%s\":{\"min\":%.2f,\"median\":%.2f,\"max\":%.2f}",
		name,
		summary.min,
		summary.median,
		summary.max);
}

static void write_row(FILE *out, unsigned size, enum direction direction, const char *end)
{
	fprintf(out,
		"{\"inner\":\"%s\",\"direction\":\"%s\",\"sessions\":%u,",
		sizes[size].name,
		direction == OUTBOUND ? "outbound" : "inbound",
		bench.rig->n_clients);
	write_summary(out, "ratio", summarise(size, direction, FIGURE_RATIO));
	fputs(",\"cycles\":{", out);
	write_summary(out, "total", summarise(size, direction, FIGURE_TOTAL));
	fputc(',', out);
	write_summary(out, "bare_aead", summarise(size, direction, FIGURE_AEAD));
	for (unsigned i = 0; shown[direction][i] != N_STAGE; i++) {
		unsigned stage = shown[direction][i];

		fputc(',', out);
		write_summary(out, abi_stage_name(stage), summarise(size, direction, stage));
	}
	fprintf(out, "}}%s", end);
}

static int write_json(const char *path)
{
	FILE *out = fopen(path, "w");

	if (out == NULL) {
		fprintf(stderr, "%s: cannot write: %m\n", path);
		return 1;
	}
	fprintf(out,
		"{\"benchmark\":\"stages\",\"tsc_hz\":%lu,\"burst\":%d,\"repetitions\":%u,"
		"\"packets_per_repetition\":%u,\"rows\":[\n",
		rte_get_tsc_hz(),
		BURST,
		bench.n_repetitions,
		bench.n_rounds * BURST);
	for (unsigned size = 0; size < N_SIZES; size++) {
		write_row(out, size, OUTBOUND, ",\n");
		write_row(out, size, INBOUND, size + 1 < N_SIZES ? ",\n" : "\n");
	}
	fprintf(out, "]}\n");
	return fclose(out) == 0 ? 0 : 1;
}

static const char usage[] =
	"usage: bench_stages [--sessions N] [--repetitions N] [--rounds N] [--json FILE]\n"
	"  --sessions N     sessions that take turns, 1 to 4096 (default 1)\n"
	"  --repetitions N  odd number of samples of each figure, 1 to 101 (default 11)\n"
	"  --rounds N       bursts of 32 packets in a sample (default 400)\n"
	"  --json FILE      write the figures there, too\n";

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"sessions", required_argument, NULL, 's'},
		{"repetitions", required_argument, NULL, 'r'},
		{"rounds", required_argument, NULL, 'n'},
		{"json", required_argument, NULL, 'j'},
		{NULL, 0, NULL, 0},
	};
	unsigned long n_sessions = 1, n_repetitions = 11, n_rounds = 400;
	const char *json = NULL;

	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		unsigned long value = optarg != NULL ? strtoul(optarg, NULL, 10) : 0;
		if (o == 's')
			n_sessions = value;
		else if (o == 'r')
			n_repetitions = value;
		else if (o == 'n')
			n_rounds = value;
		else if (o == 'j')
			json = optarg;
		else
			return fputs(usage, stderr), 2;
	}
	if (n_sessions < 1 || n_sessions > WORKER_RIG_MAX_CLIENTS || n_repetitions < 1 ||
	    n_repetitions > MAX_REPETITIONS || n_rounds < 1 || n_rounds > 1000000)
		return fputs(usage, stderr), 2;
	bench.n_repetitions = n_repetitions;
	bench.n_rounds = n_rounds;
	worker_rig_eal();
	bench.rig = worker_rig_create(n_sessions, UINT64_MAX, NULL);
	worker_rig_start_clock(bench.rig, 1);
	if (wg_aead_create(&bench.aead) != 0)
		return fputs("AEAD engine: processor or memory lacking\n", stderr), 1;
	flows_open();
	for (unsigned repetition = 0; repetition < n_repetitions; repetition++)
		for (unsigned size = 0; size < N_SIZES; size++)
			for (unsigned direction = 0; direction < N_DIRECTION; direction++) {
				measure_path(direction, size, repetition);
				measure_aead(direction, size, repetition);
				note_ratio(direction, size, repetition);
			}
	print_direction(OUTBOUND);
	print_direction(INBOUND);
	return json != NULL ? write_json(json) : 0;
}
