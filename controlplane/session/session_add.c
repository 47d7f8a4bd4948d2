// SPDX-License-Identifier: Apache-2.0
//
// The book's creation, adding and provisioning of sessions, and looking them up. Loop's thread.
#include "common/log.h"
#include "controlplane/session/session_book.h"
#include "controlplane/session/session_key.h"
#include "controlplane/session/session_record.h"
#include "controlplane/session/session_store.h"

#include <sodium.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_key_kept(void *ctx, const uint8_t public_key[32])
{
	struct session session;

	return session_store_find_public_key(ctx, public_key, &session) &&
		session.is_private_key_kept && session_state_is_live(session.state);
}

// A key file without a session: the program ended between writing the file and the commit.
static int sweep_keys(const struct session_book *book, struct session_error *err)
{
	struct db_txn txn;

	db_txn_begin_read(&txn, book->conf.db);
	// On a store error every file would look like an orphan: ask the store first.
	db_count(&txn, DB_SESSIONS);
	int n = txn.error != 0
		? 0
		: session_key_sweep(book->conf.config->node.state_dir, is_key_kept, &txn);
	int rc = db_txn_commit(&txn);
	if (rc != 0)
		return session_book_fail(err, rc, "store", "%s", txn.why);
	if (n < 0)
		return session_book_fail(
			err,
			n,
			"node.state_dir",
			"%s/client-keys: %s",
			book->conf.config->node.state_dir,
			strerror(-n)
		);
	if (n > 0)
		log_info("session", "%d private key files without a session deleted", n);
	return 0;
}

int session_book_create(
	struct session_book **ret, const struct session_book_conf *conf, struct session_error *err
)
{
	struct session_book *book = calloc(1, sizeof(*book));

	*err = (struct session_error){0};
	if (book == NULL)
		return session_book_fail(err, -ENOMEM, "", "out of memory");
	if (sodium_init() < 0) {
		free(book);
		return session_book_fail(err, -EIO, "", "libsodium does not initialise");
	}
	book->conf = *conf;
	int rc = sweep_keys(book, err);
	if (rc != 0) {
		free(book);
		return rc;
	}
	*ret = book;
	return 0;
}

void session_book_destroy(struct session_book *book)
{
	free(book);
}

static int check_limits(const struct session_add *add, struct session_error *err)
{
	if (add->quota_bytes == 0 || add->quota_bytes > SESSION_QUOTA_MAX_BYTES)
		return session_book_fail(
			err,
			-EINVAL,
			"quota_bytes",
			"the quota is 1 to %" PRIu64 " bytes",
			SESSION_QUOTA_MAX_BYTES
		);
	if (add->duration_sec > SESSION_DURATION_MAX_SEC)
		return session_book_fail(
			err,
			-EINVAL,
			"duration_sec",
			"the duration is at most %llu seconds",
			SESSION_DURATION_MAX_SEC
		);
	if ((add->has_rate_out && add->rate_out_kbps > SESSION_RATE_MAX_KBPS) ||
	    (add->has_rate_in && add->rate_in_kbps > SESSION_RATE_MAX_KBPS))
		return session_book_fail(
			err,
			-EINVAL,
			"rate_kbps",
			"a rate is 0 to %u kbit/s, 0 for no limit",
			SESSION_RATE_MAX_KBPS
		);
	return 0;
}

int session_book_check_key(const uint8_t public_key[32], struct session_error *err)
{
	if (session_key_check_public(public_key))
		return 0;
	return session_book_fail(
		err,
		-EINVAL,
		"public_key",
		"this is no usable X25519 public key (a point of low order)"
	);
}

static int check_add(const struct session_add *add, struct session_error *err)
{
	bool has_key = add->identity == NULL ? !add->is_key_generated : add->has_public_key;

	*err = (struct session_error){0};
	if (add->name != NULL && session_record_check_name(add->name) != 0)
		return session_book_fail(
			err,
			-EINVAL,
			"name",
			"a name is 1 to %d of A-Z a-z 0-9 . _ -, does not start with . or -, and "
			"is not all digits",
			SESSION_NAME_CAP - 1
		);
	int rc = check_limits(add, err);
	if (rc == 0 && has_key)
		rc = session_book_check_key(add->public_key, err);
	return rc;
}

