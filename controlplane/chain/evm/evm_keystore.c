// SPDX-License-Identifier: Apache-2.0
//
// Web3 Secret Storage version 3: derived = scrypt(password); MAC = keccak256(derived[16..32] ‖
// ciphertext), compared in constant time before anything is decrypted; key = AES-128-CTR under
// derived[0..16].

#include "evm_keystore.h"

#include "evm_hex.h"
#include "evm_keccak.h"

#include "controlplane/json/json.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define EVM_KEYSTORE_SALT_MAX 64

struct evm_keystore_params {
	uint64_t n, r, p;
	uint8_t salt[EVM_KEYSTORE_SALT_MAX];
	size_t salt_len;
	uint8_t iv[16];
	uint8_t ciphertext[EVM_SIGNER_KEY_SIZE];
	uint8_t mac[EVM_KECCAK_SIZE];
};

static int evm_keystore_refuse(struct secret_file_why *why, int r, const char *text)
{
	snprintf(why->text, sizeof(why->text), "%s", text);
	return r;
}

static int evm_keystore_get_hex(
	const struct json_value *object, const char *name, uint8_t *dst, size_t len
)
{
	const char *digits = json_string(json_member(object, name));

	return digits == NULL ? -EINVAL : evm_hex_parse_digits(digits, dst, len);
}

static bool evm_keystore_check_string(const struct json_value *value, const char *expected)
{
	const char *text = json_string(value);

	return text != NULL && strcmp(text, expected) == 0;
}

static bool evm_keystore_check_cost(const struct evm_keystore_params *params)
{
	uint64_t work;

	// n is a power of two above 1 (RFC 7914, section 2); the products below cannot wrap then.
	if (params->n < 2 || (params->n & (params->n - 1)) != 0 ||
	    params->n > EVM_KEYSTORE_WORK_MAX)
		return false;
	if (params->r == 0 || params->r > EVM_KEYSTORE_WORK_MAX || params->p == 0 ||
	    params->p > EVM_KEYSTORE_WORK_MAX)
		return false;
	// N < 2^(128 * r / 8), RFC 7914, section 2; libcrypto insists on it.
	if (params->r < 4 && params->n >= 1ull << (16 * params->r))
		return false;
	if (__builtin_mul_overflow(params->n * params->r, params->p, &work))
		return false;
	return work <= EVM_KEYSTORE_WORK_MAX &&
		128 * params->r * (params->n + params->p) <= EVM_KEYSTORE_MEMORY_MAX_BYTES;
}

static int evm_keystore_get_kdf(
	const struct json_value *crypto,
	struct evm_keystore_params *params,
	struct secret_file_why *why
)
{
	const struct json_value *kdf = json_member(crypto, "kdfparams");
	const char *salt = json_string(json_member(kdf, "salt"));
	uint64_t dklen;

	if (!evm_keystore_check_string(json_member(crypto, "kdf"), "scrypt"))
		return evm_keystore_refuse(
			why,
			-ENOTSUP,
			"crypto.kdf is not scrypt; make the keystore again, e.g. with geth account "
			"import"
		);
	if (json_u64(json_member(kdf, "n"), &params->n) < 0 ||
	    json_u64(json_member(kdf, "r"), &params->r) < 0 ||
	    json_u64(json_member(kdf, "p"), &params->p) < 0 ||
	    json_u64(json_member(kdf, "dklen"), &dklen) < 0 || dklen != 32 || salt == NULL)
		return evm_keystore_refuse(
			why, -EINVAL, "crypto.kdfparams needs n, r, p, salt and dklen 32"
		);
	params->salt_len = strlen(salt) / 2;
	if (params->salt_len > EVM_KEYSTORE_SALT_MAX ||
	    evm_hex_parse_digits(salt, params->salt, params->salt_len) < 0)
		return evm_keystore_refuse(
			why, -EINVAL, "crypto.kdfparams.salt is not 0 to 64 bytes of hex"
		);
	if (!evm_keystore_check_cost(params))
		return evm_keystore_refuse(
			why,
			-EINVAL,
			"crypto.kdfparams: n is no power of two above 1 or not below 2^(16*r) (RFC "
			"7914), or n, r, p cost more than 512 MiB or n*r*p = 2^24"
		);
	return 0;
}

