// SPDX-License-Identifier: Apache-2.0
//
// http_listen: what may stand at the path of the socket, and what is never removed.
#include "controlplane/http/http_listen.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64], path[96], lock_path[112];

static int set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/test_http_listen.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/control.sock", dir);
	snprintf(lock_path, sizeof(lock_path), "%s.lock", path);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	unlink(lock_path);
	return rmdir(dir);
}

static int try_open(const char *at, unsigned mode, char *err)
{
	struct http_listen listener;
	int r;

	err[0] = '\0';
	r = http_listen_open(&listener, at, mode, err, 256);
	if (r == 0)
		http_listen_close(&listener);
	else
		assert_true(strlen(err) > 0);
	return r;
}

static void test_mode_and_end(void **state)
{
	static const unsigned modes[] = {0600, 0660, 0666};
	char err[256];

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(modes); i++) {
		struct http_listen listener;
		struct stat st;

		assert_int_equal(http_listen_open(&listener, path, modes[i], err, sizeof(err)), 0);
		assert_int_equal(stat(path, &st), 0);
		assert_true(S_ISSOCK(st.st_mode));
		assert_int_equal(st.st_mode & 07777, modes[i]);
		http_listen_close(&listener);
		assert_int_equal(stat(path, &st), -1);
	}
}

static void test_second_is_refused(void **state)
{
	struct http_listen listener;
	char err[256], pid[32];

	(void)state;
	assert_int_equal(http_listen_open(&listener, path, 0600, err, sizeof(err)), 0);
	assert_int_equal(try_open(path, 0600, err), -EADDRINUSE);
	snprintf(pid, sizeof(pid), "(pid %d)", (int)getpid());
	assert_non_null(strstr(err, pid));
	assert_non_null(strstr(err, path));

	// Somebody listens who does not hold the lock.
	unlink(lock_path);
	assert_int_equal(try_open(path, 0600, err), -EADDRINUSE);
	assert_non_null(strstr(err, "it accepts connections"));
	assert_int_equal(access(path, F_OK), 0);
	http_listen_close(&listener);
}

static void test_stale_socket_is_replaced(void **state)
{
	struct http_listen listener;
	char err[256];

	(void)state;
	assert_int_equal(http_listen_open(&listener, path, 0600, err, sizeof(err)), 0);
	close(listener.fd);
	close(listener.lock_fd); // as a killed process leaves it
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(try_open(path, 0600, err), 0);
}

static void test_other_things_are_kept(void **state)
{
	char err[256], target[128];
	struct stat st;
	FILE *file;

	(void)state;
	file = fopen(path, "w");
	fclose(file);
	assert_int_equal(try_open(path, 0600, err), -EEXIST);
	assert_non_null(strstr(err, "is no socket"));
	assert_int_equal(stat(path, &st), 0);
	unlink(path);

	snprintf(target, sizeof(target), "%s/target", dir);
	assert_int_equal(symlink(target, path), 0);
	assert_int_equal(try_open(path, 0600, err), -EEXIST);
	assert_int_equal(lstat(path, &st), 0);
	unlink(path);

	// The lock is not followed through a link either.
	unlink(lock_path);
	assert_int_equal(symlink(target, lock_path), 0);
	assert_int_equal(try_open(path, 0600, err), -ELOOP);
	assert_int_equal(access(target, F_OK), -1);
}

static void test_impossible_paths(void **state)
{
	char err[256], at[200];

	(void)state;
	snprintf(at, sizeof(at), "%s/missing/sock", dir);
	assert_int_equal(try_open(at, 0600, err), -ENOENT);
	assert_non_null(strstr(err, "directory that exists"));
	memset(at, 'a', sizeof(at) - 1);
	at[0] = '/';
	at[sizeof(at) - 1] = '\0';
	assert_int_equal(try_open(at, 0600, err), -ENAMETOOLONG);
	assert_non_null(strstr(err, "at most 107"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_mode_and_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_second_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stale_socket_is_replaced, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_other_things_are_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_impossible_paths, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
