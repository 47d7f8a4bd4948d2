// SPDX-License-Identifier: Apache-2.0
//
// Connections that end without a request. Those beyond a limit, and bytes that are no HTTP, which
// libwebsockets leaves to a fallback, are answered with a problem document; a head beyond its buffer
// makes it close without a word but in its log, so that its buffer is larger than what the server takes.
// Loop's thread.
#pragma once

#include <libwebsockets.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_ASTRAY_HEAD_MAX 8192 // bytes of the request line and of the headers that are known
#define HTTP_ASTRAY_HEAD_BUFFER 32768 // of all headers

// For libwebsockets' log. Returns: true when the line says that a head is beyond the buffer; the connection
// that it is about is closed next.
bool http_astray_take_log(const char *line);

// For LWS_CALLBACK_CLOSED_HTTP. Returns: true when it is the connection that the log spoke of.
bool http_astray_take_close(void);

// Returns: false for a head that is too large to be served.
bool http_astray_check_head(struct lws *wsi);

#define HTTP_ASTRAY_REFUSAL_CAP 1024

// Writes a whole reply for a connection that is closed after it: a problem document and its head.
// retry_after_sec: 0 for none. Returns: its length; 0 when it does not fit.
size_t http_astray_refusal(
	char dst[HTTP_ASTRAY_REFUSAL_CAP], int status, uint32_t retry_after_sec, const char *detail
);

// For LWS_CALLBACK_RAW_ADOPT and _RX: this is no HTTP; answers so. The caller closes.
void http_astray_garbage(struct lws *wsi);
