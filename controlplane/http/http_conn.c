// SPDX-License-Identifier: Apache-2.0
//
// See http_conn.h. Turns libwebsockets' callbacks into exchanges.
#include "http_conn.h"

#include "common/log.h"
#include "controlplane/http/http_astray.h"
#include "controlplane/http/http_conn_head.h"
#include "controlplane/http/http_live.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEFERRED_MAX_SEC 60

struct http_conn {
	LIST_ENTRY(http_conn) link;
	struct http_conn_pool *pool;
	struct lws *wsi;
	lws_usec_t deadline_us; // cut off then
	struct http_limit_entry *client; // of a remote connection
	struct http_tcp_vhost *vhost; // likewise
	bool is_busy; // between a request's head and the end of its reply
	bool is_deferred; // the reply comes later
	bool is_answered; // a deferred reply has come and is to be written
	bool is_body_due; // libwebsockets ends even a body of 0 bytes, when the reply stands already
	bool is_behind; // the next request was here before this one was answered
	bool is_live; // a WebSocket now
	struct http_live live;
	struct http_exchange exchange;
};

static void conn_set_deadline(struct http_conn *conn, uint32_t sec)
{
	conn->deadline_us = lws_now_usecs() + (lws_usec_t)sec * LWS_US_PER_SEC;
}

// ---- a request -------------------------------------------------------------------------------

static enum http_exchange_next conn_begin(struct http_conn *conn, bool is_upgrade)
{
	struct http_conn_head head;
	enum http_exchange_next next;

	http_conn_head_read(&head, conn->wsi, is_upgrade);
	head.head.ticket = ++conn->pool->n_tickets;
	head.head.client = conn->client == NULL ? 1 : (uintptr_t)conn->client;
	conn->pool->stats.n_requests++;
	conn->is_busy = true;
	conn_set_deadline(conn, conn->pool->conf.request_timeout_sec);
	if (conn->client != NULL)
		head.head.retry_after_sec = http_limit_request(
			&conn->pool->limit, conn->client, (uint64_t)lws_now_usecs()
		);
	conn->pool->stats.n_over_rate += head.head.retry_after_sec > 0;
	next = http_exchange_begin(
		&conn->exchange, &conn->pool->exchange_conf, &head.head, conn->client == NULL
	);
	explicit_bzero(head.authorization, sizeof(head.authorization));
	return next;
}

// ---- its reply -------------------------------------------------------------------------------

// Whether another request came before this one was answered: after a transaction libwebsockets keeps its table
// of headers for one that it has read already, and that function writes only when there is a table.
static bool has_next_request(const struct http_conn *conn)
{
	char text[] = "?";

	(void)lws_hdr_custom_copy(conn->wsi, text, sizeof(text), "x:", 2);
	return text[0] == '\0';
}

// Returns: -1 to close the connection, as libwebsockets wants it.
static int conn_finish(struct http_conn *conn)
{
	bool must_close = conn->exchange.must_close;

	http_exchange_fini(&conn->exchange);
	conn->is_busy = false;
	conn_set_deadline(conn, conn->pool->conf.idle_timeout_sec);
	if (must_close || lws_http_transaction_completed(conn->wsi))
		return -1;
	conn->is_behind = has_next_request(conn);
	return 0;
}

// Writes the next piece of the body; called when the one before has left.
static int conn_write_body(struct http_conn *conn)
{
	struct http_reply *reply = &conn->exchange.reply;
	size_t rest = reply->body_len - conn->exchange.n_sent;
	size_t n = rest < HTTP_CONN_CHUNK_BYTES ? rest : HTTP_CONN_CHUNK_BYTES;
	uint8_t *start = conn->pool->chunk + LWS_PRE;

	if (n > 0) {
		enum lws_write_protocol how = n == rest ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP;
		int r;

		memcpy(start, reply->body + conn->exchange.n_sent, n);
		r = lws_write(conn->wsi, start, n, how);
		if (reply->is_secret)
			explicit_bzero(start, n);
		if (r < 0)
			return -1;
		conn->exchange.n_sent += n;
	}
	if (conn->exchange.n_sent == reply->body_len)
		return conn_finish(conn);
	lws_callback_on_writable(conn->wsi);
	return 0;
}

