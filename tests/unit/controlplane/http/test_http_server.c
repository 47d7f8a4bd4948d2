// SPDX-License-Identifier: Apache-2.0
//
// http_server as a process of its own, asked over its socket: requests good and bad, clients that are
// slow in each direction, limits, timers, a second instance, stale sockets, a stop by signal.
#include "raw_http.h"

#include "controlplane/http/http_server.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BIG_BYTES (4 * 1024 * 1024)
#define MAX_CONNECTIONS 8
#define TIMEOUT_SEC 1

static char dir[64];
static char path[96];
static pid_t server_pid;

// ---- the server ------------------------------------------------------------------------------

static unsigned n_ticks;

static void on_tick(void *ctx)
{
	(void)ctx;
	n_ticks++;
}

static void get_ticks(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	(void)ctx;
	(void)request;
	char text[32];

	snprintf(text, sizeof(text), "%u", n_ticks);
	http_reply_text(reply, 200, "text/plain", text);
}

static void echo(void *ctx, const struct http_request *request, struct http_reply *reply)
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

static void get_big(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	char *text = malloc(BIG_BYTES + 1);

	(void)ctx;
	(void)request;
	memset(text, 'x', BIG_BYTES);
	text[BIG_BYTES] = '\0';
	http_reply_text(reply, 200, "text/plain", text);
	free(text);
}

static void no_answer(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	(void)ctx;
	(void)request;
	(void)reply;
}

static void no_content(void *ctx, const struct http_request *request, struct http_reply *reply)
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

static void serve(void)
{
	struct http_server_conf conf = {
		.socket_path = path,
		.socket_mode = 0660,
		.max_connections = MAX_CONNECTIONS,
		.max_body_bytes = 1000,
		.request_timeout_sec = TIMEOUT_SEC,
		.idle_timeout_sec = 3,
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
	    http_server_timer_add(server, 20, on_tick, NULL) < 0)
		exit(1);
	if (http_server_run(server) < 0)
		exit(1);
	http_server_destroy(server);
	exit(0);
}

