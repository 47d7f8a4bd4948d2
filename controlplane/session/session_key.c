// SPDX-License-Identifier: Apache-2.0
//
// Key files of clients. X25519 and base64 from libsodium. Secrets are wiped on every exit.
#include "controlplane/session/session_key.h"

#include "controlplane/chain/secret_file.h"

#include <sodium.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_CAP 512
#define DIR_NAME "client-keys"
#define SUFFIX ".key"
#define BASE64 sodium_base64_VARIANT_ORIGINAL

static void dir_path(char *dst, const char *state_dir)
{
	snprintf(dst, PATH_CAP, "%s/" DIR_NAME, state_dir);
}

static void key_path(char *dst, const char *state_dir, const uint8_t public_key[32])
{
	char hex[65];

	sodium_bin2hex(hex, sizeof(hex), public_key, 32);
	snprintf(dst, PATH_CAP, "%s/" DIR_NAME "/%s" SUFFIX, state_dir, hex);
}

static int sync_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	int rc = fsync(fd) == 0 ? 0 : -errno;
	close(fd);
	return rc;
}

static int make_dirs(const char *state_dir, const char *dir)
{
	if (mkdir(state_dir, 0700) != 0 && errno != EEXIST)
		return -errno;
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return -errno;
	return 0;
}

// Writes text to path, all of it or nothing.
static int write_file(const char *dir, const char *path, const char *text, size_t len)
{
	char part[PATH_CAP + 8];

	snprintf(part, sizeof(part), "%s.part", path);
	unlink(part);
	int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	ssize_t n = write(fd, text, len);
	int rc = n == (ssize_t)len ? 0 : n < 0 ? -errno : -ENOSPC;
	if (rc == 0 && fsync(fd) != 0)
		rc = -errno;
	close(fd);
	if (rc == 0 && rename(part, path) != 0)
		rc = -errno;
	if (rc != 0) {
		unlink(part);
		return rc;
	}
	return sync_dir(dir);
}

int session_key_generate(
	const char *state_dir, uint8_t ret_public_key[32], char *err, size_t err_len
)
{
	uint8_t private_key[32], public_key[32];
	char text[SESSION_KEY_TEXT_CAP + 1], dir[PATH_CAP], path[PATH_CAP];

	randombytes_buf(private_key, sizeof(private_key));
	private_key[0] &= 248; // clamped as wg(8) prints it (RFC 7748, 5)
	private_key[31] = (private_key[31] & 127) | 64;
	crypto_scalarmult_base(public_key, private_key);
	sodium_bin2base64(text, sizeof(text), private_key, 32, BASE64);
	strcat(text, "\n");
	dir_path(dir, state_dir);
	key_path(path, state_dir, public_key);
	int rc = make_dirs(state_dir, dir);
	if (rc == 0)
		rc = write_file(dir, path, text, strlen(text));
	sodium_memzero(private_key, sizeof(private_key));
	sodium_memzero(text, sizeof(text));
	if (rc != 0)
		snprintf(
			err,
			err_len,
			"%s: cannot write a private key: %s (node.state_dir)",
			dir,
			strerror(-rc)
		);
	else
		memcpy(ret_public_key, public_key, 32);
	return rc;
}

// Returns: true when text is the base64 of the private half of public_key.
static bool is_private_half(const char *text, size_t len, const uint8_t public_key[32])
{
	uint8_t private_key[32], made[32];
	size_t n = 0;
	bool matches = sodium_base642bin(
			       private_key, sizeof(private_key), text, len, NULL, &n, NULL, BASE64
		       ) == 0 &&
		n == 32 && crypto_scalarmult_base(made, private_key) == 0 &&
		memcmp(made, public_key, 32) == 0;

	sodium_memzero(private_key, sizeof(private_key));
	return matches;
}

int session_key_read(
	const char *state_dir,
	const uint8_t public_key[32],
	char ret[SESSION_KEY_TEXT_CAP],
	char *err,
	size_t err_len
)
{
	struct secret_file_why why = {.text = ""};
	char text[128], path[PATH_CAP];
	size_t len = 0;

	key_path(path, state_dir, public_key);
	int rc = secret_file_read(path, text, sizeof(text), &len, &why);
	if (rc != 0) {
		snprintf(err, err_len, "%s", why.text);
		return rc;
	}
	secret_file_trim(text, &len);
	if (len == SESSION_KEY_TEXT_CAP - 1 && is_private_half(text, len, public_key)) {
		memcpy(ret, text, SESSION_KEY_TEXT_CAP);
	} else {
		snprintf(err, err_len, "%s: does not hold this session's private key", path);
		rc = -EBADMSG;
	}
	sodium_memzero(text, sizeof(text));
	return rc;
}

int session_key_forget(const char *state_dir, const uint8_t public_key[32])
{
	char path[PATH_CAP], dir[PATH_CAP];

	key_path(path, state_dir, public_key);
	if (unlink(path) != 0)
		return errno == ENOENT ? 0 : -errno;
	dir_path(dir, state_dir);
	return sync_dir(dir);
}

// Returns: true when the file may go.
static bool is_orphan(
	const char *name, bool (*is_known)(void *ctx, const uint8_t public_key[32]), void *ctx
)
{
	uint8_t public_key[32];
	size_t len = strlen(name), n = 0;
	const char *end;

	if (len > 5 && strcmp(name + len - 5, ".part") == 0)
		return true;
	if (len != 64 + sizeof(SUFFIX) - 1 || strcmp(name + 64, SUFFIX) != 0)
		return false; // not ours
	if (sodium_hex2bin(public_key, 32, name, 64, NULL, &n, &end) != 0 || n != 32)
		return false;
	return !is_known(ctx, public_key);
}

int session_key_sweep(
	const char *state_dir, bool (*is_known)(void *ctx, const uint8_t public_key[32]), void *ctx
)
{
	char path[PATH_CAP];
	const struct dirent *entry;
	int n_deleted = 0;

	dir_path(path, state_dir);
	DIR *dir = opendir(path);
	if (dir == NULL)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir)) != NULL) {
		if (is_orphan(entry->d_name, is_known, ctx) &&
		    unlinkat(dirfd(dir), entry->d_name, 0) == 0)
			n_deleted++;
	}
	closedir(dir);
	return n_deleted;
}

bool session_key_check_public(const uint8_t public_key[32])
{
	// Any scalar will do: libsodium refuses when the result is the identity.
	static const uint8_t scalar[32] = {9};
	uint8_t out[32];

	return crypto_scalarmult(out, scalar, public_key) == 0;
}