static void fill(
	struct session *session,
	const struct session_add *add,
	const struct config *config,
	uint64_t now_unix_sec
)
{
	enum config_quota_action action =
		add->has_quota_action ? add->quota_action : config->sessions.quota_action;

	if (add->identity != NULL) {
		session->identity = *add->identity;
	} else {
		session->identity.source = SESSION_SOURCE_ADMIN;
		randombytes_buf(session->identity.id, sizeof(session->identity.id));
	}
	session->state = SESSION_PENDING;
	session->former = SESSION_PENDING;
	session->has_psk = add->has_psk;
	session->is_throttled_on_quota = action == CONFIG_QUOTA_THROTTLE;
	session->quota_bytes = add->quota_bytes;
	session->created_unix_sec = now_unix_sec;
	session->changed_unix_sec = now_unix_sec;
	session->expires_unix_sec = add->duration_sec == 0 ? 0 : now_unix_sec + add->duration_sec;
	session->rate_out_kbps =
		add->has_rate_out ? add->rate_out_kbps : config->sessions.default_rate_out_kbps;
	session->rate_in_kbps =
		add->has_rate_in ? add->rate_in_kbps : config->sessions.default_rate_in_kbps;
	session->free_rate_kbps = config->sessions.free_rate_kbps;
}

void session_book_provision(
	struct session_book *book,
	struct db_txn *txn,
	struct session *session,
	const uint8_t public_key[32],
	uint64_t now_unix_ns
)
{
	memcpy(session->public_key, public_key, 32);
	session->has_public_key = true;
	session_allot_take(&book->allot, txn, book->conf.config, now_unix_ns / NS_PER_SEC, session);
	session_store_transition(
		txn, session, SESSION_PROVISIONED, now_unix_ns, "public key known"
	);
}

void session_book_choose_name(struct db_txn *txn, struct session *session)
{
	struct session holder;

	snprintf(session->name, sizeof(session->name), "s%" PRIu64, session->id);
	for (unsigned i = 2; session_store_find_name(txn, session->name, &holder) &&
	     holder.id != session->id && session_state_is_live(holder.state);
	     i++)
		snprintf(session->name, sizeof(session->name), "s%" PRIu64 "-%u", session->id, i);
}

static int commit_add(
	struct session_book *book,
	const struct session_add *add,
	const uint8_t *public_key,
	struct session *ret,
	struct session_error *err
)
{
	uint64_t now_ns = clock_unix_ns(book->conf.clock);
	struct session session = {0};
	struct db_txn txn;
	char detail[128];

	db_txn_begin_write(&txn, book->conf.db);
	session.id = db_sequence_next(&txn, "session");
	if (add->name != NULL)
		snprintf(session.name, sizeof(session.name), "%s", add->name);
	else
		session_book_choose_name(&txn, &session);
	fill(&session, add, book->conf.config, now_ns / NS_PER_SEC);
	session.is_private_key_kept = add->is_key_generated;
	snprintf(
		detail,
		sizeof(detail),
		"%s: %" PRIu64 " bytes, expiry %" PRIu64,
		session.name,
		session.quota_bytes,
		session.expires_unix_sec
	);
	session_store_audit(&txn, now_ns, session.id, "add", detail);
	if (public_key != NULL)
		session_book_provision(book, &txn, &session, public_key, now_ns);
	else
		session_store_save(&txn, &session);
	int rc = session_book_commit(&txn, err);
	if (rc == 0)
		*ret = session;
	return rc;
}

int session_add(
	struct session_book *book,
	const struct session_add *add,
	struct session *ret,
	struct session_error *err
)
{
	const char *state_dir = book->conf.config->node.state_dir;
	bool has_key = add->identity == NULL || add->has_public_key || add->is_key_generated;
	uint8_t public_key[32];
	char text[sizeof(err->text)];
	struct session session;
	int rc = check_add(add, err);

	if (rc != 0)
		return rc;
	memcpy(public_key, add->public_key, 32);
	if (add->is_key_generated) {
		rc = session_key_generate(state_dir, public_key, text, sizeof(text));
		if (rc != 0)
			return session_book_fail(err, rc, "node.state_dir", "%s", text);
	}
	rc = commit_add(book, add, has_key ? public_key : NULL, &session, err);
	if (rc != 0) {
		if (add->is_key_generated)
			session_key_forget(state_dir, public_key);
		return rc;
	}
	session_book_tell(book, &session);
	*ret = session;
	return 0;
}

