// SPDX-License-Identifier: Apache-2.0
//
// The only file that knows LMDB. Environment and transactions; opening, checking and migrating a file
// stand in db_open.c, which reaches LMDB through the few functions of db_private.h. A record is
// stored as its value and 8 bytes of BLAKE2b over table, key and value. One environment per process;
// each transaction on its own thread.
#include "controlplane/store/db.h"

#include "controlplane/store/db_private.h"
#include "controlplane/store/db_record.h"

#include <lmdb.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define RECORD_CAP (64 * 1024) // bytes with the checksum
#define DISK_FULL_BYTES (1u << 20)

struct db {
	MDB_env *env;
	MDB_dbi tables[DB_N_TABLE];
	uint32_t map_size_mb;
	uint32_t schema_version;
	int lock_fd; // -1: none
	char file[256];
};

#define TABLE_ROW(id, name, key) {name, DB_KEY_##key},
static const struct {
	const char *name;
	enum db_key_form form;
} table_rows[] = {DB_TABLE_LIST(TABLE_ROW)};

// LMDB reports a write that was cut short, as on a full disk, as EIO.
static bool is_disk_full(const struct db *db, int rc)
{
	struct statvfs vfs;

	if (rc == ENOSPC || rc == EDQUOT)
		return true;
	return rc == EIO && statvfs(db->file, &vfs) == 0 &&
		(uint64_t)vfs.f_bavail * vfs.f_frsize < DISK_FULL_BYTES;
}

// Gives txn the error of an LMDB call, in words. In: rc != 0.
static void fail_lmdb(struct db_txn *txn, int rc, const char *what)
{
	const struct db *db = txn->db;
	int error = rc > 0 ? -rc : -EIO;
	const char *advice = "see the system's log for the disk";
	char full[96];

	if (rc == MDB_MAP_FULL) {
		error = -ENOSPC;
		snprintf(
			full,
			sizeof(full),
			"full at %u MB: raise store.map_size_mb and restart",
			db->map_size_mb
		);
		advice = full;
	} else if (is_disk_full(db, rc)) {
		error = -ENOSPC;
		advice = "no space left on its file system: free some";
	} else if (rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND || rc == MDB_INVALID) {
		error = -EBADMSG;
		advice = "damaged: restore it from a backup";
	} else if (rc == MDB_PANIC) {
		advice = "restart the program";
	}
	db_txn_fail(txn, error, "store %s: %s (%s: %s)", db->file, advice, what, mdb_strerror(rc));
}

void db_txn_fail(struct db_txn *txn, int error, const char *format, ...)
{
	va_list args;

	if (txn->error != 0)
		return;
	txn->error = error;
	va_start(args, format);
	vsnprintf(txn->why, sizeof(txn->why), format, args);
	va_end(args);
}

static void begin(struct db_txn *txn, struct db *db, bool is_write)
{
	MDB_txn *handle = NULL;

	*txn = (struct db_txn){.db = db, .is_write = is_write};
	int rc = mdb_txn_begin(db->env, NULL, is_write ? 0 : MDB_RDONLY, &handle);
	if (rc != 0)
		fail_lmdb(txn, rc, "begin");
	else
		txn->handle = handle;
}

void db_txn_begin_read(struct db_txn *txn, struct db *db)
{
	begin(txn, db, false);
}

void db_txn_begin_write(struct db_txn *txn, struct db *db)
{
	begin(txn, db, true);
}

int db_txn_commit(struct db_txn *txn)
{
	if (txn->error != 0 || !txn->is_write) {
		db_txn_abort(txn);
		return txn->error;
	}
	int rc = mdb_txn_commit(txn->handle);
	txn->handle = NULL;
	if (rc != 0)
		fail_lmdb(txn, rc, "commit");
	return txn->error;
}

void db_txn_abort(struct db_txn *txn)
{
	if (txn->handle != NULL)
		mdb_txn_abort(txn->handle);
	txn->handle = NULL;
}

static bool is_usable(struct db_txn *txn, enum db_table table, const struct db_key *key)
{
	if (txn->error != 0)
		return false;
	if (txn->handle == NULL) {
		db_txn_fail(txn, -EINVAL, "store: a transaction that has ended was used");
		return false;
	}
	if (key != NULL && (key->len == 0 || key->form != table_rows[table].form)) {
		db_txn_fail(
			txn,
			-EINVAL,
			"store: key of %u bytes and the wrong form for table %s",
			key->len,
			table_rows[table].name
		);
		return false;
	}
	return true;
}

// Out: ret, the record without its checksum; the transaction fails when that does not match.
static bool open_record(
	struct db_txn *txn,
	enum db_table table,
	const struct db_key *key,
	const MDB_val *record,
	struct db_value *ret
)
{
	const struct db_value sealed = {.data = record->mv_data, .len = record->mv_size};

	if (db_record_open(ret, table_rows[table].name, key, &sealed) == 0)
		return true;
	db_txn_fail(
		txn,
		-EBADMSG,
		"store %s: damaged: a record of table %s fails its checksum: restore the file from "
		"a backup",
		txn->db->file,
		table_rows[table].name
	);
	return false;
}

