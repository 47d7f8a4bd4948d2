// SPDX-License-Identifier: Apache-2.0
//
// Building replies. Pure but for memory; no libwebsockets, no I/O.
#include "http_message.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROBLEM_TYPE "application/problem+json"

void http_reply_fini(struct http_reply *reply)
{
	if (reply->is_secret)
		explicit_bzero(reply->body, reply->body_len);
	free(reply->body);
	if (reply->live_ops != NULL)
		reply->live_ops->closed(reply->live_ctx);
	*reply = (struct http_reply){0};
}

// Takes body.
static void set(struct http_reply *reply, int status, const char *content_type, char *body)
{
	http_reply_fini(reply);
	reply->status = status;
	reply->content_type = content_type;
	reply->body = body;
	reply->body_len = body == NULL ? 0 : strlen(body);
}

void http_reply_json(struct http_reply *reply, int status, struct json_writer *writer)
{
	char location[sizeof(reply->location)];
	char *text;

	if (json_writer_finish(writer, false, &text) < 0) {
		http_reply_problem(reply, 500, NULL, "the reply could not be built");
		return;
	}
	memcpy(location, reply->location, sizeof(location));
	set(reply, status, "application/json", text);
	memcpy(reply->location, location, sizeof(location));
}

void http_reply_text(
	struct http_reply *reply, int status, const char *content_type, const char *text
)
{
	char *copy = strdup(text);

	if (copy == NULL)
		http_reply_problem(reply, 500, NULL, "out of memory");
	else
		set(reply, status, content_type, copy);
}

void http_reply_take(struct http_reply *reply, int status, const char *content_type, char *text)
{
	set(reply, status, content_type, text);
}

void http_reply_bytes(
	struct http_reply *reply, int status, const char *content_type, char *data, size_t len
)
{
	http_reply_fini(reply);
	reply->status = status;
	reply->content_type = content_type;
	reply->body = data;
	reply->body_len = len;
}

void http_reply_empty(struct http_reply *reply, int status)
{
	set(reply, status, NULL, NULL);
}

void http_reply_upgrade(struct http_reply *reply, const struct http_live_ops *ops, void *ctx)
{
	http_reply_fini(reply);
	reply->status = 101;
	reply->live_ops = ops;
	reply->live_ctx = ctx;
}

void http_reply_defer(struct http_reply *reply)
{
	http_reply_fini(reply);
	reply->is_deferred = true;
}

// Returns: NULL without memory.
static char *build_problem(
	int status, const char *type, const char *title, const char *field, const char *detail
)
{
	struct json_writer writer;
	char *text = NULL;

	json_writer_init(&writer);
	json_begin_object(&writer, NULL);
	json_put_string(&writer, "type", type);
	json_put_string(&writer, "title", title);
	json_put_u64(&writer, "status", (uint64_t)status);
	json_put_string(&writer, "detail", detail);
	if (field != NULL && field[0] != '\0')
		json_put_string(&writer, "field", field);
	json_end(&writer);
	return json_writer_finish(&writer, false, &text) == 0 ? text : NULL;
}

void http_reply_typed_problem(
	struct http_reply *reply,
	int status,
	const char *type,
	const char *title,
	const char *field,
	const char *detail
)
{
	char safe_detail[512], safe_field[96];

	json_quote(safe_detail, sizeof(safe_detail), detail);
	json_quote(safe_field, sizeof(safe_field), field == NULL ? "" : field);
	set(reply, status, PROBLEM_TYPE, build_problem(status, type, title, safe_field, safe_detail)
	);
}

void http_reply_problem(
	struct http_reply *reply, int status, const char *field, const char *format, ...
)
{
	const char *title = http_status_text(status);
	char detail[512];
	va_list args;

	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	// RFC 9457 section 4.2.1: the title is the status's
	http_reply_typed_problem(reply, status, "about:blank", title, field, detail);
}

void http_reply_reader_error(struct http_reply *reply, const struct json_reader *reader)
{
	http_reply_problem(reply, 400, reader->field, "%s", reader->message);
}

const char *http_request_query(const struct http_request *request, const char *name)
{
	size_t len = strlen(name);

	for (unsigned i = 0; i < request->n_query; i++) {
		const char *text = request->query[i];

		if (strncmp(text, name, len) != 0)
			continue;
		if (text[len] == '=')
			return text + len + 1;
		if (text[len] == '\0')
			return "";
	}
	return NULL;
}

static const struct {
	int status;
	const char *text;
} status_rows[] = {
	{101, "Switching Protocols"},
	{200, "OK"},
	{201, "Created"},
	{202, "Accepted"},
	{204, "No Content"},
	{304, "Not Modified"},
	{400, "Bad Request"},
	{401, "Unauthorized"},
	{403, "Forbidden"},
	{404, "Not Found"},
	{405, "Method Not Allowed"},
	{409, "Conflict"},
	{411, "Length Required"},
	{413, "Content Too Large"},
	{414, "URI Too Long"},
	{415, "Unsupported Media Type"},
	{422, "Unprocessable Content"},
	{429, "Too Many Requests"},
	{431, "Request Header Fields Too Large"},
	{500, "Internal Server Error"},
	{501, "Not Implemented"},
	{503, "Service Unavailable"},
	{507, "Insufficient Storage"},
};

// Returns: NULL for a status that this server does not use.
static const char *find_status(int status)
{
	for (size_t i = 0; i < sizeof(status_rows) / sizeof(status_rows[0]); i++) {
		if (status_rows[i].status == status)
			return status_rows[i].text;
	}
	return NULL;
}

bool http_status_is_known(int status)
{
	return find_status(status) != NULL;
}

const char *http_status_text(int status)
{
	const char *text = find_status(status);

	if (text != NULL)
		return text;
	return status < 400 ? "OK" : "Error";
}
