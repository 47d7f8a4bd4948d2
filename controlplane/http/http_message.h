// SPDX-License-Identifier: Apache-2.0
//
// What a handler gets and gives: one request, complete and checked, and one reply. Handlers run on the
// event loop's thread, return at once, and know nothing of libwebsockets. Pure but for memory.
#pragma once

#include "controlplane/json/json_reader.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_MAX_PARAMS 4
#define HTTP_PARAM_CAP 128 // bytes of one decoded path segment
#define HTTP_MAX_QUERY 8 // parameters
#define HTTP_QUERY_CAP 192 // bytes of one, "name=value", decoded

#define HTTP_STATUS_MAX 599

#define HTTP_BUYER_BYTES 20 // an EVM address

enum http_method { HTTP_GET, HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE };

enum http_role { HTTP_ROLE_NOBODY, HTTP_ROLE_BUYER, HTTP_ROLE_OPERATOR };

struct http_caller {
	enum http_role role;
	uint8_t buyer[HTTP_BUYER_BYTES]; // of HTTP_ROLE_BUYER
	// The only chain where buyer is this buyer: of contract wallets; 0: everywhere.
	uint64_t buyer_chain;
	uint64_t expires_mono_ns; // of its token; 0: it does not
};

struct http_request {
	enum http_method method;
	const char *path; // decoded, without the query
	const char *query[HTTP_MAX_QUERY]; // "name=value", decoded, in their order
	unsigned n_query;
	const char *params[HTTP_MAX_PARAMS]; // the pattern's braces in their order
	const struct json_value *body; // NULL when the request has none
	bool is_upgrade; // wants to become a WebSocket: http_reply_upgrade()
	bool is_local; // came over the UNIX socket, whose mode says who may
	uint64_t ticket; // of a reply that comes later: http_reply_defer()
	uint64_t client; // the same for requests of one address, to count them by; never 0
	// As the route's access demands; on a public route always HTTP_ROLE_NOBODY, but for is_local; on a
	// signed one HTTP_ROLE_NOBODY without a token.
	struct http_caller caller;
};

// A WebSocket, from opened() to closed().
struct http_live;

struct http_live_ops {
	void (*opened)(void *ctx, struct http_live *live);
	// Once, also for one that never was open. live may not be used from then on.
	void (*closed)(void *ctx);
};

struct http_reply {
	int status; // 0 until a handler has answered
	const struct http_live_ops *live_ops; // of a 101
	void *live_ctx;
	bool is_deferred; // comes later
	const char *content_type; // static
	char location[HTTP_PARAM_CAP + 64]; // "" for none
	char allow[64]; // for a 405, and the methods of a preflight
	char etag[24]; // "" for none; set by the exchange
	bool is_challenged; // a 401 that names the scheme
	uint32_t retry_after_sec; // 0 = no header
	char *body; // malloc'd; the server frees it
	bool is_secret; // the body is wiped once it is sent
	size_t body_len;
};

void http_reply_fini(struct http_reply *reply);

// Takes the writer. When the document cannot be finished (memory) the reply is a 500.
void http_reply_json(struct http_reply *reply, int status, struct json_writer *writer);

// Copies the text.
void http_reply_text(
	struct http_reply *reply, int status, const char *content_type, const char *text
);

// Takes text, malloc'd.
void http_reply_take(struct http_reply *reply, int status, const char *content_type, char *text);

// Takes data, malloc'd, of any bytes.
void http_reply_bytes(
	struct http_reply *reply, int status, const char *content_type, char *data, size_t len
);

void http_reply_empty(struct http_reply *reply, int status);

// The handler has no answer yet: it keeps request->ticket and gives the reply to http_server_answer()
// later, once. Nothing else of the request lives on; the client may be gone by then.
void http_reply_defer(struct http_reply *reply);

// The connection becomes a WebSocket (RFC 6455); only where request->is_upgrade. ctx goes to ops.
void http_reply_upgrade(struct http_reply *reply, const struct http_live_ops *ops, void *ctx);

// RFC 9457 problem details: {"type","title","status","detail"} and, where one member or parameter is
// at fault, "field". The detail says what, which, the value, and the way out. Replaces what stood in
// the reply.
void http_reply_problem(
	struct http_reply *reply, int status, const char *field, const char *format, ...
) __attribute__((format(printf, 4, 5)));

// The same with a type (a URI) and the title that belongs to it, for what a program must tell apart.
void http_reply_typed_problem(
	struct http_reply *reply,
	int status,
	const char *type,
	const char *title,
	const char *field,
	const char *detail
);

// A 400 with the reader's field and message.
void http_reply_reader_error(struct http_reply *reply, const struct json_reader *reader);

// Returns: the value of a query parameter, "" when it has none; NULL when it is absent.
const char *http_request_query(const struct http_request *request, const char *name);

// Whether a reply of this server may have the status.
bool http_status_is_known(int status);

// Returns: the RFC 9110 reason phrase.
const char *http_status_text(int status);
