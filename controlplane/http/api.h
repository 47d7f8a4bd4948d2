// SPDX-License-Identifier: Apache-2.0
//
// The HTTP API under /api/v1: what each path answers stands in api_status.c and api_session.c. Handlers
// translate between JSON and the modules behind struct control; they decide nothing. Loop's thread.
#pragma once

#include "controlplane/control.h"
#include "controlplane/http/http_server.h"

// Adds all routes. control is kept and must outlive the server.
//
// Returns: 0 or -errno.
int api_register(struct http_server *server, struct control *control);

// The reply to a failed operation on a session: the status that fits err->code, err->field, err->text.
void api_reply_session_error(struct http_reply *reply, const struct session_error *err);

// The tables of the two files.
extern const struct http_route api_status_routes[];
extern const size_t api_status_n_routes;
extern const struct http_route api_session_routes[];
extern const size_t api_session_n_routes;
