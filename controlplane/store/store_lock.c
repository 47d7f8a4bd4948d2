// SPDX-License-Identifier: Apache-2.0
//
// flock on a file that holds the pid as text. Start-up only.
#include "controlplane/store/store_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/types.h>
#include <unistd.h>

int store_lock_take(const char *path, char *err, size_t err_len)
{
	char text[32] = "";
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int rc;

	if (fd < 0) {
		rc = -errno;
		snprintf(err, err_len, "%s: cannot open: %s", path, strerror(-rc));
		return rc;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
		snprintf(
			err,
			err_len,
			"%s: another process (pid %ld) has it: stop that one first, or give this "
			"one its own directory",
			path,
			n > 0 ? strtol(text, NULL, 10) : 0l
		);
		close(fd);
		return -EBUSY;
	}
	int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)len, 0) != len) {
		rc = errno != 0 ? -errno : -EIO;
		snprintf(err, err_len, "%s: cannot write: %s", path, strerror(-rc));
		close(fd);
		return rc;
	}
	return fd;
}
