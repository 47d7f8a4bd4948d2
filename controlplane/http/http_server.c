// SPDX-License-Identifier: Apache-2.0
//
// The event loop: the libwebsockets context, the listener, timers and watched descriptors as raw files
// in it, signals. Connections are in http_conn.c; these two files are the door to libwebsockets.
// One thread. Watches (a timer is one) live as long as the server.
#include "http_server.h"

#include "common/log.h"
#include "controlplane/http/http_astray.h"
#include "controlplane/http/http_conn.h"
#include "controlplane/http/http_listen.h"

#include <libwebsockets.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define MAX_TABLES 24
#define DRAIN_US (1 * LWS_US_PER_SEC)
#define SWEEP_MS 250
#define REFRESH_MS 1000
#define ACCEPT_BATCH 32 // so that a flood of connections does not starve the timers

// A descriptor of somebody's, or a timer's.
struct http_watch {
	LIST_ENTRY(http_watch) link;
	int fd; // owned by libwebsockets
	void (*fn)(void *ctx, int fd);
	void (*tick)(void *ctx); // of a timer, instead of fn
	void *ctx;
};

struct http_server {
	struct lws_context *context;
	struct lws_vhost *vhost;
	struct http_listen listener;
	struct http_tcp tcp;
	struct http_route_table tables[MAX_TABLES];
	LIST_HEAD(, http_watch) watches;
	bool is_stopping; // atomic
	int signal_fd;
	struct http_conn_pool pool;
};

static void on_tick(struct http_watch *watch)
{
	uint64_t n_missed;

	if (read(watch->fd, &n_missed, sizeof(n_missed)) == sizeof(n_missed))
		watch->tick(watch->ctx);
}

static int on_watch(
	struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len
)
{
	struct http_watch *watch = lws_get_opaque_user_data(wsi);

	(void)user;
	(void)in;
	(void)len;
	// The destruction of any wsi is told to the first protocol, which would take this for its own.
	if (reason == LWS_CALLBACK_RAW_CLOSE_FILE)
		lws_set_opaque_user_data(wsi, NULL);
	if (reason != LWS_CALLBACK_RAW_RX_FILE || watch == NULL)
		return 0;
	if (watch->tick != NULL)
		on_tick(watch);
	else
		watch->fn(watch->ctx, watch->fd);
	return 0;
}

static const struct lws_protocols protocols[] = {
	{.name = "http", .callback = http_conn_callback},
	{.name = "watch", .callback = on_watch},
	{.name = HTTP_LIVE_PROTOCOL, .callback = http_conn_callback, .rx_buffer_size = 1024},
	{.name = NULL},
};

// ---- timers, descriptors, signals ------------------------------------------------------------

// Takes fd, also on failure.
static int watch_create(struct http_server *server, int fd, const struct http_watch *row)
{
	struct http_watch *watch = malloc(sizeof(*watch));
	lws_adopt_desc_t adopt = {
		.vh = server->vhost,
		.type = LWS_ADOPT_RAW_FILE_DESC,
		.fd = {.filefd = fd},
		.vh_prot_name = "watch",
		.opaque = watch,
	};

	if (watch == NULL) {
		close(fd);
		return -ENOMEM;
	}
	*watch = *row;
	watch->fd = fd;
	LIST_INSERT_HEAD(&server->watches, watch, link);
	if (lws_adopt_descriptor_vhost_via_info(&adopt) == NULL) { // has closed fd
		LIST_REMOVE(watch, link);
		free(watch);
		return -ENOMEM;
	}
	return 0;
}

int http_server_watch_add(
	struct http_server *server, int fd, void (*fn)(void *ctx, int fd), void *ctx
)
{
	int own_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (own_fd < 0)
		return -errno;
	return watch_create(server, own_fd, &(struct http_watch){.fn = fn, .ctx = ctx});
}

int http_server_timer_add(
	struct http_server *server, uint32_t interval_ms, void (*fn)(void *ctx), void *ctx
)
{
	struct timespec interval = {
		.tv_sec = interval_ms / 1000,
		.tv_nsec = (long)(interval_ms % 1000) * 1000000,
	};
	struct itimerspec spec = {.it_interval = interval, .it_value = interval};
	int fd;

	if (interval_ms == 0)
		return -EINVAL;
	fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (timerfd_settime(fd, 0, &spec, NULL) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	return watch_create(server, fd, &(struct http_watch){.tick = fn, .ctx = ctx});
}

static void on_signal(void *ctx, int fd)
{
	struct http_server *server = ctx;
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof(info)) != sizeof(info))
		return;
	log_info("http", "%s: stopping", strsignal((int)info.ssi_signo));
	http_server_stop(server);
}

