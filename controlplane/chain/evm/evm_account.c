// SPDX-License-Identifier: Apache-2.0
//
// Reads, opens, checks that the keystore holds the account that it names, and wipes what it read.

#include "evm_account.h"

#include "evm_hex.h"
#include "evm_keystore.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

// Puts the file's name in front of a reason that knows none.
static void evm_account_prefix(struct secret_file_why *why, const char *path)
{
	struct secret_file_why full;

	snprintf(full.text, sizeof(full.text), "%.400s: %.200s", path, why->text);
	*why = full;
}

static int evm_account_open_keystore(
	const char *path,
	const char *text,
	size_t len,
	const char *password_path,
	struct evm_keystore_key *key,
	struct secret_file_why *why
)
{
	char password[EVM_ACCOUNT_PASSWORD_MAX];
	size_t password_len;
	int r;

	if (password_path == NULL) {
		snprintf(
			why->text,
			sizeof(why->text),
			"%s: a keystore needs the file with its password, and none is configured",
			path
		);
		return -EINVAL;
	}
	r = secret_file_read(password_path, password, sizeof(password), &password_len, why);
	if (r < 0)
		return r;
	secret_file_trim(password, &password_len);
	r = evm_keystore_open_sealed(text, len, password, password_len, key, why);
	if (r < 0)
		evm_account_prefix(why, path);
	explicit_bzero(password, sizeof(password));
	return r;
}

static int evm_account_parse_hex(
	const char *path,
	const char *text,
	struct evm_keystore_key *key,
	struct secret_file_why *why
)
{
	const char *digits = strncmp(text, "0x", 2) == 0 ? text + 2 : text;

	if (evm_hex_parse_digits(digits, key->key, sizeof(key->key)) == 0)
		return 0;
	snprintf(
		why->text,
		sizeof(why->text),
		"%s: neither a keystore nor a key of 64 hex digits",
		path
	);
	return -EINVAL;
}

static int evm_account_make_signer(
	struct evm_signer **ret, const struct evm_keystore_key *key, struct secret_file_why *why
)
{
	char named[EVM_ADDRESS_TEXT_SIZE], actual[EVM_ADDRESS_TEXT_SIZE];
	uint8_t address[EVM_ADDRESS_SIZE];
	struct evm_signer *signer;
	int r;

	r = evm_signer_create(&signer, key->key);
	if (r < 0) {
		snprintf(
			why->text,
			sizeof(why->text),
			"%s",
			r == -EINVAL ? "the key is 0 or not below the order of secp256k1"
				     : strerror(-r)
		);
		return r;
	}
	evm_signer_address(signer, address);
	if (key->has_address && memcmp(key->address, address, sizeof(address)) != 0) {
		evm_address_format(key->address, named);
		evm_address_format(address, actual);
		snprintf(
			why->text,
			sizeof(why->text),
			"the keystore says it is %s but its key is that of %s",
			named,
			actual
		);
		evm_signer_destroy(signer);
		return -EINVAL;
	}
	*ret = signer;
	return 0;
}

int evm_account_open(
	struct evm_signer **ret,
	const char *path,
	const char *password_path,
	struct secret_file_why *why
)
{
	struct evm_keystore_key key = {0};
	char text[EVM_ACCOUNT_FILE_MAX];
	size_t len;
	int r;

	r = secret_file_read(path, text, sizeof(text), &len, why);
	if (r < 0)
		return r;
	secret_file_trim(text, &len);
	if (text[0] == '{')
		r = evm_account_open_keystore(path, text, len, password_path, &key, why);
	else
		r = evm_account_parse_hex(path, text, &key, why);
	if (r == 0) {
		r = evm_account_make_signer(ret, &key, why);
		if (r < 0)
			evm_account_prefix(why, path);
	}
	explicit_bzero(&key, sizeof(key));
	explicit_bzero(text, sizeof(text));
	return r;
}
