// SPDX-License-Identifier: Apache-2.0
//
// See http_conn.h. Turns libwebsockets' callbacks into exchanges.
#include "http_conn.h"

#include "common/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct http_conn {
	LIST_ENTRY(http_conn) link;
	struct http_conn_pool *pool;
	struct lws *wsi;
	lws_usec_t deadline_us; // cut off then
	bool is_busy; // between a request's head and the end of its reply
	bool is_body_due; // libwebsockets ends even a body of 0 bytes, when the reply stands already
	struct http_exchange exchange;
};

static void conn_set_deadline(struct http_conn *conn, uint32_t sec)
{
	conn->deadline_us = lws_now_usecs() + (lws_usec_t)sec * LWS_US_PER_SEC;
}

// ---- a request -------------------------------------------------------------------------------

static const char *const lws_methods[] = {
	[LWSHUMETH_GET] = "GET",
	[LWSHUMETH_POST] = "POST",
	[LWSHUMETH_OPTIONS] = "OPTIONS",
	[LWSHUMETH_PUT] = "PUT",
	[LWSHUMETH_PATCH] = "PATCH",
	[LWSHUMETH_DELETE] = "DELETE",
	[LWSHUMETH_CONNECT] = "CONNECT",
	[LWSHUMETH_HEAD] = "HEAD",
};

// Out: dst, "" when the header is absent; "?" when it is longer than dst, which no check accepts.
static void copy_header(struct lws *wsi, char *dst, int cap, enum lws_token_indexes token)
{
	dst[0] = '\0';
	if (lws_hdr_total_length(wsi, token) > 0 && lws_hdr_copy(wsi, dst, cap, token) < 0)
		strcpy(dst, "?");
}

static enum http_exchange_next conn_begin(struct http_conn *conn)
{
	char query[HTTP_MAX_QUERY][HTTP_QUERY_CAP];
	char content_length[32], content_type[80];
	struct http_head head = {0};
	char *path = NULL;
	int path_len = 0;
	int method = lws_http_get_uri_and_method(conn->wsi, &path, &path_len);

