// SPDX-License-Identifier: Apache-2.0
//
// Slots and inner addresses: who has which, and since when one may be given again. Both in the
// store's transaction, so that a (slot, generation) is on disk before any command names it. A slot's
// generation rises with each allotment and is never used twice; an address rests
// sessions.address_quarantine_sec, so that late packets of its last user reach nobody.
#pragma once

#include "controlplane/session/session.h"

// Where to look first; a hint, not a promise. Plain memory.
struct session_allot {
	uint32_t slot_hint;
	uint32_t host_hint;
};

// Gives the session a slot, the next generation and an inner address (the one it had, if that is still
// its own). Fails the transaction with -EUSERS when there is none.
void session_allot_take(
	struct session_allot *allot,
	struct db_txn *txn,
	const struct config *config,
	uint64_t now_unix_sec,
	struct session *session
);

// Likewise. Returns: false, and the session as it was, when there is none.
bool session_allot_try(
	struct session_allot *allot,
	struct db_txn *txn,
	const struct config *config,
	uint64_t now_unix_sec,
	struct session *session
);

// Gives the session the next generation of the slot that it keeps, above `seen` too: a data plane has had
// a session there under that one. Fails the transaction with -EUSERS when the generations are used up.
void session_allot_renew(struct db_txn *txn, uint32_t seen, struct session *session);

// Gives both back. A session without a slot is a no-op.
void session_allot_release(
	struct db_txn *txn,
	const struct config *config,
	uint64_t now_unix_sec,
	struct session *session
);
