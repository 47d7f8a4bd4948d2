// SPDX-License-Identifier: Apache-2.0
//
// Transactions of the store: order of keys, the sticky error, iteration, sequences, a full map, a
// full disk.
#include "controlplane/store/db.h"
#include "tests/unit/common/temp_dir.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

struct fixture {
	struct temp_dir tmp;
	struct db *db;
};

static int setup(void **state)
{
	struct fixture *fix = calloc(1, sizeof(*fix));
	char err[DB_WHY_CAP];

	temp_dir_create(&fix->tmp);
	const struct db_conf conf = {.path = fix->tmp.path, .map_size_mb = 16};
	if (db_open(&fix->db, &conf, err, sizeof(err)) != 0)
		return -1;
	*state = fix;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fix = *state;

	db_close(fix->db);
	temp_dir_remove(&fix->tmp);
	free(fix);
	return 0;
}

static void put_committed(struct db *db, uint64_t number, const char *text)
{
	struct db_txn txn;
	const struct db_key key = db_key_u64(number);

	db_txn_begin_write(&txn, db);
	db_put(&txn, DB_SESSIONS, &key, text, strlen(text));
	assert_int_equal(db_txn_commit(&txn), 0);
}

static bool has(struct db *db, uint64_t number)
{
	struct db_txn txn;
	struct db_value value;
	const struct db_key key = db_key_u64(number);

	db_txn_begin_read(&txn, db);
	bool found = db_get(&txn, DB_SESSIONS, &key, &value);
	assert_int_equal(db_txn_commit(&txn), 0);
	return found;
}

static void test_get_what_was_put(void **state)
{
	struct fixture *fix = *state;
	struct db_txn txn;
	struct db_value value;
	const struct db_key key = db_key_u64(7);
	uint8_t big[60000];

	db_txn_begin_write(&txn, fix->db);
	assert_false(db_get(&txn, DB_SESSIONS, &key, &value));
	db_put(&txn, DB_SESSIONS, &key, "one", 3);
	assert_true(db_get(&txn, DB_SESSIONS, &key, &value));
	assert_int_equal(value.len, 3);
	assert_memory_equal(value.data, "one", 3);
	db_put(&txn, DB_SESSIONS, &key, NULL, 0);
	assert_true(db_get(&txn, DB_SESSIONS, &key, &value));
	assert_int_equal(value.len, 0);
	memset(big, 0x3c, sizeof(big));
	db_put(&txn, DB_SESSIONS, &key, big, sizeof(big));
	assert_int_equal(db_txn_commit(&txn), 0);

	db_txn_begin_read(&txn, fix->db);
	assert_true(db_get(&txn, DB_SESSIONS, &key, &value));
	assert_int_equal(value.len, sizeof(big));
	assert_memory_equal(value.data, big, sizeof(big));
	db_txn_abort(&txn);
	db_txn_abort(&txn); // an ended one is a no-op
}

static void test_abort_and_error_change_nothing(void **state)
{
	struct fixture *fix = *state;
	struct db_txn txn;
	struct db_value value;
	const struct db_key one = db_key_u64(1), two = db_key_u64(2), three = db_key_u64(3);

	put_committed(fix->db, 1, "here");
	db_txn_begin_write(&txn, fix->db);
	db_put(&txn, DB_SESSIONS, &two, "x", 1);
	db_txn_abort(&txn);
	assert_false(has(fix->db, 2));

	db_txn_begin_write(&txn, fix->db);
	db_put(&txn, DB_SESSIONS, &two, "x", 1);
	db_insert(&txn, DB_SESSIONS, &one, "x", 1); // fails
	assert_int_equal(txn.error, -EEXIST);
	db_put(&txn, DB_SESSIONS, &three, "x", 1); // a no-op
	db_delete(&txn, DB_SESSIONS, &one); // a no-op
	assert_false(db_get(&txn, DB_SESSIONS, &one, &value));
	assert_int_equal(db_sequence_next(&txn, "s"), 0);
	db_txn_fail(&txn, -EIO, "later"); // the first error stays
	assert_int_equal(db_txn_commit(&txn), -EEXIST);
	assert_true(has(fix->db, 1));
	assert_false(has(fix->db, 2));
	assert_false(has(fix->db, 3));
}

