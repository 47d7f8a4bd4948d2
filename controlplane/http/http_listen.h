// SPDX-License-Identifier: Apache-2.0
//
// Takes the path of the UNIX socket for this process alone, and listens on it. Used once at start by
// the event loop's thread.
#pragma once

#include <stddef.h>

struct http_listen {
	int fd; // non-blocking, listening
	int lock_fd; // <path>.lock, locked as long as the process lives
	char path[108]; // sun_path
};

// Returns: 0; -EADDRINUSE when another process has it; -EEXIST when the path is something else than a
//          socket; other -errno; each with a sentence in err. Nothing is left behind on failure but
//          the lock file.
int http_listen_open(
	struct http_listen *ret, const char *path, unsigned mode, char *err, size_t err_len
);

// Removes the socket file.
void http_listen_close(struct http_listen *listener);
