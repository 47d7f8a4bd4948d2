// SPDX-License-Identifier: Apache-2.0
//
// What libwebsockets gives up on before it is a request: bytes that are no HTTP, which it leaves to a
// fallback that answers with a problem document here, and heads beyond its buffer, whose connection it
// closes without a word but in its log. Its buffer is larger than what the server takes, so that most
// clients are told. Loop's thread.
#pragma once

#include <libwebsockets.h>

#include <stdbool.h>

#define HTTP_ASTRAY_HEAD_MAX 8192 // bytes of the request line and of the headers that are known
#define HTTP_ASTRAY_HEAD_BUFFER 32768 // of all headers

// For libwebsockets' log. Returns: true when the line says that a head is beyond the buffer; the connection
// that it is about is closed next.
bool http_astray_take_log(const char *line);

// For LWS_CALLBACK_CLOSED_HTTP. Returns: true when it is the connection that the log spoke of.
bool http_astray_take_close(void);

// Returns: false for a head that is too large to be served.
bool http_astray_check_head(struct lws *wsi);

// For LWS_CALLBACK_RAW_ADOPT and _RX: this is no HTTP; answers so. The caller closes.
void http_astray_garbage(struct lws *wsi);