static int evm_keystore_get_params(
	const struct json_value *doc,
	struct evm_keystore_params *params,
	struct secret_file_why *why
)
{
	const struct json_value *crypto = json_member(doc, "crypto");
	uint64_t version;

	// Older tools write it with a capital, which geth takes as well.
	if (crypto == NULL)
		crypto = json_member(doc, "Crypto");
	if (json_u64(json_member(doc, "version"), &version) < 0 || crypto == NULL)
		return evm_keystore_refuse(why, -EINVAL, "not a keystore: no version or no crypto");
	if (version != 3)
		return evm_keystore_refuse(why, -ENOTSUP, "keystore version is not 3");
	if (!evm_keystore_check_string(json_member(crypto, "cipher"), "aes-128-ctr"))
		return evm_keystore_refuse(why, -ENOTSUP, "crypto.cipher is not aes-128-ctr");
	if (evm_keystore_get_hex(
		    json_member(crypto, "cipherparams"), "iv", params->iv, sizeof(params->iv)
	    ) < 0)
		return evm_keystore_refuse(
			why, -EINVAL, "crypto.cipherparams.iv is not 16 bytes of hex"
		);
	if (evm_keystore_get_hex(
		    crypto, "ciphertext", params->ciphertext, sizeof(params->ciphertext)
	    ) < 0)
		return evm_keystore_refuse(
			why, -EINVAL, "crypto.ciphertext is not 32 bytes of hex"
		);
	if (evm_keystore_get_hex(crypto, "mac", params->mac, sizeof(params->mac)) < 0)
		return evm_keystore_refuse(why, -EINVAL, "crypto.mac is not 32 bytes of hex");
	return evm_keystore_get_kdf(crypto, params, why);
}

static int evm_keystore_derive(
	const struct evm_keystore_params *params,
	const char *password,
	size_t password_len,
	uint8_t derived[32]
)
{
	int ok = EVP_PBE_scrypt(
		password,
		password_len,
		params->salt,
		params->salt_len,
		params->n,
		params->r,
		params->p,
		EVM_KEYSTORE_MEMORY_MAX_BYTES + (1u << 20),
		derived,
		32
	);

	return ok == 1 ? 0 : -ENOMEM;
}

static void evm_keystore_mac(
	const uint8_t derived[32],
	const uint8_t ciphertext[EVM_SIGNER_KEY_SIZE],
	uint8_t mac[EVM_KECCAK_SIZE]
)
{
	struct evm_keccak k;

	evm_keccak_init(&k);
	evm_keccak_update(&k, derived + 16, 16);
	evm_keccak_update(&k, ciphertext, EVM_SIGNER_KEY_SIZE);
	evm_keccak_final(&k, mac);
}

// CTR mode: the same call encrypts and decrypts.
static int evm_keystore_cipher(
	const uint8_t derived[32], const uint8_t iv[16], const uint8_t src[32], uint8_t dst[32]
)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int len = 0, ok;

	if (context == NULL)
		return -ENOMEM;
	ok = EVP_EncryptInit_ex(context, EVP_aes_128_ctr(), NULL, derived, iv) == 1 &&
		EVP_EncryptUpdate(context, dst, &len, src, EVM_SIGNER_KEY_SIZE) == 1 &&
		len == EVM_SIGNER_KEY_SIZE;
	EVP_CIPHER_CTX_free(context);
	return ok ? 0 : -EIO;
}

static int evm_keystore_decrypt(
	const struct evm_keystore_params *params,
	const char *password,
	size_t password_len,
	uint8_t key[EVM_SIGNER_KEY_SIZE],
	struct secret_file_why *why
)
{
	uint8_t derived[32], mac[EVM_KECCAK_SIZE];
	int r;

	r = evm_keystore_derive(params, password, password_len, derived);
	if (r < 0)
		return evm_keystore_refuse(why, r, "not enough memory for scrypt");
	evm_keystore_mac(derived, params->ciphertext, mac);
	if (CRYPTO_memcmp(mac, params->mac, sizeof(mac)) != 0)
		r = evm_keystore_refuse(
			why, -EBADMSG, "the MAC does not match: wrong password, or a damaged file"
		);
	else
		r = evm_keystore_cipher(derived, params->iv, params->ciphertext, key);
	explicit_bzero(derived, sizeof(derived));
	return r;
}

