// SPDX-License-Identifier: Apache-2.0
//
// twctl stages: where the workers' cycles go, over an interval.
#include "twctl_counters.h"

#include "common/clock.h"
#include "common/counter.h"

#include <string.h>
#include <time.h>

struct sample {
	struct abi_stage_stats stages[ABI_STAGE_ROWS];
	uint64_t mono_ns;
};

static void take_sample(struct sample *sample, const struct abi_attach *att)
{
	*sample = (struct sample){.mono_ns = clock_mono_ns(&clock_system)};
	for (uint32_t t = 0; t < att->n_threads; t++) {
		for (unsigned i = 0; i < N_STAGE; i++) {
			const struct abi_stage_stats *stage = &att->threads[t].stages[i];

			sample->stages[i].calls += counter_read(&stage->calls);
			sample->stages[i].pkts += counter_read(&stage->pkts);
			sample->stages[i].cycles += counter_read(&stage->cycles);
		}
	}
}

static void subtract(struct sample *after, const struct sample *before)
{
	for (unsigned i = 0; i < N_STAGE; i++) {
		after->stages[i].calls -= before->stages[i].calls;
		after->stages[i].pkts -= before->stages[i].pkts;
		after->stages[i].cycles -= before->stages[i].cycles;
	}
	after->mono_ns -= before->mono_ns;
}

static double ratio(uint64_t a, uint64_t b)
{
	return b == 0 ? 0 : (double)a / (double)b;
}

static int print_json(
	const struct twctl *twctl,
	const struct twctl_counters *counters,
	const struct sample *sample
)
{
	struct json_writer writer;

	json_writer_init(&writer);
	json_begin_object(&writer, NULL);
	twctl_counters_put(&writer, counters);
	json_put_count(&writer, "interval_ms", sample->mono_ns / NS_PER_MS);
	json_put_count(&writer, "tsc_hz", counters->att.header->tsc_hz);
	json_begin_array(&writer, "stages");
	for (unsigned i = 0; i < N_STAGE; i++) {
		const struct abi_stage_stats *stage = &sample->stages[i];

		json_begin_object(&writer, NULL);
		json_put_string(&writer, "name", abi_stage_name(i));
		json_put_count(&writer, "calls", stage->calls);
		json_put_count(&writer, "pkts", stage->pkts);
		json_put_count(&writer, "cycles", stage->cycles);
		json_put_double(&writer, "pkts_per_call", ratio(stage->pkts, stage->calls));
		json_put_double(&writer, "cycles_per_pkt", ratio(stage->cycles, stage->pkts));
		json_end(&writer);
	}
	json_end(&writer);
	json_end(&writer);
	return twctl_print(twctl, &writer);
}

static void print_text(const struct sample *sample)
{
	uint64_t all_cycles = 0;

	for (unsigned i = 0; i < N_STAGE; i++)
		all_cycles += sample->stages[i].cycles;
	printf("over %.2f s\n", (double)sample->mono_ns / (double)NS_PER_SEC);
	printf("%-12s %12s %12s %10s %10s %6s\n",
	       "stage",
	       "calls",
	       "packets",
	       "pkts/call",
	       "cycles/pkt",
	       "share");
	for (unsigned i = 0; i < N_STAGE; i++) {
		const struct abi_stage_stats *stage = &sample->stages[i];

		printf("%-12s %12" PRIu64 " %12" PRIu64 " %10.1f %10.1f %5.1f%%  %s\n",
		       abi_stage_name(i),
		       stage->calls,
		       stage->pkts,
		       ratio(stage->pkts, stage->calls),
		       ratio(stage->cycles, stage->pkts),
		       100 * ratio(stage->cycles, all_cycles),
		       abi_stage_help(i));
	}
}

static int run_stages(struct twctl *twctl)
{
	struct twctl_counters counters;
	struct sample before = {0}, after;
	uint64_t interval_ms;
	int code;

	code = twctl_get_number(twctl, "--interval", 0, 3600000, 1000, &interval_ms);
	if (code == 0)
		code = twctl_counters_open(twctl, &counters);
	if (code != 0)
		return code;
	// Nothing moves any more in a dead one: its whole life is the interval.
	if (!counters.is_alive)
		interval_ms = 0;
	if (interval_ms > 0) {
		struct timespec pause = {
			.tv_sec = (time_t)(interval_ms / 1000),
			.tv_nsec = (long)(interval_ms % 1000 * NS_PER_MS),
		};

		take_sample(&before, &counters.att);
		nanosleep(&pause, NULL);
	}
	take_sample(&after, &counters.att);
	if (interval_ms == 0)
		after.mono_ns = counter_read(&counters.att.header->heartbeat_unix_ns) -
			counters.att.started_unix_ns;
	else
		subtract(&after, &before);
	if (!twctl_counters_check(twctl, &counters))
		code = TWCTL_EXIT_FAILED;
	else if (twctl->is_json)
		code = print_json(twctl, &counters, &after);
	else
		print_text(&after);
	twctl_counters_close(&counters);
	return code;
}

static const struct twctl_option stages_options[] = {
	{"--interval",
	 "MS",
	 "milliseconds to watch, 0 to 3600000; 0 = since the start; default 1000"},
	{NULL, NULL, NULL},
};

const struct twctl_command twctl_stages_commands[] = {
	{
		.name = "stages",
		.run = run_stages,
		.positional = "",
		.summary = "calls, packets per call and cycles per packet by stage",
		.description =
			"Reads the per-stage counters twice and shows the difference, all threads "
			"together. "
			"Cycles\nare of the time stamp counter (tsc_hz in --json). A dead data "
			"plane shows "
			"its whole life.\n\n"
			"Examples:\n  twctl stages\n  twctl stages --interval 10000 --json\n",
		.options = stages_options,
	},
	{.name = NULL},
};
