// SPDX-License-Identifier: Apache-2.0
//
// Replies that come later: to a client that waits, that asks on meanwhile, that has gone, and to one
// that has gone while somebody else asks; and a stop with replies still due. The server is a process
// of its own; a reply comes when another request says so.
#include "raw_http.h"

#include "controlplane/http/http_server.h"
#include "tests/unit/test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_CONNECTIONS 8
#define TIMEOUT_SEC 6 // of a client, which may be held up for a while on a busy machine

static char dir[64], path[96];
static pid_t server_pid;

// ---- the server ------------------------------------------------------------------------------

static struct http_server *server;
static uint64_t tickets[64];
static unsigned n_tickets;

static void later(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	(void)ctx;
	tickets[n_tickets++] = request->ticket;
	http_reply_defer(reply);
}

// Answers all that wait, twice.
static void release(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	char text[64];

	(void)ctx;
	(void)request;
	for (unsigned i = 0; i < n_tickets; i++) {
		struct http_reply answer = {0};

		snprintf(text, sizeof(text), "answer %u", i);
		http_reply_text(&answer, 200, "text/plain", text);
		http_server_answer(server, tickets[i], &answer);
		http_reply_text(&answer, 200, "text/plain", "again");
		http_server_answer(server, tickets[i], &answer);
	}
	snprintf(text, sizeof(text), "%u", n_tickets);
	n_tickets = 0;
	http_reply_text(reply, 200, "text/plain", text);
}

static void count(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	struct http_server_stats stats;
	char text[64];

	(void)ctx;
	(void)request;
	http_server_stats(server, &stats);
	snprintf(text, sizeof(text), "%u connections, %u wait", stats.n_connections, n_tickets);
	http_reply_text(reply, 200, "text/plain", text);
}

static const struct http_route routes[] = {
	{HTTP_GET, "/later", later, HTTP_OPERATOR},
	{HTTP_POST, "/later", later, HTTP_OPERATOR},
	{HTTP_GET, "/release", release, HTTP_OPERATOR},
	{HTTP_GET, "/count", count, HTTP_OPERATOR},
};

static void serve(void)
{
	struct http_server_conf conf = {
		.socket_path = path,
		.socket_mode = 0660,
		.max_connections = MAX_CONNECTIONS,
		.request_timeout_sec = TIMEOUT_SEC,
	};
	char err[256];

	for (int i = 1; i < 32; i++)
		signal(i, SIG_DFL);
	if (http_server_create(&server, &conf, err, sizeof(err)) < 0) {
		fprintf(stderr, "%s\n", err);
		exit(1);
	}
	http_server_routes_add(server, routes, TEST_N_ROWS(routes), NULL);
	if (http_server_run(server) < 0)
		exit(1);
	http_server_destroy(server);
	exit(0);
}

#define GET(target) "GET " target " HTTP/1.1\r\nHost: x\r\n\r\n"

static int set_up(void **state)
{
	char body[256];

	(void)state;
	server_pid = fork();
	if (server_pid == 0)
		serve();
	// It listens before its loop runs, and only the loop takes signals.
	return raw_http_ask(path, GET("/count"), body, sizeof(body)) == 200 ? 0 : -1;
}