int evm_keystore_open_sealed(
	const char *text,
	size_t len,
	const char *password,
	size_t password_len,
	struct evm_keystore_key *ret,
	struct secret_file_why *why
)
{
	struct evm_keystore_params params;
	struct json_value *doc;
	const char *address;
	int r;

	memset(ret, 0, sizeof(*ret));
	if (json_parse(text, len, &doc) < 0)
		return evm_keystore_refuse(why, -EINVAL, "not a keystore: no valid JSON");
	r = evm_keystore_get_params(doc, &params, why);
	address = json_string(json_member(doc, "address"));
	if (r == 0 && address != NULL) {
		if (strncmp(address, "0x", 2) == 0)
			address += 2;
		r = evm_hex_parse_digits(address, ret->address, EVM_ADDRESS_SIZE);
		ret->has_address = r == 0;
		if (r < 0)
			evm_keystore_refuse(why, r, "address is not 20 bytes of hex");
	}
	json_free(doc);
	if (r == 0)
		r = evm_keystore_decrypt(&params, password, password_len, ret->key, why);
	if (r < 0)
		explicit_bzero(ret, sizeof(*ret));
	return r;
}

static void evm_keystore_put_hex(
	struct json_writer *w, const char *name, const uint8_t *data, size_t len
)
{
	char text[EVM_HEX_SIZE(EVM_KEYSTORE_SALT_MAX)];

	evm_hex_format(data, len, text);
	json_put_string(w, name, text + 2);
}

// A random UUID (RFC 4122, section 4.4); it names the file's key for other tools, we do not use it.
static int evm_keystore_put_id(struct json_writer *w)
{
	uint8_t b[16];
	char hex[EVM_HEX_SIZE(16)], text[37];

	if (getrandom(b, sizeof(b), 0) != sizeof(b))
		return -EIO;
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	evm_hex_format(b, sizeof(b), hex);
	snprintf(
		text,
		sizeof(text),
		"%.8s-%.4s-%.4s-%.4s-%.12s",
		hex + 2,
		hex + 10,
		hex + 14,
		hex + 18,
		hex + 22
	);
	json_put_string(w, "id", text);
	return 0;
}

static int evm_keystore_write(
	const struct evm_keystore_params *params, const uint8_t *address, char **ret_text
)
{
	struct json_writer w;
	int r;

	json_writer_init(&w);
	json_begin_object(&w, NULL);
	evm_keystore_put_hex(&w, "address", address, EVM_ADDRESS_SIZE);
	json_begin_object(&w, "crypto");
	json_put_string(&w, "cipher", "aes-128-ctr");
	evm_keystore_put_hex(&w, "ciphertext", params->ciphertext, sizeof(params->ciphertext));
	json_begin_object(&w, "cipherparams");
	evm_keystore_put_hex(&w, "iv", params->iv, sizeof(params->iv));
	json_end(&w);
	json_put_string(&w, "kdf", "scrypt");
	json_begin_object(&w, "kdfparams");
	json_put_u64(&w, "dklen", 32);
	json_put_u64(&w, "n", params->n);
	json_put_u64(&w, "r", params->r);
	json_put_u64(&w, "p", params->p);
	evm_keystore_put_hex(&w, "salt", params->salt, params->salt_len);
	json_end(&w);
	evm_keystore_put_hex(&w, "mac", params->mac, sizeof(params->mac));
	json_end(&w);
	r = evm_keystore_put_id(&w);
	json_put_u64(&w, "version", 3);
	json_end(&w);
	if (r < 0) {
		json_writer_abort(&w);
		return r;
	}
	return json_writer_finish(&w, true, ret_text);
}

int evm_keystore_seal(
	const uint8_t key[EVM_SIGNER_KEY_SIZE],
	const uint8_t address[EVM_ADDRESS_SIZE],
	const char *password,
	size_t password_len,
	unsigned int log2_n,
	char **ret_text
)
{
	struct evm_keystore_params params = {.r = 8, .p = 1, .salt_len = 32};
	uint8_t derived[32];
	int r;

	if (log2_n < 1 || log2_n > 18)
		return -EINVAL;
	params.n = 1ull << log2_n;
	if (getrandom(params.salt, params.salt_len, 0) != (ssize_t)params.salt_len ||
	    getrandom(params.iv, sizeof(params.iv), 0) != sizeof(params.iv))
		return -EIO;
	r = evm_keystore_derive(&params, password, password_len, derived);
	if (r < 0)
		return r;
	r = evm_keystore_cipher(derived, params.iv, key, params.ciphertext);
	if (r == 0) {
		evm_keystore_mac(derived, params.ciphertext, params.mac);
		r = evm_keystore_write(&params, address, ret_text);
	}
	explicit_bzero(derived, sizeof(derived));
	return r;
}
