// SPDX-License-Identifier: Apache-2.0
//
// Bearer tokens: the operator's, from a file, and those that buyers got for an hour. Only hashes are
// held, in memory: a restart makes buyers sign in again. Loop's thread.
#pragma once

#include "common/clock.h"
#include "controlplane/http/http_message.h"

#define API_TOKEN_TEXT_CAP 65 // 32 random bytes in hex
#define API_TOKEN_LIFE_SEC 3600
#define API_TOKEN_MAX 4096 // of all accounts; who bought comes before who did not
#define API_TOKEN_MAX_PER_BUYER 8 // the oldest gives way

struct api_token_book;

// admin_file: of mode 0600, 16 to 256 printable characters and a line end; none there: no operator by
// token.
//
// Returns: 0; -EPERM, -EINVAL, … with a sentence in err.
int api_token_book_create(
	struct api_token_book **ret,
	const char *admin_file,
	const struct clock *clock,
	char *err,
	size_t err_len
);
void api_token_book_destroy(struct api_token_book *book);

// chain_id: the only chain where the address is this buyer's (http_caller.buyer_chain). has_bought: it
// bought here before; accounts cost nothing to make, purchases do. Out: token, which the caller wipes,
// and when it ends.
//
// Returns: 0; -EAGAIN when all places are taken by tokens that still hold; -EIO without randomness.
int api_token_issue(
	struct api_token_book *book,
	const uint8_t buyer[HTTP_BUYER_BYTES],
	uint64_t chain_id,
	bool has_bought,
	char token[API_TOKEN_TEXT_CAP],
	uint64_t *ret_expires_unix_sec
);

// For http_server_authenticate_with(); ctx is the book. Returns: 0 or -EACCES.
int api_token_authenticate(void *ctx, const char *token, struct http_caller *ret);
