// SPDX-License-Identifier: Apache-2.0
//
// What a store must be before it is used: ours alone, undamaged, of our schema. Start-up only, before
// any thread: the check runs in a forked child, because a damaged page can end whoever reads it, and
// then it is the child that ends.
#include "controlplane/store/db_private.h"
#include "controlplane/store/store_lock.h"

#include <sodium.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH_BYTES 512
#define SCHEMA_NAME "schema"

// The first release's schema: nothing to migrate from.
static const struct db_conf this_release = {.schema_version = DB_SCHEMA_VERSION};

// ---- the check, in the child -----------------------------------------------------------------

static int walk_table(struct db *db, enum db_table table, char *err, size_t err_len)
{
	struct db_txn txn;
	struct db_iter iter;

	if (!db_env_has_table(db, table))
		return 0;
	db_txn_begin_read(&txn, db);
	db_iter_init(&iter, &txn, table, NULL);
	while (db_iter_next(&iter))
		;
	db_iter_fini(&iter);
	int rc = db_txn_commit(&txn);
	snprintf(err, err_len, "%s", txn.why);
	return rc;
}

static int walk(const struct db_conf *conf, char *err, size_t err_len)
{
	struct db *db;
	int rc = db_env_open(&db, conf, true, err, err_len);

	if (rc == 0)
		rc = db_env_check_free_list(db, err, err_len);
	for (unsigned table = 0; rc == 0 && table < DB_N_TABLE; table++)
		rc = walk_table(db, table, err, err_len);
	return rc; // the child ends here: nothing is closed
}

static void run_child(const struct db_conf *conf, int out)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
	const struct rlimit no_core = {0, 0};
	char err[DB_WHY_CAP] = "";

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		signal(faults[i], SIG_DFL);
	setrlimit(RLIMIT_CORE, &no_core);
	if (walk(conf, err, sizeof(err)) == 0)
		_exit(0);
	if (write(out, err, strlen(err)) < 0)
		_exit(2);
	_exit(1);
}

