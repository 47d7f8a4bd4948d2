// SPDX-License-Identifier: Apache-2.0
//
// Requests to http_server over its socket: good and bad ones, what is no HTTP, connections that are
// kept, large replies.
#include "http_server_story.h"

static void test_requests(void **state)
{
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
		if (raw_http_wait_closed(fd, PATIENCE_MS) < 0)
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
		assert_true(raw_http_wait_closed(fd, PATIENCE_MS) >= 0);
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

// A body behind another request, which libwebsockets 4.1 never finds the end of: the connection ends before it,
// nothing of it is carried out, and the others are served on.
static void test_pipelined_bodies_end_the_connection(void **state)
{
#define POST_ECHO \
	"POST /echo/a HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" \
	"Content-Length: 2\r\n\r\n{}"
	static const char *const rows[] = {
		POST_ECHO POST_ECHO,
		POST_ECHO POST_ECHO POST_ECHO GET_TICKS,
		GET_TICKS POST_ECHO,
		GET_TICKS GET_TICKS POST_ECHO GET_TICKS,
	};
	char head[2048], body[4096];

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		int fd = raw_http_connect(path), n = 0;

		assert_int_equal(raw_http_send(fd, rows[i], strlen(rows[i])), 0);
		while (raw_http_read(fd, head, sizeof(head), body, sizeof(body)) > 0)
			n++;
		assert_int_equal(n, i == 3 ? 2 : 1);
		close(fd);
		assert_int_equal(raw_http_ask(path, GET_TICKS, body, sizeof(body)), 200);
	}
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVER_TEST(test_requests),
		SERVER_TEST(test_garbage),
		SERVER_TEST(test_astray_gets_a_problem),
		SERVER_TEST(test_connection_is_kept),
		SERVER_TEST(test_pipelined_requests_are_answered_in_order),
		SERVER_TEST(test_pipelined_bodies_end_the_connection),
		SERVER_TEST(test_big_reply_arrives_whole),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
