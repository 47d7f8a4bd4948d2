// SPDX-License-Identifier: Apache-2.0
//
// evm_account and secret_file on real files: every mode that lets others in is refused and the
// message names path, mode and way out; what is no file, too long, or damaged is refused too.

#include "controlplane/chain/evm/evm_account.h"
#include "controlplane/chain/evm/evm_keystore.h"
#include "controlplane/json/json.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEX_KEY "0000000000000000000000000000000000000000000000000000000000000001"
#define HEX_ADDRESS "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"

static char dir[] = "/tmp/tollwire-test-XXXXXX";

static int setup(void **state)
{
	(void)state;
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static const char *file(const char *name, const char *content, mode_t mode)
{
	static char paths[4][256];
	static int next;
	char *path = paths[next++ % 4];
	int fd;

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	unlink(path);
	fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	return path;
}

static int open_account(
	const char *path, const char *password_path, const char *expected_address, char *why_text
)
{
	struct secret_file_why why = {""};
	struct evm_signer *signer = NULL;
	int r = evm_account_open(&signer, path, password_path, &why);

	if (r == 0) {
		uint8_t address[EVM_ADDRESS_SIZE];
		char text[EVM_ADDRESS_TEXT_SIZE];

		evm_signer_address(signer, address);
		evm_address_format(address, text);
		assert_string_equal(text, expected_address);
		evm_signer_destroy(signer);
	} else {
		assert_null(signer);
		// The message names a file and never the key.
		assert_non_null(strstr(why.text, dir));
		assert_null(strstr(why.text, "00000001"));
	}
	if (why_text != NULL)
		strcpy(why_text, why.text);
	return r;
}

static void test_hex_key(void **state)
{
	static const struct {
		const char *content;
		int r;
	} rows[] = {
		{HEX_KEY, 0},
		{HEX_KEY "\n", 0},
		{"0x" HEX_KEY "\r\n", 0},
		{HEX_KEY "\n\n", -EINVAL},
		{" " HEX_KEY, -EINVAL},
		{HEX_KEY "00", -EINVAL},
		{"", -EINVAL},
		{"0000000000000000000000000000000000000000000000000000000000000000", -EINVAL},
		{"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		const char *path = file("key", rows[i].content, 0600);

		assert_int_equal(open_account(path, NULL, HEX_ADDRESS, NULL), rows[i].r);
	}
}

static void test_modes(void **state)
{
	(void)state;
	for (mode_t mode = 0; mode <= 0777; mode++) {
		const char *path = file("key", HEX_KEY, mode);
		char why[SECRET_FILE_WHY_SIZE], octal[8];
		int r;

		if ((mode & 077) == 0 && (mode & 0400) == 0 && geteuid() != 0)
			continue; // our own lack of permission is another error
		r = open_account(path, NULL, HEX_ADDRESS, why);
		assert_int_equal(r, (mode & 077) == 0 ? 0 : -EPERM);
		if (r == 0)
			continue;
		snprintf(octal, sizeof(octal), "%04o", (unsigned int)mode);
		assert_non_null(strstr(why, octal));
		assert_non_null(strstr(why, "chmod 600"));
	}
}

static void test_other_owner(void **state)
{
	const char *path;
	char why[SECRET_FILE_WHY_SIZE];

	(void)state;
	if (geteuid() != 0)
		skip();
	path = file("key", HEX_KEY, 0600);
	assert_int_equal(chown(path, 65534, 65534), 0);
	assert_int_equal(open_account(path, NULL, HEX_ADDRESS, why), -EPERM);
	assert_non_null(strstr(why, "65534"));
	assert_non_null(strstr(why, "chown 0"));
}

static void test_no_file(void **state)
{
	static char big[EVM_ACCOUNT_FILE_MAX + 1];
	char path[256];

	(void)state;
	snprintf(path, sizeof(path), "%s/absent", dir);
	assert_int_equal(open_account(path, NULL, NULL, NULL), -ENOENT);
	assert_int_equal(open_account(dir, NULL, NULL, NULL), -EINVAL);
	snprintf(path, sizeof(path), "%s/fifo", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(open_account(path, NULL, NULL, NULL), -EINVAL);
	memset(big, '0', sizeof(big) - 1);
	assert_int_equal(open_account(file("key", big, 0600), NULL, NULL, NULL), -EFBIG);
}

static void test_keystore(void **state)
{
	static const uint8_t key[EVM_SIGNER_KEY_SIZE] = {[31] = 1};
	uint8_t address[EVM_ADDRESS_SIZE];
	const char *path, *password;
	char why[SECRET_FILE_WHY_SIZE];
	char *text;

	(void)state;
	assert_int_equal(evm_address_parse(HEX_ADDRESS, address), 0);
	assert_int_equal(evm_keystore_seal(key, address, "secret", 6, 1, &text), 0);
	path = file("keystore", text, 0600);
	json_free_text(text);
	password = file("password", "secret\n", 0600);
	assert_int_equal(open_account(path, password, HEX_ADDRESS, NULL), 0);
	assert_int_equal(open_account(path, NULL, NULL, why), -EINVAL);
	assert_non_null(strstr(why, "keystore: a keystore needs"));
	password = file("password", "secret\n", 0640);
	assert_int_equal(open_account(path, password, NULL, why), -EPERM);
	assert_non_null(strstr(why, "/password: mode 0640"));
	password = file("password", "secreT\n", 0600);
	assert_int_equal(open_account(path, password, NULL, why), -EBADMSG);
	assert_non_null(strstr(why, "/keystore: the MAC does not match"));

	// The address in the file is outside the MAC: it is compared with the key's.
	address[0] ^= 1;
	assert_int_equal(evm_keystore_seal(key, address, "secret", 6, 1, &text), 0);
	path = file("keystore", text, 0600);
	json_free_text(text);
	password = file("password", "secret", 0600);
	assert_int_equal(open_account(path, password, NULL, why), -EINVAL);
	assert_non_null(strstr(why, HEX_ADDRESS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hex_key),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_other_owner),
		cmocka_unit_test(test_no_file),
		cmocka_unit_test(test_keystore),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
