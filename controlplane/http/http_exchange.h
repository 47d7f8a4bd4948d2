// SPDX-License-Identifier: Apache-2.0
//
// One request and its reply on a connection, without the network: checks the head, gathers the body,
// calls the handler, holds the reply until it is sent. What is wrong becomes a problem document here.
// Owned by the event loop; allocates the body only.
#pragma once

#include "controlplane/http/http_route.h"

#include <stdint.h>

#define HTTP_PATH_CAP 512

// Of the server, shared by its exchanges.
struct http_exchange_conf {
	const struct http_route_table *tables;
	size_t n_tables;
	size_t max_body_bytes;
	// Who holds a bearer token; NULL: nobody. Returns: 0, or -EACCES for a token that is unknown or
	// expired.
	int (*authenticate)(void *ctx, const char *token, struct http_caller *ret);
	void *authenticate_ctx;
};

// What the parser says about a request; pointers need to live only through http_exchange_begin().
struct http_head {
	const char *method;
	const char *path; // decoded, without query
	size_t path_len;
	const char *query[HTTP_MAX_QUERY];
	unsigned n_query;
	bool is_query_cut; // there were more parameters, or longer ones
	const char *content_length; // "" when the header is absent
	const char *content_type; // likewise
	const char *authorization; // likewise; NULL as ""
	const char *if_none_match; // likewise; NULL as ""
	uint64_t ticket, client; // http_request's
	uint32_t retry_after_sec; // the client has asked too much: come back then; 0 = go on
	bool has_transfer_encoding;
	bool is_too_large; // request line and headers together
	bool is_upgrade; // http_request's
};

enum http_exchange_next {
	HTTP_EXCHANGE_BODY, // feed the body, then http_exchange_complete()
	HTTP_EXCHANGE_REPLY, // the reply stands, or is deferred
};

struct http_exchange {
	struct http_route_found found;
	char path[HTTP_PATH_CAP];
	char query[HTTP_MAX_QUERY][HTTP_QUERY_CAP];
	struct http_request request;
	char *body;
	size_t body_len;
	size_t body_bytes; // announced
	bool is_discarding; // the reply stands already, the body is only read
	bool must_close; // after the reply: what follows on the connection cannot be trusted
	bool is_cross_origin; // the reply is for scripts of any origin
	bool is_preflight; // their browser asks before the request (Fetch standard, CORS protocol)
	struct http_reply reply;
	size_t n_sent; // bytes of reply.body
};

void http_exchange_init(struct http_exchange *exchange);
void http_exchange_fini(struct http_exchange *exchange);

enum http_exchange_next http_exchange_begin(
	struct http_exchange *exchange,
	const struct http_exchange_conf *conf,
	const struct http_head *head,
	bool is_local
);

void http_exchange_body(struct http_exchange *exchange, const void *data, size_t len);

// The body is there: parses it, calls the handler. The reply stands afterwards, or is deferred.
void http_exchange_complete(struct http_exchange *exchange);

// The deferred reply has come. Takes what is in reply.
void http_exchange_answer(struct http_exchange *exchange, struct http_reply *reply);

// Whether the server itself refused, before any handler saw the request.
bool http_exchange_is_refused(const struct http_exchange *exchange);
