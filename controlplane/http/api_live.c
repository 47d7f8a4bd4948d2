// SPDX-License-Identifier: Apache-2.0
//
// See api_live.h. GET /api/v1/sessions/{name-or-id}/live and /api/v1/operator/live. A message is one JSON
// object; its member "type" says which: "state" at once when it changes, "usage" and "node" every second
// when they moved. Whoever was let in stays as long as the token holds.
#include "api_live.h"

#include "api.h"

#include "controlplane/http/api_totals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

struct listener {
	LIST_ENTRY(listener) link;
	struct api_live *live;
	struct http_live *socket; // NULL until it is open
	uint64_t session_id; // 0: the operator's
	enum session_state state; // as last told
	uint64_t expires_mono_ns; // of the token; 0: never
	uint64_t last_hash; // of the last "usage" or "node"
};

struct api_live {
	struct control *control;
	LIST_HEAD(, listener) listeners;
};

// ---- messages --------------------------------------------------------------------------------

// FNV-1a; that two different ones in a row collide costs a second's message.
static uint64_t hash_text(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3;
	return hash;
}

// Takes the writer. hash: not NULL, then the same again is not sent.
static void send_text(struct listener *listener, struct json_writer *writer, uint64_t *hash)
{
	uint64_t now;
	char *text;

	json_end(writer);
	if (json_writer_finish(writer, false, &text) < 0)
		return;
	now = hash_text(text);
	if (hash == NULL || *hash != now)
		http_live_send(listener->socket, text, strlen(text));
	if (hash != NULL)
		*hash = now;
	json_free_text(text);
}

static void begin(struct json_writer *writer, const char *type)
{
	json_writer_init(writer);
	json_begin_object(writer, NULL);
	json_put_string(writer, "type", type);
}

static void send_state(struct listener *listener, const struct session *session)
{
	struct json_writer writer;

	begin(&writer, "state");
	json_put_count(&writer, "id", session->id);
	json_put_string(&writer, "name", session->name);
	json_put_string(&writer, "state", session_state_name(session->state));
	json_put_count(&writer, "changed_unix_sec", session->changed_unix_sec);
	send_text(listener, &writer, NULL);
}

static void send_usage(
	struct listener *listener, const struct session *session, const struct usage_view *usage
)
{
	uint64_t now_sec = clock_unix_ns(listener->live->control->clock) / NS_PER_SEC;
	uint64_t used = usage->out_bytes + usage->in_bytes, expires = session->expires_unix_sec;
	struct json_writer writer;

	begin(&writer, "usage");
	json_put_string(&writer, "state", session_state_name(session->state));
	json_put_count(&writer, "quota_bytes", session->quota_bytes);
	json_put_count(&writer, "used_bytes", used);
	json_put_count(
		&writer, "left_bytes", session->quota_bytes > used ? session->quota_bytes - used : 0
	);
	json_put_count(&writer, "out_bytes", usage->out_bytes);
	json_put_count(&writer, "in_bytes", usage->in_bytes);
	json_put_count(&writer, "out_bits_per_sec", usage->out_bits_per_sec);
	json_put_count(&writer, "in_bits_per_sec", usage->in_bits_per_sec);
	json_put_count(&writer, "limit_bytes", session_limit_bytes(session));
	json_put_bool(&writer, "is_waiting_for_voucher", usage_view_is_waiting(usage, session));
	json_put_string(
		&writer, "gate", usage->is_in_dataplane ? abi_gate_name(usage->gate) : NULL
	);
	if (expires == 0)
		json_put_null(&writer, "seconds_left");
	else
		json_put_count(&writer, "seconds_left", expires > now_sec ? expires - now_sec : 0);
	send_text(listener, &writer, &listener->last_hash);
}

static void send_node(struct listener *listener)
{
	struct control *control = listener->live->control;
	const struct api_totals *totals = api_totals_read(control);
	struct dp_link_status link;
	struct json_writer writer;

	if (totals == NULL)
		return;
	dp_link_status(control->link, &link);
	begin(&writer, "node");
	json_put_bool(&writer, "is_dataplane_attached", link.is_attached);
	json_put_count(&writer, "sessions_in_dataplane", link.n_sessions);
	json_begin_object(&writer, "sessions");
	for (unsigned i = 0; i < SESSION_N_STATE; i++)
		json_put_count(&writer, session_state_name(i), totals->by_state[i]);
	json_end(&writer);
	json_put_count(&writer, "sessions_needing_review", totals->n_review);
	json_put_count(&writer, "billed_out_bytes", totals->out_bytes);
	json_put_count(&writer, "billed_in_bytes", totals->in_bytes);
	json_begin_array(&writer, "conditions");
	for (unsigned i = 0; i < HEALTH_N; i++) {
		if (control->health->conditions[i].is_set)
			json_put_string(&writer, NULL, health_name(i));
	}
	json_end(&writer);
	send_text(listener, &writer, &listener->last_hash);
}

