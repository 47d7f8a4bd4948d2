// SPDX-License-Identifier: Apache-2.0
//
// See twctl_qr.h.
#include "twctl_qr.h"

#include "controlplane/session/qr_image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int twctl_qr_draw(FILE *out, const char *text)
{
	return qr_image_draw(out, text);
}

// Returns: 0 or -errno.
static int write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

int twctl_qr_write_png(const char *file, const char *text)
{
	size_t len = 0;
	char *image;
	int fd, r;

	r = qr_image_png(text, &image, &len);
	if (r < 0)
		return r;
	fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		r = -errno;
	} else {
		r = write_all(fd, image, len);
		if (close(fd) != 0 && r == 0)
			r = -errno;
		if (r < 0)
			unlink(file);
	}
	explicit_bzero(image, len);
	free(image);
	return r;
}
