// SPDX-License-Identifier: Apache-2.0
//
// WebSockets of http_server, by a client that sends and reads octets: who is let in and what others
// get instead, messages in their order, pings that must be answered, a reader that does not read, too
// many at a time, a client that talks, the close codes. The server is a process of its own.
#include "raw_http.h"

#include "controlplane/http/http_server.h"
#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PER_ADDRESS 3
#define MAX_LIVE 5
// Of a client, which a busy machine may hold up for a while: a request's, and a ping's.
#define TIMEOUT_SEC 6

static char dir[64], path[96];
static pid_t server_pid;
static uint16_t port;

// ---- the server ------------------------------------------------------------------------------

static struct http_server *server;
static struct http_live *flooded;
static unsigned n_open;

struct socket {
	const char *path;
};

static void on_opened(void *ctx, struct http_live *live)
{
	struct socket *socket = ctx;

	n_open++;
	http_live_send(live, "first", 5);
	http_live_send(live, "second", 6);
	if (strcmp(socket->path, "/flood") == 0)
		flooded = live;
	if (strcmp(socket->path, "/over") == 0)
		http_live_close(live, 1000, "it is over");
}

static void on_closed(void *ctx)
{
	struct socket *socket = ctx;

	if (strcmp(socket->path, "/flood") == 0)
		flooded = NULL;
	free(socket);
}

static const struct http_live_ops ops = {.opened = on_opened, .closed = on_closed};

static void open_live(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	static const char *const paths[] = {"/live", "/flood", "/over"};
	struct socket *socket = malloc(sizeof(*socket));

	(void)ctx;
	for (size_t i = 0; i < TEST_N_ROWS(paths); i++) {
		if (strcmp(request->path, paths[i]) == 0)
			socket->path = paths[i];
	}
	if (!request->is_upgrade) {
		free(socket);
		http_reply_problem(reply, 400, NULL, "this is a WebSocket");
		return;
	}
	http_reply_upgrade(reply, &ops, socket);
}

static void get_stats(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	struct http_server_stats stats;
	char text[96];

	(void)ctx;
	(void)request;
	http_server_stats(server, &stats);
	snprintf(
		text,
		sizeof(text),
		"%u live, %llu slow",
		stats.n_live,
		(unsigned long long)stats.n_slow_readers
	);
	http_reply_text(reply, 200, "text/plain", text);
}

static void on_tick(void *ctx)
{
	static char text[16000];

	(void)ctx;
	memset(text, 'x', sizeof(text));
	for (int i = 0; i < 4 && flooded != NULL; i++)
		http_live_send(flooded, text, sizeof(text));
}

static const struct http_route routes[] = {
	{HTTP_GET, "/live", open_live, HTTP_BUYER},
	{HTTP_GET, "/flood", open_live, HTTP_BUYER},
	{HTTP_GET, "/over", open_live, HTTP_PUBLIC},
	{HTTP_GET, "/stats", get_stats, HTTP_OPERATOR},
};

static int authenticate(void *ctx, const char *token, struct http_caller *ret)
{
	(void)ctx;
	ret->role = HTTP_ROLE_BUYER;
	return strcmp(token, "good") == 0 ? 0 : -EACCES;
}

static void serve(int port_fd)
{
	struct sockaddr_storage addr = {.ss_family = AF_INET};
	struct http_server_conf conf = {
		.socket_path = path,
		.socket_mode = 0600,
		.listen = &addr,
		.request_timeout_sec = TIMEOUT_SEC,
		.idle_timeout_sec = TIMEOUT_SEC,
		.live_max = MAX_LIVE,
		.live_per_address = PER_ADDRESS,
		.live_ping_sec = TIMEOUT_SEC,
	};
	char err[512];

	((struct sockaddr_in *)&addr)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (int i = 1; i < 32; i++)
		signal(i, SIG_DFL);
	if (http_server_create(&server, &conf, err, sizeof(err)) < 0) {
		fprintf(stderr, "%s\n", err);
		exit(1);
	}
	http_server_authenticate_with(server, authenticate, NULL);
	http_server_routes_add(server, routes, TEST_N_ROWS(routes), NULL);
	http_server_timer_add(server, 10, on_tick, NULL);
	port = http_server_port(server);
	if (write(port_fd, &port, sizeof(port)) != sizeof(port) || http_server_run(server) < 0)
		exit(1);
	http_server_destroy(server);
	exit(0);
}

