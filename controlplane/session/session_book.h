// SPDX-License-Identifier: Apache-2.0
//
// Between session.c and session_add.c: the book itself and how both end an operation. Nobody else
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

void session_book_tell(struct session_book *book, const struct session *session);
