// SPDX-License-Identifier: Apache-2.0
//
// The operations of session.h that change a session. All have one form: load, check, change, save,
// audit, commit, and only then tell the data plane's link. Adding and looking up are in
// session_add.c. Loop's thread.
#include "controlplane/session/session.h"

#include "common/log.h"
#include "controlplane/session/session_book.h"
#include "controlplane/session/session_key.h"
#include "controlplane/session/session_store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int session_book_fail(
	struct session_error *err, int code, const char *field, const char *format, ...
)
{
	va_list args;

	err->code = code;
	snprintf(err->field, sizeof(err->field), "%s", field);
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	return code;
}

int session_book_commit(struct db_txn *txn, struct session_error *err)
{
	int rc = db_txn_commit(txn);

	if (rc == 0)
		return 0;
	// What a caller can mend is about the session; anything else is the store's.
	bool is_store = rc != -EEXIST && rc != -EPERM && rc != -EINVAL && rc != -ENOENT &&
		rc != -EALREADY && rc != -EBUSY;
	if (err->code != 0)
		return err->code; // a check said it better
	if (rc == -EUSERS) // no slot or address free, which is not the store's
		return session_book_fail(err, -ENOSPC, "", "%s", txn->why);
	return session_book_fail(err, rc, is_store ? "store" : "", "%s", txn->why);
}

static bool is_served(enum session_state state)
{
	return session_state_is_live(state) && state != SESSION_DRAINING;
}

void session_book_tell(struct session_book *book, const struct session *session)
{
	// The record says so when the session is settled; what resists is swept at the next start.
	if (session->is_private_key_kept && !is_served(session->state) &&
	    session->state != SESSION_VOID)
		session_key_forget(book->conf.config->node.state_dir, session->public_key);
	if (book->conf.changed != NULL)
		book->conf.changed(book->conf.changed_ctx, session);
}

// One change of one session.
struct change {
	const char *what;
	uint64_t first;
	uint64_t second;
	const char *text;
	uint64_t now_ns;
	struct session_book *book;
	struct session_error *err;
};

static int run(
	const struct change *given,
	uint64_t id,
	void (*apply)(struct db_txn *txn, struct session *session, struct change *change),
	struct session *ret
)
{
	struct change change = *given;
	struct session_book *book = change.book;
	struct session session;
	struct db_txn txn;

	*change.err = (struct session_error){0};
	change.now_ns = clock_unix_ns(book->conf.clock);
	db_txn_begin_write(&txn, book->conf.db);
	if (session_store_load(&txn, id, &session))
		apply(&txn, &session, &change);
	else
		db_txn_fail(&txn, -ENOENT, "no session %" PRIu64, id);
	int rc = session_book_commit(&txn, change.err);
	if (rc != 0)
		return rc;
	session_book_tell(book, &session);
	if (ret != NULL)
		*ret = session;
	return 0;
}

// A refusal by a check: in the caller's words, and nothing is committed.
static void refuse(
	struct db_txn *txn, struct change *change, int code, const char *field, const char *text
)
{
	if (txn->error != 0)
		return;
	session_book_fail(change->err, code, field, "%s", text);
	db_txn_fail(txn, code, "%s", text);
}

static bool require_live(struct db_txn *txn, const struct session *session, struct change *change)
{
	char text[256];

	if (is_served(session->state))
		return true;
	snprintf(
		text,
		sizeof(text),
		"session %s is %s: %s is for sessions that have not ended",
		session->name,
		session_state_name(session->state),
		change->what
	);
	refuse(txn, change, -EPERM, "", text);
	return false;
}

static void save_and_audit(
	struct db_txn *txn, const struct session *session, struct change *change, const char *detail
)
{
	session_store_save(txn, session);
	session_store_audit(txn, change->now_ns, session->id, change->what, detail);
}