// The connection waits for its reply, longer than for a client: whoever defers has a time-out of its own.
// Meanwhile nothing is read from it: what libwebsockets 4.1 has read and cannot use yet keeps the loop
// from sleeping. That stops no connection whose next request was read already; such a one ends.
static int conn_defer(struct http_conn *conn)
{
	if (conn->is_behind)
		return -1;
	conn->is_deferred = true;
	lws_rx_flow_control(conn->wsi, 0);
	lws_set_timeout(conn->wsi, NO_PENDING_TIMEOUT, 0);
	conn_set_deadline(conn, DEFERRED_MAX_SEC);
	return 0;
}

static int conn_reply(struct http_conn *conn)
{
	if (conn->exchange.reply.is_deferred)
		return conn_defer(conn);
	conn->is_deferred = conn->is_answered = false;
	if (conn->exchange.reply.status <= HTTP_STATUS_MAX)
		conn->pool->stats.n_replies[conn->exchange.reply.status]++;
	if (http_exchange_is_refused(&conn->exchange))
		conn->pool->stats.n_refused++;
	conn_set_deadline(conn, conn->pool->conf.request_timeout_sec);
	if (http_conn_head_write(conn->wsi, &conn->exchange, conn->pool->chunk + LWS_PRE) < 0)
		return -1;
	if (conn->exchange.must_close || conn->exchange.reply.body_len == 0) {
		// Input that nobody will read is on its way: do not wait for the loop.
		while (conn->is_busy) {
			if (conn_write_body(conn) < 0)
				return -1;
		}
		return 0;
	}
	lws_callback_on_writable(conn->wsi);
	return 0;
}

// ---- WebSockets ------------------------------------------------------------------------------

static bool has_live_place(const struct http_conn *conn)
{
	const struct http_server_conf *conf = &conn->pool->conf;

	return conn->pool->stats.n_live < conf->live_max &&
		(conn->client == NULL || conn->client->n_live < conf->live_per_address);
}

// The opening handshake, a request like others. Returns: 0 to go on with it, -1 when the reply that it
// got instead is written.
static int conn_upgrade(struct http_conn *conn, const char *protocol)
{
	struct http_reply *reply = &conn->exchange.reply;

	// A body, or another protocol than ours: nobody asks so.
	if (strcasecmp(protocol, "websocket") != 0 ||
	    conn_begin(conn, true) == HTTP_EXCHANGE_BODY || reply->is_deferred)
		return -1;
	if (reply->status == 101 && !has_live_place(conn)) {
		http_reply_problem(
			reply, 429, NULL, "too many WebSockets are open; close one, or come back"
		);
		reply->retry_after_sec = 10;
	}
	if (reply->status == 101)
		return 0;
	conn->exchange.must_close = true;
	(void)conn_reply(conn);
	return -1;
}

static int conn_open_live(struct http_conn *conn)
{
	struct http_reply *reply = &conn->exchange.reply;
	const struct http_live_ops *ops = reply->live_ops;
	void *ctx = reply->live_ctx;

	if (ops == NULL)
		return -1;
	reply->live_ops = NULL;
	http_exchange_fini(&conn->exchange);
	conn->is_busy = false;
	conn->is_live = true;
	conn->pool->stats.n_replies[101]++;
	conn->pool->stats.n_live++;
	if (conn->client != NULL)
		conn->client->n_live++;
	http_live_init(&conn->live, conn->wsi, conn->pool->conf.live_ping_sec, ops, ctx);
	return 0;
}

void http_conn_close_live(struct http_conn_pool *pool)
{
	struct http_conn *conn;

	LIST_FOREACH(conn, &pool->conns, link)
	{
		if (conn->is_live)
			http_live_close(
				&conn->live, LWS_CLOSE_STATUS_GOINGAWAY, "the node is stopping"
			);
	}
}

// ---- connections -----------------------------------------------------------------------------

