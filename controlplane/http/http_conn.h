// SPDX-License-Identifier: Apache-2.0
//
// The connections of http_server.c, with which it shares the door to libwebsockets: one callback,
// replies written as fast as the client reads them, deadlines for who is too slow. One that has become
// a WebSocket is http_live.c's. One thread; a connection lives from accept until libwebsockets destroys
// its wsi.
#pragma once

#include "controlplane/http/http_exchange.h"
#include "controlplane/http/http_limit.h"
#include "controlplane/http/http_server.h"
#include "controlplane/http/http_tcp.h"

#include <libwebsockets.h>

#include <sys/queue.h>

#define HTTP_CONN_CHUNK_BYTES 16384 // written at a time

struct http_conn;
struct http_live;

struct http_conn_pool {
	struct http_server_conf conf; // complete
	struct http_exchange_conf exchange_conf;
	struct http_server_stats stats;
	struct http_limit limit; // of remote clients
	uint32_t n_remote_conns;
	uint64_t n_tickets; // given out
	LIST_HEAD(, http_conn) conns;
	struct http_conn *adopting; // while libwebsockets may destroy it before it has a wsi
	uint8_t chunk[LWS_PRE + HTTP_CONN_CHUNK_BYTES];
};

// Takes fd, just accepted on the UNIX socket.
void http_conn_accept(struct http_conn_pool *pool, struct lws_vhost *vhost, int fd);

// The same, accepted on TCP from addr (http_tcp_accept()).
void http_conn_accept_remote(
	struct http_conn_pool *pool, const struct http_tcp *tcp, int fd, const uint8_t addr[16]
);

// http_server_answer().
void http_conn_answer(struct http_conn_pool *pool, uint64_t ticket, struct http_reply *reply);

// Cuts off the connections that are past their deadline.
void http_conn_sweep(struct http_conn_pool *pool);

// Tells the WebSockets that the server goes away.
void http_conn_close_live(struct http_conn_pool *pool);

bool http_conn_is_any_busy(const struct http_conn_pool *pool);

// Of the protocol "http".
int http_conn_callback(
	struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len
);
