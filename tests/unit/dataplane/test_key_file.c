// SPDX-License-Identifier: Apache-2.0
//
// Key files: made whole with mode 0600, read back, and refused by name when others can read them or when
// they hold no key. Nothing of a refused key reaches the caller.
#include "dataplane/key_file.h"
#include "dataplane/wg/wg_primitives.h"
#include "tests/unit/common/temp_dir.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <sys/stat.h>

// RFC 7748 section 6.1, Alice's private key, as `wg` writes it.
static const char alice_text[] = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=";
static const uint8_t alice_key[KEY_FILE_BYTES] = {
	0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5, 0x7d, 0x3c, 0x16, 0xc1,
	0x72, 0x51, 0xb2, 0x66, 0x45, 0xdf, 0x4c, 0x2f, 0x87, 0xeb, 0xc0,
	0x99, 0x2a, 0xb1, 0x77, 0xfb, 0xa5, 0x1d, 0xb9, 0x2c, 0x2a,
};

struct fixture {
	struct temp_dir dir;
	char path[256];
	uint8_t key[KEY_FILE_BYTES];
	bool is_new;
	char err[512];
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	temp_dir_create(&fixture->dir);
	snprintf(fixture->path, sizeof(fixture->path), "%s/node.key", fixture->dir.path);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	temp_dir_remove(&fixture->dir);
	free(fixture);
	return 0;
}

static int load(struct fixture *fixture)
{
	memset(fixture->key, 0xee, sizeof(fixture->key));
	fixture->err[0] = '\0';
	return key_file_load_private(
		fixture->path, fixture->key, &fixture->is_new, fixture->err, sizeof(fixture->err)
	);
}

static void test_base64(void **state)
{
	char text[KEY_FILE_TEXT_CAP];
	uint8_t key[KEY_FILE_BYTES];

	(void)state;
	key_file_encode(text, alice_key);
	assert_string_equal(text, alice_text);
	assert_true(key_file_decode(key, alice_text));
	assert_memory_equal(key, alice_key, sizeof(key));
	for (unsigned i = 0; i < 256; i++) { // every six-bit value at every place
		memset(key, (int)i, sizeof(key));
		key[i % 32] = (uint8_t)(255 - i);
		key_file_encode(text, key);
		uint8_t back[KEY_FILE_BYTES];
		assert_true(key_file_decode(back, text));
		assert_memory_equal(back, key, sizeof(key));
	}
}

static void test_base64_refuses(void **state)
{
	uint8_t key[KEY_FILE_BYTES];

	(void)state;
	for (unsigned at = 0; at < 44; at++)
		for (int c = 0; c < 256; c++) {
			char text[KEY_FILE_TEXT_CAP];
			bool is_six = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
				(c >= '0' && c <= '9') || c == '+' || c == '/';
			// The last character before '=' carries four bits: its low two are zero.
			bool is_canonical = at != 42 || (is_six && strchr("AEIMQUYcgkosw048", c));

			memcpy(text, alice_text, sizeof(text));
			text[at] = (char)c;
			assert_int_equal(
				key_file_decode(key, text),
				at == 43 ? c == '=' : is_six && is_canonical
			);
		}
}

