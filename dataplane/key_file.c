// SPDX-License-Identifier: Apache-2.0
//
// See key_file.h. Every buffer that held a key is zeroed on every way out.
#include "dataplane/key_file.h"

#include "dataplane/wg/wg_primitives.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_LEN (KEY_FILE_TEXT_CAP - 1)

// Six bits to a character and back by comparisons alone, so that a key's bytes choose neither a
// branch nor a cache line.
static char encode_six(unsigned value)
{
	int c = 'A' + (int)value;

	c += ((25 - (int)value) >> 8) & 6; // 'a' follows 'Z' after six others
	c -= ((51 - (int)value) >> 8) & 75; // '0'
	c -= ((61 - (int)value) >> 8) & 15; // '+'
	c += ((62 - (int)value) >> 8) & 3; // '/'
	return (char)c;
}

// Returns: 0 to 63, or -1.
static int decode_six(int c)
{
	int ret = -1;

	ret += (((('A' - 1) - c) & (c - ('Z' + 1))) >> 8) & (c - 'A' + 1);
	ret += (((('a' - 1) - c) & (c - ('z' + 1))) >> 8) & (c - 'a' + 27);
	ret += (((('0' - 1) - c) & (c - ('9' + 1))) >> 8) & (c - '0' + 53);
	ret += (((('+' - 1) - c) & (c - ('+' + 1))) >> 8) & 63;
	ret += (((('/' - 1) - c) & (c - ('/' + 1))) >> 8) & 64;
	return ret;
}

void key_file_encode(
	char ret_text[static KEY_FILE_TEXT_CAP], const uint8_t key[static KEY_FILE_BYTES]
)
{
	uint32_t bits = 0;
	unsigned n_bits = 0, n_text = 0;

	for (unsigned i = 0; i < KEY_FILE_BYTES; i++) {
		bits = bits << 8 | key[i];
		n_bits += 8;
		while (n_bits >= 6) {
			n_bits -= 6;
			ret_text[n_text++] = encode_six(bits >> n_bits & 63);
		}
	}
	ret_text[n_text++] = encode_six(bits << (6 - n_bits) & 63);
	ret_text[n_text++] = '=';
	ret_text[n_text] = '\0';
}

bool key_file_decode(
	uint8_t ret_key[static KEY_FILE_BYTES], const char text[static KEY_FILE_TEXT_CAP - 1]
)
{
	uint8_t key[KEY_FILE_BYTES];
	uint32_t bits = 0;
	unsigned n_bits = 0, n_key = 0;
	int bad = text[TEXT_LEN - 1] != '=';

	for (unsigned i = 0; i < TEXT_LEN - 1; i++) {
		int six = decode_six((unsigned char)text[i]);

		bad |= six < 0;
		bits = bits << 6 | ((uint32_t)six & 63);
		n_bits += 6;
		if (n_bits >= 8 && n_key < KEY_FILE_BYTES) {
			n_bits -= 8;
			key[n_key++] = (uint8_t)(bits >> n_bits);
		}
	}
	bad |= (bits & 3) != 0; // 43 characters are 258 bits: the last two must be zero
	if (!bad)
		memcpy(ret_key, key, sizeof(key));
	wg_primitives_zero(key, sizeof(key));
	wg_primitives_zero(&bits, sizeof(bits));
	return !bad;
}

static int check_file(int fd, const char *path, const char *what, char *err, size_t err_len)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode)) {
		snprintf(err, err_len, "%s '%s' is not a regular file", what, path);
		return -EINVAL;
	}
	if (st.st_mode & (S_IRWXG | S_IRWXO)) {
		snprintf(
			err,
			err_len,
			"%s '%s' has mode %04o and is open to others: if nobody else has read it, "
			"run 'chmod 600 %s', else replace it",
			what,
			path,
			(unsigned)(st.st_mode & 07777),
			path
		);
		return -EACCES;
	}
	if (st.st_uid != geteuid() && st.st_uid != 0) {
		snprintf(
			err,
			err_len,
			"%s '%s' belongs to user %u, not to user %u who runs this program: "
			"run 'chown %u %s'",
			what,
			path,
			(unsigned)st.st_uid,
			(unsigned)geteuid(),
			(unsigned)geteuid(),
			path
		);
		return -EACCES;
	}
	return 0;
}

