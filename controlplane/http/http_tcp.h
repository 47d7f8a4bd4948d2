// SPDX-License-Identifier: Apache-2.0
//
// The TCP listener beside the UNIX socket, with TLS when it has a certificate. A new certificate is
// taken up within seconds of its files' change; one that does not load leaves the old in place, and
// connections keep the one they began with. Shares the door to libwebsockets with http_server.c.
// Loop's thread.
#pragma once

#include "controlplane/http/http_server.h"

#include <libwebsockets.h>

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/stat.h>

// One certificate, and the connections that began with it.
struct http_tcp_vhost {
	LIST_ENTRY(http_tcp_vhost) link;
	struct lws_vhost *vhost;
	uint32_t n_conns;
};

// What tells a changed file from the one that was read.
struct http_tcp_stamp {
	struct timespec mtime;
	ino_t inode;
	off_t size;
};

struct http_tcp {
	int fd; // listening; -1 when there is no TCP
	struct lws_context *context;
	const struct lws_protocols *protocols;
	char *certificate_path, *key_path; // NULL without TLS
	struct http_tcp_stamp stamps[2]; // of both, as last tried
	struct http_tcp_vhost *current;
	LIST_HEAD(, http_tcp_vhost) retired; // until their last connection ends
	unsigned n_vhosts; // since the start
};

// conf: listen and the tls_ paths are used.
//
// Returns: 0, also without a listen address; another -errno with a sentence in err.
int http_tcp_open(
	struct http_tcp *ret,
	struct lws_context *context,
	const struct lws_protocols *protocols,
	const struct http_server_conf *conf,
	char *err,
	size_t err_len
);

// After the context is destroyed, which takes the connections along.
void http_tcp_close(struct http_tcp *tcp);

// Looks whether the certificate's files changed. Call every second.
void http_tcp_refresh(struct http_tcp *tcp);

// Accepts one connection. Out: addr, IPv4 mapped into IPv6. Returns: the descriptor or -errno.
int http_tcp_accept(const struct http_tcp *tcp, uint8_t addr[16]);

// A connection of vhost has ended. NULL is a no-op.
void http_tcp_release(struct http_tcp_vhost *vhost);
