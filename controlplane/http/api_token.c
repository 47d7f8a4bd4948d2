// SPDX-License-Identifier: Apache-2.0
//
// See api_token.h. A token has 256 random bits, so a plain hash of it can be compared as it is: who
// learns how many of the hash's bytes were right learns nothing about another token.
#include "api_token.h"

#include "controlplane/chain/evm/evm_hex.h"
#include "controlplane/chain/evm/evm_keccak.h"
#include "controlplane/chain/secret_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define ADMIN_MIN 16
#define ADMIN_MAX 256

struct token {
	uint8_t hash[EVM_KECCAK_SIZE];
	uint8_t buyer[HTTP_BUYER_BYTES];
	uint64_t buyer_chain;
	bool has_bought;
	uint64_t issued_mono_ns; // 0: free
};

struct api_token_book {
	const struct clock *clock;
	bool has_admin;
	uint8_t admin_hash[EVM_KECCAK_SIZE];
	struct token tokens[API_TOKEN_MAX];
};

static int check_admin(const char *text, size_t len)
{
	if (len < ADMIN_MIN || len > ADMIN_MAX)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (text[i] <= ' ' || text[i] > '~')
			return -EINVAL;
	}
	return 0;
}

static int read_admin(struct api_token_book *book, const char *path, char *err, size_t err_len)
{
	struct secret_file_why why;
	char text[ADMIN_MAX + 8];
	size_t len;
	int r = secret_file_read(path, text, sizeof(text), &len, &why);

	if (r == -ENOENT)
		return 0;
	if (r < 0) {
		snprintf(err, err_len, "%s", why.text);
		return r;
	}
	secret_file_trim(text, &len);
	r = check_admin(text, len);
	if (r == 0) {
		evm_keccak_256(text, len, book->admin_hash);
		book->has_admin = true;
	} else {
		snprintf(
			err,
			err_len,
			"%s: %d to %d printable characters without spaces are expected",
			path,
			ADMIN_MIN,
			ADMIN_MAX
		);
	}
	explicit_bzero(text, sizeof(text));
	return r;
}

int api_token_book_create(
	struct api_token_book **ret,
	const char *admin_file,
	const struct clock *clock,
	char *err,
	size_t err_len
)
{
	struct api_token_book *book = calloc(1, sizeof(*book));
	int r;

	if (book == NULL) {
		snprintf(err, err_len, "out of memory");
		return -ENOMEM;
	}
	book->clock = clock;
	r = read_admin(book, admin_file, err, err_len);
	if (r < 0) {
		free(book);
		return r;
	}
	*ret = book;
	return 0;
}

void api_token_book_destroy(struct api_token_book *book)
{
	free(book);
}

static bool is_valid(const struct token *token, uint64_t now_ns)
{
	return token->issued_mono_ns != 0 &&
		now_ns - token->issued_mono_ns < API_TOKEN_LIFE_SEC * NS_PER_SEC;
}

static bool is_older(const struct token *token, const struct token *than)
{
	return than == NULL || token->issued_mono_ns < than->issued_mono_ns;
}

// Returns: the buyer's oldest when the buyer has enough, else a place whose token has ended, or that of
// who gives way, or NULL.
static struct token *find_place(
	struct api_token_book *book,
	const uint8_t buyer[HTTP_BUYER_BYTES],
	bool has_bought,
	uint64_t now_ns
)
{
	struct token *free_place = NULL, *oldest = NULL, *stranger = NULL;
	unsigned n = 0;

	for (unsigned i = 0; i < API_TOKEN_MAX; i++) {
		struct token *token = &book->tokens[i];

		if (!is_valid(token, now_ns)) {
			free_place = token;
		} else if (memcmp(token->buyer, buyer, HTTP_BUYER_BYTES) == 0) {
			n++;
			if (is_older(token, oldest))
				oldest = token;
		} else if (!token->has_bought && is_older(token, stranger)) {
			stranger = token;
		}
	}
	if (n < API_TOKEN_MAX_PER_BUYER && free_place != NULL)
		return free_place;
	if (oldest != NULL)
		return oldest;
	return has_bought ? stranger : NULL;
}

int api_token_issue(
	struct api_token_book *book,
	const uint8_t buyer[HTTP_BUYER_BYTES],
	uint64_t chain_id,
	bool has_bought,
	char token[API_TOKEN_TEXT_CAP],
	uint64_t *ret_expires_unix_sec
)
{
	uint64_t now_ns = clock_mono_ns(book->clock);
	struct token *place = find_place(book, buyer, has_bought, now_ns);
	char text[EVM_HEX_SIZE(32)];
	uint8_t secret[32];

	if (place == NULL)
		return -EAGAIN;
	if (getrandom(secret, sizeof(secret), 0) != sizeof(secret))
		return -EIO;
	evm_hex_format(secret, sizeof(secret), text);
	memcpy(token, text + 2, API_TOKEN_TEXT_CAP); // without 0x
	evm_keccak_256(token, API_TOKEN_TEXT_CAP - 1, place->hash);
	memcpy(place->buyer, buyer, HTTP_BUYER_BYTES);
	place->buyer_chain = chain_id;
	place->has_bought = has_bought;
	place->issued_mono_ns = now_ns > 0 ? now_ns : 1;
	*ret_expires_unix_sec = clock_unix_ns(book->clock) / NS_PER_SEC + API_TOKEN_LIFE_SEC;
	explicit_bzero(secret, sizeof(secret));
	explicit_bzero(text, sizeof(text));
	return 0;
}

int api_token_authenticate(void *ctx, const char *token, struct http_caller *ret)
{
	struct api_token_book *book = ctx;
	uint64_t now_ns = clock_mono_ns(book->clock);
	uint8_t hash[EVM_KECCAK_SIZE];

	evm_keccak_256(token, strlen(token), hash);
	if (book->has_admin && memcmp(hash, book->admin_hash, sizeof(hash)) == 0) {
		*ret = (struct http_caller){.role = HTTP_ROLE_OPERATOR};
		return 0;
	}
	for (unsigned i = 0; i < API_TOKEN_MAX; i++) {
		const struct token *row = &book->tokens[i];

		if (memcmp(hash, row->hash, sizeof(hash)) != 0 || !is_valid(row, now_ns))
			continue;
		ret->role = HTTP_ROLE_BUYER;
		memcpy(ret->buyer, row->buyer, HTTP_BUYER_BYTES);
		ret->buyer_chain = row->buyer_chain;
		ret->expires_mono_ns = row->issued_mono_ns + API_TOKEN_LIFE_SEC * NS_PER_SEC;
		return 0;
	}
	return -EACCES;
}
