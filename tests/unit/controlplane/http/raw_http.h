// SPDX-License-Identifier: Apache-2.0
//
// A client of the tests that sends exactly the bytes it is given over a UNIX socket.
#pragma once

#include <stddef.h>
#include <stdint.h>

// How long a test waits for a server that may be held up on a busy machine.
#define PATIENCE_MS 30000

// Returns: a connected socket; -1 when nobody listens within PATIENCE_MS.
int raw_http_connect(const char *path);

// To 127.0.0.1:port from another address of 127/8. Returns: a connected socket or -1.
int raw_http_connect_tcp(const char *from, uint16_t port);

// Sends all of it. Returns: 0, or -1 when the server has closed the connection.
int raw_http_send(int fd, const void *data, size_t len);

// Reads one reply: its head and the body of its Content-Length.
//
// Returns: the status; 0 when the connection was closed before a reply; -1 when it is malformed, does
//          not fit, or nothing came for PATIENCE_MS. Out: head and body, NUL-terminated.
int raw_http_read(int fd, char *head, size_t head_cap, char *body, size_t body_cap);

// One request on a connection of its own. Returns: as raw_http_read().
int raw_http_ask(const char *path, const char *request, char *body, size_t body_cap);

// Returns: the milliseconds until the server closes the connection; -1 when it does not within
//          timeout_ms. Reads away what comes.
int raw_http_wait_closed(int fd, int timeout_ms);