static void conn_destroy(struct http_conn *conn)
{
	if (conn->pool->adopting == conn)
		conn->pool->adopting = NULL;
	LIST_REMOVE(conn, link);
	conn->pool->stats.n_connections--;
	if (conn->client != NULL) {
		conn->pool->n_remote_conns--;
		http_limit_disconnect(conn->client);
	}
	if (conn->is_live) {
		conn->pool->stats.n_live--;
		if (conn->client != NULL)
			conn->client->n_live--;
		http_live_fini(&conn->live);
	}
	http_tcp_release(conn->vhost);
	http_exchange_fini(&conn->exchange);
	free(conn);
}

// Takes fd and conn; conn->client and ->vhost are set for a remote one.
static void conn_adopt(
	struct http_conn_pool *pool,
	struct http_conn *conn,
	struct lws_vhost *vhost,
	int fd,
	bool is_tls
)
{
	struct lws *wsi;
	lws_adopt_desc_t adopt = {
		.vh = vhost,
		.type = LWS_ADOPT_SOCKET | LWS_ADOPT_HTTP | (is_tls ? LWS_ADOPT_ALLOW_SSL : 0),
		.fd = {.sockfd = fd},
		.opaque = conn,
	};

	conn->pool = pool;
	http_exchange_init(&conn->exchange);
	conn_set_deadline(conn, pool->conf.request_timeout_sec);
	LIST_INSERT_HEAD(&pool->conns, conn, link);
	pool->stats.n_connections++;
	pool->n_remote_conns += conn->client != NULL;
	pool->adopting = conn;
	wsi = lws_adopt_descriptor_vhost_via_info(&adopt);
	if (wsi != NULL) {
		conn->wsi = wsi;
		return;
	}
	// libwebsockets has closed fd, and destroyed conn through its callback unless it never made
	// a wsi.
	if (pool->adopting == conn)
		conn_destroy(conn);
	log_debug("http", "a connection could not be taken");
}

#define RETRY_SEC 10

