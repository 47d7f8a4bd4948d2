// SPDX-License-Identifier: Apache-2.0
//
// twctl drops: where packets ended that were not forwarded.
#include "twctl_counters.h"

#include "common/counter.h"

#include <string.h>

struct sums {
	uint64_t rx_pkts, tx_pkts, originated_pkts, fragments_made_pkts, reassembly_merged_pkts;
	uint64_t drops[ABI_DROP_ROWS];
	uint64_t consumed[ABI_CONSUMED_ROWS];
	uint64_t all_drops, all_consumed;
};

static void sum_threads(struct sums *sums, const struct abi_attach *att)
{
	*sums = (struct sums){0};
	for (uint32_t t = 0; t < att->n_threads; t++) {
		const struct abi_thread_stats *stats = &att->threads[t];

		sums->rx_pkts += counter_read(&stats->rx_pkts);
		sums->tx_pkts += counter_read(&stats->tx_pkts);
		sums->originated_pkts += counter_read(&stats->originated_pkts);
		sums->fragments_made_pkts += counter_read(&stats->fragments_made_pkts);
		sums->reassembly_merged_pkts += counter_read(&stats->reassembly_merged_pkts);
		for (unsigned i = 1; i < N_DROP; i++)
			sums->drops[i] += counter_read(&stats->drops[i]);
		for (unsigned i = 0; i < N_CONSUMED; i++)
			sums->consumed[i] += counter_read(&stats->consumed[i]);
	}
	for (unsigned i = 1; i < N_DROP; i++)
		sums->all_drops += sums->drops[i];
	for (unsigned i = 0; i < N_CONSUMED; i++)
		sums->all_consumed += sums->consumed[i];
}

// ARCHITECTURE: received + originated + fragments made = transmitted + drops + consumed + merged + held.
static int64_t held(const struct sums *sums)
{
	return (int64_t
	)(sums->rx_pkts + sums->originated_pkts + sums->fragments_made_pkts - sums->tx_pkts -
	  sums->all_drops - sums->all_consumed - sums->reassembly_merged_pkts);
}

static void put_held(struct json_writer *writer, int64_t pkts)
{
	if (pkts >= 0)
		json_put_count(writer, "held_pkts", (uint64_t)pkts);
	else
		json_put_format(writer, "held_pkts", "%" PRId64, pkts);
}

static int print_json(
	const struct twctl *twctl, const struct twctl_counters *counters, const struct sums *sums
)
{
	struct json_writer writer;

	json_writer_init(&writer);
	json_begin_object(&writer, NULL);
	twctl_counters_put(&writer, counters);
	json_put_count(&writer, "rx_pkts", sums->rx_pkts);
	json_put_count(&writer, "tx_pkts", sums->tx_pkts);
	json_put_count(&writer, "originated_pkts", sums->originated_pkts);
	json_put_count(&writer, "fragments_made_pkts", sums->fragments_made_pkts);
	json_put_count(&writer, "reassembly_merged_pkts", sums->reassembly_merged_pkts);
	put_held(&writer, held(sums));
	json_begin_object(&writer, "drops");
	for (unsigned i = 1; i < N_DROP; i++)
		json_put_count(&writer, abi_drop_name(i), sums->drops[i]);
	json_end(&writer);
	json_begin_object(&writer, "consumed");
	for (unsigned i = 0; i < N_CONSUMED; i++)
		json_put_count(&writer, abi_consumed_name(i), sums->consumed[i]);
	json_end(&writer);
	json_end(&writer);
	return twctl_print(twctl, &writer);
}

static void print_text(const struct sums *sums, bool is_all)
{
	printf("received %" PRIu64 ", transmitted %" PRIu64 ", dropped %" PRIu64
	       ", consumed %" PRIu64 ", made here %" PRIu64 ", held %" PRId64 "\n",
	       sums->rx_pkts,
	       sums->tx_pkts,
	       sums->all_drops,
	       sums->all_consumed,
	       sums->originated_pkts,
	       held(sums));
	for (unsigned i = 1; i < N_DROP; i++) {
		if (sums->drops[i] != 0 || is_all)
			printf("%14" PRIu64 "  %-22s %s\n",
			       sums->drops[i],
			       abi_drop_name(i),
			       abi_drop_help(i));
	}
	for (unsigned i = 0; i < N_CONSUMED; i++) {
		if (sums->consumed[i] != 0 || is_all)
			printf("%14" PRIu64 "  %-22s consumed: %s\n",
			       sums->consumed[i],
			       abi_consumed_name(i),
			       abi_consumed_help(i));
	}
}

static int run_drops(struct twctl *twctl)
{
	struct twctl_counters counters;
	struct sums sums;
	int code = twctl_counters_open(twctl, &counters);

	if (code != 0)
		return code;
	sum_threads(&sums, &counters.att);
	if (!twctl_counters_check(twctl, &counters))
		code = TWCTL_EXIT_FAILED;
	else if (twctl->is_json)
		code = print_json(twctl, &counters, &sums);
	else
		print_text(&sums, twctl_args_get(&twctl->args, "--all") != NULL);
	twctl_counters_close(&counters);
	return code;
}

static const struct twctl_option drops_options[] = {
	{"--all", NULL, "also reasons that never happened (with --json they always stand)"},
	{NULL, NULL, NULL},
};

const struct twctl_command twctl_drops_commands[] = {
	{
		.name = "drops",
		.run = run_drops,
		.positional = "",
		.summary = "dropped and consumed packets by reason",
		.description =
			"Reads the counters of all threads since the data plane started. Every "
			"packet is\n"
			"accounted for: received + made here = transmitted + dropped + consumed + "
			"held; a "
			"live\nnode's sum may be off by what moved while it was read.\n\n"
			"Examples:\n  twctl drops\n  twctl drops --json | jq .drops.wg_auth\n",
		.options = drops_options,
	},
	{.name = NULL},
};
