// SPDX-License-Identifier: Apache-2.0
//
// Reads a small file that holds a secret: a key, a keystore, its password. The file must be a
// regular file of this user (or root) with no permission for group and others, or it is refused:
// a key that others could read is no longer only ours. Any thread; the caller owns and wipes the
// bytes.

#pragma once

#include <stddef.h>

#define SECRET_FILE_WHY_SIZE 640

// What to tell a person: which file, what is wrong with it, and the way out. Never the content.
struct secret_file_why {
	char text[SECRET_FILE_WHY_SIZE];
};

/* Reads at most cap - 1 bytes and ends them with a zero byte. On failure buf is wiped.
 * Returns: 0; -EPERM for owner or mode; -EFBIG; -EINVAL when it is no regular file or holds a NUL;
 * another -errno. why is set on failure. */
int secret_file_read(
	const char *path, char *buf, size_t cap, size_t *ret_len, struct secret_file_why *why
) __attribute__((warn_unused_result));

/* Removes one line end (\n or \r\n) from the end of the text, as editors leave it. */
void secret_file_trim(char *text, size_t *len);