static void test_wrong_forms_are_refused(void **state)
{
	struct fixture *fix = *state;
	uint8_t long_bytes[DB_KEY_CAP + 1] = {0};
	const struct {
		enum db_table table;
		struct db_key key;
	} rows[] = {
		{DB_SESSIONS, db_key_text("1")},
		{DB_SESSIONS, db_key_pair(1, 2)},
		{DB_CHECKPOINTS, db_key_u64(1)},
		{DB_SESSION_NAMES, db_key_text("")},
		{DB_SESSION_PUBLIC_KEYS, db_key_bytes(long_bytes, sizeof(long_bytes))},
	};

	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		struct db_txn txn;
		db_txn_begin_write(&txn, fix->db);
		db_put(&txn, rows[i].table, &rows[i].key, "x", 1);
		assert_int_equal(db_txn_commit(&txn), -EINVAL);
	}
}

static void test_write_in_a_read_transaction(void **state)
{
	struct fixture *fix = *state;
	struct db_txn txn;
	const struct db_key key = db_key_u64(1);

	db_txn_begin_read(&txn, fix->db);
	db_put(&txn, DB_SESSIONS, &key, "x", 1);
	assert_true(db_txn_commit(&txn) < 0);
	assert_false(has(fix->db, 1));
}

static void test_iterates_upwards(void **state)
{
	struct fixture *fix = *state;
	static const uint64_t numbers[] = {256, 1, UINT64_MAX, 255, 0, 1ull << 32};
	static const uint64_t sorted[] = {0, 1, 255, 256, 1ull << 32, UINT64_MAX};
	struct db_txn txn;
	struct db_iter iter;
	size_t n = 0;

	for (size_t i = 0; i < TEST_N_ROWS(numbers); i++)
		put_committed(fix->db, numbers[i], "v");
	db_txn_begin_write(&txn, fix->db);
	db_iter_init(&iter, &txn, DB_SESSIONS, NULL);
	while (db_iter_next(&iter)) {
		assert_true(db_key_first(&iter.key) == sorted[n++]);
		db_put_u64(&txn, DB_USAGE, &iter.key, 1); // another table
	}
	db_iter_fini(&iter);
	assert_int_equal(n, TEST_N_ROWS(sorted));
	const struct db_key from = db_key_u64(2);
	db_iter_init(&iter, &txn, DB_SESSIONS, &from);
	assert_true(db_iter_next(&iter));
	assert_int_equal(db_key_first(&iter.key), 255);
	db_iter_fini(&iter);
	assert_int_equal(db_count(&txn, DB_SESSIONS), 6);
	assert_int_equal(db_count(&txn, DB_USAGE), 6);
	assert_int_equal(db_txn_commit(&txn), 0);
}

static void test_pairs_group(void **state)
{
	struct fixture *fix = *state;
	struct db_txn txn;
	struct db_iter iter;
	unsigned n = 0;

	db_txn_begin_write(&txn, fix->db);
	for (uint64_t session = 1; session <= 3; session++) {
		for (uint64_t seq = 1; seq <= 300; seq++) {
			const struct db_key key = db_key_pair(session, seq);
			db_put_u64(&txn, DB_CHECKPOINTS, &key, seq);
		}
	}
	const struct db_key from = db_key_pair(2, 0);
	db_iter_init(&iter, &txn, DB_CHECKPOINTS, &from);
	while (db_iter_next(&iter) && db_key_first(&iter.key) == 2)
		assert_int_equal(db_key_second(&iter.key), ++n);
	db_iter_fini(&iter);
	assert_int_equal(n, 300);
	assert_int_equal(db_txn_commit(&txn), 0);
}

