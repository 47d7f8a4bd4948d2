// SPDX-License-Identifier: Apache-2.0
//
// Opening a store: second instance, stale lock, forbidden directory, cut and damaged files, older and
// newer schema, copies.
#include "controlplane/store/db.h"
#include "tests/unit/common/temp_dir.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_RECORDS 400

static char err[DB_WHY_CAP];

static int open_at(struct db **ret, const char *path, uint32_t schema)
{
	const struct db_conf conf = {.path = path, .map_size_mb = 16, .schema_version = schema};

	err[0] = '\0';
	return db_open(ret, &conf, err, sizeof(err));
}

static void fill(struct db *db)
{
	struct db_txn txn;

	db_txn_begin_write(&txn, db);
	for (uint64_t i = 1; i <= N_RECORDS; i++) {
		const struct db_key key = db_key_u64(i);
		db_put_u64(&txn, DB_SESSIONS, &key, i * 3);
	}
	assert_int_equal(db_txn_commit(&txn), 0);
}

static void assert_filled(struct db *db)
{
	struct db_txn txn;
	uint64_t value = 0;

	db_txn_begin_read(&txn, db);
	for (uint64_t i = 1; i <= N_RECORDS; i++) {
		const struct db_key key = db_key_u64(i);
		assert_true(db_get_u64(&txn, DB_SESSIONS, &key, &value));
		assert_int_equal(value, i * 3);
	}
	assert_int_equal(db_txn_commit(&txn), 0);
}

static void make_store(struct temp_dir *tmp)
{
	struct db *db;

	temp_dir_create(tmp);
	assert_int_equal(open_at(&db, tmp->path, 0), 0);
	fill(db);
	db_close(db);
}

static size_t read_store(const struct temp_dir *tmp, uint8_t *image, size_t cap)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/data.mdb", tmp->path);
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, image, cap);
	close(fd);
	assert_true(n > 0);
	return (size_t)n;
}

static void test_survives_close(void **state)
{
	struct temp_dir tmp;
	struct db *db;

	(void)state;
	make_store(&tmp);
	assert_int_equal(open_at(&db, tmp.path, 0), 0);
	assert_filled(db);
	struct db_stats stats;
	db_stats(db, &stats);
	assert_int_equal(stats.schema_version, DB_SCHEMA_VERSION);
	assert_int_equal(stats.map_bytes, 16 << 20);
	assert_non_null(strstr(stats.path, tmp.path));
	db_close(db);
	temp_dir_remove(&tmp);
}

static void test_second_instance_names_the_pid(void **state)
{
	struct temp_dir tmp;
	struct db *db, *second;
	char pid[32];

	(void)state;
	make_store(&tmp);
	assert_int_equal(open_at(&db, tmp.path, 0), 0);
	assert_int_equal(open_at(&second, tmp.path, 0), -EBUSY);
	snprintf(pid, sizeof(pid), "pid %d", (int)getpid());
	assert_non_null(strstr(err, pid));
	assert_non_null(strstr(err, tmp.path));
	db_close(db);
	assert_int_equal(open_at(&db, tmp.path, 0), 0);
	db_close(db);
	temp_dir_remove(&tmp);
}

// kill -9 in the middle of a transaction: the lock is free, what was committed is there, the rest is
// not.
static void test_killed_holder(void **state)
{
	struct temp_dir tmp;
	struct db *db;
	struct db_txn txn;
	int ready[2];
	char byte;

	(void)state;
	make_store(&tmp);
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		const struct db_key key = db_key_u64(1);
		if (open_at(&db, tmp.path, 0) != 0)
			_exit(1);
		db_txn_begin_write(&txn, db);
		db_put_u64(&txn, DB_SESSIONS, &key, 999);
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(open_at(&db, tmp.path, 0), 0);
	assert_filled(db);
	fill(db); // its write lock is gone too
	db_close(db);
	close(ready[0]);
	close(ready[1]);
	temp_dir_remove(&tmp);
}

