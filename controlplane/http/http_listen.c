// SPDX-License-Identifier: Apache-2.0
//
// A socket file says nothing about whether its maker lives; a lock does. The lock is taken first, so
// two starts at once cannot both find the socket stale.
#include "http_listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 128

static int refuse_second(int lock_fd, const char *path, char *err, size_t err_len)
{
	char pid[16] = "";
	ssize_t n = pread(lock_fd, pid, sizeof(pid) - 1, 0);

	if (n > 0)
		pid[strcspn(pid, "\n")] = '\0';
	snprintf(
		err,
		err_len,
		"another tollwire-control (pid %s) serves %s: stop it first, or give this one "
		"another "
		"api.socket",
		pid[0] != '\0' ? pid : "unknown",
		path
	);
	return -EADDRINUSE;
}

static int take_lock(int *ret_fd, const char *path, char *err, size_t err_len)
{
	char lock_path[128], pid[16];
	int fd, n, r;

	snprintf(lock_path, sizeof(lock_path), "%s.lock", path);
	fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		r = -errno;
		snprintf(
			err,
			err_len,
			"cannot create %s: %s; api.socket must name a path in a directory that "
			"exists and "
			"that this user may write",
			lock_path,
			strerror(-r)
		);
		return r;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		r = errno == EWOULDBLOCK ? refuse_second(fd, path, err, err_len) : -errno;
		if (r != -EADDRINUSE)
			snprintf(err, err_len, "cannot lock %s: %s", lock_path, strerror(-r));
		close(fd);
		return r;
	}
	n = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	// The pid only serves the message above; a full disk does not stop the server.
	if (ftruncate(fd, 0) == 0 && pwrite(fd, pid, (size_t)n, 0) < 0)
		n = 0;
	*ret_fd = fd;
	return 0;
}

// Returns: 0 when the path is free now; -EADDRINUSE, -EEXIST or other with err.
static int clear_path(const struct sockaddr_un *addr, char *err, size_t err_len)
{
	struct stat st;
	int fd, r;

	if (lstat(addr->sun_path, &st) < 0) {
		if (errno == ENOENT)
			return 0;
		r = -errno;
		snprintf(err, err_len, "cannot look at %s: %s", addr->sun_path, strerror(-r));
		return r;
	}
	if (!S_ISSOCK(st.st_mode)) {
		snprintf(
			err,
			err_len,
			"%s exists and is no socket: remove it, or set api.socket to another path",
			addr->sun_path
		);
		return -EEXIST;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		r = -errno;
		snprintf(err, err_len, "cannot create a socket: %s", strerror(-r));
		return r;
	}
	r = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 ? 0 : -errno;
	close(fd);
	if (r != -ECONNREFUSED) {
		snprintf(
			err,
			err_len,
			"%s: another program listens on it (%s): stop it first, or set api.socket "
			"to "
			"another path",
			addr->sun_path,
			r == 0 ? "it accepts connections" : strerror(-r)
		);
		return -EADDRINUSE;
	}
	if (unlink(addr->sun_path) < 0) {
		r = -errno;
		snprintf(err, err_len, "cannot replace %s: %s", addr->sun_path, strerror(-r));
		return r;
	}
	return 0;
}

static int bind_and_listen(
	int *ret_fd, const struct sockaddr_un *addr, unsigned mode, char *err, size_t err_len
)
{
	mode_t old_umask;
	int fd, r = 0;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		r = -errno;
		snprintf(err, err_len, "cannot create a socket: %s", strerror(-r));
		return r;
	}
	old_umask = umask(0177); // nobody else until the mode is set
	if (bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0)
		r = -errno;
	umask(old_umask);
	if (r == 0 && (chmod(addr->sun_path, mode) < 0 || listen(fd, BACKLOG) < 0)) {
		r = -errno;
		unlink(addr->sun_path);
	}
	if (r < 0) {
		snprintf(err, err_len, "cannot listen on %s: %s", addr->sun_path, strerror(-r));
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

int http_listen_open(
	struct http_listen *ret, const char *path, unsigned mode, char *err, size_t err_len
)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int lock_fd = -1, fd = -1, r;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		snprintf(
			err,
			err_len,
			"api.socket has %zu bytes and a UNIX socket path at most %zu: %s",
			strlen(path),
			sizeof(addr.sun_path) - 1,
			path
		);
		return -ENAMETOOLONG;
	}
	memcpy(addr.sun_path, path, strlen(path) + 1);
	r = take_lock(&lock_fd, path, err, err_len);
	if (r < 0)
		return r;
	r = clear_path(&addr, err, err_len);
	if (r == 0)
		r = bind_and_listen(&fd, &addr, mode, err, err_len);
	if (r < 0) {
		close(lock_fd);
		return r;
	}
	ret->fd = fd;
	ret->lock_fd = lock_fd;
	memcpy(ret->path, addr.sun_path, sizeof(ret->path));
	return 0;
}

void http_listen_close(struct http_listen *listener)
{
	unlink(listener->path);
	close(listener->fd);
	close(listener->lock_fd);
}