static int take_signals(struct http_server *server)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	server->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (server->signal_fd < 0)
		return -errno;
	return http_server_watch_add(server, server->signal_fd, on_signal, server);
}

static void on_listener(void *ctx, int fd)
{
	struct http_server *server = ctx;

	for (int i = 0; i < ACCEPT_BATCH; i++) {
		int conn_fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (conn_fd < 0)
			return;
		http_conn_accept(&server->pool, server->vhost, conn_fd);
	}
}

static void on_tcp_listener(void *ctx, int fd)
{
	struct http_server *server = ctx;

	(void)fd;
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		uint8_t addr[16];
		int conn_fd = http_tcp_accept(&server->tcp, addr);

		if (conn_fd < 0)
			return;
		http_conn_accept_remote(&server->pool, &server->tcp, conn_fd, addr);
	}
}

static void on_refresh(void *ctx)
{
	struct http_server *server = ctx;

	http_tcp_refresh(&server->tcp);
}

static void on_sweep(void *ctx)
{
	struct http_server *server = ctx;

	http_conn_sweep(&server->pool);
}

// ---- life ------------------------------------------------------------------------------------

static void on_lws_log(int level, const char *line)
{
	int len = (int)strcspn(line, "\n");

	// Any client can cause it: it is counted, not logged.
	if (http_astray_take_log(line))
		return;
	if (level & LLL_ERR)
		log_warn("http", "libwebsockets: %.*s", len, line);
	else
		log_debug("http", "libwebsockets: %.*s", len, line);
}

static int create_context(struct http_server *server)
{
	struct lws_context_creation_info info = {
		.port = CONTEXT_PORT_NO_LISTEN_SERVER,
		.protocols = protocols,
		.options = LWS_SERVER_OPTION_SKIP_SERVER_CANONICAL_NAME |
			LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS |
			LWS_SERVER_OPTION_FALLBACK_TO_APPLY_LISTEN_ACCEPT_CONFIG |
			(server->pool.conf.tls_certificate == NULL
				 ? 0
				 : LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT),
		.server_string = "tollwire",
		.alpn = "http/1.1",
		.timeout_secs = server->pool.conf.request_timeout_sec,
		.keepalive_timeout = (int)server->pool.conf.idle_timeout_sec,
		.listen_accept_role = "raw-skt", // what is no HTTP: http_astray.h
		.listen_accept_protocol = "http",
		.max_http_header_data = HTTP_ASTRAY_HEAD_BUFFER,
		.max_http_header_pool = 128,
		.fd_limit_per_thread = 2 * server->pool.conf.max_connections + 64,
		.vhost_name = "tollwire",
	};

	lws_set_log_level(LLL_ERR | LLL_WARN, on_lws_log);
	server->context = lws_create_context(&info);
	if (server->context == NULL)
		return -ENOMEM;
	server->vhost = lws_get_vhost_by_name(server->context, "tollwire");
	return server->vhost == NULL ? -ENOMEM : 0;
}

static void set_defaults(struct http_server_conf *conf)
{
	if (conf->max_connections == 0)
		conf->max_connections = 256;
	if (conf->connections_per_address == 0)
		conf->connections_per_address = 64;
	if (conf->requests_per_minute == 0)
		conf->requests_per_minute = 1200;
	if (conf->max_body_bytes == 0)
		conf->max_body_bytes = 65536;
	if (conf->request_timeout_sec == 0)
		conf->request_timeout_sec = 10;
	if (conf->idle_timeout_sec == 0)
		conf->idle_timeout_sec = 60;
	if (conf->live_max == 0)
		conf->live_max = 128;
	if (conf->live_per_address == 0)
		conf->live_per_address = 16;
	if (conf->live_ping_sec == 0)
		conf->live_ping_sec = 20;
}

// The TCP side. Returns: 0 or -errno with err.
static int open_tcp(struct http_server *server, char *err, size_t err_len)
{
	const struct http_server_conf *conf = &server->pool.conf;
	uint64_t seed;
	int r;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return -EIO;
	r = http_limit_init(
		&server->pool.limit, conf->connections_per_address, conf->requests_per_minute, seed
	);
	if (r == 0)
		r = http_tcp_open(&server->tcp, server->context, protocols, conf, err, err_len);
	if (r == 0 && server->tcp.fd >= 0)
		r = http_server_watch_add(server, server->tcp.fd, on_tcp_listener, server);
	if (r == 0 && server->tcp.fd >= 0)
		r = http_server_timer_add(server, REFRESH_MS, on_refresh, server);
	return r;
}

