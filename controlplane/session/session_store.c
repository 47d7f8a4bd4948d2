// SPDX-License-Identifier: Apache-2.0
//
// Sessions in the tables SESSIONS, SESSION_NAMES, SESSION_PUBLIC_KEYS, SESSION_IDENTITIES, and the
// AUDIT log. An index points to the last session that took the entry; an entry may be taken over when
// that one is no longer live. Loop's thread.
#include "controlplane/session/session_store.h"

#include "common/cursor.h"
#include "controlplane/session/session_record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool session_store_load(struct db_txn *txn, uint64_t id, struct session *ret)
{
	const struct db_key key = db_key_u64(id);
	struct db_value value;

	if (!db_get(txn, DB_SESSIONS, &key, &value))
		return false;
	if (session_record_decode(ret, value.data, value.len) != 0 || ret->id != id) {
		db_txn_fail(
			txn,
			-EBADMSG,
			"session %" PRIu64 ": its record in the store cannot be read",
			id
		);
		return false;
	}
	return true;
}

static bool find(
	struct db_txn *txn, enum db_table table, const struct db_key *key, struct session *ret
)
{
	uint64_t id;

	return db_get_u64(txn, table, key, &id) && session_store_load(txn, id, ret);
}

bool session_store_find_name(struct db_txn *txn, const char *name, struct session *ret)
{
	const struct db_key key = db_key_text(name);

	return find(txn, DB_SESSION_NAMES, &key, ret);
}

bool session_store_find_public_key(
	struct db_txn *txn, const uint8_t public_key[32], struct session *ret
)
{
	const struct db_key key = db_key_bytes(public_key, 32);

	return find(txn, DB_SESSION_PUBLIC_KEYS, &key, ret);
}

bool session_store_find_identity(
	struct db_txn *txn, const struct session_identity *identity, struct session *ret
)
{
	const struct db_key key = session_record_identity_dbkey(identity);

	return find(txn, DB_SESSION_IDENTITIES, &key, ret);
}

// Points an index entry to a live session, unless another live one has it.
static void claim(
	struct db_txn *txn,
	enum db_table table,
	const struct db_key *key,
	const struct session *session,
	const char *what
)
{
	struct session holder;

	if (find(txn, table, key, &holder) && holder.id != session->id &&
	    session_state_is_live(holder.state)) {
		db_txn_fail(
			txn,
			-EEXIST,
			"%s is in use by session %s (%s)",
			what,
			holder.name,
			session_state_name(holder.state)
		);
		return;
	}
	db_put_u64(txn, table, key, session->id);
}

void session_store_release_public_key(struct db_txn *txn, const struct session *session)
{
	const struct db_key key = db_key_bytes(session->public_key, 32);
	uint64_t holder;

	if (session->has_public_key && db_get_u64(txn, DB_SESSION_PUBLIC_KEYS, &key, &holder) &&
	    holder == session->id)
		db_delete(txn, DB_SESSION_PUBLIC_KEYS, &key);
}

void session_store_save(struct db_txn *txn, const struct session *session)
{
	const struct db_key key = db_key_u64(session->id);
	const struct db_key identity = session_record_identity_dbkey(&session->identity);
	uint8_t record[SESSION_RECORD_CAP];
	uint64_t holder;

	if (db_get_u64(txn, DB_SESSION_IDENTITIES, &identity, &holder) && holder != session->id)
		db_txn_fail(txn, -EEXIST, "this identity has a session already");
	db_put_u64(txn, DB_SESSION_IDENTITIES, &identity, session->id);
	if (session_state_is_live(session->state)) {
		const struct db_key name = db_key_text(session->name);
		claim(txn, DB_SESSION_NAMES, &name, session, "the name");
		if (session->has_public_key) {
			const struct db_key public_key = db_key_bytes(session->public_key, 32);
			claim(txn, DB_SESSION_PUBLIC_KEYS, &public_key, session, "the public key");
		}
	}
	db_put(txn, DB_SESSIONS, &key, record, session_record_encode(record, session));
}

void session_store_transition(
	struct db_txn *txn,
	struct session *session,
	enum session_state to,
	uint64_t now_unix_ns,
	const char *reason
)
{
	char what[48];

	if (!session_state_check_transition(session->state, to, session->former)) {
		db_txn_fail(
			txn,
			-EPERM,
			"session %s is %s and cannot become %s",
			session->name,
			session_state_name(session->state),
			session_state_name(to)
		);
		return;
	}
	snprintf(
		what,
		sizeof(what),
		"%s -> %s",
		session_state_name(session->state),
		session_state_name(to)
	);
	session->former = session->state;
	session->state = to;
	session->changed_unix_sec = now_unix_ns / NS_PER_SEC;
	session_store_save(txn, session);
	session_store_audit(txn, now_unix_ns, session->id, what, reason);
}

bool session_store_set_review(
	struct db_txn *txn,
	struct session *session,
	enum session_review review,
	bool is_set,
	uint64_t now_unix_ns,
	const char *detail
)
{
	uint32_t bit = 1u << review;
	char what[48];

	if (((session->reviews & bit) != 0) == is_set)
		return false;
	session->reviews ^= bit;
	snprintf(
		what,
		sizeof(what),
		"review %s: %s",
		is_set ? "needed" : "resolved",
		session_state_review_name(review)
	);
	session_store_save(txn, session);
	session_store_audit(txn, now_unix_ns, session->id, what, detail);
	return txn->error == 0;
}

static void put_text(struct cursor_out *out, const char *text, size_t cap)
{
	size_t len = strnlen(text, cap - 1);

	cursor_out_be16(out, (uint16_t)len);
	cursor_out_bytes(out, text, len);
}

void session_store_audit(
	struct db_txn *txn,
	uint64_t now_unix_ns,
	uint64_t session_id,
	const char *what,
	const char *detail
)
{
	uint8_t record[512];
	struct cursor_out out;
	uint64_t sequence = db_sequence_next(txn, "audit");
	const struct db_key key = db_key_u64(sequence);

	cursor_out_init(&out, record, sizeof(record));
	cursor_out_be64(&out, now_unix_ns);
	cursor_out_be64(&out, session_id);
	put_text(&out, what, sizeof(((struct session_audit_entry *)0)->what));
	put_text(&out, detail != NULL ? detail : "", SESSION_AUDIT_TEXT_CAP);
	db_insert(txn, DB_AUDIT, &key, record, out.pos);
}

static void take_text(struct cursor *cur, char *dst, size_t cap)
{
	uint16_t len = cursor_be16(cur);

	if (len >= cap) {
		cursor_fail(cur);
		return;
	}
	cursor_bytes(cur, dst, len);
	dst[len] = '\0';
}

int session_store_decode_audit(
	struct session_audit_entry *ret, uint64_t sequence, const struct db_value *value
)
{
	struct session_audit_entry entry = {.sequence = sequence};
	struct cursor cur;

	cursor_init(&cur, value->data, value->len);
	entry.time_unix_ns = cursor_be64(&cur);
	entry.session_id = cursor_be64(&cur);
	take_text(&cur, entry.what, sizeof(entry.what));
	take_text(&cur, entry.detail, sizeof(entry.detail));
	if (!cursor_is_done(&cur))
		return -EBADMSG;
	*ret = entry;
	return 0;
}
