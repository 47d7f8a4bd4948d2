// SPDX-License-Identifier: Apache-2.0
//
// Registers the API's routes and holds what its files share.
#include "api.h"

#include <errno.h>

int api_register(struct http_server *server, struct control *control)
{
	int r;

	r = http_server_routes_add(server, api_status_routes, api_status_n_routes, control);
	if (r == 0)
		r = http_server_routes_add(
			server, api_session_routes, api_session_n_routes, control
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

void api_reply_session_error(struct http_reply *reply, const struct session_error *err)
{
	http_reply_problem(reply, status_of(err->code), err->field, "%s", err->text);
}
