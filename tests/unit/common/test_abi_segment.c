// SPDX-License-Identifier: Apache-2.0
//
// Creating the two mappings: second instance, stale locks and files, full and forbidden directories,
// modes, and a control file that is cut while it is in use.
#include "common/abi_attach.h"
#include "common/abi_guard.h"
#include "common/abi_segment.h"
#include "tests/unit/common/temp_dir.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint8_t node_key[32] = {0x11, 0x22, 0x33};

static struct abi_segment_conf conf_for(const char *dir)
{
	return (struct abi_segment_conf){
		.runtime_dir = dir,
		.n_slots = 16,
		.n_threads = 2,
		.n_ports = 2,
		.tsc_hz = 2300000000,
		.node_public_key = node_key,
	};
}

static unsigned file_mode(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static void test_create_and_close(void **state)
{
	struct temp_dir tmp;
	struct abi_segment seg;
	char err[512] = "";
	char dir[128];

	(void)state;
	temp_dir_create(&tmp);
	snprintf(dir, sizeof(dir), "%s/run", tmp.path); // made by the creator
	struct abi_segment_conf conf = conf_for(dir);
	assert_int_equal(abi_segment_create(&seg, &conf, err, sizeof(err)), 0);
	assert_int_equal(file_mode(seg.counters_path), 0640);
	assert_int_equal(file_mode(seg.control_path), 0600);
	assert_memory_equal(seg.header->node_public_key, node_key, 32);
	assert_int_equal(seg.header->pid, getpid());
	char counters[256], control[256];
	strcpy(counters, seg.counters_path);
	strcpy(control, seg.control_path);
	abi_segment_close(&seg);
	assert_int_equal(access(counters, F_OK), 0); // stays for the harvest
	assert_int_equal(access(control, F_OK), -1);

	conf.dir_mode_group_writable = 1;
	assert_int_equal(abi_segment_create(&seg, &conf, err, sizeof(err)), 0);
	assert_int_equal(file_mode(seg.control_path), 0660);
	assert_string_not_equal(seg.counters_path, counters); // never overwritten
	abi_segment_close(&seg);
	temp_dir_remove(&tmp);
}

static void test_second_instance_names_the_pid(void **state)
{
	struct temp_dir tmp;
	struct abi_segment seg, second;
	char err[512] = "", pid[32];

	(void)state;
	temp_dir_create(&tmp);
	struct abi_segment_conf conf = conf_for(tmp.path);
	assert_int_equal(abi_segment_create(&seg, &conf, err, sizeof(err)), 0);
	assert_int_equal(abi_segment_probe(tmp.path, err, sizeof(err)), -EBUSY);
	snprintf(pid, sizeof(pid), "pid %d", (int)getpid());
	assert_non_null(strstr(err, pid));
	memset(&second, 0x5a, sizeof(second));
	assert_int_equal(abi_segment_create(&second, &conf, err, sizeof(err)), -EBUSY);
	assert_int_equal(((uint8_t *)&second)[0], 0x5a); // untouched on failure
	snprintf(pid, sizeof(pid), "pid %d", (int)getpid());
	assert_non_null(strstr(err, pid));
	assert_non_null(strstr(err, tmp.path));
	assert_int_equal(temp_dir_count(&tmp), 3); // lock, counters, control: nothing of the second
	abi_segment_close(&seg);
	assert_int_equal(abi_segment_probe(tmp.path, err, sizeof(err)), 0);
	assert_int_equal(abi_segment_probe(tmp.path, err, sizeof(err)), 0); // it keeps no lock
	temp_dir_remove(&tmp);
}

// A creator that is killed: its lock is stale, its control file is cleared away, its counters stay.
static void test_killed_creator_is_no_obstacle(void **state)
{
	struct temp_dir tmp;
	struct abi_segment seg;
	char err[512] = "";
	int ready[2];

	(void)state;
	temp_dir_create(&tmp);
	struct abi_segment_conf conf = conf_for(tmp.path);
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		int rc = abi_segment_create(&seg, &conf, err, sizeof(err));
		if (write(ready[1], &rc, sizeof(rc)) != sizeof(rc))
			_exit(1);
		for (;;)
			pause();
	}
	int rc = -1;
	assert_int_equal(read(ready[0], &rc, sizeof(rc)), sizeof(rc));
	assert_int_equal(rc, 0);
	assert_int_equal(abi_segment_create(&seg, &conf, err, sizeof(err)), -EBUSY);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(abi_segment_create(&seg, &conf, err, sizeof(err)), 0);
	uint8_t boots[4][16];
	assert_int_equal(abi_attach_list_boots(tmp.path, boots, 4), 2);
	assert_int_equal(temp_dir_count(&tmp), 4); // lock, two counters, one control
	abi_segment_close(&seg);
	close(ready[0]);
	close(ready[1]);
	temp_dir_remove(&tmp);
}

