// SPDX-License-Identifier: Apache-2.0
//
// Which handler a method and a path belong to. Patterns are static text such as
// "/api/v1/sessions/{name}/extend": a segment in braces matches one non-empty segment and gives its
// text to the handler. Paths come percent-decoded from the parser. Pure.
#pragma once

#include "controlplane/http/http_message.h"

#include <stddef.h>

// Who may call. Buyers' and public routes answer any web page's script (CORS): neither cookies nor
// addresses give anybody rights here, only the bearer token that the page itself must hold.
enum http_access {
	HTTP_OPERATOR, // the UNIX socket, or the admin token
	HTTP_BUYER, // and a buyer's token; the handler checks what belongs to that buyer
	HTTP_PUBLIC,
	HTTP_SIGNED, // anybody: the body's signature says who; a token that is sent must hold
};

struct http_route {
	enum http_method method;
	const char *pattern;
	void (*handle)(void *ctx, const struct http_request *request, struct http_reply *reply);
	enum http_access access;
};

// One module's routes and the context of its handlers.
struct http_route_table {
	const struct http_route *routes;
	size_t n_routes;
	void *ctx;
};

// What http_route_match() found. params keep the segments; request.params point into them.
struct http_route_found {
	const struct http_route *route;
	void *ctx;
	char params[HTTP_MAX_PARAMS][HTTP_PARAM_CAP];
	unsigned n_params;
	unsigned allowed; // bit per method that the path has, for a 405's Allow header
};

// path: decoded, without query.
//
// Returns: 0; -ENOENT when no pattern matches the path; -EOPNOTSUPP when one does under another
//          method (ret->allowed says which); -EINVAL when a segment is too long, is not UTF-8 or
//          holds a control character.
int http_route_match(
	struct http_route_found *ret,
	const struct http_route_table *tables,
	size_t n_tables,
	enum http_method method,
	const char *path
);

// Returns: bit per method that scripts of other origins may use on the path; 0 for none.
unsigned http_route_cross_origin(
	const struct http_route_table *tables, size_t n_tables, const char *path
);

// Returns: 0, or -EINVAL for a method that no route can have.
int http_method_parse(enum http_method *ret, const char *text);
const char *http_method_name(enum http_method method);
