// SPDX-License-Identifier: Apache-2.0
//
// See http_astray.h.
#include "http_astray.h"

#include "controlplane/http/http_message.h"

#include <stdio.h>
#include <string.h>

#define REPLY_CAP 1024
static bool is_head_lost; // that of the next connection that is closed

bool http_astray_take_log(const char *line)
{
	if (strstr(line, "Ran out of header data space") == NULL)
		return false;
	is_head_lost = true;
	return true;
}

bool http_astray_take_close(void)
{
	bool is_lost = is_head_lost;

	is_head_lost = false;
	return is_lost;
}

bool http_astray_check_head(struct lws *wsi)
{
	size_t total = 0;

	for (int token = 0; token < WSI_TOKEN_COUNT; token++) {
		int len = lws_hdr_total_length(wsi, (enum lws_token_indexes)token);

		total += len > 0 ? (size_t)len : 0;
	}
	return total <= HTTP_ASTRAY_HEAD_MAX;
}

void http_astray_garbage(struct lws *wsi)
{
	char buf[LWS_PRE + REPLY_CAP];
	struct http_reply reply = {0};
	int n;

	http_reply_problem(
		&reply, 400, NULL, "this is no HTTP/1.1 request with a method of RFC 9110"
	);
	n = snprintf(
		buf + LWS_PRE,
		REPLY_CAP,
		"HTTP/1.1 400 Bad Request\r\n"
		"content-type: %s\r\n"
		"cache-control: no-store\r\n"
		"content-length: %zu\r\n"
		"connection: close\r\n"
		"\r\n"
		"%.*s",
		reply.content_type,
		reply.body_len,
		(int)reply.body_len,
		reply.body == NULL ? "" : reply.body
	);
	http_reply_fini(&reply);
	// Best effort: the connection ends either way.
	if (n > 0 && n < REPLY_CAP)
		(void)lws_write(wsi, (unsigned char *)buf + LWS_PRE, (size_t)n, LWS_WRITE_RAW);
}
