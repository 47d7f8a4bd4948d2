// SPDX-License-Identifier: Apache-2.0
//
// Between session.c, session_add.c and session_peer.c: the book itself and how both end an operation. Nobody else
// includes it.
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

// In the transaction: the first public key, a slot and an inner address.
void session_book_provision(
	struct session_book *book,
	struct db_txn *txn,
	struct session *session,
	const uint8_t public_key[32],
	uint64_t now_unix_ns
);

void session_book_tell(struct session_book *book, const struct session *session);
