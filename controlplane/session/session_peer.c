// SPDX-License-Identifier: Apache-2.0
//
// The public key of a session after its creation: the first one, and each that replaces it. A private
// half that the node makes is on disk before the session says so, and one that no session uses any
// more is deleted after. Loop's thread.
#include "common/log.h"
#include "controlplane/session/session_book.h"
#include "controlplane/session/session_key.h"
#include "controlplane/session/session_store.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

int session_provision(
	struct session_book *book,
	uint64_t id,
	const uint8_t public_key[32],
	struct session *ret,
	struct session_error *err
)
{
	struct session session;
	struct db_txn txn;

	*err = (struct session_error){0};
	int rc = session_book_check_key(public_key, err);
	if (rc != 0)
		return rc;
	db_txn_begin_write(&txn, book->conf.db);
	if (!session_store_load(&txn, id, &session))
		db_txn_fail(&txn, -ENOENT, "no session %" PRIu64, id);
	else if (session.state != SESSION_PENDING)
		db_txn_fail(
			&txn,
			-EPERM,
			"session %s is %s and cannot become provisioned",
			session.name,
			session_state_name(session.state)
		);
	else
		session_book_provision(
			book, &txn, &session, public_key, clock_unix_ns(book->conf.clock)
		);
	rc = session_book_commit(&txn, err);
	if (rc != 0)
		return rc;
	session_book_tell(book, &session);
	if (ret != NULL)
		*ret = session;
	return 0;
}

// Returns: 0 to go on; 1 when this choice is in force already; -EALREADY.
static int check_time(
	const struct session *session,
	const struct session_peer *peer,
	uint64_t now_sec,
	uint64_t *ret_chosen_sec
)
{
	uint64_t newest = session->peer_unix_sec, chosen = peer->chosen_unix_sec;

	if (peer->public_key == NULL) {
		*ret_chosen_sec = now_sec > newest ? now_sec : newest;
		return 0;
	}
	if (chosen == newest && session->has_public_key &&
	    memcmp(session->public_key, peer->public_key, 32) == 0)
		return 1;
	*ret_chosen_sec = chosen;
	return chosen > newest ? 0 : -EALREADY;
}

static bool keep_pace(struct db_txn *txn, struct session *session, uint64_t now_sec)
{
	const uint64_t ahead_max_sec = SESSION_PEER_BURST * SESSION_PEER_INTERVAL_SEC;
	uint64_t from_sec = session->peer_paced_unix_sec;

	// Further ahead it never was: the clock was set back.
	if (from_sec < now_sec || from_sec - now_sec > ahead_max_sec)
		from_sec = now_sec;
	if (from_sec - now_sec > ahead_max_sec - SESSION_PEER_INTERVAL_SEC) {
		db_txn_fail(
			txn,
			-EBUSY,
			"session %s has had %d public keys in a short time; wait %d s",
			session->name,
			SESSION_PEER_BURST,
			SESSION_PEER_INTERVAL_SEC
		);
		return false;
	}
	session->peer_paced_unix_sec = from_sec + SESSION_PEER_INTERVAL_SEC;
	return true;
}

// The key of a session that is served.
static void replace(
	struct db_txn *txn, struct session *session, const uint8_t public_key[32], uint64_t now_ns
)
{
	if (memcmp(session->public_key, public_key, 32) == 0) {
		session_store_save(txn, session); // a newer choice of the same key
		return;
	}
	if (!keep_pace(txn, session, now_ns / NS_PER_SEC))
		return;
	session_store_release_public_key(txn, session);
	memcpy(session->public_key, public_key, 32);
	session->is_key_replaced = session->has_slot;
	session_store_save(txn, session);
	session_store_audit(txn, now_ns, session->id, "public key replaced", "by the buyer");
}