static int check_in_child(const struct db_conf *conf, const char *file, char *err, size_t err_len)
{
	char text[DB_WHY_CAP] = "";
	int fds[2], status = 0;

	if (pipe2(fds, O_CLOEXEC) != 0)
		return -errno;
	pid_t pid = fork();
	if (pid == 0)
		run_child(conf, fds[1]);
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		return -EAGAIN;
	}
	ssize_t n = read(fds[0], text, sizeof(text) - 1);
	close(fds[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	snprintf(
		err,
		err_len,
		"store %s: damaged or cut short: restore it from a backup, or move it away to "
		"start with an empty one (%s)",
		file,
		n > 0 ? text : "its reader died"
	);
	return -EBADMSG;
}

// ---- schema ----------------------------------------------------------------------------------

// Out: 0 for a store in which nothing was ever written.
static int read_schema(struct db *db, uint64_t *ret, char *err, size_t err_len)
{
	const struct db_key key = db_key_text(SCHEMA_NAME);
	struct db_txn txn;
	uint64_t n_records = 0;

	*ret = 0;
	db_txn_begin_read(&txn, db);
	if (!db_get_u64(&txn, DB_META, &key, ret)) {
		for (unsigned table = 0; table < DB_N_TABLE; table++)
			n_records += db_count(&txn, table);
	}
	if (n_records != 0 || (*ret == 0 && n_records == 0 && db_count(&txn, DB_META) != 0))
		db_txn_fail(
			&txn,
			-EBADMSG,
			"store %s: has records but no schema version: it is not a store of this "
			"program; move it away",
			db_env_file(db)
		);
	int rc = db_txn_commit(&txn);
	snprintf(err, err_len, "%s", txn.why);
	return rc;
}

static int copy_to(struct db *db, const char *file, char *err, size_t err_len)
{
	char part[PATH_BYTES];

	snprintf(part, sizeof(part), "%s.part", file);
	unlink(part);
	int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	int rc = fd < 0 ? -errno : db_env_copy(db, fd);
	if (rc == 0 && fsync(fd) != 0)
		rc = -errno;
	if (fd >= 0)
		close(fd);
	if (rc == 0 && rename(part, file) != 0)
		rc = -errno;
	if (rc != 0) {
		snprintf(err, err_len, "%s: cannot write the copy: %s", file, strerror(-rc));
		unlink(part);
	}
	return rc;
}

static const struct db_migration *find_step(const struct db_conf *conf, uint32_t from)
{
	for (size_t i = 0; i < conf->n_migrations; i++) {
		if (conf->migrations[i].from == from)
			return &conf->migrations[i];
	}
	return NULL;
}

static int migrate(
	struct db *db, const struct db_conf *conf, uint32_t version, char *err, size_t err_len
)
{
	const struct db_key key = db_key_text(SCHEMA_NAME);
	struct db_txn txn;

	db_txn_begin_write(&txn, db);
	for (uint32_t at = version; at != 0 && at < conf->schema_version; at++) {
		const struct db_migration *step = find_step(conf, at);
		if (step != NULL)
			step->run(&txn);
		else
			db_txn_fail(
				&txn,
				-EPROTO,
				"store %s: has schema %u, this program %u and knows no way from "
				"%u: upgrade in smaller steps",
				db_env_file(db),
				version,
				conf->schema_version,
				at
			);
	}
	db_put_u64(&txn, DB_META, &key, conf->schema_version);
	int rc = db_txn_commit(&txn);
	snprintf(err, err_len, "%s", txn.why);
	return rc;
}

static int bring_to_schema(struct db *db, const struct db_conf *conf, char *err, size_t err_len)
{
	char copy[PATH_BYTES];
	uint64_t version;
	int rc = read_schema(db, &version, err, err_len);

	if (rc != 0)
		return rc;
	if (version > conf->schema_version) {
		snprintf(
			err,
			err_len,
			"store %s: has schema version %" PRIu64 ", this program (" TOLLWIRE_VERSION
			") has %u: install the newer release, or restore the copy made before its "
			"migration",
			db_env_file(db),
			version,
			conf->schema_version
		);
		return -EPROTO;
	}
	db_env_set_schema(db, conf->schema_version);
	if (version == conf->schema_version)
		return 0;
	if (version != 0) {
		snprintf(copy, sizeof(copy), "%s.schema%u", db_env_file(db), (uint32_t)version);
		rc = copy_to(db, copy, err, err_len);
	}
	return rc != 0 ? rc : migrate(db, conf, (uint32_t)version, err, err_len);
}

// ---- open ------------------------------------------------------------------------------------

// Returns: 1 when the file is there, 0 when not, -errno when it cannot be a store.
static int look_at_file(const char *file, char *err, size_t err_len)
{
	struct stat st;

	if (stat(file, &st) != 0) {
		if (errno == ENOENT)
			return 0;
		int rc = -errno;
		snprintf(err, err_len, "store %s: %s", file, strerror(-rc));
		return rc;
	}
	// LMDB would take it for a new file, and every session would be gone without a word.
	if (!S_ISREG(st.st_mode) || st.st_size == 0) {
		snprintf(
			err,
			err_len,
			"store %s: empty or no file: restore it from a backup, or remove it to "
			"start with an empty one",
			file
		);
		return -EBADMSG;
	}
	if (access(file, R_OK | W_OK) != 0) {
		int rc = -errno;
		snprintf(
			err,
			err_len,
			"store %s: cannot be read and written: %s: correct its owner and mode",
			file,
			strerror(-rc)
		);
		return rc;
	}
	return 1;
}

static int open_locked(
	struct db **ret, const struct db_conf *conf, const char *file, char *err, size_t err_len
)
{
	struct db *db;
	int is_there = look_at_file(file, err, err_len);

	if (is_there < 0)
		return is_there;
	if (is_there == 1) {
		int rc = check_in_child(conf, file, err, err_len);
		if (rc != 0)
			return rc;
	}
	int rc = db_env_open(&db, conf, false, err, err_len);
	if (rc != 0)
		return rc;
	rc = bring_to_schema(db, conf, err, err_len);
	if (rc != 0) {
		db_env_close(db);
		return rc;
	}
	*ret = db;
	return 0;
}

int db_open(struct db **ret, const struct db_conf *given, char *err, size_t err_len)
{
	struct db_conf conf = *given;
	char path[PATH_BYTES];

	if (sodium_init() < 0) {
		snprintf(err, err_len, "libsodium does not initialise");
		return -EIO;
	}
	if (conf.schema_version == 0) {
		conf.schema_version = this_release.schema_version;
		conf.migrations = this_release.migrations;
		conf.n_migrations = this_release.n_migrations;
	}
	if (mkdir(conf.path, 0700) != 0 && errno != EEXIST) {
		int rc = -errno;
		snprintf(err, err_len, "store %s: cannot create: %s", conf.path, strerror(-rc));
		return rc;
	}
	snprintf(path, sizeof(path), "%s/store.lock", conf.path);
	int lock_fd = store_lock_take(path, err, err_len);
	if (lock_fd < 0)
		return lock_fd;
	snprintf(path, sizeof(path), "%s/data.mdb", conf.path);
	int rc = open_locked(ret, &conf, path, err, err_len);
	if (rc != 0)
		close(lock_fd);
	else
		db_env_set_lock(*ret, lock_fd);
	return rc;
}

void db_close(struct db *db)
{
	db_env_close(db);
}

int db_copy(struct db *db, const char *file, char *err, size_t err_len)
{
	if (access(file, F_OK) == 0) {
		snprintf(err, err_len, "%s: exists already: choose another name", file);
		return -EEXIST;
	}
	return copy_to(db, file, err, err_len);
}
