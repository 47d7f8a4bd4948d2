// SPDX-License-Identifier: Apache-2.0
//
// Between session.c, session_add.c, session_peer.c and session_revive.c: the book itself and how they end
// an operation. Nobody else includes it.
#pragma once

#include "controlplane/session/session.h"
#include "controlplane/session/session_allot.h"

struct session_book {
	struct session_book_conf conf;
	struct session_allot allot;
};

// Returns: code.
int session_book_fail(
	struct session_error *err, int code, const char *field, const char *format, ...
) __attribute__((format(printf, 4, 5)));

// Commits; a failure goes into err, unless a check has put a better sentence there.
int session_book_commit(struct db_txn *txn, struct session_error *err);

int session_book_check_key(const uint8_t public_key[32], struct session_error *err);

// Calls it s and its id, with a number behind it where a live session is called so.
void session_book_choose_name(struct db_txn *txn, struct session *session);

// In the transaction: the first public key, a slot and an inner address.
void session_book_provision(
	struct session_book *book,
	struct db_txn *txn,
	struct session *session,
	const uint8_t public_key[32],
	uint64_t now_unix_ns
);

void session_book_tell(struct session_book *book, const struct session *session);
