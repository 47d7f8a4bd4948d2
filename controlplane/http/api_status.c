// SPDX-License-Identifier: Apache-2.0
//
// GET /api/v1/status: is the node well, what runs, how many sessions. Loop's thread.
#include "api.h"

#include "controlplane/session/client_conf.h"

#include <stdio.h>
#include <string.h>

struct session_count {
	uint64_t by_state[SESSION_N_STATE];
	uint64_t n_review;
};

static bool count_session(void *ctx, const struct session *session)
{
	struct session_count *count = ctx;

	if (session->state < SESSION_N_STATE)
		count->by_state[session->state]++;
	count->n_review += session->reviews != 0;
	return true;
}

static void put_conditions(struct json_writer *writer, const struct health *health)
{
	json_begin_array(writer, "conditions");
	for (unsigned i = 0; i < HEALTH_N; i++) {
		if (!health->conditions[i].is_set)
			continue;
		json_begin_object(writer, NULL);
		json_put_string(writer, "name", health_name(i));
		json_put_string(writer, "help", health_help(i));
		json_put_string(writer, "reason", health->conditions[i].reason);
		json_put_count(
			writer, "since_unix_sec", health->conditions[i].since_unix_ns / NS_PER_SEC
		);
		json_end(writer);
	}
	json_end(writer);
}

static void put_dataplane(struct json_writer *writer, const struct dp_link *link)
{
	static const uint8_t zero[32];
	struct dp_link_status status;
	char public_key[45], boot_id[33] = "";

	dp_link_status(link, &status);
	for (int i = 0; i < 16; i++)
		snprintf(boot_id + 2 * i, 3, "%02x", status.boot_id[i]);
	client_conf_key_text(public_key, status.node_public_key);
	json_begin_object(writer, "dataplane");
	json_put_bool(writer, "is_attached", status.is_attached);
	json_put_string(writer, "boot_id", status.is_attached ? boot_id : NULL);
	json_put_string(writer, "version", status.is_attached ? status.version : NULL);
	json_put_count(writer, "pid", status.is_attached ? status.pid : 0);
	json_put_count(writer, "started_unix_sec", status.started_unix_ns / NS_PER_SEC);
	json_put_count(writer, "heartbeat_age_ms", status.heartbeat_age_ns / NS_PER_MS);
	json_put_count(writer, "slots", status.n_slots);
	json_put_count(writer, "sessions", status.n_sessions);
	json_put_count(writer, "commands_waiting", status.n_commands_waiting);
	json_put_count(writer, "commands_refused", status.commands_refused);
	json_put_count(writer, "events_lost", status.events_lost);
	json_put_count(writer, "boots_harvested", status.n_harvested);
	json_put_string(
		writer,
		"node_public_key",
		memcmp(status.node_public_key, zero, 32) == 0 ? NULL : public_key
	);
	json_end(writer);
}

static void put_store(struct json_writer *writer, struct db *db)
{
	struct db_stats stats;

	db_stats(db, &stats);
	json_begin_object(writer, "store");
	json_put_string(writer, "path", stats.path);
	json_put_count(writer, "schema_version", stats.schema_version);
	json_put_count(writer, "used_bytes", stats.used_bytes);
	json_put_count(writer, "map_bytes", stats.map_bytes);
	json_end(writer);
}

static void get_status(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	struct control *control = ctx;
	struct session_count count = {0};
	struct session_error err;
	struct json_writer writer;

	(void)request;
	if (session_each(control->sessions, 0, count_session, &count, &err) < 0) {
		api_reply_session_error(control, reply, &err);
		return;
	}
	json_writer_init(&writer);
	json_begin_object(&writer, NULL);
	json_put_string(&writer, "node", control->config->node.name);
	json_put_string(&writer, "version", TOLLWIRE_VERSION);
	json_put_bool(&writer, "is_degraded", health_is_degraded(control->health));
	json_put_count(&writer, "started_unix_sec", control->started_unix_ns / NS_PER_SEC);
	json_put_count(&writer, "now_unix_sec", clock_unix_ns(control->clock) / NS_PER_SEC);
	put_conditions(&writer, control->health);
	put_dataplane(&writer, control->link);
	json_begin_object(&writer, "sessions");
	for (unsigned i = 0; i < SESSION_N_STATE; i++)
		json_put_count(&writer, session_state_name(i), count.by_state[i]);
	json_put_count(&writer, "needs_review", count.n_review);
	json_end(&writer);
	put_store(&writer, control->db);
	json_end(&writer);
	http_reply_json(reply, 200, &writer);
}

const struct http_route api_status_routes[] = {
	{HTTP_GET, "/api/v1/status", get_status, HTTP_OPERATOR},
};
const size_t api_status_n_routes = sizeof(api_status_routes) / sizeof(api_status_routes[0]);
