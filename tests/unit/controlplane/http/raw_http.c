// SPDX-License-Identifier: Apache-2.0
#include "raw_http.h"

#include "common/clock.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int raw_http_connect(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	uint64_t deadline_ns = clock_mono_ns(&clock_system) + PATIENCE_MS * NS_PER_MS;

	strncpy(addr.sun_path, path, sizeof(addr.sun_path) - 1);
	do {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
			return fd;
		close(fd);
		usleep(5000);
	} while (clock_mono_ns(&clock_system) < deadline_ns);
	return -1;
}

int raw_http_connect_tcp(const char *from, uint16_t port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, from, &addr.sin_addr);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0) {
		inet_pton(AF_INET, "127.0.0.1", &addr.sin_addr);
		addr.sin_port = htons(port);
		if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
			return fd;
	}
	close(fd);
	return -1;
}

int raw_http_send(int fd, const void *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n <= 0)
			return -1;
		data = (const char *)data + n;
		len -= (size_t)n;
	}
	return 0;
}

// Returns: 1 with a byte, 0 at the end, -1 after a timeout.
static int read_some(int fd, char *dst, size_t len, size_t *ret_n)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	ssize_t n;

	if (poll(&poll_fd, 1, PATIENCE_MS) <= 0)
		return -1;
	n = read(fd, dst, len);
	*ret_n = n > 0 ? (size_t)n : 0;
	return n > 0;
}

int raw_http_read(int fd, char *head, size_t head_cap, char *body, size_t body_cap)
{
	size_t len = 0, n, want;
	char *length;

	head[0] = '\0';
	while (len < 4 || memcmp(head + len - 4, "\r\n\r\n", 4) != 0) {
		int r = len + 1 < head_cap ? read_some(fd, head + len, 1, &n) : -1;

		if (r <= 0)
			return r == 0 && len == 0 ? 0 : -1;
		head[++len] = '\0';
	}
	length = strcasestr(head, "\r\ncontent-length:");
	body[0] = '\0';
	if (strncmp(head + 8, " 204 ", 5) == 0 || strncmp(head + 8, " 304 ", 5) == 0)
		return length == NULL ? atoi(head + 9) : -1; // RFC 9110 section 8.6
	if (strncmp(head, "HTTP/1.1 ", 9) != 0 || length == NULL)
		return -1;
	want = strtoul(length + strlen("\r\ncontent-length:"), NULL, 10);
	if (want >= body_cap)
		return -1;
	for (len = 0; len < want; len += n) {
		if (read_some(fd, body + len, want - len, &n) <= 0)
			return -1;
	}
	body[want] = '\0';
	return atoi(head + 9);
}

int raw_http_ask(const char *path, const char *request, char *body, size_t body_cap)
{
	int fd = raw_http_connect(path);
	char head[2048];
	int status;

	if (fd < 0)
		return -1;
	body[0] = '\0';
	// A server that has refused early may close: what it said is still there to be read.
	if (raw_http_send(fd, request, strlen(request)) < 0)
		body[0] = '\0';
	status = raw_http_read(fd, head, sizeof(head), body, body_cap);
	close(fd);
	return status;
}

int raw_http_wait_closed(int fd, int timeout_ms)
{
	uint64_t start_ns = clock_mono_ns(&clock_system);
	char sink[65536];

	for (;;) {
		int passed_ms = (int)((clock_mono_ns(&clock_system) - start_ns) / NS_PER_MS);
		struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

		if (passed_ms >= timeout_ms || poll(&poll_fd, 1, timeout_ms - passed_ms) <= 0)
			return -1;
		if (read(fd, sink, sizeof(sink)) <= 0)
			return (int)((clock_mono_ns(&clock_system) - start_ns) / NS_PER_MS);
	}
}
