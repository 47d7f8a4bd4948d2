// SPDX-License-Identifier: Apache-2.0
//
// /api/v1/sessions: create, list, show, change, end. Every change is in the store before the reply
// says so. Loop's thread.
#include "api.h"

#include "controlplane/http/api_session_json.h"
#include "controlplane/session/client_conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_DEFAULT 100
#define LIST_MAX 1000

static void reply_session(
	struct control *control, const struct session *session, int status, struct http_reply *reply
)
{
	struct json_writer writer;

	json_writer_init(&writer);
	api_session_json_put(&writer, NULL, control, session);
	http_reply_json(reply, status, &writer);
}

// ---- list and create -------------------------------------------------------------------------

struct list {
	struct control *control;
	struct json_writer writer;
	bool is_filtered;
	enum session_state state;
	uint64_t n_left;
	uint64_t next_id; // 0: the end was reached
};

static bool list_session(void *ctx, const struct session *session)
{
	struct list *list = ctx;

	if (list->is_filtered && session->state != list->state)
		return true;
	if (list->n_left == 0) {
		list->next_id = session->id;
		return false;
	}
	list->n_left--;
	api_session_json_put(&list->writer, NULL, list->control, session);
	return true;
}

// GET /sessions?state=active&from=1&limit=100, ids upwards; next_id is where the next page begins.
static void list_sessions(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	struct list list = {.control = ctx, .n_left = LIST_DEFAULT};
	struct session_error err;
	uint64_t from = 0;

	if (!api_get_number(request, "from", UINT64_MAX - 1, &from, reply) ||
	    !api_get_number(request, "limit", LIST_MAX, &list.n_left, reply) ||
	    !api_get_state(request, &list.is_filtered, &list.state, reply))
		return;
	json_writer_init(&list.writer);
	json_begin_object(&list.writer, NULL);
	json_begin_array(&list.writer, "sessions");
	if (session_each(list.control->sessions, from, list_session, &list, &err) < 0) {
		json_writer_abort(&list.writer);
		api_reply_session_error(list.control, reply, &err);
		return;
	}
	api_reply_page(reply, &list.writer, list.next_id);
}

static void read_key(struct json_reader *reader, struct session_add *add)
{
	const char *text = json_reader_string_or(reader, "public_key", 0, 128, NULL);

	add->is_key_generated = json_reader_bool_or(reader, "generate_key", false);
	if (add->is_key_generated == (text != NULL))
		json_reader_fail(
			reader, "public_key", "either public_key or generate_key: true is required"
		);
	else if (text != NULL && client_conf_key_parse(add->public_key, text) < 0)
		json_reader_fail(
			reader, "public_key", "32 bytes in base64 (44 characters) are expected"
		);
}

static void read_add(struct json_reader *reader, struct session_add *add)
{
	const char *action;

	*add = (struct session_add){0};
	add->name = json_reader_string_or(reader, "name", 1, SESSION_NAME_CAP - 1, NULL);
	read_key(reader, add);
	add->quota_bytes = json_reader_u64(reader, "quota_bytes", 1, SESSION_QUOTA_MAX_BYTES);
	add->duration_sec = json_reader_u64(reader, "duration_sec", 0, SESSION_DURATION_MAX_SEC);
	add->has_rate_out = json_reader_has(reader, "rate_out_kbps");
	add->has_rate_in = json_reader_has(reader, "rate_in_kbps");
	add->rate_out_kbps =
		(uint32_t)json_reader_u64_or(reader, "rate_out_kbps", 0, SESSION_RATE_MAX_KBPS, 0);
	add->rate_in_kbps =
		(uint32_t)json_reader_u64_or(reader, "rate_in_kbps", 0, SESSION_RATE_MAX_KBPS, 0);
	action = json_reader_string_or(reader, "quota_action", 0, 16, NULL);
	add->has_quota_action = action != NULL;
	if (action != NULL && strcmp(action, "throttle") == 0)
		add->quota_action = CONFIG_QUOTA_THROTTLE;
	else if (action != NULL && strcmp(action, "cut") != 0)
		json_reader_fail(reader, "quota_action", "cut or throttle is expected");
}