static int stop(void)
{
	int status;

	kill(server_pid, SIGTERM);
	waitpid(server_pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return server_pid == 0 ? 0 : stop();
}

// ---- the client ------------------------------------------------------------------------------

#define POST_LATER \
	"POST /later HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" \
	"Content-Length: 2\r\n\r\n{}"

static int begin(const char *request)
{
	int fd = raw_http_connect(path);

	assert_true(fd >= 0);
	assert_int_equal(raw_http_send(fd, request, strlen(request)), 0);
	return fd;
}

static void expect(int fd, int status, const char *want)
{
	char head[2048], body[2048];

	assert_int_equal(raw_http_read(fd, head, sizeof(head), body, sizeof(body)), status);
	assert_string_equal(body, want);
}

// Of /count, whatever it counts: connections that were closed may still be there.
static void expect_count(int fd)
{
	char head[2048], body[2048];

	assert_int_equal(raw_http_read(fd, head, sizeof(head), body, sizeof(body)), 200);
	assert_non_null(strstr(body, "connections"));
}

static void ask(const char *request, const char *want)
{
	int fd = begin(request);

	expect(fd, 200, want);
	close(fd);
}

// Until /count says so.
static void wait_for(const char *want)
{
	char body[256] = "";

	for (int i = 0; i < 3000 && strcmp(body, want) != 0; i++) {
		// A connection that was closed may still take a place: refused, asked again.
		raw_http_ask(path, GET("/count"), body, sizeof(body));
		usleep(10000);
	}
	assert_string_equal(body, want);
}

static void test_reply(void **state)
{
	int get = begin(GET("/later")), post;

	(void)state;
	wait_for("2 connections, 1 wait");
	post = begin(POST_LATER);
	wait_for("3 connections, 2 wait");
	sleep(TIMEOUT_SEC + 2); // it is not the client's time
	ask(GET("/release"), "2");
	expect(get, 200, "answer 0");
	expect(post, 200, "answer 1");
	// The connections go on.
	assert_int_equal(raw_http_send(get, GET("/release"), strlen(GET("/release"))), 0);
	expect(get, 200, "0");
	assert_int_equal(raw_http_send(post, POST_LATER, strlen(POST_LATER)), 0);
	wait_for("3 connections, 1 wait");
	ask(GET("/release"), "1");
	expect(post, 200, "answer 0");
	close(get);
	close(post);
}

// CPU time of the server, however busy the machine is.
static uint64_t server_cpu_ns(void)
{
	struct timespec spent;
	clockid_t clock;

	assert_int_equal(clock_getcpuclockid(server_pid, &clock), 0);
	assert_int_equal(clock_gettime(clock, &spent), 0);
	return (uint64_t)spent.tv_sec * 1000000000 + (uint64_t)spent.tv_nsec;
}

// A loop that never sleeps takes all there is; one that waits wakes a few times a second.
static void expect_server_sleeps(void)
{
	uint64_t before_ns = server_cpu_ns();

	usleep(500000);
	assert_in_range(server_cpu_ns() - before_ns, 0, 50000000);
}

// What comes behind a request whose reply is due later waits for it, read or unread.
static void test_pipelined(void **state)
{
	static const struct {
		const char *request, *next; // together, and some time later
	} rows[] = {
		{GET("/later") GET("/count"), ""},
		{GET("/later"), GET("/count")},
		{GET("/later") GET("/count"), GET("/count")},
		{POST_LATER GET("/count"), ""},
		{POST_LATER, GET("/count")},
	};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		int fd = begin(rows[i].request);

		wait_for("2 connections, 1 wait");
		assert_int_equal(raw_http_send(fd, rows[i].next, strlen(rows[i].next)), 0);
		expect_server_sleeps();
		ask(GET("/release"), "1");
		expect(fd, 200, "answer 0");
		expect_count(fd);
		close(fd);
		wait_for("1 connections, 0 wait");
	}
}

// A reply that comes later, behind one that was read before: the connection ends instead.
static void test_behind(void **state)
{
	int fd = begin(GET("/count") GET("/later"));

	(void)state;
	expect_count(fd);
	assert_true(raw_http_wait_closed(fd, PATIENCE_MS) >= 0);
	expect_server_sleeps();
	ask(GET("/release"), "1");
	close(fd);
}

static void test_client_has_gone(void **state)
{
	int fds[MAX_CONNECTIONS - 1];

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (unsigned i = 0; i < TEST_N_ROWS(fds); i++)
			fds[i] = begin(i % 2 == 0 ? GET("/later") : POST_LATER);
		wait_for("8 connections, 7 wait");
		for (unsigned i = 0; i < TEST_N_ROWS(fds); i++)
			close(fds[i]);
		wait_for("1 connections, 7 wait");
		// Others are in their places now and wait for nothing.
		for (unsigned i = 0; i < 3; i++)
			fds[i] = begin(GET("/count"));
		ask(GET("/release"), "7");
		for (unsigned i = 0; i < 3; i++) {
			expect_count(fds[i]);
			close(fds[i]);
		}
		wait_for("1 connections, 0 wait");
	}
}

static void test_stop(void **state)
{
	int fd = begin(GET("/later"));

	(void)state;
	wait_for("2 connections, 1 wait");
	assert_int_equal(stop(), 0);
	server_pid = 0;
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_reply),
		TEST(test_pipelined),
		TEST(test_behind),
		TEST(test_client_has_gone),
		TEST(test_stop),
	};
	int failed;

	strcpy(dir, "/tmp/tollwire-defer-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/api.sock", dir);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	strcat(path, ".lock");
	unlink(path);
	rmdir(dir);
	return failed;
}
