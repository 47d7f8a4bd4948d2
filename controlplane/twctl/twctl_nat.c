// SPDX-License-Identifier: Apache-2.0
//
// twctl nat: mappings and the port pool, by worker.
#include "twctl_counters.h"

#include "common/counter.h"

struct field {
	const char *name;
	size_t offset;
	const char *help;
};

#define FIELD(name, help) \
	{ \
#name, offsetof(struct abi_nat_stats, name), help \
	}

static const struct field fields[] = {
	FIELD(mappings_tcp, "TCP mappings now"),
	FIELD(mappings_udp, "UDP mappings now"),
	FIELD(mappings_icmp, "ICMP mappings now"),
	FIELD(filter_entries, "remote addresses that may answer, now"),
	FIELD(ports_total, "ports and identifiers that may be given out"),
	FIELD(mappings_created, "mappings made since the start"),
	FIELD(mappings_expired, "mappings ended by their timeout"),
	FIELD(filters_replaced, "filter entries replaced, least recently used first"),
};

#define N_FIELD (sizeof(fields) / sizeof(fields[0]))

static uint64_t read_field(const struct abi_thread_stats *stats, const struct field *field)
{
	return counter_read((const uint64_t *)((const char *)&stats->nat + field->offset));
}

// The slow path has no mappings: workers only.
static uint32_t n_workers(const struct twctl_counters *counters)
{
	return counters->att.n_threads - 1;
}

static uint64_t sum_field(const struct twctl_counters *counters, const struct field *field)
{
	uint64_t sum = 0;

	for (uint32_t w = 0; w < n_workers(counters); w++)
		sum += read_field(&counters->att.threads[w], field);
	return sum;
}

static int print_json(const struct twctl *twctl, const struct twctl_counters *counters)
{
	struct json_writer writer;

	json_writer_init(&writer);
	json_begin_object(&writer, NULL);
	twctl_counters_put(&writer, counters);
	for (size_t i = 0; i < N_FIELD; i++)
		json_put_count(&writer, fields[i].name, sum_field(counters, &fields[i]));
	json_begin_array(&writer, "workers");
	for (uint32_t w = 0; w < n_workers(counters); w++) {
		json_begin_object(&writer, NULL);
		for (size_t i = 0; i < N_FIELD; i++)
			json_put_count(
				&writer,
				fields[i].name,
				read_field(&counters->att.threads[w], &fields[i])
			);
		json_end(&writer);
	}
	json_end(&writer);
	json_end(&writer);
	return twctl_print(twctl, &writer);
}

static void print_text(const struct twctl_counters *counters)
{
	printf("%-18s %14s", "", "all");
	for (uint32_t w = 0; w < n_workers(counters); w++)
		printf(" %9s %-4" PRIu32, "worker", w);
	printf("\n");
	for (size_t i = 0; i < N_FIELD; i++) {
		printf("%-18s %14" PRIu64, fields[i].name, sum_field(counters, &fields[i]));
		for (uint32_t w = 0; w < n_workers(counters); w++)
			printf(" %14" PRIu64, read_field(&counters->att.threads[w], &fields[i]));
		printf("  %s\n", fields[i].help);
	}
}

static int run_nat(struct twctl *twctl)
{
	struct twctl_counters counters;
	int code = twctl_counters_open(twctl, &counters);

	if (code != 0)
		return code;
	if (!twctl_counters_check(twctl, &counters))
		code = TWCTL_EXIT_FAILED;
	else if (twctl->is_json)
		code = print_json(twctl, &counters);
	else
		print_text(&counters);
	twctl_counters_close(&counters);
	return code;
}

const struct twctl_command twctl_nat_commands[] = {
	{
		.name = "nat",
		.run = run_nat,
		.positional = "",
		.summary = "mappings, filters and ports of the NAT",
		.description = "Reads the counters, in all and by worker.\n\n"
			       "Examples:\n  twctl nat\n"
			       "  twctl nat --json | jq '.mappings_udp / .ports_total'\n",
	},
	{.name = NULL},
};