	head.method = method < 0 || method >= (int)LWS_ARRAY_SIZE(lws_methods)
		? "?"
		: lws_methods[method];
	head.path = path == NULL ? "" : path;
	head.path_len = path == NULL ? 0 : (size_t)path_len;
	while (lws_hdr_fragment_length(conn->wsi, WSI_TOKEN_HTTP_URI_ARGS, (int)head.n_query) > 0) {
		if (head.n_query == HTTP_MAX_QUERY ||
		    lws_hdr_copy_fragment(
			    conn->wsi,
			    query[head.n_query],
			    HTTP_QUERY_CAP,
			    WSI_TOKEN_HTTP_URI_ARGS,
			    (int)head.n_query
		    ) < 0) {
			head.is_query_cut = true;
			break;
		}
		head.query[head.n_query] = query[head.n_query];
		head.n_query++;
	}
	copy_header(
		conn->wsi, content_length, sizeof(content_length), WSI_TOKEN_HTTP_CONTENT_LENGTH
	);
	copy_header(conn->wsi, content_type, sizeof(content_type), WSI_TOKEN_HTTP_CONTENT_TYPE);
	head.content_length = content_length;
	head.content_type = content_type;
	head.has_transfer_encoding =
		lws_hdr_total_length(conn->wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0;
	conn->pool->stats.n_requests++;
	conn->is_busy = true;
	conn_set_deadline(conn, conn->pool->conf.request_timeout_sec);
	return http_exchange_begin(&conn->exchange, &conn->pool->exchange_conf, &head, true);
}

// ---- its reply -------------------------------------------------------------------------------

static int add_header(
	struct lws *wsi, const char *name, const char *value, uint8_t **p, uint8_t *end
)
{
	if (value == NULL || value[0] == '\0')
		return 0;
	return lws_add_http_header_by_name(
		wsi, (const uint8_t *)name, (const uint8_t *)value, (int)strlen(value), p, end
	);
}

static int conn_write_head(struct http_conn *conn)
{
	struct http_reply *reply = &conn->exchange.reply;
	uint8_t *start = conn->pool->chunk + LWS_PRE;
	uint8_t *end = start + HTTP_CONN_HEAD_BYTES;
	uint8_t *p = start;
	char length[24];

	snprintf(length, sizeof(length), "%zu", reply->body_len);
	if (lws_add_http_header_status(conn->wsi, (unsigned)reply->status, &p, end) ||
	    add_header(conn->wsi, "content-type:", reply->content_type, &p, end) ||
	    add_header(conn->wsi, "location:", reply->location, &p, end) ||
	    add_header(conn->wsi, "allow:", reply->allow, &p, end) ||
	    add_header(conn->wsi, "cache-control:", "no-store", &p, end) ||
	    add_header(conn->wsi, "content-length:", length, &p, end) ||
	    add_header(
		    conn->wsi, "connection:", conn->exchange.must_close ? "close" : NULL, &p, end
	    ) ||
	    lws_finalize_write_http_header(conn->wsi, start, &p, end))
		return -1;
	return 0;
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

static int conn_reply(struct http_conn *conn)
{
	if (http_exchange_is_refused(&conn->exchange))
		conn->pool->stats.n_refused++;
	conn_set_deadline(conn, conn->pool->conf.request_timeout_sec);
	if (conn_write_head(conn) < 0)
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

// ---- connections -----------------------------------------------------------------------------

static void conn_destroy(struct http_conn *conn)
{
	if (conn->pool->adopting == conn)
		conn->pool->adopting = NULL;
	LIST_REMOVE(conn, link);
	conn->pool->stats.n_connections--;
	http_exchange_fini(&conn->exchange);
	free(conn);
}

void http_conn_accept(struct http_conn_pool *pool, struct lws_vhost *vhost, int fd)
{
	struct http_conn *conn;
	struct lws *wsi;
	lws_adopt_desc_t adopt = {
		.vh = vhost,
		.type = LWS_ADOPT_SOCKET | LWS_ADOPT_HTTP,
		.fd = {.sockfd = fd},
	};

	conn = calloc(1, sizeof(*conn));
	if (pool->stats.n_connections >= pool->conf.max_connections || conn == NULL) {
		static const char busy[] = "HTTP/1.1 503 Service Unavailable\r\n"
					   "Content-Length: 0\r\nConnection: close\r\n\r\n";

		// Best effort: the client sees a closed connection otherwise.
		if (send(fd, busy, sizeof(busy) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			log_debug("http", "refused a connection: too many");
		pool->stats.n_refused++;
		close(fd);
		free(conn);
		return;
	}
	conn->pool = pool;
	http_exchange_init(&conn->exchange);
	conn_set_deadline(conn, pool->conf.request_timeout_sec);
	adopt.opaque = conn;
	LIST_INSERT_HEAD(&pool->conns, conn, link);
	pool->stats.n_connections++;
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
	log_warn("http", "a connection could not be taken: out of memory or descriptors");
}

void http_conn_sweep(struct http_conn_pool *pool)
{
	lws_usec_t now_us = lws_now_usecs();
	struct http_conn *conn;

	LIST_FOREACH(conn, &pool->conns, link)
	{
		if (now_us < conn->deadline_us)
			continue;
		if (conn->is_busy)
			pool->stats.n_timeouts++;
		lws_set_timeout(conn->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
	}
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
		conn->is_body_due = conn_begin(conn) == HTTP_EXCHANGE_BODY;
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
		return conn->is_busy ? conn_write_body(conn) : 0;
	case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION: // WebSocket upgrade: nothing here speaks it
	case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
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
		if (conn->is_busy)
			return true;
	}
	return false;
}