static int set_up(void **state)
{
	int fd;

	(void)state;
	server_pid = fork();
	if (server_pid == 0)
		serve();
	fd = raw_http_connect(path);
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static int tear_down(void **state)
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

// ---- tests -----------------------------------------------------------------------------------

static void test_requests(void **state)
{
#define POST_HEAD \
	"POST /echo/thing?q=a%20b&r HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	static const struct {
		const char *request;
		int status;
		const char *body; // part of it
	} rows[] = {
		{POST_HEAD "Content-Length: 12\r\n\r\n{\"name\":\"a\"}",
		 201,
		 "{\"ctx\":\"context\",\"name\":\"a\",\"param\":\"thing\",\"query\":\"a "
		 "b\",\"is_local\":"
		 "true}"},
		{"DELETE /echo/thing HTTP/1.1\r\nHost: x\r\n\r\n", 204, ""},
		{"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404, "there is nothing at /nothing"},
		{"GET /echo/ HTTP/1.1\r\nHost: x\r\n\r\n", 404, "\"status\":404"},
		{"GET /echo/a/b HTTP/1.1\r\nHost: x\r\n\r\n", 404, "\"title\":\"Not Found\""},
		{"GET /echo/a HTTP/1.1\r\nHost: x\r\n\r\n", 405, "it takes POST, DELETE"},
		{"PUT /ticks HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
		 405,
		 "it takes GET"},
		{"GET /silent HTTP/1.1\r\nHost: x\r\n\r\n", 500, "no answer"},
		{"GET /ticks HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 400, "no body"},
		{POST_HEAD "\r\n", 400, "an object is expected, not nothing"},
		{POST_HEAD "Content-Length: 2\r\n\r\n{]", 400, "byte 1: member name expected"},
		{POST_HEAD "Content-Length: 2\r\n\r\n{}", 400, "\"field\":\"name\""},
		{POST_HEAD "Content-Length: 1\r\n\r\n\xff", 400, "value expected"},
		{POST_HEAD "Content-Length: 3\r\n\r\n\"\xff\"", 400, "not UTF-8"},
		{POST_HEAD "Content-Length: +2\r\n\r\n{}", 400, "not a number"},
		{POST_HEAD "Content-Length: 0x2\r\n\r\n{}", 400, "not a number"},
		{POST_HEAD "Content-Length: -1\r\n\r\n", 400, "not a number"},
		{POST_HEAD "Content-Length: 99999999999999999999999\r\n\r\n", 400, "not a number"},
		{POST_HEAD "Content-Length: 100000000000\r\n\r\n", 413, "at most 1000"},
		{POST_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		 411,
		 "Content-Length"},
		{"POST /echo/a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 415, "''"},
		{"POST /echo/a HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: "
		 "2\r\n"
		 "\r\n{}",
		 415,
		 "'text/plain'"},
		{"GET /ticks?1&2&3&4&5&6&7&8&9 HTTP/1.1\r\nHost: x\r\n\r\n", 414, "query"},
	};
	char body[4096];

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		int status = raw_http_ask(path, rows[i].request, body, sizeof(body));

		if (status != rows[i].status || strstr(body, rows[i].body) == NULL)
			fail_msg("%s\n-> %d %s", rows[i].request, status, body);
	}
}

// What libwebsockets refuses itself: the connection may just close, the server stays.
static void test_garbage(void **state)
{
	static const char *const rows[] = {
		"\r\n\r\n",
		"GET\r\n\r\n",
		"GET /ticks\r\n\r\n",
		"GET /ticks HTTP/9.9\r\n\r\n",
		"BREW /ticks HTTP/1.1\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"GET /../../../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /echo/%00 HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /echo/%zz HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /echo/%ff HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /ticks HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
		"GET /ticks HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade, "
		"HTTP2-Settings\r\n"
		"HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
	};
	char body[4096], *huge;

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		int fd = raw_http_connect(path);

		assert_true(fd >= 0);
		raw_http_send(fd, rows[i], strlen(rows[i]));
		shutdown(fd, SHUT_WR);
		if (raw_http_wait_closed(fd, 5000) < 0)
			fail_msg("not closed after %s", rows[i]);
		close(fd);
	}
	// A header without an end.
	huge = malloc(100001);
	memset(huge, 'a', 100000);
	memcpy(huge, "GET /", 5);
	huge[100000] = '\0';
	assert_true(raw_http_ask(path, huge, body, sizeof(body)) != 200);
	free(huge);
	assert_int_equal(
		raw_http_ask(path, "GET /ticks HTTP/1.1\r\nHost: x\r\n\r\n", body, sizeof(body)),
		200
	);
}

// What is no request at all, or one with too large a head, is told so like everything else.
static void test_astray_gets_a_problem(void **state)
{
	static const char *const rows[] = {
		"hello\r\n\r\n",
		"BREW /ticks HTTP/1.1\r\nHost: x\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"\x16\x03\x01\x02",
		"GET /ticks HTTP/1.1\r\nHost: x\r\n\r\nrubbish\r\n\r\n",
	};
	static char large[65536];
	char head[4096], body[4096];
	int fd;

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		fd = raw_http_connect(path);
		raw_http_send(fd, rows[i], strlen(rows[i]));
		int status = raw_http_read(fd, head, sizeof(head), body, sizeof(body));
		if (status == 200) // a good one came first
			status = raw_http_read(fd, head, sizeof(head), body, sizeof(body));
		assert_int_equal(status, 400);
		assert_non_null(strstr(head, "application/problem+json"));
		assert_non_null(strstr(body, "\"status\":400"));
		assert_true(raw_http_wait_closed(fd, 5000) >= 0);
		close(fd);
	}
	// Known headers beyond 8192 bytes, and the connection goes on.
	fd = raw_http_connect(path);
	sprintf(large, "GET /ticks HTTP/1.1\r\nHost: x\r\nCookie: %09000d\r\n\r\n", 0);
	raw_http_send(fd, large, strlen(large));
	assert_int_equal(raw_http_read(fd, head, sizeof(head), body, sizeof(body)), 431);
	assert_non_null(strstr(body, "\"status\":431"));
	sprintf(large, "GET /ticks HTTP/1.1\r\nHost: x\r\nCookie: %08000d\r\n\r\n", 0);
	raw_http_send(fd, large, strlen(large));
	assert_int_equal(raw_http_read(fd, head, sizeof(head), body, sizeof(body)), 200);
	close(fd);
	// Beyond libwebsockets' buffer the connection just ends, as often as one likes.
	sprintf(large, "GET /ticks HTTP/1.1\r\nHost: x\r\nX-Any: %040000d\r\n\r\n", 0);
	for (int i = 0; i < 20; i++)
		assert_true(raw_http_ask(path, large, body, sizeof(body)) <= 0);
	assert_int_equal(
		raw_http_ask(path, "GET /ticks HTTP/1.1\r\nHost: x\r\n\r\n", body, sizeof(body)),
		200
	);
}

