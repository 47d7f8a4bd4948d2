// SPDX-License-Identifier: Apache-2.0
//
// The data plane's counters as metrics, each thread by itself: "0", "1", … are the workers, "slowpath"
// the last. They begin again at zero with each boot of the data plane, as counters of a process do.
// Loop's thread.
#include "api_metrics.h"

#include "common/counter.h"
#include "controlplane/json/json.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

// One word of a block, a family of its own.
struct word {
	enum openmetrics_type type;
	const char *name, *unit, *help;
	size_t offset;
};

#define THREAD(type_, name_, unit_, field_, help_) \
	{ \
		OPENMETRICS_##type_, "tollwire_" name_, unit_, help_, \
			offsetof(struct abi_thread_stats, field_) \
	}

static const struct word thread_words[] = {
	THREAD(COUNTER, "loops", NULL, loops, "Rounds of the thread's loop."),
	THREAD(COUNTER, "busy_cycles", "cycles", busy_cycles, "Cycles of rounds with a packet."),
	THREAD(COUNTER, "received_packets", "packets", rx_pkts, "Packets received."),
	THREAD(COUNTER, "received_bytes", "bytes", rx_bytes, "Bytes of frames received."),
	THREAD(COUNTER, "transmitted_packets", "packets", tx_pkts, "Packets transmitted."),
	THREAD(COUNTER, "transmitted_bytes", "bytes", tx_bytes, "Bytes of frames transmitted."),
	THREAD(COUNTER, "originated_packets", "packets", originated_pkts, "Packets the node made."),
	THREAD(COUNTER, "fragments_made_packets", "packets", fragments_made_pkts, "Fragments made."
	),
	THREAD(COUNTER,
	       "reassembly_merged_packets",
	       "packets",
	       reassembly_merged_pkts,
	       "Fragments merged into a packet."),
	THREAD(COUNTER, "handshakes", NULL, handshakes_completed, "Handshakes completed."),
	THREAD(COUNTER, "cookies_sent", NULL, cookies_sent, "Cookie replies sent."),
	THREAD(GAUGE, "under_load", NULL, under_load, "1 while handshakes need a cookie."),
	THREAD(GAUGE, "nat_filters", NULL, nat.filter_entries, "Remote addresses that may answer."),
	THREAD(GAUGE, "nat_ports", NULL, nat.ports_total, "Ports and identifiers to give out."),
	THREAD(COUNTER, "nat_mappings_created", NULL, nat.mappings_created, "Mappings made."),
	THREAD(COUNTER,
	       "nat_mappings_expired",
	       NULL,
	       nat.mappings_expired,
	       "Mappings ended by their timeout."),
	THREAD(COUNTER,
	       "nat_filters_replaced",
	       NULL,
	       nat.filters_replaced,
	       "Filter entries replaced, least recently used first."),
};

#define PORT(name_, unit_, field_, help_) \
	{ \
		OPENMETRICS_COUNTER, "tollwire_port_" name_, unit_, help_, \
			offsetof(struct abi_port_stats, field_) \
	}

static const struct word port_words[] = {
	PORT("received_packets", "packets", rx_pkts, "Packets the driver received."),
	PORT("received_bytes", "bytes", rx_bytes, "Bytes the driver received."),
	PORT("transmitted_packets", "packets", tx_pkts, "Packets the driver transmitted."),
	PORT("transmitted_bytes", "bytes", tx_bytes, "Bytes the driver transmitted."),
	PORT("missed_packets",
	     "packets",
	     rx_missed_pkts,
	     "Packets lost before the data plane saw them."),
	PORT("receive_errors", NULL, rx_error_pkts, "Packets received in error."),
	PORT("no_buffer_packets", "packets", rx_no_mbuf_pkts, "Packets lost for want of a buffer."),
	PORT("transmit_errors", NULL, tx_error_pkts, "Packets that could not be transmitted."),
};

#define N_ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))

// Returns: "0", "1", …, "slowpath" in dst.
static const char *thread_name(char dst[12], const struct dp_link_counters *counters, uint32_t t)
{
	if (t + 1 == counters->n_threads)
		snprintf(dst, 12, "slowpath");
	else
		snprintf(dst, 12, "%u", t);
	return dst;
}

static uint64_t read_word(const void *block, const struct word *word)
{
	return counter_read((const uint64_t *)((const char *)block + word->offset));
}

static void put_threads(struct openmetrics *om, const struct dp_link_counters *counters)
{
	char name[12];

	for (size_t i = 0; i < N_ROWS(thread_words); i++) {
		const struct word *word = &thread_words[i];

		openmetrics_family(om, word->type, word->name, word->unit, word->help);
		for (uint32_t t = 0; t < counters->n_threads; t++)
			openmetrics_put(
				om,
				API_METRICS_LABEL("thread", thread_name(name, counters, t)),
				read_word(&counters->threads[t], word)
			);
	}
}

// A family with a row of names in each thread.
static void put_rows(
	struct openmetrics *om,
	const struct dp_link_counters *counters,
	const struct word *word,
	const char *label,
	unsigned first,
	unsigned n,
	size_t step,
	const char *(*row_name)(unsigned row)
)
{
	char name[12];

	openmetrics_family(om, word->type, word->name, word->unit, word->help);
	for (uint32_t t = 0; t < counters->n_threads; t++) {
		const char *block = (const char *)&counters->threads[t];

		thread_name(name, counters, t);
		for (unsigned row = first; row < n; row++)
			openmetrics_put(
				om,
				API_METRICS_LABELS("thread", name, label, row_name(row)),
				read_word(block + row * step, word)
			);
	}
}