int http_server_create(
	struct http_server **ret, const struct http_server_conf *conf, char *err, size_t err_len
)
{
	struct http_server *server = calloc(1, sizeof(*server));
	int r;

	if (server == NULL) {
		snprintf(err, err_len, "no memory for the HTTP server");
		return -ENOMEM;
	}
	server->pool.conf = *conf;
	set_defaults(&server->pool.conf);
	server->pool.exchange_conf.tables = server->tables;
	server->pool.exchange_conf.max_body_bytes = server->pool.conf.max_body_bytes;
	server->signal_fd = -1;
	server->tcp.fd = -1;
	err[0] = '\0';
	r = http_listen_open(&server->listener, conf->socket_path, conf->socket_mode, err, err_len);
	if (r < 0) {
		free(server);
		return r;
	}
	r = create_context(server);
	if (r == 0)
		r = http_server_watch_add(server, server->listener.fd, on_listener, server);
	if (r == 0)
		r = take_signals(server);
	if (r == 0)
		r = http_server_timer_add(server, SWEEP_MS, on_sweep, server);
	if (r == 0)
		r = open_tcp(server, err, err_len);
	if (r < 0) {
		if (err[0] == '\0')
			snprintf(err, err_len, "cannot start the event loop: %s", strerror(-r));
		http_server_destroy(server);
		return r;
	}
	*ret = server;
	return 0;
}

void http_server_destroy(struct http_server *server)
{
	struct http_watch *watch;

	if (server == NULL)
		return;
	if (server->context != NULL)
		lws_context_destroy(server->context);
	http_tcp_close(&server->tcp);
	http_limit_fini(&server->pool.limit);
	while ((watch = LIST_FIRST(&server->watches)) != NULL) {
		LIST_REMOVE(watch, link);
		free(watch);
	}
	if (server->signal_fd >= 0)
		close(server->signal_fd);
	http_listen_close(&server->listener);
	free(server);
}

void http_server_authenticate_with(
	struct http_server *server,
	int (*authenticate)(void *ctx, const char *token, struct http_caller *ret),
	void *ctx
)
{
	server->pool.exchange_conf.authenticate = authenticate;
	server->pool.exchange_conf.authenticate_ctx = ctx;
}

uint16_t http_server_port(const struct http_server *server)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);

	if (server->tcp.fd < 0 || getsockname(server->tcp.fd, (struct sockaddr *)&addr, &len) < 0)
		return 0;
	return ntohs(
		addr.ss_family == AF_INET ? ((struct sockaddr_in *)&addr)->sin_port
					  : ((struct sockaddr_in6 *)&addr)->sin6_port
	);
}

int http_server_routes_add(
	struct http_server *server, const struct http_route *routes, size_t n_routes, void *ctx
)
{
	size_t n = server->pool.exchange_conf.n_tables;

	if (n == MAX_TABLES)
		return -ENOSPC;
	server->tables[n] =
		(struct http_route_table){.routes = routes, .n_routes = n_routes, .ctx = ctx};
	server->pool.exchange_conf.n_tables = n + 1;
	return 0;
}

void http_server_answer(struct http_server *server, uint64_t ticket, struct http_reply *reply)
{
	http_conn_answer(&server->pool, ticket, reply);
}

int http_server_run(struct http_server *server)
{
	lws_usec_t drain_until_us = 0;

	for (;;) {
		if (__atomic_load_n(&server->is_stopping, __ATOMIC_ACQUIRE)) {
			if (drain_until_us == 0) {
				drain_until_us = lws_now_usecs() + DRAIN_US;
				http_conn_close_live(&server->pool);
			}
			if (!http_conn_is_any_busy(&server->pool) ||
			    lws_now_usecs() >= drain_until_us)
				return 0;
		}
		if (lws_service(server->context, 0) < 0) {
			log_error("http", "the event loop failed");
			return -EIO;
		}
	}
}

void http_server_stop(struct http_server *server)
{
	__atomic_store_n(&server->is_stopping, true, __ATOMIC_RELEASE);
	lws_cancel_service(server->context);
}

void http_server_stats(const struct http_server *server, struct http_server_stats *ret)
{
	*ret = server->pool.stats;
}
