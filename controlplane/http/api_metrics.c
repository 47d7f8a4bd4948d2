// SPDX-License-Identifier: Apache-2.0
//
// GET /metrics: what the control plane knows of sessions, settlements, its own health and its API, for
// Prometheus; the data plane's counters are in api_metrics_dataplane.c. No label names a session, so
// the number of series depends on threads, ports, chains and names only. Loop's thread.
#include "api_metrics.h"

#include "api.h"

#include "controlplane/http/api_problem.h"
#include "controlplane/http/api_totals.h"
#include "controlplane/settle/settle_record.h"

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

// ---- settlements -----------------------------------------------------------------------------

static void put_settlements(struct openmetrics *om, struct control *control)
{
	uint64_t n_queued = 0, n_live = 0, oldest_sec = 0;
	struct settle_item item;
	struct db_iter iter;
	struct db_txn txn;

	db_txn_begin_read(&txn, control->db);
	db_iter_init(&iter, &txn, DB_SETTLE_QUEUED, NULL);
	for (; db_iter_next(&iter); n_queued++) {
		if (settle_item_get(&txn, db_key_first(&iter.key), &item) && item.queued_sec != 0 &&
		    (oldest_sec == 0 || item.queued_sec < oldest_sec))
			oldest_sec = item.queued_sec;
	}
	db_iter_fini(&iter);
	db_iter_init(&iter, &txn, DB_SETTLE_LIVE, NULL);
	for (; db_iter_next(&iter); n_live++)
		continue;
	db_iter_fini(&iter);
	if (db_txn_commit(&txn) < 0) {
		om->is_failed = true;
		return;
	}
	api_metrics_gauge(
		om,
		"tollwire_settlement_queue_items",
		"items",
		"Settlements that wait for a transaction.",
		n_queued
	);
	// Queued at block time: on a chain that stands still the age does too.
	uint64_t now_sec = clock_unix_ns(control->clock) / NS_PER_SEC;
	api_metrics_gauge(
		om,
		"tollwire_settlement_queue_age_seconds",
		"seconds",
		"Age of the settlement that waits longest, since the block in which it was first "
		"seen.",
		oldest_sec != 0 && now_sec > oldest_sec ? now_sec - oldest_sec : 0
	);
	api_metrics_gauge(
		om,
		"tollwire_settlement_transactions",
		NULL,
		"Settling transactions that are under way or done too lately to be certain.",
		n_live
	);
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
	put_replies(om, &stats);
	api_metrics_gauge(
		om, "tollwire_http_connections", NULL, "Open connections.", stats.n_connections
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
	put_settlements(&om, control);
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
