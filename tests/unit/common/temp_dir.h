// SPDX-License-Identifier: Apache-2.0
//
// A directory of its own for one test, removed with everything in it. Failures end the test.
#pragma once

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct temp_dir {
	char path[64];
};

#define TEMP_DIR_CHECK(condition) \
	do { \
		if (!(condition)) { \
			perror("temp_dir: " #condition); \
			abort(); \
		} \
	} while (0)

static inline void temp_dir_create(struct temp_dir *dir)
{
	strcpy(dir->path, "/tmp/tollwire-test-XXXXXX");
	TEMP_DIR_CHECK(mkdtemp(dir->path) != NULL);
}

static inline int temp_dir_unlink_entry(
	const char *path, const struct stat *st, int flag, struct FTW *ftw
)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static inline void temp_dir_remove(struct temp_dir *dir)
{
	TEMP_DIR_CHECK(nftw(dir->path, temp_dir_unlink_entry, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

static inline int temp_dir_count(const struct temp_dir *dir)
{
	DIR *stream = opendir(dir->path);
	const struct dirent *entry;
	int n = 0;

	TEMP_DIR_CHECK(stream != NULL);
	while ((entry = readdir(stream)) != NULL)
		n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(stream);
	return n;
}

static inline void temp_dir_write(
	const struct temp_dir *dir, const char *name, const void *data, size_t len
)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir->path, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	TEMP_DIR_CHECK(fd >= 0 && write(fd, data, len) == (ssize_t)len);
	close(fd);
}