static const char *protocol_name(unsigned row)
{
	static const char *const names[] = {"tcp", "udp", "icmp"};

	return names[row];
}

static void put_named_rows(struct openmetrics *om, const struct dp_link_counters *counters)
{
	static const struct {
		struct word word;
		const char *label;
		unsigned first, n;
		size_t step;
		const char *(*row_name)(unsigned row);
	} rows[] = {
#define STAGE(name_, unit_, field_, help_) \
	{THREAD(COUNTER, name_, unit_, stages[0].field_, help_), \
	 "stage", \
	 0, \
	 N_STAGE, \
	 sizeof(struct abi_stage_stats), \
	 abi_stage_name}
		STAGE("stage_cycles", "cycles", cycles, "Cycles of the time stamp counter by stage."
		),
		STAGE("stage_packets", "packets", pkts, "Packets by stage."),
		STAGE("stage_calls", NULL, calls, "Calls with at least one packet by stage."),
#undef STAGE
		{THREAD(COUNTER,
			"dropped_packets",
			"packets",
			drops[0],
			"Packets dropped by reason."),
		 "reason",
		 DROP_NONE + 1,
		 N_DROP,
		 sizeof(uint64_t),
		 abi_drop_name},
		{THREAD(COUNTER,
			"consumed_packets",
			"packets",
			consumed[0],
			"Packets that the node took for itself, by kind."),
		 "kind",
		 0,
		 N_CONSUMED,
		 sizeof(uint64_t),
		 abi_consumed_name},
		{THREAD(GAUGE, "nat_mappings", NULL, nat.mappings_tcp, "Mappings by protocol."),
		 "protocol",
		 0,
		 3,
		 sizeof(uint64_t),
		 protocol_name},
	};

	for (size_t i = 0; i < N_ROWS(rows); i++)
		put_rows(
			om,
			counters,
			&rows[i].word,
			rows[i].label,
			rows[i].first,
			rows[i].n,
			rows[i].step,
			rows[i].row_name
		);
}

// The name stands in memory that another process writes.
static const char *port_name(char dst[80], const struct abi_port_stats *port)
{
	char raw[sizeof(port->name) + 1];

	memcpy(raw, port->name, sizeof(port->name));
	raw[sizeof(port->name)] = '\0';
	json_quote(dst, 80, raw);
	return dst;
}

static void put_ports(struct openmetrics *om, const struct dp_link_counters *counters)
{
	char name[80];

	for (size_t i = 0; i < N_ROWS(port_words); i++) {
		const struct word *word = &port_words[i];

		openmetrics_family(om, word->type, word->name, word->unit, word->help);
		for (uint32_t p = 0; p < counters->n_ports; p++)
			openmetrics_put(
				om,
				API_METRICS_LABEL("port", port_name(name, &counters->ports[p])),
				read_word(&counters->ports[p], word)
			);
	}
	openmetrics_family(
		om, OPENMETRICS_GAUGE, "tollwire_port_up", NULL, "1 while the link is up."
	);
	for (uint32_t p = 0; p < counters->n_ports; p++)
		openmetrics_put(
			om,
			API_METRICS_LABEL("port", port_name(name, &counters->ports[p])),
			counters->ports[p].is_link_up != 0
		);
}

static void put_link(struct openmetrics *om, const struct dp_link_status *status)
{
	openmetrics_family(
		om,
		OPENMETRICS_GAUGE,
		"tollwire_dataplane_heartbeat_age_seconds",
		"seconds",
		"Since the slow path last moved."
	);
	openmetrics_put_real(om, NULL, (double)status->heartbeat_age_ns / (double)NS_PER_SEC);
	openmetrics_family(
		om,
		OPENMETRICS_GAUGE,
		"tollwire_dataplane_start_time_seconds",
		"seconds",
		"When the data plane started, in Unix time."
	);
	openmetrics_put_real(om, NULL, (double)(status->started_unix_ns / NS_PER_MS) / 1000);
	api_metrics_gauge(
		om,
		"tollwire_dataplane_sessions",
		NULL,
		"Sessions in the data plane.",
		status->n_sessions
	);
	api_metrics_gauge(
		om,
		"tollwire_dataplane_commands_waiting",
		NULL,
		"Commands not yet sent or not yet acknowledged.",
		status->n_commands_waiting
	);
	api_metrics_counter(
		om,
		"tollwire_dataplane_commands_refused",
		NULL,
		"Commands that the data plane refused.",
		status->commands_refused
	);
	api_metrics_counter(
		om,
		"tollwire_dataplane_events_lost",
		NULL,
		"Events that found their ring full.",
		status->events_lost
	);
}

void api_metrics_put_dataplane(struct openmetrics *om, const struct dp_link *link)
{
	struct dp_link_counters counters;
	struct dp_link_status status;

	dp_link_status(link, &status);
	api_metrics_gauge(
		om,
		"tollwire_dataplane_up",
		NULL,
		"1 while a data plane is attached.",
		status.is_attached
	);
	if (!dp_link_counters(link, &counters))
		return;
	put_link(om, &status);
	api_metrics_gauge(
		om,
		"tollwire_tsc_hertz",
		"hertz",
		"Rate of the time stamp counter.",
		counters.tsc_hz
	);
	put_threads(om, &counters);
	put_named_rows(om, &counters);
	put_ports(om, &counters);
}
