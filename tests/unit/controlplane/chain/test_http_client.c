// SPDX-License-Identifier: Apache-2.0
//
// Which way the HTTP client's requests go and what they carry: a device, a mark, an address that was
// pinned, a bearer token. The server is a thread that answers with what it was sent. That a mark moves
// packets is shown where there are routes: tests/netns/buyer_pay_test.sh.
#include "controlplane/chain/http_client.h"
#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int listener = -1;
static uint16_t port;
static pthread_t thread;

static void answer(int fd)
{
	char request[2048] = "", reply[4096];
	size_t len = 0;
	ssize_t n;

	while (len < sizeof(request) - 1 && strstr(request, "\r\n\r\n") == NULL) {
		n = read(fd, request + len, sizeof(request) - 1 - len);
		if (n <= 0)
			return;
		len += (size_t)n;
		request[len] = '\0';
	}
	n = snprintf(
		reply,
		sizeof(reply),
		"HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
		len,
		request
	);
	assert_int_equal(write(fd, reply, (size_t)n), n);
}

static void *serve(void *ctx)
{
	int fd;

	(void)ctx;
	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		answer(fd);
		close(fd);
	}
	return NULL;
}

static int setup(void **state)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(addr);

	(void)state;
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(listener, 8), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
	port = ntohs(addr.sin_port);
	return pthread_create(&thread, NULL, serve, NULL);
}

static int teardown(void **state)
{
	(void)state;
	shutdown(listener, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(listener);
	return 0;
}

static struct http_client *create(uint32_t mark, const char *device)
{
	const struct http_client_conf conf = {
		.connect_timeout_ms = 10000,
		.timeout_ms = 20000,
		.response_max_bytes = 4096,
		.mark = mark,
		.device = device,
	};
	struct http_client *client;

	assert_int_equal(http_client_create(&client, &conf), 0);
	return client;
}

// Returns: what http_client_request() does; body holds the request as the server saw it.
static int ask(struct http_client *client, const char *host, char body[4096], char *why)
{
	struct http_client_response response;
	char url[128];
	int r;

	snprintf(url, sizeof(url), "http://%s:%u/x", host, (unsigned)port);
	body[0] = '\0';
	r = http_client_request(client, "GET", url, NULL, 0, &response, why);
	if (r == 0) {
		snprintf(body, 4096, "%s", response.body);
		http_client_response_fini(&response);
	}
	return r;
}

static void test_device(void **state)
{
	char body[4096], why[HTTP_CLIENT_WHY_SIZE] = "";
	struct http_client *client = create(0, "lo");

	(void)state;
	assert_int_equal(ask(client, "127.0.0.1", body, why), 0);
	assert_non_null(strstr(body, "GET /x HTTP/1.1"));
	http_client_destroy(client);
	client = create(0, "nowhere0");
	assert_int_equal(ask(client, "127.0.0.1", body, why), -ENODEV);
	assert_non_null(strstr(why, "nowhere0"));
	assert_string_equal(http_client_address(client), "");
	http_client_destroy(client);
}

static void test_mark(void **state)
{
	char body[4096], why[HTTP_CLIENT_WHY_SIZE] = "";
	struct http_client *client = create(51820, NULL);
	int r = ask(client, "127.0.0.1", body, why);

	(void)state;
	if (geteuid() == 0) {
		assert_int_equal(r, 0);
	} else {
		assert_int_equal(r, -EPERM);
		assert_non_null(strstr(why, "51820"));
	}
	http_client_destroy(client);
}

static void test_pin(void **state)
{
	char body[4096], why[HTTP_CLIENT_WHY_SIZE] = "";
	struct http_client *client = create(0, NULL);

	(void)state;
	// RFC 2606: a name that nobody resolves.
	assert_int_equal(http_client_pin(client, "node.invalid", port, "127.0.0.1"), 0);
	assert_int_equal(ask(client, "node.invalid", body, why), 0);
	assert_non_null(strstr(body, "Host: node.invalid:"));
	assert_string_equal(http_client_address(client), "127.0.0.1");
	assert_int_equal(http_client_pin(client, "node.invalid", port, NULL), 0);
	assert_int_equal(ask(client, "node.invalid", body, why), -ECONNREFUSED);
	http_client_destroy(client);
}

static void test_bearer(void **state)
{
	char body[4096], why[HTTP_CLIENT_WHY_SIZE] = "";
	struct http_client *client = create(0, NULL);

	(void)state;
	assert_int_equal(ask(client, "127.0.0.1", body, why), 0);
	assert_null(strstr(body, "Authorization"));
	assert_int_equal(http_client_set_bearer(client, "abc123"), 0);
	assert_int_equal(ask(client, "127.0.0.1", body, why), 0);
	assert_non_null(strstr(body, "Authorization: Bearer abc123\r\n"));
	assert_int_equal(http_client_set_bearer(client, NULL), 0);
	assert_int_equal(ask(client, "127.0.0.1", body, why), 0);
	assert_null(strstr(body, "Authorization"));
	http_client_destroy(client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_device),
		cmocka_unit_test(test_mark),
		cmocka_unit_test(test_pin),
		cmocka_unit_test(test_bearer),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
