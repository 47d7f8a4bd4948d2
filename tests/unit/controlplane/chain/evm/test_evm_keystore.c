// SPDX-License-Identifier: Apache-2.0
//
// evm_keystore against geth's own test keystores; there and back; wrong passwords; every
// truncation, every flipped bit, every parameter out of range.

#include "controlplane/chain/evm/evm_keystore.h"
#include "controlplane/json/json.h"
#include "tests/unit/test.h"
#include "tests/unit/vectors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char password[] = "correct horse";
static const uint8_t test_key[EVM_SIGNER_KEY_SIZE] = {1, 2, 3, [31] = 4};
static const uint8_t test_address[EVM_ADDRESS_SIZE] = {0xaa, [19] = 0xbb};

static int open_text(const char *text, const char *with, struct evm_keystore_key *key)
{
	struct secret_file_why why = {""};
	int r = evm_keystore_open_sealed(text, strlen(text), with, strlen(with), key, &why);

	// A refusal always says why.
	assert_true(r == 0 || why.text[0] != '\0');
	return r;
}

static void test_geth_vectors(void **state)
{
	static const uint8_t zero[EVM_SIGNER_KEY_SIZE];
	struct json_value *doc = vectors_load("evm_keystore");
	const struct json_value *row = json_member(doc, "scrypt");
	const struct json_value *light = json_member(doc, "light");
	uint8_t address[EVM_ADDRESS_SIZE];
	struct evm_keystore_key key;
	struct evm_signer *signer;

	(void)state;
	// The wiki's own vector has n = 2^18 with r = 1, which RFC 7914 forbids: named, not opened.
	assert_int_equal(
		open_text(vectors_string(row, "keystore"), vectors_string(row, "password"), &key),
		-EINVAL
	);
	assert_int_equal(open_text(vectors_string(light, "keystore"), "wrong", &key), -EBADMSG);
	assert_memory_equal(key.key, zero, sizeof(zero));

	// Names its address, which must be its key's.
	assert_int_equal(open_text(vectors_string(light, "keystore"), "", &key), 0);
	assert_true(key.has_address);
	assert_int_equal(evm_signer_create(&signer, key.key), 0);
	evm_signer_address(signer, address);
	assert_memory_equal(address, key.address, sizeof(address));
	evm_signer_destroy(signer);

	row = json_member(doc, "pbkdf2");
	assert_int_equal(
		open_text(vectors_string(row, "keystore"), vectors_string(row, "password"), &key),
		-ENOTSUP
	);
	json_free(doc);
}

static void seal(char **ret_text)
{
	assert_int_equal(
		evm_keystore_seal(test_key, test_address, password, strlen(password), 1, ret_text),
		0
	);
}

static void test_round_trip(void **state)
{
	struct evm_keystore_key key;
	char *text, *other;

	(void)state;
	seal(&text);
	seal(&other);
	assert_string_not_equal(text, other); // fresh salt and iv
	assert_int_equal(open_text(text, password, &key), 0);
	assert_memory_equal(key.key, test_key, sizeof(test_key));
	assert_true(key.has_address);
	assert_memory_equal(key.address, test_address, sizeof(test_address));
	assert_int_equal(open_text(text, "Correct horse", &key), -EBADMSG);
	assert_int_equal(open_text(text, "", &key), -EBADMSG);
	json_free_text(text);
	json_free_text(other);
	assert_int_equal(evm_keystore_seal(test_key, test_address, "", 0, 0, &text), -EINVAL);
	assert_int_equal(evm_keystore_seal(test_key, test_address, "", 0, 19, &text), -EINVAL);
}

static void test_broken_everywhere(void **state)
{
	size_t len, iv_at, iv_end;
	struct secret_file_why why;
	struct evm_keystore_key key;
	char *text;

	(void)state;
	seal(&text);
	len = strlen(text);
	iv_at = (size_t)(strstr(text, "\"iv\"") - text);
	iv_end = (size_t)(strstr(text, "\"kdf\"") - text);
	for (size_t cut = 0; cut < len; cut++) {
		char *exact = malloc(cut + (cut == 0));

		memcpy(exact, text, cut);
		assert_int_not_equal(
			evm_keystore_open_sealed(
				exact, cut, password, strlen(password), &key, &why
			),
			0
		);
		free(exact);
	}
	for (size_t bit = 0; bit < 8 * len; bit++) {
		char *exact = malloc(len);
		int r;

		memcpy(exact, text, len);
		exact[bit / 8] = (char)(exact[bit / 8] ^ (1 << (bit % 8)));
		r = evm_keystore_open_sealed(exact, len, password, strlen(password), &key, &why);
		// Names, blanks, letter case, the address and the iv (which geth's MAC leaves out) are
		// not covered by the MAC; the ciphertext, the salt and the MAC itself are.
		if (r == 0 && memcmp(key.key, test_key, sizeof(test_key)) != 0)
			assert_in_range(bit / 8, iv_at, iv_end);
		free(exact);
	}
	json_free_text(text);
}

