// SPDX-License-Identifier: Apache-2.0
//
// One WebSocket of http_conn.c: a bounded queue of messages out, pings, the close. Nothing is expected
// from the client. Shares the door to libwebsockets. Loop's thread.
#pragma once

#include "controlplane/http/http_message.h"

#include <libwebsockets.h>

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct http_live_message;

struct http_live {
	struct lws *wsi;
	const struct http_live_ops *ops; // NULL when it is over
	void *ctx;
	STAILQ_HEAD(, http_live_message) queue;
	size_t queued_bytes;
	uint32_t ping_sec;
	lws_usec_t ping_us; // when the next one is due
	bool is_ping_due, is_pong_due;
	unsigned close_code; // 0: none
	const char *close_reason;
	bool is_slow; // more was queued than may be: cut off without a word
};

// Takes ops and ctx. Calls opened().
void http_live_init(
	struct http_live *live,
	struct lws *wsi,
	uint32_t ping_sec,
	const struct http_live_ops *ops,
	void *ctx
);

// Calls closed().
void http_live_fini(struct http_live *live);

// Writes what may be written now. Returns: -1 to close the connection, as libwebsockets wants it.
int http_live_write(struct http_live *live);

void http_live_pong(struct http_live *live);

// Every now and then. Returns: true when the connection is to be cut off.
bool http_live_sweep(struct http_live *live, lws_usec_t now_us);
