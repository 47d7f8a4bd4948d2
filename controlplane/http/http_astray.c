// SPDX-License-Identifier: Apache-2.0
//
// See http_astray.h.
#include "http_astray.h"

#include "controlplane/http/http_message.h"

#include <stdio.h>
#include <string.h>

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

size_t http_astray_refusal(
	char dst[HTTP_ASTRAY_REFUSAL_CAP], int status, uint32_t retry_after_sec, const char *detail
)
{
	char retry_after[32] = "";
	struct http_reply reply = {0};
	int n;

	http_reply_problem(&reply, status, NULL, "%s", detail);
	if (retry_after_sec != 0)
		snprintf(retry_after, sizeof(retry_after), "retry-after: %u\r\n", retry_after_sec);
	n = snprintf(
		dst,
		HTTP_ASTRAY_REFUSAL_CAP,
		"HTTP/1.1 %d %s\r\n"
		"content-type: %s\r\n"
		"%s"
		"cache-control: no-store\r\n"
		"content-length: %zu\r\n"
		"connection: close\r\n"
		"\r\n"
		"%.*s",
		status,
		http_status_text(status),
		reply.content_type,
		retry_after,
		reply.body_len,
		(int)reply.body_len,
		reply.body == NULL ? "" : reply.body
	);
	http_reply_fini(&reply);
	return n > 0 && n < HTTP_ASTRAY_REFUSAL_CAP ? (size_t)n : 0;
}

void http_astray_garbage(struct lws *wsi)
{
	char buf[LWS_PRE + HTTP_ASTRAY_REFUSAL_CAP];
	size_t len = http_astray_refusal(
		buf + LWS_PRE, 400, 0, "this is no HTTP/1.1 request with a method of RFC 9110"
	);

	// Best effort: the connection ends either way.
	(void)lws_write(wsi, (unsigned char *)buf + LWS_PRE, len, LWS_WRITE_RAW);
}