static void apply_top_up(struct db_txn *txn, struct session *session, struct change *change)
{
	char detail[128];
	uint64_t quota;

	if (!require_live(txn, session, change))
		return;
	if (change->first == 0) {
		refuse(txn, change, -EINVAL, "bytes", "a top-up needs at least one byte");
		return;
	}
	if (__builtin_add_overflow(session->quota_bytes, change->first, &quota) ||
	    quota > SESSION_QUOTA_MAX_BYTES) {
		refuse(txn,
		       change,
		       -EINVAL,
		       "bytes",
		       "the quota would pass 9223372036854775807 bytes");
		return;
	}
	snprintf(
		detail,
		sizeof(detail),
		"%" PRIu64 " + %" PRIu64 " = %" PRIu64 " bytes",
		session->quota_bytes,
		change->first,
		quota
	);
	session->quota_bytes = quota;
	save_and_audit(txn, session, change, detail);
}

int session_top_up(
	struct session_book *book,
	uint64_t id,
	uint64_t bytes,
	struct session *ret,
	struct session_error *err
)
{
	const struct change change = {
		.what = "top-up",
		.first = bytes,
		.book = book,
		.err = err,
	};

	return run(&change, id, apply_top_up, ret);
}

static void apply_extend(struct db_txn *txn, struct session *session, struct change *change)
{
	uint64_t now_sec = change->now_ns / NS_PER_SEC;
	char detail[128];

	if (!require_live(txn, session, change))
		return;
	if (session->expires_unix_sec == 0) {
		refuse(txn, change, -EINVAL, "duration_sec", "the session does not expire");
		return;
	}
	uint64_t from = session->expires_unix_sec > now_sec ? session->expires_unix_sec : now_sec;
	uint64_t expires;
	if (change->first == 0 || __builtin_add_overflow(from, change->first, &expires) ||
	    expires - now_sec > SESSION_DURATION_MAX_SEC) {
		refuse(txn,
		       change,
		       -EINVAL,
		       "duration_sec",
		       "the new expiry must be later than the old one and within ten years");
		return;
	}
	snprintf(
		detail,
		sizeof(detail),
		"expiry %" PRIu64 " -> %" PRIu64,
		session->expires_unix_sec,
		expires
	);
	session->expires_unix_sec = expires;
	save_and_audit(txn, session, change, detail);
}

int session_extend(
	struct session_book *book,
	uint64_t id,
	uint64_t duration_sec,
	struct session *ret,
	struct session_error *err
)
{
	const struct change change = {
		.what = "extend",
		.first = duration_sec,
		.book = book,
		.err = err,
	};

	return run(&change, id, apply_extend, ret);
}

static void apply_rates(struct db_txn *txn, struct session *session, struct change *change)
{
	char detail[128];

	if (!require_live(txn, session, change))
		return;
	if (change->first > SESSION_RATE_MAX_KBPS || change->second > SESSION_RATE_MAX_KBPS) {
		refuse(txn, change, -EINVAL, "rate_kbps", "a rate is 0 to 400000000 kbit/s");
		return;
	}
	session->rate_out_kbps = (uint32_t)change->first;
	session->rate_in_kbps = (uint32_t)change->second;
	snprintf(
		detail,
		sizeof(detail),
		"out %u, in %u kbit/s",
		session->rate_out_kbps,
		session->rate_in_kbps
	);
	save_and_audit(txn, session, change, detail);
}

int session_set_rates(
	struct session_book *book,
	uint64_t id,
	uint32_t rate_out_kbps,
	uint32_t rate_in_kbps,
	struct session *ret,
	struct session_error *err
)
{
	const struct change change = {
		.what = "set rates",
		.first = rate_out_kbps,
		.second = rate_in_kbps,
		.book = book,
		.err = err,
	};

	return run(&change, id, apply_rates, ret);
}

static void apply_transition(struct db_txn *txn, struct session *session, struct change *change)
{
	enum session_state to = (enum session_state)change->first;
	bool was_void = session->state == SESSION_VOID;

	if (was_void && to == session->former)
		session_revive_in(change->book, txn, session, change->text);
	else
		session_store_transition(txn, session, to, change->now_ns, change->text);
}