static void create_session(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	struct control *control = ctx;
	struct session_error err;
	struct json_reader reader;
	struct session_add add;
	struct session session;

	json_reader_init(&reader, request->body);
	read_add(&reader, &add);
	if (json_reader_finish(&reader) < 0) {
		http_reply_reader_error(reply, &reader);
		return;
	}
	if (session_add(control->sessions, &add, &session, &err) < 0) {
		api_reply_session_error(control, reply, &err);
		return;
	}
	snprintf(
		reply->location,
		sizeof(reply->location),
		"/api/v1/sessions/%llu",
		(unsigned long long)session.id
	);
	reply_session(control, &session, 201, reply);
}

// ---- one session -----------------------------------------------------------------------------

static void show_session(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	struct session session;

	if (api_find_session(ctx, request, &session, reply))
		reply_session(ctx, &session, 200, reply);
}

typedef int (*amount_fn
)(struct session_book *book,
  uint64_t id,
  uint64_t amount,
  struct session *ret,
  struct session_error *err);

// An operation with one number in its body.
static void change_by(
	struct control *control,
	const struct http_request *request,
	struct http_reply *reply,
	const char *member,
	uint64_t max,
	amount_fn change
)
{
	struct session session, after;
	struct json_reader reader;
	struct session_error err;
	uint64_t amount;

	if (!api_find_session(control, request, &session, reply))
		return;
	json_reader_init(&reader, request->body);
	amount = json_reader_u64(&reader, member, 1, max);
	if (json_reader_finish(&reader) < 0)
		http_reply_reader_error(reply, &reader);
	else if (change(control->sessions, session.id, amount, &after, &err) < 0)
		api_reply_session_error(control, reply, &err);
	else
		reply_session(control, &after, 200, reply);
}

static void extend_session(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	change_by(ctx, request, reply, "duration_sec", SESSION_DURATION_MAX_SEC, session_extend);
}

static void top_up_session(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	change_by(ctx, request, reply, "bytes", SESSION_QUOTA_MAX_BYTES, session_top_up);
}

typedef int (*plain_fn
)(struct session_book *book, uint64_t id, struct session *ret, struct session_error *err);

// An operation without a body.
static void change(
	struct control *control,
	const struct http_request *request,
	struct http_reply *reply,
	plain_fn run
)
{
	struct session session, after;
	struct session_error err;

	if (!api_find_session(control, request, &session, reply))
		return;
	if (run(control->sessions, session.id, &after, &err) < 0)
		api_reply_session_error(control, reply, &err);
	else
		reply_session(control, &after, 200, reply);
}

static void suspend_session(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	change(ctx, request, reply, session_suspend);
}

static void resume_session(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	change(ctx, request, reply, session_resume);
}

static void remove_session(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	change(ctx, request, reply, session_remove);
}

static void forget_key(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	change(ctx, request, reply, session_forget_key);
}

#define SESSION_PATH "/api/v1/sessions/{name-or-id}"

const struct http_route api_session_routes[] = {
	{HTTP_GET, "/api/v1/sessions", list_sessions, HTTP_OPERATOR},
	{HTTP_POST, "/api/v1/sessions", create_session, HTTP_OPERATOR},
	{HTTP_GET, SESSION_PATH, show_session, HTTP_BUYER},
	{HTTP_DELETE, SESSION_PATH, remove_session, HTTP_OPERATOR},
	{HTTP_POST, SESSION_PATH "/extend", extend_session, HTTP_OPERATOR},
	{HTTP_POST, SESSION_PATH "/top-up", top_up_session, HTTP_OPERATOR},
	{HTTP_POST, SESSION_PATH "/suspend", suspend_session, HTTP_OPERATOR},
	{HTTP_POST, SESSION_PATH "/resume", resume_session, HTTP_OPERATOR},
	{HTTP_POST, SESSION_PATH "/forget-key", forget_key, HTTP_BUYER},
};
const size_t api_session_n_routes = sizeof(api_session_routes) / sizeof(api_session_routes[0]);