static void test_directories_that_cannot_be(void **state)
{
	struct temp_dir tmp;
	struct db *db;
	char path[128];

	(void)state;
	temp_dir_create(&tmp);
	snprintf(path, sizeof(path), "%s/new", tmp.path);
	assert_int_equal(open_at(&db, path, 0), 0); // made
	db_close(db);
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	snprintf(path, sizeof(path), "%s/none/new", tmp.path);
	assert_int_equal(open_at(&db, path, 0), -ENOENT);
	assert_non_null(strstr(err, path));
	temp_dir_write(&tmp, "file", "x", 1);
	snprintf(path, sizeof(path), "%s/file", tmp.path);
	assert_int_equal(open_at(&db, path, 0), -ENOTDIR);
	temp_dir_remove(&tmp);
}

// As an ordinary user: root may write anywhere.
static void test_read_only_directory(void **state)
{
	struct temp_dir tmp;
	int status;

	(void)state;
	make_store(&tmp);
	assert_int_equal(chmod(tmp.path, 0555), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct db *db;
		if (geteuid() == 0 && setuid(65534) != 0)
			_exit(1);
		int rc = open_at(&db, tmp.path, 0);
		_exit(rc == -EACCES && strstr(err, tmp.path) != NULL ? 0 : 2);
	}
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	chmod(tmp.path, 0700);
	temp_dir_remove(&tmp);
}

static void test_each_truncation(void **state)
{
	static uint8_t image[1 << 20];
	struct temp_dir tmp;
	struct db *db;

	(void)state;
	make_store(&tmp);
	size_t bytes = read_store(&tmp, image, sizeof(image));
	for (size_t len = 0; len < bytes; len += len < 200 ? 97 : 1777) {
		temp_dir_write(&tmp, "data.mdb", image, len);
		int rc = open_at(&db, tmp.path, 0);
		if (rc == 0) { // only what nobody uses was cut off
			assert_filled(db);
			db_close(db);
			continue;
		}
		assert_int_equal(rc, -EBADMSG);
		assert_non_null(strstr(err, tmp.path));
		assert_non_null(strstr(err, "backup"));
	}
	temp_dir_write(&tmp, "data.mdb", image, bytes);
	assert_int_equal(open_at(&db, tmp.path, 0), 0);
	assert_filled(db);
	db_close(db);
	temp_dir_remove(&tmp);
}

// A flipped bit is either noticed or changes no record.
static void test_flipped_bits(void **state)
{
	static uint8_t image[1 << 20];
	struct temp_dir tmp;
	struct db *db;
	unsigned n_refused = 0;

	(void)state;
	make_store(&tmp);
	size_t bytes = read_store(&tmp, image, sizeof(image));
	for (size_t at = 8192; at < bytes; at += 397) {
		image[at] ^= (uint8_t)(1u << at % 8);
		temp_dir_write(&tmp, "data.mdb", image, bytes);
		int rc = open_at(&db, tmp.path, 0);
		if (rc == 0) {
			assert_filled(db);
			db_close(db);
		} else {
			assert_int_equal(rc, -EBADMSG);
			n_refused++;
		}
		image[at] ^= (uint8_t)(1u << at % 8);
	}
	assert_true(n_refused > 5);
	temp_dir_remove(&tmp);
}

static void test_what_is_no_store(void **state)
{
	struct temp_dir tmp;
	struct db *db;
	char text[8192];

	(void)state;
	temp_dir_create(&tmp);
	memset(text, 'x', sizeof(text));
	temp_dir_write(&tmp, "data.mdb", text, sizeof(text));
	assert_int_equal(open_at(&db, tmp.path, 0), -EBADMSG);
	temp_dir_write(&tmp, "data.mdb", "", 0); // must not become an empty store in silence
	assert_int_equal(open_at(&db, tmp.path, 0), -EBADMSG);
	assert_non_null(strstr(err, "remove it"));
	temp_dir_remove(&tmp);
}

static void test_newer_schema_is_refused(void **state)
{
	struct temp_dir tmp;
	struct db *db;

	(void)state;
	temp_dir_create(&tmp);
	assert_int_equal(open_at(&db, tmp.path, 42), 0);
	fill(db);
	db_close(db);
	assert_int_equal(open_at(&db, tmp.path, 41), -EPROTO);
	assert_non_null(strstr(err, "version 42"));
	assert_non_null(strstr(err, "has 41"));
	assert_int_equal(open_at(&db, tmp.path, 42), 0); // untouched
	assert_filled(db);
	db_close(db);
	temp_dir_remove(&tmp);
}

