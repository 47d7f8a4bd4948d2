// SPDX-License-Identifier: Apache-2.0
//
// See buyer_key.h. X25519 from libsodium.
#include "buyer_key.h"

#include "buyer_file.h"

#include "controlplane/chain/secret_file.h"
#include "controlplane/session/client_conf.h"

#include <sodium.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TEXT_CAP 128

static int derive(struct buyer_key *key)
{
	if (sodium_init() < 0)
		return -EIO;
	return crypto_scalarmult_curve25519_base(key->public_key, key->private_key) == 0 ? 0 : -EIO;
}

static int load(const char *path, struct buyer_key *key, char why[BUYER_KEY_WHY])
{
	struct secret_file_why secret;
	char text[TEXT_CAP];
	size_t len;
	int r = secret_file_read(path, text, sizeof(text), &len, &secret);

	if (r < 0) {
		snprintf(why, BUYER_KEY_WHY, "%s", secret.text);
		return r;
	}
	secret_file_trim(text, &len);
	r = client_conf_key_parse(key->private_key, text) < 0 ? -EBADMSG : derive(key);
	sodium_memzero(text, sizeof(text));
	if (r < 0)
		snprintf(
			why,
			BUYER_KEY_WHY,
			"%.500s holds no WireGuard key: 44 characters, as wg genkey writes them",
			path
		);
	return r;
}

// RFC 7748 section 5: the three bits that every X25519 key has set and cleared.
static int make(const char *path, struct buyer_key *key, char why[BUYER_KEY_WHY])
{
	char text[TEXT_CAP];
	int r = sodium_init() < 0 ? -EIO : 0;

	if (r == 0) {
		randombytes_buf(key->private_key, 32);
		key->private_key[0] &= 248;
		key->private_key[31] = (uint8_t)((key->private_key[31] & 127) | 64);
		r = derive(key);
	}
	if (r == 0) {
		client_conf_key_text(text, key->private_key);
		strcat(text, "\n");
		r = buyer_file_put(path, text, true);
		sodium_memzero(text, sizeof(text));
	}
	if (r < 0)
		snprintf(why, BUYER_KEY_WHY, "the key's file %.500s: %s", path, strerror(-r));
	return r;
}

int buyer_key_open(const char *path, bool wants_new, struct buyer_key *ret, char why[BUYER_KEY_WHY])
{
	struct buyer_key key = {0};
	char next[PATH_MAX];
	int r;

	if ((size_t)snprintf(next, sizeof(next), "%s.new", path) >= sizeof(next)) {
		snprintf(why, BUYER_KEY_WHY, "the path is too long");
		return -ENAMETOOLONG;
	}
	// One that was begun is ended first: the node may have it already.
	r = load(next, &key, why);
	key.is_new = r == 0;
	if (r == -ENOENT)
		r = load(path, &key, why);
	if (r == -ENOENT || (r == 0 && wants_new && !key.is_new)) {
		r = make(next, &key, why);
		key.is_new = true;
	}
	if (r == 0)
		*ret = key;
	sodium_memzero(&key, sizeof(key));
	return r;
}

int buyer_key_accept(const char *path, struct buyer_key *key)
{
	char next[PATH_MAX], text[TEXT_CAP];
	int r;

	if (!key->is_new)
		return 0;
	snprintf(next, sizeof(next), "%s.new", path);
	client_conf_key_text(text, key->private_key);
	strcat(text, "\n");
	r = buyer_file_put(path, text, false);
	sodium_memzero(text, sizeof(text));
	if (r < 0)
		return r;
	if (unlink(next) != 0 && errno != ENOENT)
		return -errno;
	key->is_new = false;
	return 0;
}
