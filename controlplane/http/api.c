// SPDX-License-Identifier: Apache-2.0
//
// Registers the API's routes and holds what its files share.
#include "api.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

size_t api_tables(struct http_route_table ret[API_MAX_TABLES], struct control *control)
{
	const struct http_route_table tables[] = {
		{api_node_routes, api_node_n_routes, control},
		{api_status_routes, api_status_n_routes, control},
		{api_metrics_routes, api_metrics_n_routes, control},
		{api_session_routes, api_session_n_routes, control},
		{api_auth_routes, api_auth_n_routes, control},
		{api_audit_routes, api_audit_n_routes, control},
		{api_checkpoints_routes, api_checkpoints_n_routes, control},
		{api_settlements_routes, api_settlements_n_routes, control},
	};

	static_assert(sizeof(tables) / sizeof(tables[0]) <= API_MAX_TABLES, "room for them");
	memcpy(ret, tables, sizeof(tables));
	return sizeof(tables) / sizeof(tables[0]);
}

int api_register(struct http_server *server, struct control *control)
{
	struct http_route_table tables[API_MAX_TABLES];
	size_t n = api_tables(tables, control);
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = http_server_routes_add(
			server, tables[i].routes, tables[i].n_routes, tables[i].ctx
		);
	return r;
}

static int status_of(int code)
{
	switch (code) {
	case -EINVAL:
		return 400;
	case -ENOENT:
		return 404;
	case -EEXIST:
	case -EPERM:
		return 409;
	case -ENOSPC:
		return 507;
	case -ENOMEM:
		return 503;
	default:
		return 500;
	}
}

void api_reply_session_error(
	struct control *control, struct http_reply *reply, const struct session_error *err
)
{
	// Not the caller's fault: the node is not well until the store takes a write again.
	if (strcmp(err->field, "store") == 0)
		health_set(
			control->health,
			HEALTH_STORE,
			clock_unix_ns(control->clock),
			"%s",
			err->text
		);
	http_reply_problem(reply, status_of(err->code), err->field, "%s", err->text);
}

static bool is_callers(
	const struct control *control,
	const struct http_caller *caller,
	const struct session *session
)
{
	struct control_party party;

	if (caller->role == HTTP_ROLE_OPERATOR)
		return true;
	return caller->role == HTTP_ROLE_BUYER && control->party != NULL &&
		control->party(control->party_ctx, session->id, &party) == 0 &&
		memcmp(party.buyer, caller->buyer, sizeof(party.buyer)) == 0;
}

bool api_find_session(
	struct control *control,
	const struct http_request *request,
	struct session *ret,
	struct http_reply *reply
)
{
	bool is_operators = request->caller.role == HTTP_ROLE_OPERATOR;
	struct session_error err;
	struct session session;
	int r = session_lookup(control->sessions, request->params[0], &session, &err);

	if (r < 0 && (is_operators || err.code != -ENOENT)) {
		api_reply_session_error(control, reply, &err);
		return false;
	}
	if (r < 0 || !is_callers(control, &request->caller, &session)) {
		http_reply_problem(reply, 404, NULL, "you have no session %s", request->params[0]);
		return false;
	}
	*ret = session;
	return true;
}

bool api_get_number(
	const struct http_request *request,
	const char *name,
	uint64_t max,
	uint64_t *value,
	struct http_reply *reply
)
{
	const char *text = http_request_query(request, name);
	char *end;

	if (text == NULL)
		return true;
	errno = 0;
	*value = strtoull(text, &end, 10);
	if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && *value <= max)
		return true;
	http_reply_problem(
		reply,
		400,
		name,
		"%s '%s': a number up to %llu is expected",
		name,
		text,
		(unsigned long long)max
	);
	return false;
}