bool db_get(struct db_txn *txn, enum db_table table, const struct db_key *key, struct db_value *ret)
{
	MDB_val record;

	if (!is_usable(txn, table, key))
		return false;
	MDB_val name = {.mv_size = key->len, .mv_data = (void *)(uintptr_t)key->bytes};
	int rc = mdb_get(txn->handle, txn->db->tables[table], &name, &record);
	if (rc == MDB_NOTFOUND)
		return false;
	if (rc != 0) {
		fail_lmdb(txn, rc, table_rows[table].name);
		return false;
	}
	return open_record(txn, table, key, &record, ret);
}

static void store(
	struct db_txn *txn,
	enum db_table table,
	const struct db_key *key,
	const void *data,
	size_t len,
	unsigned flags
)
{
	uint8_t record[RECORD_CAP];

	if (!is_usable(txn, table, key))
		return;
	if (len > sizeof(record) - DB_RECORD_SUM_BYTES) {
		db_txn_fail(
			txn, -EFBIG, "store: record of %zu bytes in %s", len, table_rows[table].name
		);
		return;
	}
	db_record_seal(record, table_rows[table].name, key, data, len);
	MDB_val name = {.mv_size = key->len, .mv_data = (void *)(uintptr_t)key->bytes};
	MDB_val value = {.mv_size = len + DB_RECORD_SUM_BYTES, .mv_data = record};
	int rc = mdb_put(txn->handle, txn->db->tables[table], &name, &value, flags);
	if (rc == MDB_KEYEXIST)
		db_txn_fail(txn, -EEXIST, "store: exists already in %s", table_rows[table].name);
	else if (rc != 0)
		fail_lmdb(txn, rc, table_rows[table].name);
}

void db_put(
	struct db_txn *txn,
	enum db_table table,
	const struct db_key *key,
	const void *data,
	size_t len
)
{
	store(txn, table, key, data, len, 0);
}

void db_insert(
	struct db_txn *txn,
	enum db_table table,
	const struct db_key *key,
	const void *data,
	size_t len
)
{
	store(txn, table, key, data, len, MDB_NOOVERWRITE);
}

void db_delete(struct db_txn *txn, enum db_table table, const struct db_key *key)
{
	if (!is_usable(txn, table, key))
		return;
	MDB_val name = {.mv_size = key->len, .mv_data = (void *)(uintptr_t)key->bytes};
	int rc = mdb_del(txn->handle, txn->db->tables[table], &name, NULL);
	if (rc != 0 && rc != MDB_NOTFOUND)
		fail_lmdb(txn, rc, table_rows[table].name);
}

uint64_t db_count(struct db_txn *txn, enum db_table table)
{
	MDB_stat stat;

	if (!is_usable(txn, table, NULL))
		return 0;
	int rc = mdb_stat(txn->handle, txn->db->tables[table], &stat);
	if (rc != 0) {
		fail_lmdb(txn, rc, table_rows[table].name);
		return 0;
	}
	return stat.ms_entries;
}

void db_iter_init(
	struct db_iter *iter, struct db_txn *txn, enum db_table table, const struct db_key *from
)
{
	MDB_cursor *cursor = NULL;

	*iter = (struct db_iter){.txn = txn, .table = table};
	if (from != NULL)
		iter->from = *from;
	if (!is_usable(txn, table, from))
		return;
	int rc = mdb_cursor_open(txn->handle, txn->db->tables[table], &cursor);
	if (rc != 0)
		fail_lmdb(txn, rc, table_rows[table].name);
	iter->handle = cursor;
}

bool db_iter_next(struct db_iter *iter)
{
	struct db_txn *txn = iter->txn;
	MDB_cursor_op op = MDB_NEXT;
	MDB_val name = {0}, record = {0};

	if (iter->handle == NULL || txn->error != 0)
		return false;
	if (!iter->is_started) {
		op = iter->from.len != 0 ? MDB_SET_RANGE : MDB_FIRST;
		name = (MDB_val){.mv_size = iter->from.len, .mv_data = iter->from.bytes};
		iter->is_started = true;
	}
	int rc = mdb_cursor_get(iter->handle, &name, &record, op);
	if (rc == MDB_NOTFOUND)
		return false;
	if (rc == 0 && name.mv_size > DB_KEY_CAP)
		rc = MDB_CORRUPTED;
	if (rc != 0) {
		fail_lmdb(txn, rc, table_rows[iter->table].name);
		return false;
	}
	iter->key = db_key_bytes(name.mv_data, name.mv_size);
	iter->key.form = table_rows[iter->table].form;
	return open_record(txn, iter->table, &iter->key, &record, &iter->value);
}

void db_iter_fini(struct db_iter *iter)
{
	if (iter->handle != NULL)
		mdb_cursor_close(iter->handle);
	iter->handle = NULL;
}

