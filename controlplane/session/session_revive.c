// SPDX-License-Identifier: Apache-2.0
//
// A void session that is mined again. Its name, its public key and its place in the tunnel may be
// another's by now, and none of that may fail the chain's event: that would hold up all others.
// Loop's thread.
#include "controlplane/session/session_book.h"
#include "controlplane/session/session_store.h"

// Returns: false when its key is another's by now.
static bool keep_names(struct db_txn *txn, struct session *session)
{
	struct session holder;

	if (session_store_find_name(txn, session->name, &holder) && holder.id != session->id &&
	    session_state_is_live(holder.state))
		session_book_choose_name(txn, session);
	if (!session->has_public_key ||
	    !session_store_find_public_key(txn, session->public_key, &holder) ||
	    holder.id == session->id || !session_state_is_live(holder.state))
		return true;
	session->has_public_key = false;
	return false;
}

// Returns: false when its slot was given back and there is none.
static bool keep_place(
	struct session_book *book, struct db_txn *txn, struct session *session, uint64_t now_ns
)
{
	if (!session->has_public_key || session->has_slot || !session_state_is_live(session->state))
		return true;
	if (!session_allot_try(&book->allot, txn, book->conf.config, now_ns / NS_PER_SEC, session))
		return false;
	session_store_save(txn, session);
	return true;
}

void session_revive_in(
	struct session_book *book, struct db_txn *txn, struct session *session, const char *reason
)
{
	uint64_t now_ns = clock_unix_ns(book->conf.clock);
	bool is_whole = keep_names(txn, session);

	session_store_transition(txn, session, session->former, now_ns, reason);
	if (txn->error == 0)
		is_whole = keep_place(book, txn, session, now_ns) && is_whole;
	// Its buyer has back what is left.
	if (!is_whole &&
	    session_state_check_transition(session->state, SESSION_DRAINING, session->former))
		session_store_transition(
			txn,
			session,
			SESSION_DRAINING,
			now_ns,
			"its key or its place in the tunnel is another's by now"
		);
}