static void test_connection_is_kept(void **state)
{
	static const char get[] = "GET /ticks HTTP/1.1\r\nHost: x\r\n\r\n";
	static const char empty[] = "POST /ticks HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
	static const char bad[] =
		"POST /echo/a HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
		"Content-Length: 2000\r\n\r\n";
	char head[2048], body[4096], filler[2000];
	int fd = raw_http_connect(path);

	(void)state;
	for (int i = 0; i < 50; i++) {
		assert_int_equal(raw_http_send(fd, get, sizeof(get) - 1), 0);
		assert_int_equal(raw_http_read(fd, head, sizeof(head), body, sizeof(body)), 200);
	}
	// An announced body of 0 bytes is none: the handler runs once, one reply comes.
	assert_int_equal(raw_http_send(fd, empty, sizeof(empty) - 1), 0);
	assert_int_equal(raw_http_read(fd, head, sizeof(head), body, sizeof(body)), 200);
	assert_int_equal(strspn(body, "0123456789"), strlen(body));
	assert_int_equal(raw_http_send(fd, get, sizeof(get) - 1), 0);
	assert_int_equal(raw_http_read(fd, head, sizeof(head), body, sizeof(body)), 200);
	// A refused body is read to its end and the next request is found behind it.
	memset(filler, '[', sizeof(filler));
	assert_int_equal(raw_http_send(fd, bad, sizeof(bad) - 1), 0);
	assert_int_equal(raw_http_send(fd, filler, sizeof(filler)), 0);
	assert_int_equal(raw_http_read(fd, head, sizeof(head), body, sizeof(body)), 413);
	assert_non_null(strstr(head, "application/problem+json"));
	assert_int_equal(raw_http_send(fd, get, sizeof(get) - 1), 0);
	assert_int_equal(raw_http_read(fd, head, sizeof(head), body, sizeof(body)), 200);
	close(fd);
}

static void test_pipelined_requests_are_answered_in_order(void **state)
{
	static const char two[] = "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
				  "GET /ticks HTTP/1.1\r\nHost: x\r\n\r\n";
	char head[2048], body[4096];
	int fd = raw_http_connect(path);

	(void)state;
	assert_int_equal(raw_http_send(fd, two, sizeof(two) - 1), 0);
	assert_int_equal(raw_http_read(fd, head, sizeof(head), body, sizeof(body)), 404);
	assert_int_equal(raw_http_read(fd, head, sizeof(head), body, sizeof(body)), 200);
	close(fd);
}