static int set_up(void **state)
{
	int fds[2];

	(void)state;
	if (pipe(fds) < 0)
		return -1;
	server_pid = fork();
	if (server_pid == 0)
		serve(fds[1]);
	close(fds[1]);
	if (read(fds[0], &port, sizeof(port)) != sizeof(port))
		return -1;
	close(fds[0]);
	return 0;
}

static int stop(void)
{
	int status;

	waitpid(server_pid, &status, 0);
	server_pid = 0;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	if (server_pid == 0)
		return 0;
	kill(server_pid, SIGTERM);
	return stop();
}

// ---- the client ------------------------------------------------------------------------------

#define OPENING(target, more) \
	"GET " target " HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" more "\r\n"
#define GOOD "Authorization: Bearer good\r\n"

static int connect_from(const char *from)
{
	int fd = raw_http_connect_tcp(from, port);

	assert_true(fd >= 0);
	return fd;
}

// Returns: false at the end of the connection.
static bool read_exactly(int fd, void *dst, size_t len)
{
	for (size_t n = 0; n < len;) {
		struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
		ssize_t r;

		assert_int_equal(poll(&poll_fd, 1, PATIENCE_MS), 1);
		r = read(fd, (char *)dst + n, len - n);
		if (r <= 0)
			return false;
		n += (size_t)r;
	}
	return true;
}

static void read_head(int fd, char head[2048])
{
	size_t len = 0;

	memset(head, 0, 2048);
	while (strstr(head, "\r\n\r\n") == NULL && len < 2047 && read_exactly(fd, head + len, 1))
		len++;
}

