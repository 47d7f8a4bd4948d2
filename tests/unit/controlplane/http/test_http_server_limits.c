// SPDX-License-Identifier: Apache-2.0
//
// What http_server bounds: clients that are slow in each direction, connections; its timers; a second
// instance, stale sockets.
#include "http_server_story.h"

#include <sys/socket.h>
#include <sys/stat.h>

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
	int fds[MAX_CONNECTIONS], fd, status = 0;
	char head[2048], body[4096];

	(void)state;
	for (int i = 0; i < MAX_CONNECTIONS; i++)
		fds[i] = raw_http_connect(path);
	fd = raw_http_connect(path);
	assert_int_equal(raw_http_read(fd, head, sizeof(head), body, sizeof(body)), 503);
	close(fd);
	for (int i = 0; i < MAX_CONNECTIONS; i++)
		close(fds[i]);
	// It takes the server a moment to notice, more on a busy machine.
	for (int i = 0; i < 200 && status != 200; i++) {
		usleep(50000);
		status = raw_http_ask(
			path, "GET /ticks HTTP/1.1\r\nHost: x\r\n\r\n", body, sizeof(body)
		);
	}
	assert_int_equal(status, 200);
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
	const struct CMUnitTest tests[] = {
		SERVER_TEST(test_slow_clients_are_cut_off),
		SERVER_TEST(test_connections_are_bounded),
		SERVER_TEST(test_timers_tick_under_load),
		SERVER_TEST(test_socket_mode),
		SERVER_TEST(test_second_instance_is_refused),
		SERVER_TEST(test_killed_instance_is_replaced),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