// One character more than a key and its newline is asked for, so that a longer file is noticed.
static int read_key(
	int fd, uint8_t *ret_key, const char *path, const char *what, char *err, size_t err_len
)
{
	char text[TEXT_LEN + 2];
	size_t len = 0;
	int rc = 0;

	while (len < sizeof(text)) {
		ssize_t n = read(fd, text + len, sizeof(text) - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			rc = -errno;
			snprintf(
				err, err_len, "cannot read %s '%s': %s", what, path, strerror(-rc)
			);
			goto out;
		}
		if (n == 0)
			break;
		len += (size_t)n;
	}
	if (len > 0 && text[len - 1] == '\n')
		len--;
	if (len != TEXT_LEN || !key_file_decode(ret_key, text)) {
		snprintf(
			err,
			err_len,
			"%s '%s' does not hold a key: %zu%s characters, wanted 44 of base64 and a "
			"newline, as 'wg genkey' writes them",
			what,
			path,
			len,
			len > TEXT_LEN ? " or more" : ""
		);
		rc = -EBADMSG;
	}
out:
	wg_primitives_zero(text, sizeof(text));
	return rc;
}

static int load(const char *path, uint8_t *ret_key, const char *what, char *err, size_t err_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int rc;

	if (fd < 0) {
		rc = -errno;
		snprintf(err, err_len, "cannot open %s '%s': %s", what, path, strerror(-rc));
		return rc;
	}
	rc = check_file(fd, path, what, err, err_len);
	if (rc == 0)
		rc = read_key(fd, ret_key, path, what, err, err_len);
	close(fd);
	return rc;
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

static int sync_dir_of(const char *path)
{
	char copy[PATH_MAX];
	int fd, rc = 0;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fsync(fd) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

// Temporary file, fsync, rename without replacing, fsync of the folder: after a power cut there is a
// whole key or none.
static int store(const char *path, const uint8_t *key, char *err, size_t err_len)
{
	char temp[PATH_MAX], text[KEY_FILE_TEXT_CAP];
	int fd, rc;

	if (snprintf(temp, sizeof(temp), "%s.%ld", path, (long)getpid()) >= (int)sizeof(temp))
		return -ENAMETOOLONG;
	fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		rc = -errno;
		snprintf(
			err,
			err_len,
			"cannot create private key file '%s': %s; make its folder, writable by "
			"this "
			"user, or set wireguard.private_key_file",
			path,
			strerror(-rc)
		);
		return rc;
	}
	key_file_encode(text, key);
	text[TEXT_LEN] = '\n';
	rc = write_all(fd, text, TEXT_LEN + 1);
	wg_primitives_zero(text, sizeof(text));
	close(fd);
	if (rc == 0 && renameat2(AT_FDCWD, temp, AT_FDCWD, path, RENAME_NOREPLACE) < 0)
		rc = -errno;
	if (rc == 0)
		rc = sync_dir_of(path);
	else
		unlink(temp);
	if (rc < 0)
		snprintf(
			err, err_len, "cannot write private key file '%s': %s", path, strerror(-rc)
		);
	return rc;
}

int key_file_load_private(
	const char *path,
	uint8_t ret_key[static KEY_FILE_BYTES],
	bool *ret_is_new,
	char *err,
	size_t err_len
)
{
	int rc = load(path, ret_key, "private key file", err, err_len);

	*ret_is_new = false;
	if (rc != -ENOENT)
		return rc;
	wg_primitives_generate_private(ret_key);
	rc = store(path, ret_key, err, err_len);
	if (rc < 0) {
		wg_primitives_zero(ret_key, KEY_FILE_BYTES);
		return rc;
	}
	*ret_is_new = true;
	return 0;
}

int key_file_load_psk(
	const char *dir,
	const uint8_t public_key[static KEY_FILE_BYTES],
	uint8_t ret_key[static KEY_FILE_BYTES],
	char *err,
	size_t err_len
)
{
	static const char digits[] = "0123456789abcdef";
	char path[PATH_MAX], hex[2 * KEY_FILE_BYTES + 1];

	for (unsigned i = 0; i < KEY_FILE_BYTES; i++) {
		hex[2 * i] = digits[public_key[i] >> 4];
		hex[2 * i + 1] = digits[public_key[i] & 15];
	}
	hex[2 * KEY_FILE_BYTES] = '\0';
	if (snprintf(path, sizeof(path), "%s/%s", dir, hex) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	return load(path, ret_key, "preshared key file", err, err_len);
}