static int open_socket(const char *from, const char *opening)
{
	int fd = connect_from(from);
	char head[2048];

	assert_int_equal(raw_http_send(fd, opening, strlen(opening)), 0);
	read_head(fd, head);
	assert_int_equal(strncmp(head, "HTTP/1.1 101 ", 13), 0);
	// RFC 6455 section 1.3's own example.
	assert_non_null(strcasestr(head, "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
	return fd;
}

// Returns: the opcode; -1 at the end. Out: text.
static int read_frame(int fd, char *text, size_t cap)
{
	uint8_t head[2], length[8];
	uint64_t len;

	if (!read_exactly(fd, head, 2))
		return -1;
	assert_int_equal(head[0] & 0x80, 0x80); // whole messages
	assert_int_equal(head[1] & 0x80, 0); // a server does not mask
	len = head[1];
	if (len >= 126) {
		size_t n = len == 126 ? 2 : 8;

		if (!read_exactly(fd, length, n))
			return -1;
		len = 0;
		for (size_t i = 0; i < n; i++)
			len = len << 8 | length[i];
	}
	assert_true(len < cap);
	if (!read_exactly(fd, text, len))
		return -1;
	text[len] = '\0';
	return head[0] & 0x0f;
}

static void send_frame(int fd, uint8_t opcode, const char *text)
{
	uint8_t frame[128] = {0x80 | opcode, 0x80 | (uint8_t)strlen(text), 1, 2, 3, 4};
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		frame[6 + i] = (uint8_t)text[i] ^ frame[2 + i % 4];
	raw_http_send(fd, frame, 6 + len);
}

static void expect_text(int fd, const char *want)
{
	char text[256];

	assert_int_equal(read_frame(fd, text, sizeof(text)), 1);
	assert_string_equal(text, want);
}

// Past what was sent before; -1: cut off without a close frame. Pings are answered.
static int read_close_code(int fd)
{
	char text[65536];
	int opcode;

	while ((opcode = read_frame(fd, text, sizeof(text))) != 8 && opcode != -1) {
		if (opcode == 9)
			send_frame(fd, 10, text);
	}
	return opcode == -1 ? -1 : (uint8_t)text[0] << 8 | (uint8_t)text[1];
}

static void wait_for(const char *want)
{
	char body[256] = "";

	for (int i = 0; i < 3000 && strcmp(body, want) != 0; i++) {
		raw_http_ask(path, "GET /stats HTTP/1.1\r\nHost: x\r\n\r\n", body, sizeof(body));
		usleep(10000);
	}
	assert_string_equal(body, want);
}

// ---- tests -----------------------------------------------------------------------------------

static void test_opening(void **state)
{
	static const struct {
		const char *opening;
		int status;
	} rows[] = {
		{OPENING("/live", ""), 401},
		{OPENING("/live", "Authorization: Bearer bad\r\n"), 401},
		{OPENING("/live", "Sec-WebSocket-Protocol: tollwire-live, bearer.bad\r\n"), 401},
		{OPENING("/live", "Sec-WebSocket-Protocol: tollwire-live\r\n"), 401},
		{OPENING("/nothing", GOOD), 404},
		{OPENING("/live/live", GOOD), 404},
		{OPENING("/stats", GOOD), 403},
		{"GET /live HTTP/1.1\r\nHost: x\r\n" GOOD "\r\n", 400},
	};
	char head[2048], body[2048];
	int fd;

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		fd = connect_from("127.1.0.1");
		raw_http_send(fd, rows[i].opening, strlen(rows[i].opening));
		assert_int_equal(
			raw_http_read(fd, head, sizeof(head), body, sizeof(body)), rows[i].status
		);
		assert_non_null(strstr(head, "application/problem+json"));
		close(fd);
	}
	fd = open_socket("127.1.0.1", OPENING("/live", GOOD));
	expect_text(fd, "first");
	expect_text(fd, "second");
	close(fd);
	fd = open_socket(
		"127.1.0.1",
		OPENING("/live", "Sec-WebSocket-Protocol: tollwire-live, bearer.good\r\n")
	);
	expect_text(fd, "first");
	close(fd);
	wait_for("0 live, 0 slow");
}

static void test_ping(void **state)
{
	int fd = open_socket("127.1.0.2", OPENING("/live", GOOD));
	int mute = open_socket("127.1.0.2", OPENING("/live", GOOD));
	char text[256];

	(void)state;
	expect_text(fd, "first");
	expect_text(fd, "second");
	// Longer than any time-out of a request, and as long as it answers.
	for (int i = 0; i < 2; i++) {
		assert_int_equal(read_frame(fd, text, sizeof(text)), 9);
		send_frame(fd, 10, text);
	}
	// The one that never answered is gone.
	expect_text(mute, "first");
	expect_text(mute, "second");
	assert_int_equal(read_frame(mute, text, sizeof(text)), 9);
	assert_int_equal(read_frame(mute, text, sizeof(text)), -1);
	wait_for("1 live, 0 slow");
	close(fd);
	close(mute);
	wait_for("0 live, 0 slow");
}

static void test_slow_reader(void **state)
{
	int fd = connect_from("127.1.0.3"), small = 2048;

	(void)state;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	raw_http_send(fd, OPENING("/flood", GOOD), strlen(OPENING("/flood", GOOD)));
	wait_for("0 live, 1 slow");
	close(fd);
}

static void test_too_many(void **state)
{
	int fds[MAX_LIVE], fd;
	char head[2048], body[2048];

	(void)state;
	for (int i = 0; i < MAX_LIVE; i++)
		fds[i] = open_socket(
			i < PER_ADDRESS ? "127.1.0.4" : "127.1.0.5", OPENING("/live", GOOD)
		);
	for (int i = 0; i < 2; i++) {
		fd = connect_from(i == 0 ? "127.1.0.4" : "127.1.0.6");
		raw_http_send(fd, OPENING("/live", GOOD), strlen(OPENING("/live", GOOD)));
		assert_int_equal(raw_http_read(fd, head, sizeof(head), body, sizeof(body)), 429);
		assert_non_null(strcasestr(head, "\r\nretry-after: "));
		close(fd);
	}
	for (int i = 0; i < MAX_LIVE; i++)
		close(fds[i]);
	wait_for("0 live, 0 slow");
	fd = open_socket("127.1.0.4", OPENING("/live", GOOD));
	expect_text(fd, "first");
	close(fd);
}

static void test_close_codes(void **state)
{
	int talks = open_socket("127.1.0.7", OPENING("/live", GOOD));
	int over = open_socket("127.1.0.7", OPENING("/over", ""));
	int open = open_socket("127.1.0.7", OPENING("/live", GOOD));

	(void)state;
	send_frame(talks, 1, "hello");
	assert_int_equal(read_close_code(talks), 1008);
	expect_text(over, "first"); // what was said before the close is not lost
	expect_text(over, "second");
	assert_int_equal(read_close_code(over), 1000);
	kill(server_pid, SIGTERM);
	assert_int_equal(read_close_code(open), 1001);
	close(open);
	close(over);
	close(talks);
	assert_int_equal(stop(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_opening),
		TEST(test_ping),
		TEST(test_slow_reader),
		TEST(test_too_many),
		TEST(test_close_codes),
	};
	int failed;

	strcpy(dir, "/tmp/tollwire-live-XXXXXX");
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
