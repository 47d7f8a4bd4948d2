// SPDX-License-Identifier: Apache-2.0
//
// See buyer_latency.h. Names are resolved one after the other, before the clock starts; at most 64
// connections are open at a time.
#include "buyer_latency.h"

#include "common/clock.h"

#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TRIES 3
#define AT_ONCE 64

struct
try {
	struct buyer_pick_node *node;
	struct sockaddr_storage addr;
	socklen_t addr_len;
	uint64_t start_ns;
};

static bool resolve(struct try *try)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	char host[BUYER_PICK_HOST_MAX + 1], service[8];
	struct addrinfo *found;
	uint16_t port;

	if (buyer_pick_url_parse(try->node->node.api_url, host, &port) < 0)
		return false;
	snprintf(service, sizeof(service), "%u", port);
	if (getaddrinfo(host, service, &hints, &found) != 0)
		return false;
	memcpy(&try->addr, found->ai_addr, found->ai_addrlen);
	try->addr_len = found->ai_addrlen;
	freeaddrinfo(found);
	return true;
}

static void note(struct try *try, int fd)
{
	uint64_t us = (clock_mono_ns(&clock_system) - try->start_ns) / NS_PER_US;
	socklen_t len = sizeof(int);
	int error = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error != 0)
		return;
	if (us < try->node->latency_us)
		try->node->latency_us = (uint32_t)us;
}

static void connect_all(struct try *tries, size_t n, uint32_t timeout_ms)
{
	uint64_t end_ns = clock_mono_ns(&clock_system) + timeout_ms * NS_PER_MS, now_ns;
	struct pollfd fds[AT_ONCE];
	size_t n_open = 0;

	for (size_t i = 0; i < n; i++) {
		int fd = socket(
			tries[i].addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0
		);

		fds[i] = (struct pollfd){.fd = fd, .events = POLLOUT};
		tries[i].start_ns = clock_mono_ns(&clock_system);
		// What fails at once and what is under way both end in poll().
		if (fd >= 0)
			(void
			)!connect(fd, (const struct sockaddr *)&tries[i].addr, tries[i].addr_len);
		n_open += fd >= 0;
	}
	while (n_open > 0 && (now_ns = clock_mono_ns(&clock_system)) < end_ns) {
		if (poll(fds, n, (int)((end_ns - now_ns) / NS_PER_MS) + 1) <= 0)
			break;
		for (size_t i = 0; i < n; i++) {
			if (fds[i].fd < 0 || fds[i].revents == 0)
				continue;
			note(&tries[i], fds[i].fd);
			close(fds[i].fd);
			fds[i].fd = -1;
			n_open--;
		}
	}
	for (size_t i = 0; i < n; i++) {
		if (fds[i].fd >= 0)
			close(fds[i].fd);
	}
}

void buyer_latency_measure(struct buyer_pick_node *nodes, size_t n, uint32_t timeout_ms)
{
	struct try tries[AT_ONCE];
	size_t n_tries;

	for (size_t first = 0; first < n; first += AT_ONCE) {
		n_tries = 0;
		for (size_t i = first; i < n && i < first + AT_ONCE; i++) {
			nodes[i].latency_us = BUYER_PICK_NO_LATENCY;
			tries[n_tries] = (struct try){.node = &nodes[i]};
			n_tries += resolve(&tries[n_tries]);
		}
		for (int t = 0; t < TRIES && n_tries > 0; t++)
			connect_all(tries, n_tries, timeout_ms);
	}
}
