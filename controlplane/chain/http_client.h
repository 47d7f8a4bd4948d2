// SPDX-License-Identifier: Apache-2.0
//
// The one door to libcurl: a request with an answer in memory, bounded in time and size. HTTP and
// HTTPS only, over TCP or a UNIX socket; certificates are checked, redirects are not followed (an
// endpoint that sends us elsewhere is another endpoint). Blocking; a client belongs to one thread and
// keeps its connections. Only http_client_interrupt may come from another thread.

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_CLIENT_WHY_SIZE 320

struct http_client;

struct http_client_conf {
	uint32_t connect_timeout_ms;
	uint32_t timeout_ms; // of the whole exchange
	size_t response_max_bytes;
	const char *unix_socket; // path, instead of the URL's host and any proxy; NULL for TCP
	// Both for a client whose requests must not follow the host's default route. They hold for its
	// TCP connections, not for the resolver's questions: see http_client_pin.
	uint32_t mark; // SO_MARK, needs CAP_NET_ADMIN; 0: none
	const char *device; // SO_BINDTODEVICE; NULL: none
};

struct http_client_response {
	long status; // HTTP status
	char *body; // zero-terminated; free with http_client_response_fini
	size_t len;
};

/* Copies conf, but not the texts that it points to. Returns: 0; -ENOMEM. */
int http_client_create(struct http_client **ret, const struct http_client_conf *conf);
void http_client_destroy(struct http_client *client);

/* host and port are at this address from now on; nobody is asked for it. NULL: asked again.
 * Returns: 0; -ENOMEM. */
int http_client_pin(
	struct http_client *client, const char *host, uint16_t port, const char *address
) __attribute__((warn_unused_result));

/* "Authorization: Bearer" of later requests; NULL: none. Returns: 0; -ENOMEM. */
int http_client_set_bearer(struct http_client *client, const char *token)
	__attribute__((warn_unused_result));

/* The address that the last answer came from; "" before the first one. */
const char *http_client_address(const struct http_client *client);

/* Any HTTP status is an answer. why gets a sentence on failure, without the URL's user, password or
 * query, where endpoints keep their access keys.
 * Returns: 0; -ETIMEDOUT; -ECONNREFUSED (could not connect or resolve); -EMSGSIZE (answer above the
 * limit); -EINTR (interrupted); -EINVAL (URL is not http or https); -EPROTO (TLS or HTTP); -ENOMEM;
 * -EPERM, -ENODEV (mark or device cannot be set). */
int http_client_post_json(
	struct http_client *client,
	const char *url,
	const char *body,
	size_t len,
	struct http_client_response *ret,
	char why[HTTP_CLIENT_WHY_SIZE]
) __attribute__((warn_unused_result));

/* The same with another method; body NULL (len 0) sends none but for POST, whose is then empty. */
int http_client_request(
	struct http_client *client,
	const char *method,
	const char *url,
	const char *body,
	size_t len,
	struct http_client_response *ret,
	char why[HTTP_CLIENT_WHY_SIZE]
) __attribute__((warn_unused_result));
void http_client_response_fini(struct http_client_response *response);

/* Ends a running exchange soon and every later one at once: for shutting down. Any thread. */
void http_client_interrupt(struct http_client *client);

/* "https://host:port" of a URL: what may be logged. */
void http_client_describe(const char *url, char *dst, size_t cap);