static void test_sequences_never_repeat(void **state)
{
	struct fixture *fix = *state;
	struct db_txn txn;

	db_txn_begin_write(&txn, fix->db);
	assert_int_equal(db_sequence_next(&txn, "a"), 1);
	assert_int_equal(db_sequence_next(&txn, "a"), 2);
	assert_int_equal(db_sequence_next(&txn, "b"), 1);
	assert_int_equal(db_txn_commit(&txn), 0);
	db_txn_begin_write(&txn, fix->db);
	assert_int_equal(db_sequence_next(&txn, "a"), 3);
	db_txn_abort(&txn);
	db_txn_begin_write(&txn, fix->db);
	assert_int_equal(db_sequence_next(&txn, "a"), 3); // 3 was never told to anyone
	const struct db_key key = db_key_text("c");
	db_put_u64(&txn, DB_SEQUENCES, &key, UINT64_MAX);
	assert_int_equal(db_sequence_next(&txn, "c"), 0);
	assert_int_equal(db_txn_commit(&txn), -EOVERFLOW);
}

// Fills until it says no. Returns the error text, static.
static const char *fill(struct db *db)
{
	static char why[DB_WHY_CAP];
	static uint8_t block[32 * 1024];
	struct db_txn txn;

	for (uint64_t i = 1000; i < 100000; i++) {
		const struct db_key key = db_key_u64(i);
		db_txn_begin_write(&txn, db);
		db_put(&txn, DB_SESSIONS, &key, block, sizeof(block));
		if (db_txn_commit(&txn) != 0) {
			assert_int_equal(txn.error, -ENOSPC);
			assert_false(has(db, i));
			strcpy(why, txn.why);
			return why;
		}
	}
	fail_msg("never full");
	return NULL;
}

static void assert_goes_on_after_delete(struct db *db)
{
	struct db_txn txn;

	for (uint64_t i = 1000; i < 1016; i++) {
		const struct db_key key = db_key_u64(i);
		db_txn_begin_write(&txn, db);
		db_delete(&txn, DB_SESSIONS, &key);
		assert_int_equal(db_txn_commit(&txn), 0);
	}
	put_committed(db, 5, "room again");
	assert_true(has(db, 5));
}

static void test_full_map_names_file_size_and_key(void **state)
{
	struct fixture *fix = *state;

	put_committed(fix->db, 1, "before");
	const char *why = fill(fix->db);
	assert_non_null(strstr(why, fix->tmp.path));
	assert_non_null(strstr(why, "16 MB"));
	assert_non_null(strstr(why, "store.map_size_mb"));
	assert_true(has(fix->db, 1));
	assert_goes_on_after_delete(fix->db);
}

static void test_full_disk_is_survived(void **state)
{
	struct temp_dir tmp;
	struct db *db;
	char err[DB_WHY_CAP];

	(void)state;
	temp_dir_create(&tmp);
	if (mount("tmpfs", tmp.path, "tmpfs", 0, "size=2m") != 0) {
		temp_dir_remove(&tmp);
		skip(); // needs root
	}
	const struct db_conf conf = {.path = tmp.path, .map_size_mb = 64};
	assert_int_equal(db_open(&db, &conf, err, sizeof(err)), 0);
	put_committed(db, 1, "before");
	const char *why = fill(db);
	assert_non_null(strstr(why, tmp.path));
	assert_non_null(strstr(why, "no space left"));
	assert_true(has(db, 1));
	assert_int_equal(mount("tmpfs", tmp.path, "tmpfs", MS_REMOUNT, "size=4m"), 0);
	put_committed(db, 2, "after");
	assert_true(has(db, 2));
	db_close(db);
	assert_int_equal(db_open(&db, &conf, err, sizeof(err)), 0); // nothing torn
	assert_true(has(db, 1));
	db_close(db);
	assert_int_equal(umount(tmp.path), 0);
	temp_dir_remove(&tmp);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_get_what_was_put),
		T(test_abort_and_error_change_nothing),
		T(test_wrong_forms_are_refused),
		T(test_write_in_a_read_transaction),
		T(test_iterates_upwards),
		T(test_pairs_group),
		T(test_sequences_never_repeat),
		T(test_full_map_names_file_size_and_key),
		cmocka_unit_test(test_full_disk_is_survived),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