void session_add_in(
	struct session_book *book,
	struct db_txn *txn,
	const struct session_add *add,
	uint64_t expires_unix_sec,
	struct session *ret
)
{
	uint64_t now_ns = clock_unix_ns(book->conf.clock);
	struct session session = {0};
	char detail[128];

	session.id = db_sequence_next(txn, "session");
	session_book_choose_name(txn, &session);
	fill(&session, add, book->conf.config, now_ns / NS_PER_SEC);
	session.expires_unix_sec = expires_unix_sec;
	snprintf(
		detail,
		sizeof(detail),
		"%s: %" PRIu64 " bytes, expiry %" PRIu64 ", bought on chain %" PRIu64,
		session.name,
		session.quota_bytes,
		session.expires_unix_sec,
		session.identity.chain
	);
	session_store_audit(txn, now_ns, session.id, "add", detail);
	session_store_save(txn, &session);
	*ret = session;
}

void session_tell(struct session_book *book, const struct session *session)
{
	session_book_tell(book, session);
}

static int end_lookup(
	struct db_txn *txn,
	bool is_found,
	const char *what,
	const struct session *session,
	struct session *ret,
	struct session_error *err
)
{
	*err = (struct session_error){0};
	int rc = db_txn_commit(txn);
	if (rc != 0)
		return session_book_fail(err, rc, "store", "%s", txn->why);
	if (!is_found)
		return session_book_fail(err, -ENOENT, "", "no session %s", what);
	*ret = *session;
	return 0;
}

int session_lookup(
	struct session_book *book,
	const char *name_or_id,
	struct session *ret,
	struct session_error *err
)
{
	struct session session;
	struct db_txn txn;
	bool is_found = false;
	char *end;

	db_txn_begin_read(&txn, book->conf.db);
	if (session_record_check_name(name_or_id) == 0) {
		is_found = session_store_find_name(&txn, name_or_id, &session);
	} else if (name_or_id[0] != '\0' && strlen(name_or_id) <= 19 && strspn(name_or_id, "0123456789") == strlen(name_or_id)) {
		is_found = session_store_load(&txn, strtoull(name_or_id, &end, 10), &session);
	}
	return end_lookup(&txn, is_found, name_or_id, &session, ret, err);
}

int session_lookup_identity(
	struct session_book *book,
	const struct session_identity *identity,
	struct session *ret,
	struct session_error *err
)
{
	struct session session;
	struct db_txn txn;

	db_txn_begin_read(&txn, book->conf.db);
	bool is_found = session_store_find_identity(&txn, identity, &session);
	return end_lookup(&txn, is_found, "of this identity", &session, ret, err);
}

int session_get(
	struct session_book *book, uint64_t id, struct session *ret, struct session_error *err
)
{
	struct session session;
	struct db_txn txn;
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, id);
	db_txn_begin_read(&txn, book->conf.db);
	bool is_found = session_store_load(&txn, id, &session);
	return end_lookup(&txn, is_found, text, &session, ret, err);
}

int session_each(
	struct session_book *book,
	uint64_t first_id,
	bool (*visit)(void *ctx, const struct session *session),
	void *ctx,
	struct session_error *err
)
{
	const struct db_key from = db_key_u64(first_id);
	struct session session;
	struct db_txn txn;
	struct db_iter iter;

	*err = (struct session_error){0};
	db_txn_begin_read(&txn, book->conf.db);
	db_iter_init(&iter, &txn, DB_SESSIONS, &from);
	while (db_iter_next(&iter)) {
		if (session_record_decode(&session, iter.value.data, iter.value.len) != 0) {
			db_txn_fail(
				&txn,
				-EBADMSG,
				"session %" PRIu64 ": its record in the store cannot be read",
				db_key_first(&iter.key)
			);
			break;
		}
		if (!visit(ctx, &session))
			break;
	}
	db_iter_fini(&iter);
	int rc = db_txn_commit(&txn);
	return rc == 0 ? 0 : session_book_fail(err, rc, "store", "%s", txn.why);
}
