// SPDX-License-Identifier: Apache-2.0
//
// Owner and mode are checked on the open file, not on its name, so that what is checked is what is
// read.

#include "secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int secret_file_check(int fd, const char *path, size_t cap, struct secret_file_why *why)
{
	struct stat st;

	if (fstat(fd, &st) < 0) {
		int r = -errno;

		snprintf(why->text, sizeof(why->text), "%s: %s", path, strerror(-r));
		return r;
	}
	if (!S_ISREG(st.st_mode)) {
		snprintf(why->text, sizeof(why->text), "%s: not a regular file", path);
		return -EINVAL;
	}
	if (st.st_uid != geteuid() && st.st_uid != 0) {
		snprintf(
			why->text,
			sizeof(why->text),
			"%s: belongs to user %u, this process runs as %u; run: chown %u %s",
			path,
			(unsigned int)st.st_uid,
			(unsigned int)geteuid(),
			(unsigned int)geteuid(),
			path
		);
		return -EPERM;
	}
	if ((st.st_mode & 077) != 0) {
		snprintf(
			why->text,
			sizeof(why->text),
			"%s: mode %04o lets others than its owner read or change it; run: chmod "
			"600 %s, "
			"and replace the key if others had access",
			path,
			(unsigned int)(st.st_mode & 07777),
			path
		);
		return -EPERM;
	}
	if ((size_t)st.st_size >= cap) {
		snprintf(
			why->text,
			sizeof(why->text),
			"%s: %lld bytes, at most %zu are expected",
			path,
			(long long)st.st_size,
			cap - 1
		);
		return -EFBIG;
	}
	return 0;
}

static int secret_file_fill(
	int fd,
	const char *path,
	char *buf,
	size_t cap,
	size_t *ret_len,
	struct secret_file_why *why
)
{
	size_t len = 0;
	ssize_t n;
	int r;

	do {
		n = read(fd, buf + len, cap - 1 - len);
		if (n > 0)
			len += (size_t)n;
	} while ((n > 0 && len < cap - 1) || (n < 0 && errno == EINTR));
	if (n < 0) {
		r = -errno;
		snprintf(why->text, sizeof(why->text), "%s: %s", path, strerror(-r));
		return r;
	}
	if (memchr(buf, '\0', len) != NULL) {
		snprintf(
			why->text,
			sizeof(why->text),
			"%s: holds a zero byte, text is expected",
			path
		);
		return -EINVAL;
	}
	buf[len] = '\0';
	*ret_len = len;
	return 0;
}

int secret_file_read(
	const char *path, char *buf, size_t cap, size_t *ret_len, struct secret_file_why *why
)
{
	int fd, r;

	// O_NONBLOCK: a FIFO in the key's place must not hang the start.
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0) {
		r = -errno;
		snprintf(why->text, sizeof(why->text), "%s: %s", path, strerror(-r));
		return r;
	}
	r = secret_file_check(fd, path, cap, why);
	if (r == 0)
		r = secret_file_fill(fd, path, buf, cap, ret_len, why);
	close(fd);
	if (r < 0)
		explicit_bzero(buf, cap);
	return r;
}

void secret_file_trim(char *text, size_t *len)
{
	if (*len > 0 && text[*len - 1] == '\n')
		text[--*len] = '\0';
	if (*len > 0 && text[*len - 1] == '\r')
		text[--*len] = '\0';
}