static void test_made_once_and_read_again(void **state)
{
	struct fixture *fixture = *state;
	uint8_t first[KEY_FILE_BYTES];
	struct stat st;

	assert_int_equal(load(fixture), 0);
	assert_true(fixture->is_new);
	memcpy(first, fixture->key, sizeof(first));
	assert_int_equal(stat(fixture->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, 45);
	assert_int_equal(temp_dir_count(&fixture->dir), 1); // no temporary file is left
	assert_int_equal(first[0] & 7, 0); // clamped (RFC 7748)
	assert_int_equal(load(fixture), 0);
	assert_false(fixture->is_new);
	assert_memory_equal(fixture->key, first, sizeof(first));
}

static void assert_refused(struct fixture *fixture, int expected, const char *word)
{
	uint8_t untouched[KEY_FILE_BYTES];

	memset(untouched, 0xee, sizeof(untouched));
	assert_int_equal(load(fixture), expected);
	assert_memory_equal(fixture->key, untouched, sizeof(untouched));
	assert_non_null(strstr(fixture->err, fixture->path));
	assert_non_null(strstr(fixture->err, word));
	assert_null(strstr(fixture->err, alice_text));
}

static void test_open_to_others(void **state)
{
	static const mode_t modes[] = {0644, 0640, 0604, 0620, 0660, 0666, 0601, 0777};
	struct fixture *fixture = *state;

	temp_dir_write(&fixture->dir, "node.key", alice_text, 44);
	for (size_t i = 0; i < TEST_N_ROWS(modes); i++) {
		char text[8];

		assert_int_equal(chmod(fixture->path, modes[i]), 0);
		snprintf(text, sizeof(text), "%04o", (unsigned)modes[i]);
		assert_refused(fixture, -EACCES, text);
		assert_non_null(strstr(fixture->err, "chmod 600"));
	}
	assert_int_equal(chmod(fixture->path, 0400), 0);
	assert_int_equal(load(fixture), 0);
	assert_memory_equal(fixture->key, alice_key, sizeof(alice_key));
}

static void test_no_key_in_it(void **state)
{
	static const struct {
		const char *name;
		const char *text;
	} rows[] = {
		{"empty", ""},
		{"newline", "\n"},
		{"two newlines", "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=\n\n"},
		{"blank before", " dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo="},
		{"CR LF", "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=\r\n"},
		{"one more", "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=="},
		{"hex", "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a\n"},
		{"not canonical", "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCp="},
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		temp_dir_write(&fixture->dir, "node.key", rows[i].text, strlen(rows[i].text));
		assert_refused(fixture, -EBADMSG, "wg genkey");
	}
	for (size_t len = 0; len < 44; len++) { // truncated at each byte
		temp_dir_write(&fixture->dir, "node.key", alice_text, len);
		assert_refused(fixture, -EBADMSG, "characters");
	}
}

static void test_not_a_file(void **state)
{
	struct fixture *fixture = *state;
	char target[300];

	assert_int_equal(mkdir(fixture->path, 0700), 0);
	assert_refused(fixture, -EINVAL, "regular file");
	assert_int_equal(rmdir(fixture->path), 0);
	assert_int_equal(mkfifo(fixture->path, 0600), 0);
	assert_refused(fixture, -EINVAL, "regular file"); // and does not wait for a writer
	assert_int_equal(unlink(fixture->path), 0);
	snprintf(target, sizeof(target), "%s/elsewhere", fixture->dir.path);
	assert_int_equal(symlink(target, fixture->path), 0);
	assert_refused(fixture, -ELOOP, "cannot open");
}

static void test_no_folder(void **state)
{
	struct fixture *fixture = *state;

	snprintf(fixture->path, sizeof(fixture->path), "%s/none/node.key", fixture->dir.path);
	assert_int_equal(load(fixture), -ENOENT);
	assert_non_null(strstr(fixture->err, fixture->path));
	assert_non_null(strstr(fixture->err, "make its folder"));
	for (size_t i = 0; i < sizeof(fixture->key); i++) // the key it made is gone
		assert_int_equal(fixture->key[i], 0);
}

static void test_psk(void **state)
{
	static const char name[] =
		"77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";
	struct fixture *fixture = *state;
	uint8_t psk[KEY_FILE_BYTES];

	assert_int_equal(
		key_file_load_psk(
			fixture->dir.path, alice_key, psk, fixture->err, sizeof(fixture->err)
		),
		-ENOENT
	);
	assert_non_null(strstr(fixture->err, name));
	temp_dir_write(&fixture->dir, name, alice_text, 44);
	assert_int_equal(
		key_file_load_psk(
			fixture->dir.path, alice_key, psk, fixture->err, sizeof(fixture->err)
		),
		0
	);
	assert_memory_equal(psk, alice_key, sizeof(psk));
	snprintf(fixture->path, sizeof(fixture->path), "%s/%s", fixture->dir.path, name);
	assert_int_equal(chmod(fixture->path, 0640), 0);
	assert_int_equal(
		key_file_load_psk(
			fixture->dir.path, alice_key, psk, fixture->err, sizeof(fixture->err)
		),
		-EACCES
	);
	assert_non_null(strstr(fixture->err, "0640"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_base64_refuses),
		cmocka_unit_test_setup_teardown(test_made_once_and_read_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_open_to_others, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_key_in_it, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_a_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_folder, setup, teardown),
		cmocka_unit_test_setup_teardown(test_psk, setup, teardown),
	};

	if (wg_primitives_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