static void double_values(struct db_txn *txn)
{
	struct db_iter iter;

	db_iter_init(&iter, txn, DB_SESSIONS, NULL);
	while (db_iter_next(&iter)) {
		uint64_t value = 0;
		db_get_u64(txn, DB_SESSIONS, &iter.key, &value);
		db_put_u64(txn, DB_USAGE, &iter.key, value * 2);
	}
	db_iter_fini(&iter);
}

static void refuse(struct db_txn *txn)
{
	db_txn_fail(txn, -EIO, "no");
}

static void test_older_schema_is_migrated_after_a_copy(void **state)
{
	const struct db_migration good[] = {{5, double_values}, {6, double_values}};
	const struct db_migration bad[] = {{5, double_values}, {6, refuse}};
	const struct db_migration gap[] = {{5, double_values}};
	struct db_conf conf = {.map_size_mb = 16, .schema_version = 7, .n_migrations = 2};
	struct temp_dir tmp;
	struct db *db;
	struct db_txn txn;
	char path[160];

	(void)state;
	temp_dir_create(&tmp);
	conf.path = tmp.path;
	assert_int_equal(open_at(&db, tmp.path, 5), 0);
	fill(db);
	db_close(db);

	conf.migrations = bad;
	assert_int_equal(db_open(&db, &conf, err, sizeof(err)), -EIO);
	conf.migrations = gap;
	conf.n_migrations = 1;
	assert_int_equal(db_open(&db, &conf, err, sizeof(err)), -EPROTO);
	assert_int_equal(open_at(&db, tmp.path, 5), 0); // both steps or none
	db_txn_begin_read(&txn, db);
	assert_int_equal(db_count(&txn, DB_USAGE), 0);
	db_txn_abort(&txn);
	db_close(db);

	conf.migrations = good;
	conf.n_migrations = 2;
	assert_int_equal(db_open(&db, &conf, err, sizeof(err)), 0);
	db_txn_begin_read(&txn, db);
	assert_int_equal(db_count(&txn, DB_USAGE), N_RECORDS);
	db_txn_abort(&txn);
	db_close(db);
	assert_int_equal(open_at(&db, tmp.path, 5), -EPROTO);

	// The copy is the store as it was, ready to be put back.
	snprintf(path, sizeof(path), "%s/old", tmp.path);
	assert_int_equal(mkdir(path, 0700), 0);
	char from[160], to[200];
	snprintf(from, sizeof(from), "%s/data.mdb.schema5", tmp.path);
	snprintf(to, sizeof(to), "%s/data.mdb", path);
	assert_int_equal(rename(from, to), 0);
	assert_int_equal(open_at(&db, path, 5), 0);
	assert_filled(db);
	db_close(db);
	temp_dir_remove(&tmp);
}

static void test_hot_copy(void **state)
{
	struct temp_dir tmp;
	struct db *db, *copy;
	char dir[128], file[160];

	(void)state;
	make_store(&tmp);
	assert_int_equal(open_at(&db, tmp.path, 0), 0);
	snprintf(dir, sizeof(dir), "%s/copy", tmp.path);
	mkdir(dir, 0700);
	snprintf(file, sizeof(file), "%s/data.mdb", dir);
	assert_int_equal(db_copy(db, file, err, sizeof(err)), 0);
	assert_int_equal(db_copy(db, file, err, sizeof(err)), -EEXIST);
	assert_int_equal(open_at(&copy, dir, 0), 0); // beside the one in use
	assert_filled(copy);
	db_close(copy);
	assert_true(db_copy(db, "/nonexistent/x", err, sizeof(err)) < 0);
	db_close(db);
	temp_dir_remove(&tmp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_survives_close),
		cmocka_unit_test(test_second_instance_names_the_pid),
		cmocka_unit_test(test_killed_holder),
		cmocka_unit_test(test_directories_that_cannot_be),
		cmocka_unit_test(test_read_only_directory),
		cmocka_unit_test(test_each_truncation),
		cmocka_unit_test(test_flipped_bits),
		cmocka_unit_test(test_what_is_no_store),
		cmocka_unit_test(test_newer_schema_is_refused),
		cmocka_unit_test(test_older_schema_is_migrated_after_a_copy),
		cmocka_unit_test(test_hot_copy),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
