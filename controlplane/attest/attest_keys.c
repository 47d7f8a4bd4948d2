// SPDX-License-Identifier: Apache-2.0
//
// See attest_keys.h.
#include "controlplane/attest/attest_keys.h"

#include "controlplane/chain/evm/evm_account.h"
#include "controlplane/chain/evm/evm_hex.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

struct attest_keys {
	struct evm_signer *current;
	struct evm_signer *formers[ATTEST_KEYS_FORMER_MAX];
	size_t n_formers;
};

// Any 32 random bytes are a key but for a chance of 2^-128, which evm_signer_create refuses later.
static int write_key(int fd)
{
	char text[EVM_HEX_SIZE(EVM_SIGNER_KEY_SIZE)];
	uint8_t key[EVM_SIGNER_KEY_SIZE];
	size_t len = sizeof(text) - 1;
	int rc = 0;

	if (getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key))
		return -EIO;
	evm_hex_format(key, sizeof(key), text);
	text[len] = '\n';
	if (write(fd, text, len + 1) != (ssize_t)len + 1)
		rc = -EIO;
	else if (fsync(fd) != 0)
		rc = -errno;
	explicit_bzero(key, sizeof(key));
	explicit_bzero(text, sizeof(text));
	return rc;
}

static int sync_dir_of(const char *path)
{
	char dir[PATH_MAX];
	char *slash;
	int fd, rc;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (slash == NULL)
		strcpy(dir, ".");
	else
		slash[slash == dir] = '\0';
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	rc = fsync(fd) == 0 ? 0 : -errno;
	close(fd);
	return rc;
}

// Under a temporary name first: a kill must not leave half a key that refuses every later start.
static int make_key(const char *path)
{
	char temporary[PATH_MAX];
	int fd, rc;

	if (snprintf(temporary, sizeof(temporary), "%s.new", path) >= (int)sizeof(temporary))
		return -ENAMETOOLONG;
	unlink(temporary);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	rc = write_key(fd);
	close(fd);
	// link, not rename: a key that appeared meanwhile stays.
	if (rc == 0 && link(temporary, path) != 0)
		rc = -errno;
	unlink(temporary);
	return rc == 0 ? sync_dir_of(path) : rc;
}

static int open_former(
	struct attest_keys *keys, const char *dir, const char *name, char why[ATTEST_KEYS_WHY_CAP]
)
{
	struct secret_file_why file_why;
	char path[PATH_MAX];
	size_t len = strlen(name);

	if (len < 5 || strcmp(name + len - 4, ".key") != 0)
		return 0;
	if (keys->n_formers == ATTEST_KEYS_FORMER_MAX) {
		snprintf(
			why,
			ATTEST_KEYS_WHY_CAP,
			"%s: more than %d keys",
			dir,
			ATTEST_KEYS_FORMER_MAX
		);
		return -E2BIG;
	}
	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	int rc = evm_account_open(&keys->formers[keys->n_formers], path, NULL, &file_why);
	if (rc == 0)
		keys->n_formers++;
	else
		snprintf(why, ATTEST_KEYS_WHY_CAP, "%s", file_why.text);
	return rc;
}

static int open_formers(struct attest_keys *keys, const char *path, char why[ATTEST_KEYS_WHY_CAP])
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int rc = 0;

	if (dir == NULL)
		return errno == ENOENT ? 0 : -errno;
	while (rc == 0 && (entry = readdir(dir)) != NULL)
		rc = open_former(keys, path, entry->d_name, why);
	closedir(dir);
	return rc;
}

int attest_keys_open(
	struct attest_keys **ret,
	const char *key_file,
	const char *former_dir,
	char why[ATTEST_KEYS_WHY_CAP]
)
{
	struct attest_keys *keys = calloc(1, sizeof(*keys));
	struct secret_file_why file_why = {0};
	int rc = 0;

	if (keys == NULL)
		return -ENOMEM;
	if (access(key_file, F_OK) != 0 && errno == ENOENT) {
		rc = make_key(key_file);
		if (rc != 0)
			snprintf(
				why,
				ATTEST_KEYS_WHY_CAP,
				"%s: cannot be made: %s",
				key_file,
				strerror(-rc)
			);
	}
	if (rc == 0) {
		rc = evm_account_open(&keys->current, key_file, NULL, &file_why);
		if (rc != 0)
			snprintf(why, ATTEST_KEYS_WHY_CAP, "%s", file_why.text);
	}
	if (rc == 0) {
		snprintf(why, ATTEST_KEYS_WHY_CAP, "%s: cannot be read", former_dir);
		rc = open_formers(keys, former_dir, why);
	}
	if (rc != 0) {
		attest_keys_close(keys);
		return rc;
	}
	*ret = keys;
	return 0;
}

void attest_keys_close(struct attest_keys *keys)
{
	if (keys == NULL)
		return;
	evm_signer_destroy(keys->current);
	for (size_t i = 0; i < keys->n_formers; i++)
		evm_signer_destroy(keys->formers[i]);
	free(keys);
}

const struct evm_signer *attest_keys_current(const struct attest_keys *keys)
{
	return keys->current;
}

static bool has_address(const struct evm_signer *signer, const uint8_t address[EVM_ADDRESS_SIZE])
{
	uint8_t own[EVM_ADDRESS_SIZE];

	evm_signer_address(signer, own);
	return memcmp(own, address, sizeof(own)) == 0;
}

const struct evm_signer *attest_keys_lookup(
	const struct attest_keys *keys, const uint8_t address[EVM_ADDRESS_SIZE]
)
{
	if (has_address(keys->current, address))
		return keys->current;
	for (size_t i = 0; i < keys->n_formers; i++) {
		if (has_address(keys->formers[i], address))
			return keys->formers[i];
	}
	return NULL;
}
