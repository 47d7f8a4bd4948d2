// SPDX-License-Identifier: Apache-2.0
//
// See http_exchange.h. Pure but for memory.
#include "http_exchange.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

// A body that is refused is still read up to this size, so that the client gets to see why.
#define MAX_DISCARD_BYTES (1024 * 1024)
#define MAX_TAGGED_BYTES (256 * 1024) // larger ones are not worth the loop's time

void http_exchange_init(struct http_exchange *exchange)
{
	memset(exchange, 0, sizeof(*exchange));
}

void http_exchange_fini(struct http_exchange *exchange)
{
	http_reply_fini(&exchange->reply);
	free(exchange->body);
	http_exchange_init(exchange);
}

bool http_exchange_is_refused(const struct http_exchange *exchange)
{
	return exchange->reply.status >= 400 && exchange->request.path == NULL;
}

// Returns: 0; -EINVAL when it is not plain digits or beyond any body.
static int parse_content_length(size_t *ret, const char *text)
{
	size_t value = 0;

	if (*text == '\0') {
		*ret = 0;
		return 0;
	}
	for (const char *p = text; *p != '\0'; p++) {
		if (*p < '0' || *p > '9' || value > SIZE_MAX / 20)
			return -EINVAL;
		value = value * 10 + (size_t)(*p - '0');
	}
	*ret = value;
	return 0;
}

// RFC 9110 section 8.3.1: type/subtype, then parameters.
static bool is_json_type(const char *text)
{
	size_t len = strcspn(text, "; \t");

	return len == strlen("application/json") && strncasecmp(text, "application/json", len) == 0;
}

static void list_methods(char dst[64], unsigned methods)
{
	dst[0] = '\0';
	for (unsigned method = 0; method <= HTTP_DELETE; method++) {
		if ((methods >> method & 1) == 0)
			continue;
		if (dst[0] != '\0')
			strcat(dst, ", ");
		strcat(dst, http_method_name((enum http_method)method));
	}
}

static void refuse_method(struct http_exchange *exchange, const struct http_head *head)
{
	char allowed[64];

	list_methods(allowed, exchange->found.allowed);
	http_reply_problem(
		&exchange->reply,
		405,
		NULL,
		"%s does not take %s; it takes %s",
		exchange->path,
		head->method,
		allowed
	);
	snprintf(exchange->reply.allow, sizeof(exchange->reply.allow), "%s", allowed);
}

// A script must be able to read why it was refused, and when to come back, also before it is known what
// it asks for: then by the path alone. check_access() has the last word.
static void take_path(
	struct http_exchange *exchange,
	const struct http_exchange_conf *conf,
	const struct http_head *head
)
{
	if (head->path_len >= sizeof(exchange->path))
		return;
	memcpy(exchange->path, head->path, head->path_len);
	exchange->is_cross_origin =
		http_route_cross_origin(conf->tables, conf->n_tables, exchange->path) != 0;
}

static void find_route(
	struct http_exchange *exchange,
	const struct http_exchange_conf *conf,
	const struct http_head *head
)
{
	struct http_reply *reply = &exchange->reply;
	enum http_method method = HTTP_GET;
	int r, method_r;

	if (head->path_len >= sizeof(exchange->path)) {
		http_reply_problem(reply, 414, NULL, "the path is longer than %d", HTTP_PATH_CAP);
		return;
	}
	if (strlen(exchange->path) != head->path_len) {
		http_reply_problem(reply, 400, NULL, "the path holds a NUL");
		return;
	}
	if (strcmp(head->method, "OPTIONS") == 0) {
		unsigned methods =
			http_route_cross_origin(conf->tables, conf->n_tables, exchange->path);

		exchange->is_preflight = methods != 0;
		if (methods != 0) {
			http_reply_empty(reply, 204);
			list_methods(reply->allow, methods);
			return;
		}
	}
	method_r = http_method_parse(&method, head->method);
	r = http_route_match(
		&exchange->found, conf->tables, conf->n_tables, method, exchange->path
	);
	if (r == 0 && method_r < 0)
		r = -EOPNOTSUPP;
	if (r == -ENOENT)
		http_reply_problem(reply, 404, NULL, "there is nothing at %s", exchange->path);
	else if (r == -EOPNOTSUPP)
		refuse_method(exchange, head);
	else if (r < 0)
		http_reply_problem(reply, 400, NULL, "a part of the path is too long or no text");
	exchange->request.method = method;
}

