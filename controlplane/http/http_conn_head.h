// SPDX-License-Identifier: Apache-2.0
//
// Heads in libwebsockets' form: a request's out of it, a reply's into it. Shares the door to
// libwebsockets with http_conn.c. Loop's thread.
#pragma once

#include "controlplane/http/http_exchange.h"

#include <libwebsockets.h>

#define HTTP_CONN_HEAD_BYTES 2048 // of a reply

// A request's, with what head points to.
struct http_conn_head {
	struct http_head head; // without ticket, client and retry_after_sec
	char query[HTTP_MAX_QUERY][HTTP_QUERY_CAP];
	char content_length[32], content_type[80], if_none_match[128];
	char authorization[192]; // the caller wipes it
};

void http_conn_head_read(struct http_conn_head *ret, struct lws *wsi, bool is_upgrade);

// start: room for HTTP_CONN_HEAD_BYTES behind LWS_PRE others. Returns: 0 or -1.
int http_conn_head_write(struct lws *wsi, const struct http_exchange *exchange, uint8_t *start);