void db_stats(struct db *db, struct db_stats *ret)
{
	MDB_envinfo info = {0};
	MDB_stat stat = {0};

	mdb_env_info(db->env, &info);
	mdb_env_stat(db->env, &stat);
	*ret = (struct db_stats){
		.map_bytes = info.me_mapsize,
		.used_bytes = (info.me_last_pgno + 1) * (uint64_t)stat.ms_psize,
		.schema_version = db->schema_version,
	};
	snprintf(ret->path, sizeof(ret->path), "%s", db->file);
}

// ---- for db_open.c ---------------------------------------------------------------------------

static void on_assert(MDB_env *env, const char *what)
{
	// LMDB found its own invariants broken; going on could write that to disk.
	(void)env;
	fprintf(stderr, "error store: LMDB: %s\n", what);
	abort();
}

static int open_tables(struct db *db, bool is_read_only)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(db->env, NULL, is_read_only ? MDB_RDONLY : 0, &txn);

	for (unsigned i = 0; rc == 0 && i < DB_N_TABLE; i++) {
		unsigned flags = is_read_only ? 0 : MDB_CREATE;
		rc = mdb_dbi_open(txn, table_rows[i].name, flags, &db->tables[i]);
		if (rc == MDB_NOTFOUND && is_read_only) {
			db->tables[i] = UINT32_MAX; // a table of a later release
			rc = 0;
		}
		if (rc != 0)
			mdb_txn_abort(txn);
	}
	return rc != 0 ? rc : mdb_txn_commit(txn);
}

int db_env_open(
	struct db **ret, const struct db_conf *conf, bool is_read_only, char *err, size_t err_len
)
{
	struct db *db = calloc(1, sizeof(*db));
	struct db_txn words = {.db = db};
	unsigned flags = MDB_NOTLS | (is_read_only ? MDB_RDONLY | MDB_NOLOCK : 0);

	if (db == NULL)
		return -ENOMEM;
	db->map_size_mb = conf->map_size_mb;
	db->lock_fd = -1;
	snprintf(db->file, sizeof(db->file), "%.240s/data.mdb", conf->path);
	int rc = mdb_env_create(&db->env);
	if (rc == 0)
		rc = mdb_env_set_maxdbs(db->env, DB_N_TABLE);
	if (rc == 0)
		rc = mdb_env_set_mapsize(db->env, (size_t)conf->map_size_mb << 20);
	if (rc == 0)
		rc = mdb_env_set_assert(db->env, on_assert);
	if (rc == 0)
		rc = mdb_env_open(db->env, conf->path, flags, 0600);
	if (rc == 0)
		rc = open_tables(db, is_read_only);
	if (rc != 0) {
		fail_lmdb(&words, rc, "open");
		snprintf(err, err_len, "%s", words.why);
		db_env_close(db);
		return words.error;
	}
	*ret = db;
	return 0;
}

void db_env_close(struct db *db)
{
	if (db == NULL)
		return;
	if (db->env != NULL)
		mdb_env_close(db->env);
	if (db->lock_fd >= 0)
		close(db->lock_fd);
	free(db);
}

void db_env_set_lock(struct db *db, int lock_fd)
{
	db->lock_fd = lock_fd;
}

// A free page beyond the end, or listed out of order, would be handed out as a page of records.
static int check_free_pages(const MDB_val *list, size_t last_page)
{
	size_t n = list->mv_size / sizeof(size_t), count, page, before = SIZE_MAX;
	const uint8_t *at = list->mv_data;

	if (n == 0)
		return MDB_CORRUPTED;
	memcpy(&count, at, sizeof(count));
	if (count > n - 1)
		return MDB_CORRUPTED;
	for (size_t i = 1; i <= count; i++) {
		memcpy(&page, at + i * sizeof(page), sizeof(page));
		if (page < 2 || page > last_page || page >= before)
			return MDB_CORRUPTED;
		before = page;
	}
	return 0;
}

int db_env_check_free_list(struct db *db, char *err, size_t err_len)
{
	struct db_txn txn;
	MDB_cursor *cursor = NULL;
	MDB_envinfo info;
	MDB_val txnid, list;

	db_txn_begin_read(&txn, db);
	if (txn.error == 0) {
		mdb_env_info(db->env, &info);
		int rc = mdb_cursor_open(txn.handle, 0, &cursor); // table 0 is LMDB's free list
		while (rc == 0 && (rc = mdb_cursor_get(cursor, &txnid, &list, MDB_NEXT)) == 0)
			rc = check_free_pages(&list, info.me_last_pgno);
		if (cursor != NULL)
			mdb_cursor_close(cursor);
		if (rc != MDB_NOTFOUND)
			fail_lmdb(&txn, rc, "free list");
	}
	snprintf(err, err_len, "%s", txn.why);
	return db_txn_commit(&txn);
}

int db_env_copy(struct db *db, int fd)
{
	int rc = mdb_env_copyfd2(db->env, fd, MDB_CP_COMPACT);

	return rc > 0 ? -rc : rc < 0 ? -EIO : 0;
}

bool db_env_has_table(const struct db *db, enum db_table table)
{
	return db->tables[table] != UINT32_MAX;
}

const char *db_env_file(const struct db *db)
{
	return db->file;
}

void db_env_set_schema(struct db *db, uint32_t version)
{
	db->schema_version = version;
}