static void apply(
	struct session_book *book,
	struct db_txn *txn,
	struct session *session,
	const uint8_t public_key[32],
	bool is_generated
)
{
	uint64_t now_ns = clock_unix_ns(book->conf.clock);
	bool is_same = session->has_public_key && memcmp(session->public_key, public_key, 32) == 0;

	session->is_private_key_kept = is_generated || (is_same && session->is_private_key_kept);
	switch (session->state) {
	case SESSION_PENDING:
		session_book_provision(book, txn, session, public_key, now_ns);
		return;
	case SESSION_PROVISIONED:
	case SESSION_ACTIVE:
	case SESSION_SUSPENDED:
		replace(txn, session, public_key, now_ns);
		return;
	case SESSION_DRAINING:
	case SESSION_SETTLING:
	case SESSION_SETTLED:
	case SESSION_REFUNDED:
	case SESSION_DISPUTED:
	case SESSION_VOID:
	case SESSION_N_STATE:
		break;
	}
	db_txn_fail(
		txn,
		-EPERM,
		"session %s is %s: it takes no public key any more",
		session->name,
		session_state_name(session->state)
	);
}

// Out: ret, and in before what it was.
static int commit(
	struct session_book *book,
	uint64_t id,
	const struct session_peer *peer,
	const uint8_t public_key[32],
	struct session *before,
	struct session *ret,
	struct session_error *err
)
{
	struct db_txn txn;
	int order = 0;

	db_txn_begin_write(&txn, book->conf.db);
	if (!session_store_load(&txn, id, before)) {
		db_txn_fail(&txn, -ENOENT, "no session %" PRIu64, id);
		return session_book_commit(&txn, err);
	}
	*ret = *before;
	order = check_time(
		before, peer, clock_unix_ns(book->conf.clock) / NS_PER_SEC, &ret->peer_unix_sec
	);
	if (order == 1) {
		db_txn_abort(&txn);
		return 0;
	}
	if (order < 0)
		db_txn_fail(
			&txn, order, "session %s has a newer choice of a public key", before->name
		);
	else
		apply(book, &txn, ret, public_key, peer->public_key == NULL);
	int rc = session_book_commit(&txn, err);
	if (rc == 0)
		session_book_tell(book, ret);
	return rc;
}

// Of a key that no session has now. What resists is swept at the next start.
static void forget(const struct session_book *book, const uint8_t public_key[32])
{
	int rc = session_key_forget(book->conf.config->node.state_dir, public_key);

	if (rc != 0)
		log_warn("session", "a private key file cannot be deleted: %s", strerror(-rc));
}

int session_set_peer(
	struct session_book *book,
	uint64_t id,
	const struct session_peer *peer,
	struct session *ret,
	struct session_error *err
)
{
	struct session before = {0}, after;
	char text[sizeof(err->text)];
	uint8_t public_key[32];
	int rc;

	*err = (struct session_error){0};
	if (peer->public_key == NULL) {
		rc = session_key_generate(
			book->conf.config->node.state_dir, public_key, text, sizeof(text)
		);
		if (rc != 0)
			return session_book_fail(err, rc, "node.state_dir", "%s", text);
	} else {
		memcpy(public_key, peer->public_key, 32);
		rc = session_book_check_key(public_key, err);
		if (rc != 0)
			return rc;
	}
	rc = commit(book, id, peer, public_key, &before, &after, err);
	if (rc != 0) {
		if (peer->public_key == NULL)
			forget(book, public_key);
		return rc;
	}
	if (before.is_private_key_kept && memcmp(before.public_key, after.public_key, 32) != 0)
		forget(book, before.public_key);
	*ret = after;
	return 0;
}

int session_read_private_key(
	struct session_book *book,
	uint64_t id,
	char ret[SESSION_KEY_TEXT_CAP],
	struct session_error *err
)
{
	struct session session;
	int rc = session_get(book, id, &session, err);

	if (rc != 0)
		return rc;
	if (!session.is_private_key_kept)
		return session_book_fail(
			err,
			-ENOENT,
			"private_key",
			"session %s: its private key is not (or no longer) on this node",
			session.name
		);
	rc = session_key_read(
		book->conf.config->node.state_dir,
		session.public_key,
		ret,
		err->text,
		sizeof(err->text)
	);
	err->code = rc;
	return rc;
}
