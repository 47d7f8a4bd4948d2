// SPDX-License-Identifier: Apache-2.0
//
// Sessions inside of a store transaction: load, save with all indices, transitions and audit. Failures
// are the transaction's (db.h): these functions say nothing themselves. Whoever commits tells the
// data plane afterwards.
#pragma once

#include "controlplane/session/session.h"

// Returns: true with the session; false when there is none or the transaction has failed.
bool session_store_load(struct db_txn *txn, uint64_t id, struct session *ret);

// The session that has this name, public key or identity, live or the last one that had it.
bool session_store_find_name(struct db_txn *txn, const char *name, struct session *ret);
bool session_store_find_public_key(
	struct db_txn *txn, const uint8_t public_key[32], struct session *ret
);
bool session_store_find_identity(
	struct db_txn *txn, const struct session_identity *identity, struct session *ret
);

// Before the session takes another public key: the one that it has is anybody's again.
void session_store_release_public_key(struct db_txn *txn, const struct session *session);

// Writes the session and its indices. A live session whose name or public key belongs to another live
// one fails the transaction with -EEXIST (the sentence names that one).
void session_store_save(struct db_txn *txn, const struct session *session);

// Changes state and saves; -EPERM, naming both states, when the table does not allow it.
void session_store_transition(
	struct db_txn *txn,
	struct session *session,
	enum session_state to,
	uint64_t now_unix_ns,
	const char *reason
);

// Returns: true when the flag changed (and was saved with an audit record).
bool session_store_set_review(
	struct db_txn *txn,
	struct session *session,
	enum session_review review,
	bool is_set,
	uint64_t now_unix_ns,
	const char *detail
);

#define SESSION_AUDIT_TEXT_CAP 256

// One line of the audit log. what: "add", "top-up", "active -> suspended", … .
void session_store_audit(
	struct db_txn *txn,
	uint64_t now_unix_ns,
	uint64_t session_id,
	const char *what,
	const char *detail
);

struct session_audit_entry {
	uint64_t sequence;
	uint64_t time_unix_ns;
	uint64_t session_id; // 0: none
	char what[48];
	char detail[SESSION_AUDIT_TEXT_CAP];
};

// Returns: 0; -EBADMSG.
int session_store_decode_audit(
	struct session_audit_entry *ret, uint64_t sequence, const struct db_value *value
) __attribute__((warn_unused_result));
