// SPDX-License-Identifier: Apache-2.0
//
// buyer_key: made once and kept, replaced only when the node has the new one, in files for its owner alone.
#include "controlplane/twctl/buyer_key.h"
#include "tests/unit/common/temp_dir.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static struct temp_dir dir;
static char path[256], next[300];

static int setup(void **state)
{
	(void)state;
	temp_dir_create(&dir);
	snprintf(path, sizeof(path), "%s/key", dir.path);
	snprintf(next, sizeof(next), "%s.new", path);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	temp_dir_remove(&dir);
	return 0;
}

static void expect_private(const char *file)
{
	struct stat st;

	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_size, 45);
}

static void test_life(void **state)
{
	struct buyer_key first, again, second, third;
	char why[BUYER_KEY_WHY];
	struct stat st;

	(void)state;
	assert_int_equal(buyer_key_open(path, false, &first, why), 0);
	assert_true(first.is_new);
	// RFC 7748 section 5
	assert_int_equal(first.private_key[0] & 7, 0);
	assert_int_equal(first.private_key[31] & 0xc0, 0x40);
	expect_private(next);
	// Broken off before the node had it: the same key, whatever is asked for.
	assert_int_equal(buyer_key_open(path, true, &again, why), 0);
	assert_memory_equal(again.private_key, first.private_key, 32);
	assert_int_equal(buyer_key_accept(path, &first), 0);
	assert_false(first.is_new);
	expect_private(path);
	assert_int_equal(stat(next, &st), -1);
	assert_int_equal(buyer_key_accept(path, &first), 0);
	assert_int_equal(buyer_key_open(path, false, &again, why), 0);
	assert_memory_equal(&again, &first, sizeof(first));
	// A replacement: the old one stands until the node has the new one.
	assert_int_equal(buyer_key_open(path, true, &second, why), 0);
	assert_true(second.is_new);
	assert_memory_not_equal(second.private_key, first.private_key, 32);
	assert_memory_not_equal(second.public_key, first.public_key, 32);
	assert_int_equal(buyer_key_open(path, false, &third, why), 0);
	assert_memory_equal(&third, &second, sizeof(second));
	assert_int_equal(buyer_key_accept(path, &second), 0);
	assert_int_equal(buyer_key_open(path, false, &third, why), 0);
	assert_memory_equal(&third, &second, sizeof(second));
	assert_int_equal(temp_dir_count(&dir), 1);
}

// RFC 7748 section 6.1, Alice's.
static void test_public(void **state)
{
	static const char text[] = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=\n";
	static const uint8_t public_key[32] = {0x85, 0x20, 0xf0, 0x09, 0x89, 0x30, 0xa7, 0x54,
					       0x74, 0x8b, 0x7d, 0xdc, 0xb4, 0x3e, 0xf7, 0x5a,
					       0x0d, 0xbf, 0x3a, 0x0d, 0x26, 0x38, 0x1a, 0xf4,
					       0xeb, 0xa4, 0xa9, 0x8e, 0xaa, 0x9b, 0x4e, 0x6a};
	struct buyer_key key;
	char why[BUYER_KEY_WHY];

	(void)state;
	temp_dir_write(&dir, "key", text, strlen(text));
	assert_int_equal(buyer_key_open(path, false, &key, why), 0);
	assert_memory_equal(key.public_key, public_key, 32);
	for (size_t cut = 0; cut < strlen(text) - 1; cut++) {
		temp_dir_write(&dir, "key", text, cut);
		assert_int_equal(buyer_key_open(path, false, &key, why), -EBADMSG);
		assert_non_null(strstr(why, path));
		assert_null(strstr(why, "dwdt"));
	}
	temp_dir_write(&dir, "key", text, strlen(text));
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(buyer_key_open(path, false, &key, why), -EPERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_life, setup, teardown),
		cmocka_unit_test_setup_teardown(test_public, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