static void check_body_head(
	struct http_exchange *exchange,
	const struct http_exchange_conf *conf,
	const struct http_head *head
)
{
	struct http_reply *reply = &exchange->reply;

	if (exchange->body_bytes == 0)
		return;
	if (exchange->request.method == HTTP_GET || exchange->request.method == HTTP_DELETE)
		http_reply_problem(reply, 400, NULL, "%s takes no body", head->method);
	else if (exchange->body_bytes > conf->max_body_bytes)
		http_reply_problem(
			reply,
			413,
			NULL,
			"the body has %zu bytes; at most %zu are taken",
			exchange->body_bytes,
			conf->max_body_bytes
		);
	else if (!is_json_type(head->content_type))
		http_reply_problem(
			reply,
			415,
			NULL,
			"Content-Type is '%.64s'; application/json is expected",
			head->content_type
		);
}

// ---- who asks ---------------------------------------------------------------------------------

// RFC 6750 section 2.1: "Bearer", one or more spaces, a token68.
static const char *bearer_token(const char *authorization)
{
	static const char scheme[] = "Bearer ";

	if (authorization == NULL || strncasecmp(authorization, scheme, strlen(scheme)) != 0)
		return NULL;
	authorization += strlen(scheme);
	return authorization + strspn(authorization, " ");
}

static void refuse_rate(struct http_reply *reply, uint32_t retry_after_sec)
{
	http_reply_problem(
		reply,
		429,
		NULL,
		"too many requests from this address; come back in %u s",
		retry_after_sec
	);
	reply->retry_after_sec = retry_after_sec;
}

static void challenge(struct http_reply *reply, const char *detail)
{
	http_reply_problem(reply, 401, NULL, "%s", detail);
	reply->is_challenged = true;
}

static void check_access(
	struct http_exchange *exchange,
	const struct http_exchange_conf *conf,
	const struct http_head *head
)
{
	struct http_caller *caller = &exchange->request.caller;
	enum http_access access = exchange->found.route->access;
	struct http_reply *reply = &exchange->reply;
	const char *token;

	exchange->is_cross_origin = access != HTTP_OPERATOR;
	if (exchange->request.is_local) {
		caller->role = HTTP_ROLE_OPERATOR;
		return;
	}
	if (access == HTTP_PUBLIC)
		return;
	token = bearer_token(head->authorization);
	if (access == HTTP_SIGNED &&
	    (head->authorization == NULL || head->authorization[0] == '\0'))
		return;
	if (token == NULL)
		challenge(reply, "send the header Authorization: Bearer, with a token");
	else if (conf->authenticate == NULL || conf->authenticate(conf->authenticate_ctx, token, caller) < 0)
		challenge(reply, "the bearer token is unknown or has expired");
	else if (access == HTTP_OPERATOR && caller->role != HTTP_ROLE_OPERATOR)
		http_reply_problem(reply, 403, NULL, "only the operator may do this");
}

// ---- what the client has already ---------------------------------------------------------------

// RFC 9110 section 13.1.2: a list of entity tags, compared weakly, or "*".
static bool is_in_list(const char *list, const char *etag)
{
	size_t len = strlen(etag);

	for (const char *p = list; *p != '\0';) {
		p += strspn(p, ", \t");
		if (*p == '*')
			return true;
		if (strncmp(p, "W/", 2) == 0)
			p += 2;
		if (strncmp(p, etag, len) == 0 && (p[len] == '\0' || strchr(", \t", p[len])))
			return true;
		p += strcspn(p, ",");
	}
	return false;
}

// FNV-1a: it tells versions of one resource apart, nobody gains from a collision.
static uint64_t hash_body(const struct http_reply *reply)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < reply->body_len; i++)
		hash = (hash ^ (unsigned char)reply->body[i]) * 0x100000001b3;
	return hash;
}

static void tag_reply(struct http_exchange *exchange, const struct http_head *head)
{
	struct http_reply *reply = &exchange->reply;
	char etag[sizeof(reply->etag)];

	if (exchange->request.method != HTTP_GET || reply->status != 200 || reply->is_secret ||
	    reply->body_len > MAX_TAGGED_BYTES)
		return;
	snprintf(etag, sizeof(etag), "\"%016llx\"", (unsigned long long)hash_body(reply));
	if (head->if_none_match != NULL && is_in_list(head->if_none_match, etag))
		http_reply_empty(reply, 304);
	memcpy(reply->etag, etag, sizeof(etag));
}

