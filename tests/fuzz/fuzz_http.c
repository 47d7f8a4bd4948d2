// SPDX-License-Identifier: Apache-2.0
//
// libFuzzer target for requests behind the HTTP parser: method, path, headers and body, one a line.
// Every request ends in a reply with a status, and every refusal is a JSON document.
#include "controlplane/http/http_exchange.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void echo(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	struct json_writer writer;

	(void)ctx;
	json_writer_init(&writer);
	json_begin_object(&writer, NULL);
	json_put_string(&writer, "param", request->params[0]);
	json_put_string(&writer, "query", http_request_query(request, "q"));
	json_end(&writer);
	http_reply_json(reply, 200, &writer);
}

static const struct http_route routes[] = {
	{HTTP_GET, "/api/v1/sessions", echo, HTTP_OPERATOR},
	{HTTP_POST, "/api/v1/sessions/{name-or-id}/top-up", echo, HTTP_OPERATOR},
	{HTTP_DELETE, "/api/v1/sessions/{name-or-id}", echo, HTTP_BUYER},
	{HTTP_GET, "/api/v1/node", echo, HTTP_PUBLIC},
};

static const struct http_route_table table = {.routes = routes, .n_routes = 4};

// Cuts the next line off. Out: NUL-terminated text, "" at the end.
static const char *next_line(char **text, size_t *rest)
{
	char *line = *text, *end = memchr(line, '\n', *rest);
	size_t len = end == NULL ? *rest : (size_t)(end - line);

	line[len] = '\0';
	*rest -= end == NULL ? len : len + 1;
	*text += end == NULL ? len : len + 1;
	return line;
}

static int authenticate(void *ctx, const char *token, struct http_caller *ret)
{
	(void)ctx;
	ret->role = strchr(token, 'o') != NULL ? HTTP_ROLE_OPERATOR : HTTP_ROLE_BUYER;
	return strchr(token, 't') != NULL ? 0 : -1;
}

static void check_reply(const struct http_reply *reply)
{
	struct json_value *doc;

	if (reply->status < 200 || reply->status > 599)
		abort();
	if (reply->status == 204 || reply->status == 304) {
		if (reply->body_len != 0)
			abort();
		return;
	}
	// A query parameter that is not UTF-8 makes the echo a 500, which is JSON as well.
	if (json_parse(reply->body, reply->body_len, &doc) < 0)
		abort();
	json_free(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_exchange_conf conf = {
		.tables = &table,
		.n_tables = 1,
		.max_body_bytes = 4096,
		.authenticate = authenticate};
	struct http_exchange exchange;
	struct http_head head = {0};
	char *copy = calloc(1, size + 1), *text = copy;
	size_t rest = size;

	memcpy(copy, data, size);
	head.method = next_line(&text, &rest);
	head.path = next_line(&text, &rest);
	head.path_len = strlen(head.path);
	head.query[0] = next_line(&text, &rest);
	head.n_query = 1;
	head.authorization = head.if_none_match = head.query[0];
	head.content_length = next_line(&text, &rest);
	head.content_type = next_line(&text, &rest);
	head.has_transfer_encoding = rest > 0 && *text == 'T';

	http_exchange_init(&exchange);
	if (http_exchange_begin(&exchange, &conf, &head, size % 2 == 0) == HTTP_EXCHANGE_BODY) {
		// In pieces of 7 bytes, as a slow client sends it.
		for (size_t pos = 0; pos < rest; pos += 7)
			http_exchange_body(&exchange, text + pos, rest - pos < 7 ? rest - pos : 7);
		http_exchange_complete(&exchange);
	}
	check_reply(&exchange.reply);
	http_exchange_fini(&exchange);
	free(copy);
	return 0;
}
