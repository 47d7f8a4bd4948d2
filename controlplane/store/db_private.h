// SPDX-License-Identifier: Apache-2.0
//
// Between db.c (LMDB) and db_open.c (what a file must be before it is used). Nobody else includes it.
#pragma once

#include "controlplane/store/db.h"

// Opens the environment and its tables; read-only without a lock of LMDB's, for the check.
//
// Returns: 0, or -errno with a sentence in err.
int db_env_open(
	struct db **ret, const struct db_conf *conf, bool is_read_only, char *err, size_t err_len
);
void db_env_close(struct db *db);
int db_env_copy(struct db *db, int fd);
bool db_env_has_table(const struct db *db, enum db_table table);
const char *db_env_file(const struct db *db);
// Takes lock_fd: closed with the environment.
void db_env_set_lock(struct db *db, int lock_fd);

// Reads LMDB's list of free pages and compares it with the file's bounds.
int db_env_check_free_list(struct db *db, char *err, size_t err_len);

void db_env_set_schema(struct db *db, uint32_t version);
