// SPDX-License-Identifier: Apache-2.0
//
// What http_server bounds: clients that are slow in each direction, connections; its timers; a second
// instance, stale sockets.
#include "http_server_story.h"

#include "common/clock.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

// Its clients have a second, and only those that are to be cut off.
static int set_up_impatient(void **state)
{
	int r;

	timeout_sec = 1;
	r = set_up(state);
	timeout_sec = 30;
	return r;
}

// Sends one byte of text every 100 ms. Returns: whether the server cuts it off all the same.
static bool is_drip_cut_off(const char *start, char filler)
{
	int fd = raw_http_connect(path);
	bool is_cut_off = raw_http_send(fd, start, strlen(start)) < 0;

	for (int ms = 0; ms < PATIENCE_MS && !is_cut_off; ms += 100)
		is_cut_off =
			raw_http_send(fd, &filler, 1) < 0 || raw_http_wait_closed(fd, 100) >= 0;
	close(fd);
	return is_cut_off;
}

// Without reading: what makes room would let the server go on.
static bool wait_hung_up(int fd)
{
	struct pollfd poll_fd = {.fd = fd}; // POLLHUP is always asked for

	return poll(&poll_fd, 1, PATIENCE_MS) == 1;
}

static void test_slow_clients_are_cut_off(void **state)
{
	int fd, small = 4096;

	(void)state;
	// Sends nothing; sends the head a byte at a time; the body a byte at a time.
	fd = raw_http_connect(path);
	assert_true(raw_http_wait_closed(fd, PATIENCE_MS) >= 0);
	close(fd);
	assert_true(is_drip_cut_off("GET /ticks HTTP/1.1\r\nX: ", 'a'));
	assert_true(is_drip_cut_off(POST_HEAD "Content-Length: 900\r\n\r\n", ' '));

	// Does not read its reply.
	fd = raw_http_connect(path);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	raw_http_send(fd, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n", 31);
	assert_true(wait_hung_up(fd));
	close(fd);
	assert_true(is_served());
}

// Returns: a connection that has a place. One that was just closed may keep it for a moment.
static int take_place(void)
{
	char head[2048], body[4096];

	for (int i = 0; i < 200; i++) {
		int fd = raw_http_connect(path);

		raw_http_send(fd, GET_TICKS, strlen(GET_TICKS));
		if (raw_http_read(fd, head, sizeof(head), body, sizeof(body)) == 200)
			return fd;
		close(fd);
		usleep(50000);
	}
	return -1;
}

static void test_connections_are_bounded(void **state)
{
	int fds[MAX_CONNECTIONS], fd;
	char head[2048], body[4096];

	(void)state;
	for (int i = 0; i < MAX_CONNECTIONS; i++) {
		fds[i] = take_place();
		assert_true(fds[i] >= 0);
	}
	fd = raw_http_connect(path);
	assert_int_equal(raw_http_read(fd, head, sizeof(head), body, sizeof(body)), 503);
	close(fd);
	for (int i = 0; i < MAX_CONNECTIONS; i++)
		close(fds[i]);
	fd = take_place();
	assert_true(fd >= 0);
	close(fd);
}

static unsigned ask_ticks(void)
{
	char body[64];

	assert_int_equal(raw_http_ask(path, GET_TICKS, body, sizeof(body)), 200);
	return (unsigned)strtoul(body, NULL, 10);
}

// Requests without a pause keep no timer from its turn, and make none faster than its interval.
static void test_timers_tick_under_load(void **state)
{
	uint64_t start_ns = clock_mono_ns(&clock_system), passed_ns = 0;
	unsigned before = ask_ticks(), after = before;

	(void)state;
	for (int i = 0; i < 200 || (after - before < 5 && passed_ns < PATIENCE_MS * NS_PER_MS);
	     i++) {
		after = ask_ticks();
		passed_ns = clock_mono_ns(&clock_system) - start_ns;
	}
	assert_true(after - before >= 5);
	// Two more: one was due already when the first request came, one just after it.
	assert_true(after - before <= passed_ns / (TICK_MS * NS_PER_MS) + 2);
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
		cmocka_unit_test_setup_teardown(
			test_slow_clients_are_cut_off, set_up_impatient, tear_down
		),
		SERVER_TEST(test_connections_are_bounded),
		SERVER_TEST(test_timers_tick_under_load),
		SERVER_TEST(test_socket_mode),
		SERVER_TEST(test_second_instance_is_refused),
		SERVER_TEST(test_killed_instance_is_replaced),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
