// SPDX-License-Identifier: Apache-2.0
//
// The door to LMDB: tables with typed keys, transactions with a sticky error.
//
// Caveats first:
// - A transaction remembers its first error and turns every later call into a no-op. The steps are
//   written one after the other and the error is looked at once, in db_txn_commit().
// - A value that db_get() or an iterator shows lies in the map: valid until the next write in the
//   same transaction or its end, unaligned, never to be changed.
// - One write transaction at a time (others wait); a transaction stays on the thread that began it.
//   Reads never wait. Nothing is told to the outside before db_txn_commit() returned 0: it is on disk
//   then.
// - Each record carries a checksum of table, key and value: a flipped bit is -EBADMSG, not money.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What a key of a table consists of; numbers are stored so that iteration goes upwards.
#define DB_KEY_LIST(X) \
	X(TEXT, "text") \
	X(U64, "number") \
	X(PAIR, "two numbers") \
	X(BYTES, "bytes")

// id, name in the file, form of the key. Tables are only ever added at the end of their group; a
// changed meaning is a new schema version.
#define DB_TABLE_LIST(X) \
	X(META, "meta", TEXT) \
	X(SEQUENCES, "sequences", TEXT) \
	X(AUDIT, "audit", U64) \
	X(SESSIONS, "sessions", U64) \
	X(SESSION_NAMES, "session_names", TEXT) \
	X(SESSION_PUBLIC_KEYS, "session_public_keys", BYTES) \
	X(SESSION_IDENTITIES, "session_identities", BYTES) \
	X(SLOTS, "slots", U64) \
	X(ADDRESSES, "addresses", BYTES) \
	X(USAGE, "usage", U64) \
	X(CHECKPOINTS, "checkpoints", PAIR) \
	X(SETTLE_ITEMS, "settle_items", U64) \
	X(SETTLE_SESSIONS, "settle_sessions", BYTES) \
	X(SETTLE_TXS, "settle_txs", U64) \
	X(SETTLE_RAW, "settle_raw", PAIR) \
	X(SETTLE_QUEUED, "settle_queued", U64) \
	X(SETTLE_LIVE, "settle_live", U64) \
	X(CHAIN_CURSORS, "chain_cursors", BYTES) \
	X(CHAIN_INBOX, "chain_inbox", U64) \
	X(ATTEST_QUEUE, "attest_queue", PAIR) \
	X(ATTEST_SIGNATURES, "attest_signatures", PAIR) \
	X(PURCHASES, "purchases", U64) \
	X(PURCHASES_OPEN, "purchases_open", U64) \
	X(PURCHASE_BUYERS, "purchase_buyers", BYTES)

#define DB_KEY_ENUM(id, name) DB_KEY_##id,
#define DB_TABLE_ENUM(id, name, key) DB_##id,
enum db_key_form { DB_KEY_LIST(DB_KEY_ENUM) DB_N_KEY };
enum db_table { DB_TABLE_LIST(DB_TABLE_ENUM) DB_N_TABLE };

#define DB_SCHEMA_VERSION 1
#define DB_KEY_CAP 128 // bytes
#define DB_WHY_CAP 640

struct db_key {
	enum db_key_form form;
	uint32_t len;
	uint8_t bytes[DB_KEY_CAP];
};

struct db_value {
	const uint8_t *data;
	size_t len;
};

struct db_key db_key_text(const char *text);
struct db_key db_key_u64(uint64_t number);
struct db_key db_key_pair(uint64_t first, uint64_t second);
struct db_key db_key_bytes(const void *bytes, size_t len);

// The numbers back. In: a key of that form.
uint64_t db_key_first(const struct db_key *key);
uint64_t db_key_second(const struct db_key *key);

struct db;
struct db_txn;

// One step of the schema: runs inside the one transaction that takes the file from `from` to
// `from` + 1. Failures are the transaction's.
struct db_migration {
	uint32_t from;
	void (*run)(struct db_txn *txn);
};

struct db_conf {
	const char *path; // directory; made with mode 0700 if missing
	uint32_t map_size_mb; // store.map_size_mb: the file never grows beyond it
	uint32_t schema_version; // 0 = DB_SCHEMA_VERSION
	const struct db_migration *migrations; // in the order of their from; NULL = this release's
	size_t n_migrations;
};

