// SPDX-License-Identifier: Apache-2.0
//
// GET /metrics: what the control plane knows of sessions, its own health and its API, for Prometheus;
// the data plane's counters are in api_metrics_dataplane.c, chains and settlements in
// api_metrics_chain.c. No label names a session, so the number of series depends on threads, ports,
// chains and names only. Loop's thread.
#include "api_metrics.h"

#include "api.h"

#include "controlplane/http/api_problem.h"
#include "controlplane/http/api_totals.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CONTENT_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

// ---- sessions --------------------------------------------------------------------------------

static void put_sessions(struct openmetrics *om, struct control *control)
{
	const struct api_totals *totals = api_totals_read(control);

	if (totals == NULL) {
		om->is_failed = true;
		return;
	}
	openmetrics_family(om, OPENMETRICS_GAUGE, "tollwire_sessions", NULL, "Sessions by state.");
	for (unsigned i = 0; i < SESSION_N_STATE; i++)
		openmetrics_put(
			om, API_METRICS_LABEL("state", session_state_name(i)), totals->by_state[i]
		);
	api_metrics_gauge(
		om,
		"tollwire_sessions_needing_review",
		NULL,
		"Sessions that a person should look at.",
		totals->n_review
	);
	openmetrics_family(
		om,
		OPENMETRICS_COUNTER,
		"tollwire_billed_bytes",
		"bytes",
		"Inner IP bytes billed to all sessions that ever were."
	);
	openmetrics_put(om, API_METRICS_LABEL("direction", "out"), totals->out_bytes);
	openmetrics_put(om, API_METRICS_LABEL("direction", "in"), totals->in_bytes);
}

// ---- the control plane itself ----------------------------------------------------------------

static void put_health(struct openmetrics *om, const struct health *health)
{
	openmetrics_family(
		om,
		OPENMETRICS_GAUGE,
		"tollwire_health_condition",
		NULL,
		"1 while something named is wrong; twctl status says what."
	);
	for (unsigned i = 0; i < HEALTH_N; i++)
		openmetrics_put(
			om,
			API_METRICS_LABEL("condition", health_name(i)),
			health->conditions[i].is_set
		);
}

static void put_store(struct openmetrics *om, struct db *db)
{
	struct db_stats stats;

	db_stats(db, &stats);
	api_metrics_gauge(
		om, "tollwire_store_used_bytes", "bytes", "Size of the database.", stats.used_bytes
	);
	api_metrics_gauge(
		om,
		"tollwire_store_limit_bytes",
		"bytes",
		"Size that it may reach (store.map_size_mb).",
		stats.map_bytes
	);
}

static void put_replies(struct openmetrics *om, const struct http_server_stats *stats)
{
	char status[8];

	openmetrics_family(
		om, OPENMETRICS_COUNTER, "tollwire_http_replies", NULL, "Replies, by their status."
	);
	for (int i = 0; i <= HTTP_STATUS_MAX; i++) {
		snprintf(status, sizeof(status), "%d", i);
		if (http_status_is_known(i))
			openmetrics_put(
				om, API_METRICS_LABEL("status", status), stats->n_replies[i]
			);
	}
	openmetrics_family(
		om,
		OPENMETRICS_COUNTER,
		"tollwire_api_problems",
		NULL,
		"Refusals of buyers' requests, by their problem type."
	);
	for (unsigned i = 0; i < API_N_PROBLEM; i++)
		openmetrics_put(
			om,
			API_METRICS_LABEL("type", api_problem_name((enum api_problem)i)),
			api_problem_count((enum api_problem)i)
		);
}

static void put_http(struct openmetrics *om, const struct http_server *server)
{
	struct http_server_stats stats;

	http_server_stats(server, &stats);
	api_metrics_counter(
		om, "tollwire_http_requests", NULL, "Requests to the API.", stats.n_requests
	);
	openmetrics_family(
		om,
		OPENMETRICS_COUNTER,
		"tollwire_http_refused",
		NULL,
		"Requests and connections that the server itself refused."
	);
	openmetrics_put(om, API_METRICS_LABEL("reason", "request"), stats.n_refused);
	openmetrics_put(om, API_METRICS_LABEL("reason", "rate"), stats.n_over_rate);
	openmetrics_put(om, API_METRICS_LABEL("reason", "slow"), stats.n_timeouts);
	openmetrics_put(om, API_METRICS_LABEL("reason", "slow_reader"), stats.n_slow_readers);
	put_replies(om, &stats);
	api_metrics_gauge(
		om, "tollwire_http_connections", NULL, "Open connections.", stats.n_connections
	);
	api_metrics_gauge(
		om, "tollwire_http_websockets", NULL, "WebSockets among them.", stats.n_live
	);
}

void api_metrics_counter(
	struct openmetrics *om, const char *name, const char *unit, const char *help, uint64_t value
)
{
	openmetrics_family(om, OPENMETRICS_COUNTER, name, unit, help);
	openmetrics_put(om, NULL, value);
}

void api_metrics_gauge(
	struct openmetrics *om, const char *name, const char *unit, const char *help, uint64_t value
)
{
	openmetrics_family(om, OPENMETRICS_GAUGE, name, unit, help);
	openmetrics_put(om, NULL, value);
}

static void get_metrics(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	struct control *control = ctx;
	struct openmetrics om;
	char *text;

	(void)request;
	openmetrics_init(&om);
	openmetrics_family(&om, OPENMETRICS_INFO, "tollwire_build", NULL, "What runs.");
	openmetrics_put(&om, API_METRICS_LABEL("version", TOLLWIRE_VERSION), 1);
	openmetrics_family(
		&om,
		OPENMETRICS_GAUGE,
		"tollwire_start_time_seconds",
		"seconds",
		"When the control plane started, in Unix time."
	);
	openmetrics_put_real(&om, NULL, (double)(control->started_unix_ns / NS_PER_MS) / 1000);
	api_metrics_put_dataplane(&om, control->link);
	put_sessions(&om, control);
	api_metrics_put_chains(&om, control);
	put_health(&om, control->health);
	put_store(&om, control->db);
	put_http(&om, control->server);
	if (openmetrics_finish(&om, &text) == 0)
		http_reply_take(reply, 200, CONTENT_TYPE, text);
	else
		http_reply_problem(reply, 500, NULL, "the metrics could not be gathered");
}

const struct http_route api_metrics_routes[] = {
	{HTTP_GET, "/metrics", get_metrics, HTTP_OPERATOR},
};
const size_t api_metrics_n_routes = sizeof(api_metrics_routes) / sizeof(api_metrics_routes[0]);