// Takes fd. A client that begins with TLS cannot read why.
static void refuse_conn(struct http_conn_pool *pool, int fd, bool is_tls, int status)
{
	char reply[HTTP_ASTRAY_REFUSAL_CAP];
	size_t len = http_astray_refusal(
		reply,
		status,
		RETRY_SEC,
		status == 429 ? "too many connections from this address"
			      : "too many connections; come back later"
	);

	// Best effort: the client sees a closed connection otherwise.
	if (!is_tls && send(fd, reply, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("http", "refused a connection: too many");
	pool->stats.n_refused++;
	pool->stats.n_replies[status]++;
	close(fd);
}

// Remote clients have a number of their own, so that they cannot shut out twctl.
void http_conn_accept(struct http_conn_pool *pool, struct lws_vhost *vhost, int fd)
{
	uint32_t n_local = pool->stats.n_connections - pool->n_remote_conns;
	struct http_conn *conn = calloc(1, sizeof(*conn));

	if (n_local >= pool->conf.max_connections || conn == NULL) {
		refuse_conn(pool, fd, false, 503);
		free(conn);
		return;
	}
	conn_adopt(pool, conn, vhost, fd, false);
}

void http_conn_accept_remote(
	struct http_conn_pool *pool, const struct http_tcp *tcp, int fd, const uint8_t addr[16]
)
{
	bool is_tls = tcp->certificate_path != NULL;
	struct http_conn *conn = calloc(1, sizeof(*conn));

	if (pool->n_remote_conns >= pool->conf.max_connections || conn == NULL) {
		refuse_conn(pool, fd, is_tls, 503);
		free(conn);
		return;
	}
	conn->client = http_limit_connect(&pool->limit, addr, (uint64_t)lws_now_usecs());
	if (conn->client == NULL) {
		refuse_conn(pool, fd, is_tls, 429);
		free(conn);
		return;
	}
	conn->vhost = tcp->current;
	conn->vhost->n_conns++;
	conn_adopt(pool, conn, tcp->current->vhost, fd, is_tls);
}

// Whether the client of a deferred reply has gone: libwebsockets does not look while a GET is under way.
static bool conn_is_left(const struct http_conn *conn)
{
	struct pollfd poll_fd = {.fd = lws_get_socket_fd(conn->wsi), .events = POLLRDHUP};

	return conn->is_deferred && poll(&poll_fd, 1, 0) == 1;
}

void http_conn_sweep(struct http_conn_pool *pool)
{
	lws_usec_t now_us = lws_now_usecs();
	struct http_conn *conn;

	LIST_FOREACH(conn, &pool->conns, link)
	{
		if (conn->is_live ? !http_live_sweep(&conn->live, now_us)
				  : now_us < conn->deadline_us && !conn_is_left(conn))
			continue;
		pool->stats.n_slow_readers += conn->is_live && conn->live.is_slow;
		if (conn->is_busy && !conn->is_deferred)
			pool->stats.n_timeouts++;
		lws_set_timeout(conn->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
	}
}

void http_conn_answer(struct http_conn_pool *pool, uint64_t ticket, struct http_reply *reply)
{
	struct http_conn *conn;

	LIST_FOREACH(conn, &pool->conns, link)
	{
		if (!conn->is_deferred || conn->is_answered ||
		    conn->exchange.request.ticket != ticket)
			continue;
		http_exchange_answer(&conn->exchange, reply);
		conn->is_answered = true;
		conn_set_deadline(conn, pool->conf.request_timeout_sec);
		// First: a connection that is not read from is told of no writability either.
		lws_rx_flow_control(conn->wsi, 1);
		lws_callback_on_writable(conn->wsi);
		return;
	}
	http_reply_fini(reply);
}

int http_conn_callback(
	struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len
)
{
	struct http_conn *conn = lws_get_opaque_user_data(wsi);

	(void)user;
	if (conn == NULL)
		return 0;
	switch ((int)reason) {
	case LWS_CALLBACK_HTTP:
		conn->is_body_due = conn_begin(conn, false) == HTTP_EXCHANGE_BODY;
		// Of a body that it has read together with what was before, libwebsockets 4.1 looks
		// for the end for ever. Who sends requests behind one another is ready for an end
		// of the connection (RFC 9112 section 9.3.2).
		if (conn->is_body_due && conn->is_behind)
			return -1;
		return conn->is_body_due ? 0 : conn_reply(conn);
	case LWS_CALLBACK_HTTP_BODY:
		if (conn->is_body_due)
			http_exchange_body(&conn->exchange, in, len);
		return 0;
	case LWS_CALLBACK_HTTP_BODY_COMPLETION:
		if (!conn->is_body_due)
			return 0;
		conn->is_body_due = false;
		http_exchange_complete(&conn->exchange);
		return conn_reply(conn);
	case LWS_CALLBACK_HTTP_WRITEABLE:
		if (conn->is_deferred)
			return conn->is_answered ? conn_reply(conn) : 0;
		return conn->is_busy ? conn_write_body(conn) : 0;
	case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
		return conn_upgrade(conn, in);
	case LWS_CALLBACK_ESTABLISHED:
		return conn_open_live(conn);
	case LWS_CALLBACK_SERVER_WRITEABLE:
		return conn->is_live ? http_live_write(&conn->live) : -1;
	case LWS_CALLBACK_RECEIVE_PONG:
		if (conn->is_live)
			http_live_pong(&conn->live);
		return 0;
	case LWS_CALLBACK_RECEIVE:
		if (conn->is_live)
			http_live_close(
				&conn->live,
				LWS_CLOSE_STATUS_POLICY_VIOLATION,
				"nothing is expected"
			);
		return 0;
	case LWS_CALLBACK_CLOSED_HTTP:
		conn->pool->stats.n_refused += http_astray_take_close();
		return 0;
	case LWS_CALLBACK_RAW_ADOPT:
	case LWS_CALLBACK_RAW_RX:
		conn->pool->stats.n_refused++;
		conn->pool->stats.n_replies[400]++;
		http_astray_garbage(wsi);
		return -1;
	case LWS_CALLBACK_WSI_DESTROY:
		conn_destroy(conn);
		return 0;
	default:
		return 0;
	}
}

bool http_conn_is_any_busy(const struct http_conn_pool *pool)
{
	const struct http_conn *conn;

	LIST_FOREACH(conn, &pool->conns, link)
	{
		if (conn->is_busy || (conn->is_live && conn->live.close_code != 0))
			return true;
	}
	return false;
}