static void test_big_reply_arrives_whole(void **state)
{
	char *body = malloc(BIG_BYTES + 1);

	(void)state;
	assert_int_equal(
		raw_http_ask(path, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n", body, BIG_BYTES + 1), 200
	);
	assert_int_equal(strspn(body, "x"), BIG_BYTES);
	free(body);
}

// Sends one byte of text every 100 ms until the server cuts it off.
static int drip(const char *start, char filler)
{
	int fd = raw_http_connect(path);
	int ms = -1;

	raw_http_send(fd, start, strlen(start));
	for (int i = 0; i < 60 && ms < 0; i++) {
		if (raw_http_send(fd, &filler, 1) < 0)
			ms = i * 100;
		else if (raw_http_wait_closed(fd, 100) >= 0)
			ms = i * 100;
	}
	close(fd);
	return ms;
}

static void test_slow_clients_are_cut_off(void **state)
{
	char body[4096];
	int fd, small = 4096;

	(void)state;
	// Sends nothing; sends the head a byte at a time; the body a byte at a time.
	fd = raw_http_connect(path);
	assert_true(raw_http_wait_closed(fd, 4000) >= 0);
	close(fd);
	assert_true(drip("GET /ticks HTTP/1.1\r\nX: ", 'a') >= 0);
	assert_true(drip(POST_HEAD "Content-Length: 900\r\n\r\n", ' ') >= 0);

	// Does not read its reply.
	fd = raw_http_connect(path);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	raw_http_send(fd, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n", 31);
	sleep(3);
	assert_true(raw_http_wait_closed(fd, 1000) >= 0);
	close(fd);
	assert_int_equal(
		raw_http_ask(path, "GET /ticks HTTP/1.1\r\nHost: x\r\n\r\n", body, sizeof(body)),
		200
	);
}

static void test_connections_are_bounded(void **state)
{
	int fds[MAX_CONNECTIONS], fd;
	char head[2048], body[4096];

	(void)state;
	usleep(100000); // set_up()'s connection is noticed as closed
	for (int i = 0; i < MAX_CONNECTIONS; i++)
		fds[i] = raw_http_connect(path);
	fd = raw_http_connect(path);
	assert_int_equal(raw_http_read(fd, head, sizeof(head), body, sizeof(body)), 503);
	close(fd);
	for (int i = 0; i < MAX_CONNECTIONS; i++)
		close(fds[i]);
	usleep(100000);
	assert_int_equal(
		raw_http_ask(path, "GET /ticks HTTP/1.1\r\nHost: x\r\n\r\n", body, sizeof(body)),
		200
	);
}

static void test_timers_tick_under_load(void **state)
{
	char body[64];
	int before, after;

	(void)state;
	assert_int_equal(
		raw_http_ask(path, "GET /ticks HTTP/1.1\r\nHost: x\r\n\r\n", body, sizeof(body)),
		200
	);
	before = atoi(body);
	for (int i = 0; i < 200; i++) {
		usleep(1000);
		raw_http_ask(path, "GET /ticks HTTP/1.1\r\nHost: x\r\n\r\n", body, sizeof(body));
	}
	after = atoi(body);
	assert_true(after - before >= 5 && after - before < 200);
}

static void test_socket_mode(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
}

static int create_here(const char *socket_path, char *err, size_t err_len)
{
	struct http_server_conf conf = {.socket_path = socket_path, .socket_mode = 0600};
	struct http_server *server = NULL;
	int r = http_server_create(&server, &conf, err, err_len);

	http_server_destroy(server);
	return r;
}

static void test_second_instance_is_refused(void **state)
{
	char err[256] = "", pid[32];

	(void)state;
	assert_int_equal(create_here(path, err, sizeof(err)), -EADDRINUSE);
	snprintf(pid, sizeof(pid), "(pid %d)", (int)server_pid);
	assert_non_null(strstr(err, path));
	assert_non_null(strstr(err, pid));
}

static void test_killed_instance_is_replaced(void **state)
{
	int status;

	kill(server_pid, SIGKILL);
	waitpid(server_pid, &status, 0);
	assert_int_equal(access(path, F_OK), 0); // the stale socket
	assert_int_equal(set_up(state), 0);
}

int main(void)
{
#define SERVER_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		SERVER_TEST(test_requests),
		SERVER_TEST(test_garbage),
		SERVER_TEST(test_astray_gets_a_problem),
		SERVER_TEST(test_connection_is_kept),
		SERVER_TEST(test_pipelined_requests_are_answered_in_order),
		SERVER_TEST(test_big_reply_arrives_whole),
		SERVER_TEST(test_slow_clients_are_cut_off),
		SERVER_TEST(test_connections_are_bounded),
		SERVER_TEST(test_timers_tick_under_load),
		SERVER_TEST(test_socket_mode),
		SERVER_TEST(test_second_instance_is_refused),
		SERVER_TEST(test_killed_instance_is_replaced),
	};
	char command[128];
	int n_failed;

	snprintf(dir, sizeof(dir), "/tmp/test_http_server.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/control.sock", dir);
	n_failed = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command) == 0 ? n_failed : 1;
}