static void copy_query(struct http_exchange *exchange, const struct http_head *head)
{
	for (unsigned i = 0; i < head->n_query; i++) {
		snprintf(exchange->query[i], HTTP_QUERY_CAP, "%s", head->query[i]);
		exchange->request.query[i] = exchange->query[i];
	}
	exchange->request.n_query = head->n_query;
}

static void run_handler(struct http_exchange *exchange)
{
	struct http_request *request = &exchange->request;

	for (unsigned i = 0; i < exchange->found.n_params; i++)
		request->params[i] = exchange->found.params[i];
	request->path = exchange->path;
	exchange->found.route->handle(exchange->found.ctx, request, &exchange->reply);
	if (exchange->reply.status == 0 && !exchange->reply.is_deferred)
		http_reply_problem(&exchange->reply, 500, NULL, "the handler gave no answer");
}

void http_exchange_answer(struct http_exchange *exchange, struct http_reply *reply)
{
	http_reply_fini(&exchange->reply);
	exchange->reply = *reply;
	*reply = (struct http_reply){0};
	if (exchange->reply.status == 0)
		http_reply_problem(&exchange->reply, 500, NULL, "the handler gave no answer");
}

enum http_exchange_next http_exchange_begin(
	struct http_exchange *exchange,
	const struct http_exchange_conf *conf,
	const struct http_head *head,
	bool is_local
)
{
	struct http_reply *reply = &exchange->reply;

	http_exchange_fini(exchange);
	exchange->request.is_local = is_local;
	exchange->request.ticket = head->ticket;
	exchange->request.client = head->client;
	exchange->request.is_upgrade = head->is_upgrade;
	take_path(exchange, conf, head);
	if (head->has_transfer_encoding ||
	    parse_content_length(&exchange->body_bytes, head->content_length) < 0) {
		// Where the body ends is unknown, so is where the next request begins.
		exchange->must_close = true;
		if (head->has_transfer_encoding)
			http_reply_problem(reply, 411, NULL, "send the body with Content-Length");
		else
			http_reply_problem(reply, 400, NULL, "Content-Length is not a number");
		return HTTP_EXCHANGE_REPLY;
	}
	if (head->retry_after_sec > 0)
		refuse_rate(reply, head->retry_after_sec);
	if (reply->status == 0 && head->is_too_large)
		http_reply_problem(reply, 431, NULL, "the request line and headers are too large");
	if (reply->status == 0)
		find_route(exchange, conf, head);
	if (reply->status == 0)
		check_access(exchange, conf, head);
	if (reply->status == 0 && head->is_query_cut)
		http_reply_problem(reply, 414, NULL, "too many or too long query parameters");
	if (reply->status == 0)
		check_body_head(exchange, conf, head);

	if (reply->status != 0) {
		exchange->is_discarding = true;
		if (exchange->body_bytes > MAX_DISCARD_BYTES)
			exchange->must_close = true;
		else if (exchange->body_bytes > 0)
			return HTTP_EXCHANGE_BODY;
		return HTTP_EXCHANGE_REPLY;
	}
	copy_query(exchange, head);
	if (exchange->body_bytes == 0) {
		run_handler(exchange);
		tag_reply(exchange, head);
		return HTTP_EXCHANGE_REPLY;
	}
	exchange->body = malloc(exchange->body_bytes);
	if (exchange->body == NULL) {
		http_reply_problem(reply, 503, NULL, "out of memory for the body");
		exchange->is_discarding = true;
	}
	return HTTP_EXCHANGE_BODY;
}

void http_exchange_body(struct http_exchange *exchange, const void *data, size_t len)
{
	if (exchange->is_discarding)
		return;
	if (len > exchange->body_bytes - exchange->body_len) {
		http_reply_problem(&exchange->reply, 400, NULL, "body beyond its Content-Length");
		exchange->is_discarding = true;
		exchange->must_close = true;
		return;
	}
	memcpy(exchange->body + exchange->body_len, data, len);
	exchange->body_len += len;
}

void http_exchange_complete(struct http_exchange *exchange)
{
	struct json_value *doc = NULL;
	char err[160];
	int r;

	if (exchange->is_discarding)
		return;
	r = json_parse_limited(
		&doc, exchange->body, exchange->body_len, &json_limits_request, err, sizeof(err)
	);
	if (r < 0) {
		http_reply_problem(
			&exchange->reply,
			r == -ENOMEM ? 503 : 400,
			NULL,
			"the body is not acceptable JSON: %s",
			err
		);
		return;
	}
	exchange->request.body = doc;
	run_handler(exchange);
	exchange->request.body = NULL;
	json_free(doc);
}