// ---- a listener ------------------------------------------------------------------------------

static bool is_over(enum session_state state)
{
	return state == SESSION_SETTLED || state == SESSION_REFUNDED;
}

static void tell_session(struct listener *listener)
{
	struct control *control = listener->live->control;
	struct session_error err;
	struct usage_view usage;
	struct session session;

	if (session_get(control->sessions, listener->session_id, &session, &err) < 0 ||
	    usage_read(control->usage, listener->session_id, &usage) < 0)
		return; // the store; told elsewhere
	if (session.state != listener->state) {
		listener->state = session.state;
		send_state(listener, &session);
	}
	send_usage(listener, &session, &usage);
	if (is_over(session.state))
		http_live_close(listener->socket, 1000, "the session is over");
}

static void tell(struct listener *listener)
{
	if (listener->session_id == 0)
		send_node(listener);
	else
		tell_session(listener);
}

static void on_opened(void *ctx, struct http_live *socket)
{
	struct listener *listener = ctx;

	listener->socket = socket;
	tell(listener);
}

static void on_closed(void *ctx)
{
	struct listener *listener = ctx;

	LIST_REMOVE(listener, link);
	free(listener);
}

static const struct http_live_ops ops = {.opened = on_opened, .closed = on_closed};

static void upgrade(
	struct control *control,
	const struct http_request *request,
	const struct session *session,
	struct http_reply *reply
)
{
	struct listener *listener;

	if (!request->is_upgrade) {
		http_reply_problem(
			reply, 400, NULL, "this is a WebSocket: open it as one (RFC 6455)"
		);
		return;
	}
	listener = control->live == NULL ? NULL : calloc(1, sizeof(*listener));
	if (listener == NULL) {
		http_reply_problem(reply, 503, NULL, "out of memory");
		return;
	}
	listener->live = control->live;
	listener->session_id = session == NULL ? 0 : session->id;
	listener->state = SESSION_N_STATE; // none told
	listener->expires_mono_ns = request->caller.expires_mono_ns;
	LIST_INSERT_HEAD(&control->live->listeners, listener, link);
	http_reply_upgrade(reply, &ops, listener);
}

static void live_session(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	struct session session;

	if (api_find_session(ctx, request, &session, reply))
		upgrade(ctx, request, &session, reply);
}

static void live_operator(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	upgrade(ctx, request, NULL, reply);
}

// ---- the node --------------------------------------------------------------------------------

int api_live_create(struct api_live **ret, struct control *control)
{
	struct api_live *live = calloc(1, sizeof(*live));

	if (live == NULL)
		return -ENOMEM;
	live->control = control;
	*ret = live;
	return 0;
}

void api_live_destroy(struct api_live *live)
{
	free(live);
}

void api_live_tick(struct api_live *live)
{
	uint64_t now_ns = clock_mono_ns(live->control->clock);
	struct listener *listener;

	LIST_FOREACH(listener, &live->listeners, link)
	{
		if (listener->socket == NULL)
			continue;
		if (listener->expires_mono_ns != 0 && now_ns >= listener->expires_mono_ns)
			http_live_close(
				listener->socket, HTTP_LIVE_UNAUTHORIZED, "the token has expired"
			);
		else
			tell(listener);
	}
}

void api_live_session_changed(struct api_live *live, const struct session *session)
{
	struct listener *listener;

	if (live == NULL)
		return;
	LIST_FOREACH(listener, &live->listeners, link)
	{
		if (listener->socket == NULL ||
		    (listener->session_id != 0 && listener->session_id != session->id) ||
		    (listener->session_id != 0 && listener->state == session->state))
			continue;
		listener->state = session->state;
		send_state(listener, session);
	}
}

const struct http_route api_live_routes[] = {
	{HTTP_GET, "/api/v1/sessions/{name-or-id}/live", live_session, HTTP_BUYER},
	{HTTP_GET, "/api/v1/operator/live", live_operator, HTTP_OPERATOR},
};
const size_t api_live_n_routes = sizeof(api_live_routes) / sizeof(api_live_routes[0]);