// Opens or creates the store, alone: <path>/store.lock names the process that has it. An existing
// file is read through once, in a child process, since a damaged page may end its reader: every
// record's checksum is compared before anything is believed. An older schema is migrated in one
// transaction, after a copy to <path>/data.mdb.schema<version>.
//
// Returns: 0; -EBUSY (another process has it, err names the pid); -EBADMSG (damaged or cut short);
//          -EPROTO (schema newer than this program: err names both versions); -ENOSPC; -EACCES,
//          -EROFS, … . err says what, which path and the way out.
int db_open(struct db **ret, const struct db_conf *conf, char *err, size_t err_len);

// NULL is a no-op. In: no open transaction.
void db_close(struct db *db);

// Writes a compact, consistent copy to `file` while the store is in use. The file must not exist.
//
// Returns: 0 or -errno with a sentence in err; no half-written file stays.
int db_copy(struct db *db, const char *file, char *err, size_t err_len);

// ---- transactions ----------------------------------------------------------------------------

// On the caller's stack. `why` is a sentence about the first error: file, size, YAML key, way out.
struct db_txn {
	struct db *db;
	void *handle; // NULL when ended, or when begin failed
	int error; // 0 or the first -errno
	bool is_write;
	char why[DB_WHY_CAP];
};

void db_txn_begin_read(struct db_txn *txn, struct db *db);
void db_txn_begin_write(struct db_txn *txn, struct db *db);

// Ends the transaction, on disk when it was one of writes and nothing failed.
//
// Returns: 0, or the first error of any step and nothing is changed: -ENOSPC (map or disk full),
//          -EEXIST (db_insert), -EBADMSG (damaged record), -EIO, … .
int db_txn_commit(struct db_txn *txn) __attribute__((warn_unused_result));

// Ends the transaction and changes nothing. An ended one is a no-op.
void db_txn_abort(struct db_txn *txn);

// Gives the transaction an error of the caller's own; the first one stays.
void db_txn_fail(struct db_txn *txn, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

// Returns: true and the value; false when there is none or the transaction has failed.
bool db_get(
	struct db_txn *txn, enum db_table table, const struct db_key *key, struct db_value *ret
);

void db_put(
	struct db_txn *txn,
	enum db_table table,
	const struct db_key *key,
	const void *data,
	size_t len
);

// As db_put, but -EEXIST when the key is there already.
void db_insert(
	struct db_txn *txn,
	enum db_table table,
	const struct db_key *key,
	const void *data,
	size_t len
);

// A missing record is no error.
void db_delete(struct db_txn *txn, enum db_table table, const struct db_key *key);

// Records of a table, a number or id that leads to another table.
void db_put_u64(struct db_txn *txn, enum db_table table, const struct db_key *key, uint64_t value);
bool db_get_u64(struct db_txn *txn, enum db_table table, const struct db_key *key, uint64_t *ret);

// Returns: 1, 2, 3, …: the next number of a sequence, never given twice once committed; 0 on failure.
uint64_t db_sequence_next(struct db_txn *txn, const char *name);

// Returns: the number of records; 0 on failure.
uint64_t db_count(struct db_txn *txn, enum db_table table);

// ---- iteration, upwards ----------------------------------------------------------------------

struct db_iter {
	struct db_txn *txn;
	enum db_table table;
	void *handle;
	struct db_key key;
	struct db_value value;
	bool is_started;
	struct db_key from;
};

// Starts at the first key not below from; at the table's first when from is NULL.
void db_iter_init(
	struct db_iter *iter, struct db_txn *txn, enum db_table table, const struct db_key *from
);

// Returns: true with iter->key and iter->value at the next record; false at the end or on failure
//          (which db_txn_commit() then returns). Writing to other tables in between is allowed.
bool db_iter_next(struct db_iter *iter);

// Before the transaction ends, also after the last record.
void db_iter_fini(struct db_iter *iter);

// ---- for status ------------------------------------------------------------------------------

struct db_stats {
	uint64_t map_bytes;
	uint64_t used_bytes; // highest page in use
	uint32_t schema_version;
	char path[256]; // of the file
};

void db_stats(struct db *db, struct db_stats *ret);
