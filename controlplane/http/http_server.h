// SPDX-License-Identifier: Apache-2.0
//
// The one door to libwebsockets, and the control plane's event loop: HTTP/1.1 and WebSocket over a UNIX
// socket and, where it is configured, TCP with or without TLS; timers, file descriptors, the signals
// that end it. One thread creates it, runs it and is called back by it; only http_server_stop() may
// come from elsewhere. Handlers: http_message.h.
//
// SIGTERM and SIGINT are blocked in http_server_create() and arrive through the loop; create the
// server before any thread, so that the threads inherit the mask.
#pragma once

#include "controlplane/http/http_route.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define HTTP_LIVE_QUEUE_BYTES 65536 // of one WebSocket
#define HTTP_LIVE_PROTOCOL "tollwire-live" // Sec-WebSocket-Protocol; may be left out
#define HTTP_LIVE_UNAUTHORIZED 4401 // a close code of ours (RFC 6455 section 7.4.2)

struct http_server;

struct http_server_conf {
	const char *socket_path; // absolute
	unsigned socket_mode; // permission bits, 0660
	const struct sockaddr_storage *listen; // AF_INET or AF_INET6; NULL: no TCP
	const char *tls_certificate, *tls_key; // PEM files; NULL: TCP without TLS
	// 0 in the fields below means the default beside it.
	uint32_t
		max_connections; // 256 over TCP and as many over the socket; more are refused with 503
	uint32_t connections_per_address; // 64, TCP only; more are refused with 429
	uint32_t requests_per_minute; // 1200 of one address, TCP only; more are refused with 429
	uint32_t max_body_bytes; // 65536
	uint32_t request_timeout_sec; // 10; from the first byte of a request to its last, and again
		// for the reply: who is slower is cut off
	uint32_t idle_timeout_sec; // 60; a connection kept open between requests
	// WebSockets: 128 altogether, 16 from one address; a ping every 20 s, to be answered until the
	// next one is due.
	uint32_t live_max, live_per_address, live_ping_sec;
};

// Takes the socket: its lock file (<socket_path>.lock) first, so that a second instance is refused by
// name; a socket file that a dead process left is replaced, one that somebody listens on never.
//
// Returns: 0; -EADDRINUSE when another process holds the socket (err names path and pid);
//          -ENAMETOOLONG, -EACCES, -ENOENT, … with a sentence in err.
int http_server_create(
	struct http_server **ret, const struct http_server_conf *conf, char *err, size_t err_len
);

// Closes connections, removes the socket file. NULL is a no-op.
void http_server_destroy(struct http_server *server);

// Who holds a bearer token, for what comes over TCP. Without it such requests reach public routes only.
void http_server_authenticate_with(
	struct http_server *server,
	int (*authenticate)(void *ctx, const char *token, struct http_caller *ret),
	void *ctx
);

// Where TCP listens, when the configured port was 0. Returns: 0 without TCP.
uint16_t http_server_port(const struct http_server *server);

// Adds one module's routes. The array is kept, not copied; ctx goes to every handler of it.
//
// Returns: 0; -ENOSPC beyond 24 tables.
int http_server_routes_add(
	struct http_server *server, const struct http_route *routes, size_t n_routes, void *ctx
);

// Calls fn every interval_ms, first after one interval, until the server is destroyed. A call that
// comes late is not made up for.
//
// Returns: 0; -EINVAL for an interval of 0; another -errno (memory, descriptors).
int http_server_timer_add(
	struct http_server *server, uint32_t interval_ms, void (*fn)(void *ctx), void *ctx
);

// Calls fn when fd is readable (eventfd of another thread, signalfd, inotify). fn must read it.
// The descriptor stays the caller's: the server watches a duplicate.
//
// Returns: 0 or -errno.
int http_server_watch_add(
	struct http_server *server, int fd, void (*fn)(void *ctx, int fd), void *ctx
);

// The reply to a request whose handler deferred it, named by request->ticket. Takes what is in reply. A
// client that has gone is no error. Loop's thread, not from within the handler itself.
void http_server_answer(struct http_server *server, uint64_t ticket, struct http_reply *reply);

// Queues one text message, which is copied. A client that does not read is dropped when more than
// HTTP_LIVE_QUEUE_BYTES wait for it.
void http_live_send(struct http_live *live, const char *text, size_t len);

// Closes it, when what is queued has left (RFC 6455 section 7.4). reason: static text.
void http_live_close(struct http_live *live, unsigned code, const char *reason);

// Runs until SIGTERM, SIGINT or http_server_stop(). Replies under way are finished, for at most one
// second.
//
// Returns: 0; -EIO when the loop itself failed (logged).
int http_server_run(struct http_server *server);

// Any thread, or a callback.
void http_server_stop(struct http_server *server);

struct http_server_stats {
	uint64_t n_requests;
	uint64_t n_refused; // 4xx by the server itself: malformed, too large, unknown path
	uint64_t n_over_rate; // requests answered with 429
	uint64_t n_timeouts; // slow clients cut off
	uint32_t n_connections;
	uint64_t n_replies[HTTP_STATUS_MAX + 1]; // by status
	uint32_t n_live; // WebSockets among them
	uint64_t n_slow_readers; // WebSockets dropped because nobody read
};

void http_server_stats(const struct http_server *server, struct http_server_stats *ret);