static void test_half_made_files_are_cleared(void **state)
{
	struct temp_dir tmp;
	struct abi_segment seg;
	char err[512] = "";

	(void)state;
	temp_dir_create(&tmp);
	struct abi_segment_conf conf = conf_for(tmp.path);
	temp_dir_write(&tmp, ".counters.00112233445566778899aabbccddeeff", "x", 1);
	temp_dir_write(&tmp, ".control.00112233445566778899aabbccddeeff", "x", 1);
	temp_dir_write(&tmp, "control.00112233445566778899aabbccddeeff", "x", 1);
	temp_dir_write(&tmp, "other", "x", 1);
	temp_dir_write(&tmp, "control.sock", "x", 1); // not ours: the API's
	temp_dir_write(&tmp, "control.00112233445566778899aabbccddee", "x", 1);
	assert_int_equal(abi_segment_create(&seg, &conf, err, sizeof(err)), 0);
	assert_int_equal(temp_dir_count(&tmp), 6); // lock, counters, control, and those three
	abi_segment_close(&seg);
	temp_dir_remove(&tmp);
}

static void test_refused_configurations(void **state)
{
	static const struct {
		uint32_t n_slots, n_threads, n_ports;
	} rows[] = {
		{0, 2, 1},
		{ABI_MAX_SLOTS + 1, 2, 1},
		{UINT32_MAX, 2, 1},
		{16, 0, 1},
		{16, ABI_MAX_THREADS + 1, 1},
		{16, 2, 0},
		{16, 2, ABI_MAX_PORTS + 1},
	};
	struct temp_dir tmp;
	struct abi_segment seg;
	char err[512];

	(void)state;
	temp_dir_create(&tmp);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct abi_segment_conf conf = conf_for(tmp.path);
		conf.n_slots = rows[i].n_slots;
		conf.n_threads = rows[i].n_threads;
		conf.n_ports = rows[i].n_ports;
		err[0] = '\0';
		assert_int_equal(abi_segment_create(&seg, &conf, err, sizeof(err)), -EINVAL);
		assert_non_null(strstr(err, "1048576")); // what is allowed
	}
	char longest[400];
	memset(longest, 'd', sizeof(longest) - 1);
	longest[0] = '/';
	longest[sizeof(longest) - 1] = '\0';
	struct abi_segment_conf conf = conf_for(longest);
	assert_int_equal(abi_segment_create(&seg, &conf, err, sizeof(err)), -ENAMETOOLONG);
	assert_int_equal(temp_dir_count(&tmp), 0);
	temp_dir_remove(&tmp);
}

static void test_directory_that_cannot_be(void **state)
{
	struct temp_dir tmp;
	struct abi_segment seg;
	char err[512] = "", dir[128];

	(void)state;
	temp_dir_create(&tmp);
	temp_dir_write(&tmp, "file", "x", 1);
	snprintf(dir, sizeof(dir), "%s/file", tmp.path);
	struct abi_segment_conf conf = conf_for(dir);
	assert_int_equal(abi_segment_create(&seg, &conf, err, sizeof(err)), -ENOTDIR);
	assert_non_null(strstr(err, dir));
	snprintf(dir, sizeof(dir), "%s/none/run", tmp.path);
	assert_int_equal(abi_segment_create(&seg, &conf, err, sizeof(err)), -ENOENT);
	assert_non_null(strstr(err, dir));
	temp_dir_remove(&tmp);
}

static void test_full_tmpfs(void **state)
{
	struct temp_dir tmp;
	struct abi_segment seg;
	char err[512] = "";

	(void)state;
	temp_dir_create(&tmp);
	if (mount("tmpfs", tmp.path, "tmpfs", 0, "size=64k") != 0) {
		temp_dir_remove(&tmp);
		skip(); // needs root
	}
	struct abi_segment_conf conf = conf_for(tmp.path);
	conf.n_slots = 4096;
	assert_int_equal(abi_segment_create(&seg, &conf, err, sizeof(err)), -ENOSPC);
	assert_non_null(strstr(err, tmp.path));
	assert_non_null(strstr(err, "bytes"));
	assert_int_equal(temp_dir_count(&tmp), 1); // the lock file, nothing else
	assert_int_equal(umount(tmp.path), 0);
	temp_dir_remove(&tmp);
}

// Whoever may write the control file may cut it; the data plane must live on.
static void test_cut_control_file_does_not_kill(void **state)
{
	struct temp_dir tmp;
	struct abi_segment seg;
	struct abi_command command;
	struct abi_event event = {.kind = ABI_EVENT_IDLE};
	char err[512] = "";

	(void)state;
	temp_dir_create(&tmp);
	struct abi_segment_conf conf = conf_for(tmp.path);
	assert_int_equal(abi_segment_create(&seg, &conf, err, sizeof(err)), 0);
	assert_int_equal(shm_ring_push(&seg.events, &event), 0);
	assert_int_equal(truncate(seg.control_path, 0), 0);
	assert_int_equal(shm_ring_pop(&seg.commands, &command), 0);
	assert_true(abi_guard_is_cut(seg.control));
	for (int i = 0; i < 5000; i++)
		shm_ring_push(&seg.events, &event);
	assert_int_equal(shm_ring_pop(&seg.commands, &command), 0);
	abi_segment_close(&seg);
	temp_dir_remove(&tmp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create_and_close),
		cmocka_unit_test(test_second_instance_names_the_pid),
		cmocka_unit_test(test_killed_creator_is_no_obstacle),
		cmocka_unit_test(test_half_made_files_are_cleared),
		cmocka_unit_test(test_refused_configurations),
		cmocka_unit_test(test_directory_that_cannot_be),
		cmocka_unit_test(test_full_tmpfs),
		cmocka_unit_test(test_cut_control_file_does_not_kill),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