// Each digit of the MAC counts.
static void test_mac(void **state)
{
	struct evm_keystore_key key;
	char *text, *mac;

	(void)state;
	seal(&text);
	mac = strchr(strstr(text, "\"mac\"") + strlen("\"mac\""), '"') + 1;
	for (int i = 0; i < 64; i++) {
		char digit = mac[i];

		mac[i] = digit == '0' ? '1' : '0';
		assert_int_equal(open_text(text, password, &key), -EBADMSG);
		mac[i] = digit;
	}
	assert_int_equal(open_text(text, password, &key), 0);
	json_free_text(text);
}

// Replaces the first occurrence of what by with.
static void edit(char *dst, size_t cap, const char *src, const char *what, const char *with)
{
	const char *at = strstr(src, what);

	assert_non_null(at);
	snprintf(dst, cap, "%.*s%s%s", (int)(at - src), src, with, at + strlen(what));
}

static void test_refused(void **state)
{
	static const struct {
		const char *what;
		const char *with;
		int r;
	} rows[] = {
		{"\"version\": 3", "\"version\": 1", -ENOTSUP},
		{"\"version\": 3", "\"version\": \"3\"", -EINVAL},
		{"aes-128-ctr", "aes-128-cbc", -ENOTSUP},
		{"\"scrypt\"", "\"pbkdf2\"", -ENOTSUP},
		{"\"n\": 2", "\"n\": 3", -EINVAL},
		{"\"n\": 2", "\"n\": 1", -EINVAL},
		{"\"n\": 2", "\"n\": 0", -EINVAL},
		{"\"n\": 2", "\"n\": 9007199254740992", -EINVAL},
		{"\"n\": 2", "\"n\": 4194304", -EINVAL},
		{"\"r\": 8", "\"r\": 0", -EINVAL},
		{"\"r\": 8", "\"r\": 9007199254740992", -EINVAL},
		{"\"p\": 1", "\"p\": 0", -EINVAL},
		{"\"p\": 1", "\"p\": 16777216", -EINVAL},
		{"\"dklen\": 32", "\"dklen\": 16", -EINVAL},
		{"\"mac\"", "\"mic\"", -EINVAL},
		{"\"salt\"", "\"sugar\"", -EINVAL},
		{"\"salt\": \"", "\"salt\": \"zz", -EINVAL},
		{"\"iv\": \"", "\"iv\": \"00", -EINVAL},
		{"\"ciphertext\": \"", "\"ciphertext\": \"00", -EINVAL},
		{"\"address\": \"", "\"address\": \"00", -EINVAL},
		{"\"crypto\"", "\"cryptic\"", -EINVAL},
	};
	char text[2048], plain[2048] = "", edited[2048];
	struct evm_keystore_key key;
	char *sealed, *p = plain;

	(void)state;
	seal(&sealed);
	// The writer indents with tabs; one blank behind each colon is what the rows expect.
	for (const char *s = sealed; *s != '\0'; s++)
		*p++ = *s == '\t' ? ' ' : *s;
	snprintf(text, sizeof(text), "%s", plain);
	assert_int_equal(open_text(text, password, &key), 0);
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		int r;

		edit(edited, sizeof(edited), text, rows[i].what, rows[i].with);
		r = open_text(edited, password, &key);
		if (r != rows[i].r)
			fail_msg("%s: %d", rows[i].with, r);
	}
	assert_int_equal(open_text("[]", password, &key), -EINVAL);
	assert_int_equal(open_text("{}", password, &key), -EINVAL);
	json_free_text(sealed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_geth_vectors),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_broken_everywhere),
		cmocka_unit_test(test_mac),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