int session_transition(
	struct session_book *book,
	uint64_t id,
	enum session_state to,
	const char *reason,
	struct session *ret,
	struct session_error *err
)
{
	const struct change change = {
		.what = "transition",
		.first = (uint64_t)to,
		.text = reason,
		.book = book,
		.err = err,
	};

	return run(&change, id, apply_transition, ret);
}

int session_suspend(
	struct session_book *book, uint64_t id, struct session *ret, struct session_error *err
)
{
	return session_transition(book, id, SESSION_SUSPENDED, "operator", ret, err);
}

// Back to what it was: a session that never connected goes on being provisioned.
static void apply_resume(struct db_txn *txn, struct session *session, struct change *change)
{
	enum session_state to = SESSION_ACTIVE;

	if (session->state == SESSION_SUSPENDED && session->former == SESSION_PROVISIONED)
		to = SESSION_PROVISIONED;
	if (session->state != SESSION_SUSPENDED) {
		db_txn_fail(
			txn,
			-EPERM,
			"session %s is %s and cannot become %s: only a suspended one is resumed",
			session->name,
			session_state_name(session->state),
			session_state_name(to)
		);
		return;
	}
	session_store_transition(txn, session, to, change->now_ns, change->text);
}

int session_resume(
	struct session_book *book, uint64_t id, struct session *ret, struct session_error *err
)
{
	const struct change change = {
		.what = "resume",
		.text = "operator",
		.book = book,
		.err = err,
	};

	return run(&change, id, apply_resume, ret);
}

static void apply_remove(struct db_txn *txn, struct session *session, struct change *change)
{
	// A pending one holds nothing in the data plane: its usage is final, and zero.
	enum session_state to =
		session->state == SESSION_PENDING ? SESSION_SETTLING : SESSION_DRAINING;

	session_store_transition(txn, session, to, change->now_ns, change->text);
}

int session_remove(
	struct session_book *book, uint64_t id, struct session *ret, struct session_error *err
)
{
	const struct change change = {
		.what = "remove",
		.text = "operator",
		.book = book,
		.err = err,
	};
	struct session_error ignored;
	int rc = run(&change, id, apply_remove, ret);

	// The session has ended either way; a file that resists is swept at the next start.
	if (rc == 0 && session_forget_key(book, id, ret, &ignored) != 0)
		log_warn("session", "session %" PRIu64 ": %s", id, ignored.text);
	return rc;
}

static void apply_review(struct db_txn *txn, struct session *session, struct change *change)
{
	session_store_set_review(
		txn,
		session,
		(enum session_review)change->first,
		change->second != 0,
		change->now_ns,
		change->text
	);
}

int session_set_review(
	struct session_book *book,
	uint64_t id,
	enum session_review review,
	bool is_set,
	const char *detail,
	struct session_error *err
)
{
	const struct change change = {
		.what = "review",
		.first = review,
		.second = is_set,
		.text = detail,
		.book = book,
		.err = err,
	};

	return run(&change, id, apply_review, NULL);
}

static void apply_forget(struct db_txn *txn, struct session *session, struct change *change)
{
	if (!session->is_private_key_kept)
		return;
	session->is_private_key_kept = false;
	save_and_audit(txn, session, change, "private key deleted");
}

// The file goes first: a record that says "forgotten" beside a file would be a lie.
int session_forget_key(
	struct session_book *book, uint64_t id, struct session *ret, struct session_error *err
)
{
	const struct change change = {.what = "forget key", .book = book, .err = err};
	struct session session;
	int rc = session_get(book, id, &session, err);

	if (rc != 0)
		return rc;
	if (session.is_private_key_kept) {
		rc = session_key_forget(book->conf.config->node.state_dir, session.public_key);
		if (rc != 0)
			return session_book_fail(
				err,
				rc,
				"private_key",
				"session %s: its private key file cannot be deleted: %s",
				session.name,
				strerror(-rc)
			);
	}
	return run(&change, id, apply_forget, ret);
}
