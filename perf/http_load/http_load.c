// SPDX-License-Identifier: Apache-2.0
//
// Load on the API: N clients on kept-open connections send GET requests at a given rate altogether,
// and what each waited for its reply is measured from the moment it was due, so that a server that
// stalls cannot hide it (no coordinated omission). Prints one JSON object. One thread, no TLS; each
// client comes from an address of its own in 127/8.
//
//   http_load PORT PATH CLIENTS REQUESTS_PER_MINUTE SECONDS [TOKEN]
#include "common/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_CLIENTS 1000
#define REPLY_CAP 65536

struct client {
	int fd;
	uint64_t due_ns; // of the request under way; 0: none
	char reply[REPLY_CAP];
	size_t len;
};

struct load {
	struct client *clients;
	struct pollfd *polls;
	int n_clients;
	char request[1024];
	uint64_t *waits_ns;
	size_t n_wanted, n_sent, n_done, n_bad;
};

static int open_client(int idx, uint16_t port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	addr.sin_addr.s_addr = htonl(0x7f010001u + (uint32_t)idx);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -1;
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	addr.sin_port = htons(port);
	return connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 ? fd : -1;
}

// Returns: whether the reply is complete.
static bool is_complete(const struct client *client)
{
	const char *end = memmem(client->reply, client->len, "\r\n\r\n", 4);
	const char *length = strcasestr(client->reply, "\r\ncontent-length:");

	return end != NULL && length != NULL && length < end &&
		client->len - (size_t)(end + 4 - client->reply) >= strtoul(length + 17, NULL, 10);
}

static void take_reply(struct load *load, struct client *client)
{
	ssize_t n = recv(
		client->fd, client->reply + client->len, REPLY_CAP - 1 - client->len, MSG_DONTWAIT
	);

	if (n <= 0) {
		fprintf(stderr, "the server closed a connection\n");
		exit(1);
	}
	client->len += (size_t)n;
	client->reply[client->len] = '\0';
	if (!is_complete(client))
		return;
	load->n_bad += strncmp(client->reply, "HTTP/1.1 200 ", 13) != 0;
	load->waits_ns[load->n_done++] = clock_mono_ns(&clock_system) - client->due_ns;
	client->due_ns = 0;
	client->len = 0;
}

// The next client in turn that waits for nothing. Returns: NULL when all wait.
static struct client *next_idle(const struct load *load)
{
	for (int i = 0; i < load->n_clients; i++) {
		size_t idx = (load->n_sent + (size_t)i) % (size_t)load->n_clients;

		if (load->clients[idx].due_ns == 0)
			return &load->clients[idx];
	}
	return NULL;
}

static void send_due(struct load *load, uint64_t start_ns, uint64_t interval_ns)
{
	ssize_t len = (ssize_t)strlen(load->request);

	while (load->n_sent < load->n_wanted) {
		uint64_t due_ns = start_ns + load->n_sent * interval_ns;
		struct client *client = next_idle(load);

		// When all wait, what is due waits with them, and is measured so.
		if (client == NULL || clock_mono_ns(&clock_system) < due_ns)
			return;
		client->due_ns = due_ns;
		if (send(client->fd, load->request, (size_t)len, MSG_NOSIGNAL) != len) {
			perror("send");
			exit(1);
		}
		load->n_sent++;
	}
}

static void run(struct load *load, uint64_t interval_ns)
{
	uint64_t start_ns = clock_mono_ns(&clock_system);

	while (load->n_done < load->n_wanted) {
		send_due(load, start_ns, interval_ns);
		if (poll(load->polls, (nfds_t)load->n_clients, 1) < 0) {
			perror("poll");
			exit(1);
		}
		for (int i = 0; i < load->n_clients; i++) {
			if (load->polls[i].revents != 0)
				take_reply(load, &load->clients[i]);
		}
	}
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static double percentile_ms(const struct load *load, unsigned percent)
{
	size_t idx = (load->n_done * percent + 99) / 100;

	return (double)load->waits_ns[idx == 0 ? 0 : idx - 1] / (double)NS_PER_MS;
}

static void print(struct load *load, double seconds)
{
	qsort(load->waits_ns, load->n_done, sizeof(load->waits_ns[0]), compare);
	printf("{\"clients\": %d, \"requests\": %zu, \"not_200\": %zu, \"requests_per_sec\": %.1f, "
	       "\"p50_ms\": %.2f, \"p95_ms\": %.2f, \"p99_ms\": %.2f, \"max_ms\": %.2f}\n",
	       load->n_clients,
	       load->n_done,
	       load->n_bad,
	       (double)load->n_done / seconds,
	       percentile_ms(load, 50),
	       percentile_ms(load, 95),
	       percentile_ms(load, 99),
	       percentile_ms(load, 100));
}

int main(int argc, char **argv)
{
	struct load load = {0};
	uint64_t rate, start_ns;

	if (argc < 6 || argc > 7 || (load.n_clients = atoi(argv[3])) < 1 ||
	    load.n_clients > MAX_CLIENTS || (rate = strtoull(argv[4], NULL, 10)) == 0) {
		fprintf(stderr,
			"usage: %s PORT PATH CLIENTS REQUESTS_PER_MINUTE SECONDS [TOKEN]\n",
			argv[0]);
		return 2;
	}
	load.n_wanted = rate * strtoull(argv[5], NULL, 10) / 60;
	load.clients = calloc((size_t)load.n_clients, sizeof(*load.clients));
	load.polls = calloc((size_t)load.n_clients, sizeof(*load.polls));
	load.waits_ns = calloc(load.n_wanted + 1, sizeof(*load.waits_ns));
	if (load.clients == NULL || load.polls == NULL || load.waits_ns == NULL)
		return 1;
	snprintf(
		load.request,
		sizeof(load.request),
		"GET %s HTTP/1.1\r\nHost: x\r\n%s%s%s\r\n",
		argv[2],
		argc == 7 ? "Authorization: Bearer " : "",
		argc == 7 ? argv[6] : "",
		argc == 7 ? "\r\n" : ""
	);
	for (int i = 0; i < load.n_clients; i++) {
		load.clients[i].fd = open_client(i, (uint16_t)atoi(argv[1]));
		if (load.clients[i].fd < 0) {
			fprintf(stderr, "client %d: %s\n", i, strerror(errno));
			return 1;
		}
		load.polls[i] = (struct pollfd){.fd = load.clients[i].fd, .events = POLLIN};
	}
	start_ns = clock_mono_ns(&clock_system);
	run(&load, 60 * NS_PER_SEC / rate);
	print(&load, (double)(clock_mono_ns(&clock_system) - start_ns) / (double)NS_PER_SEC);
	return load.n_bad == 0 ? 0 : 1;
}
