// SPDX-License-Identifier: Apache-2.0
//
// http_server as a process of its own for the tests of http_server.c, on a socket in a directory of its
// own, with a few handlers. A file that includes this is one program.
#pragma once

#include "raw_http.h"

#include "controlplane/http/http_server.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define BIG_BYTES (4 * 1024 * 1024)
#define MAX_CONNECTIONS 8
#define TICK_MS 20
#define POST_HEAD \
	"POST /echo/thing?q=a%20b&r HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"

static char dir[64];
static char path[96];
static pid_t server_pid;
// For how long the server waits for a client, idle or not. A client of these tests may be held up by a busy machine.
static uint32_t timeout_sec = 30;

// ---- the server ------------------------------------------------------------------------------

static unsigned n_ticks;

static inline void on_tick(void *ctx)
{
	(void)ctx;
	n_ticks++;
}

static inline void get_ticks(
	void *ctx, const struct http_request *request, struct http_reply *reply
)
{
	(void)ctx;
	(void)request;
	char text[32];

	snprintf(text, sizeof(text), "%u", n_ticks);
	http_reply_text(reply, 200, "text/plain", text);
}

static inline void echo(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	struct json_writer writer;
	struct json_reader reader;
	const char *name;

	json_reader_init(&reader, request->body);
	name = json_reader_string(&reader, "name", 1, 32);
	if (json_reader_finish(&reader) < 0) {
		http_reply_reader_error(reply, &reader);
		return;
	}
	json_writer_init(&writer);
	json_begin_object(&writer, NULL);
	json_put_string(&writer, "ctx", ctx);
	json_put_string(&writer, "name", name);
	json_put_string(&writer, "param", request->params[0]);
	json_put_string(&writer, "query", http_request_query(request, "q"));
	json_put_bool(&writer, "is_local", request->is_local);
	json_end(&writer);
	snprintf(reply->location, sizeof(reply->location), "/echo/%s", name);
	http_reply_json(reply, 201, &writer);
}

static inline void get_big(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	char *text = malloc(BIG_BYTES + 1);

	(void)ctx;
	(void)request;
	memset(text, 'x', BIG_BYTES);
	text[BIG_BYTES] = '\0';
	http_reply_text(reply, 200, "text/plain", text);
	free(text);
}

static inline void no_answer(
	void *ctx, const struct http_request *request, struct http_reply *reply
)
{
	(void)ctx;
	(void)request;
	(void)reply;
}

static inline void no_content(
	void *ctx, const struct http_request *request, struct http_reply *reply
)
{
	(void)ctx;
	(void)request;
	http_reply_empty(reply, 204);
}

static const struct http_route routes[] = {
	{HTTP_GET, "/ticks", get_ticks, HTTP_OPERATOR},
	{HTTP_GET, "/big", get_big, HTTP_OPERATOR},
	{HTTP_GET, "/silent", no_answer, HTTP_OPERATOR},
	{HTTP_POST, "/echo/{what}", echo, HTTP_OPERATOR},
	{HTTP_POST, "/ticks", get_ticks, HTTP_OPERATOR},
	{HTTP_DELETE, "/echo/{what}", no_content, HTTP_OPERATOR},
};

static inline void serve(void)
{
	struct http_server_conf conf = {
		.socket_path = path,
		.socket_mode = 0660,
		.max_connections = MAX_CONNECTIONS,
		.max_body_bytes = 1000,
		.request_timeout_sec = timeout_sec,
		.idle_timeout_sec = timeout_sec,
	};
	struct http_server *server;
	static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
	static char ctx[] = "context";
	char err[256];

	for (size_t i = 0; i < TEST_N_ROWS(crashes); i++)
		signal(crashes[i], SIG_DFL); // cmocka's handlers would go on with the tests
	if (http_server_create(&server, &conf, err, sizeof(err)) < 0) {
		fprintf(stderr, "%s\n", err);
		exit(1);
	}
	if (http_server_routes_add(server, routes, TEST_N_ROWS(routes), ctx) < 0 ||
	    http_server_timer_add(server, TICK_MS, on_tick, NULL) < 0)
		exit(1);
	if (http_server_run(server) < 0)
		exit(1);
	http_server_destroy(server);
	exit(0);
}

#define GET_TICKS "GET /ticks HTTP/1.1\r\nHost: x\r\n\r\n"

// Whether it answers, at last: where it has little patience, a client that was held up may be cut off first.
static inline bool is_served(void)
{
	char body[4096];
	int status = 0;

	for (int i = 0; i < 10 && status != 200; i++)
		status = raw_http_ask(path, GET_TICKS, body, sizeof(body));
	return status == 200;
}

static inline int set_up(void **state)
{
	(void)state;
	server_pid = fork();
	if (server_pid == 0)
		serve();
	// It listens before its loop runs, and only the loop takes signals.
	return is_served() ? 0 : -1;
}

static inline int tear_down(void **state)
{
	int status;

	(void)state;
	kill(server_pid, SIGTERM);
	waitpid(server_pid, &status, 0);
	// Every test ends with an orderly stop: no crash, no leak report, the socket gone.
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || access(path, F_OK) == 0) {
		fprintf(stderr, "server ended with %x\n", (unsigned)status);
		return -1;
	}
	return 0;
}

#define SERVER_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

static inline int make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/test_http_server.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/control.sock", dir);
	return 0;
}

static inline int remove_dir(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}
