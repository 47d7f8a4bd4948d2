// SPDX-License-Identifier: Apache-2.0
//
// See api_challenge.h. Keccak is a sponge: a hash over secret ‖ message is a keyed hash (the Keccak
// submission, section "Keccak as a MAC").
#include "api_challenge.h"

#include "controlplane/chain/evm/evm_hex.h"
#include "controlplane/chain/evm/evm_keccak.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define MAC_BYTES 12
#define HEAD_BYTES 12 // when it was made, and random bytes

struct challenge {
	uint32_t made_sec; // since the book was made
	uint8_t random[HEAD_BYTES - sizeof(uint32_t)];
	uint8_t mac[MAC_BYTES];
};

struct taken {
	uint32_t at_sec;
	uint8_t mac[MAC_BYTES];
};

struct api_challenge_book {
	const struct clock *clock;
	uint64_t start_ns;
	uint8_t secret[32];
	uint32_t n_taken; // in the ring; the newest stands before next
	uint32_t next;
	struct taken ring[API_CHALLENGE_MAX];
};

int api_challenge_book_create(struct api_challenge_book **ret, const struct clock *clock)
{
	struct api_challenge_book *book = calloc(1, sizeof(*book));

	if (book == NULL)
		return -ENOMEM;
	book->clock = clock;
	book->start_ns = clock_mono_ns(clock);
	if (getrandom(book->secret, sizeof(book->secret), 0) != sizeof(book->secret)) {
		free(book);
		return -EIO;
	}
	*ret = book;
	return 0;
}

void api_challenge_book_destroy(struct api_challenge_book *book)
{
	if (book != NULL)
		explicit_bzero(book->secret, sizeof(book->secret));
	free(book);
}

static uint32_t now_sec(const struct api_challenge_book *book)
{
	return (uint32_t)((clock_mono_ns(book->clock) - book->start_ns) / NS_PER_SEC);
}

static void make_mac(
	const struct api_challenge_book *book,
	const struct challenge *challenge,
	uint8_t mac[MAC_BYTES]
)
{
	struct evm_keccak keccak;
	uint8_t digest[EVM_KECCAK_SIZE];

	evm_keccak_init(&keccak);
	evm_keccak_update(&keccak, book->secret, sizeof(book->secret));
	evm_keccak_update(&keccak, challenge, HEAD_BYTES);
	evm_keccak_final(&keccak, digest);
	memcpy(mac, digest, MAC_BYTES);
}

int api_challenge_issue(struct api_challenge_book *book, char text[API_CHALLENGE_TEXT_CAP])
{
	struct challenge challenge = {.made_sec = now_sec(book)};
	char hex[EVM_HEX_SIZE(sizeof(challenge))];

	if (getrandom(challenge.random, sizeof(challenge.random), 0) != sizeof(challenge.random))
		return -EIO;
	make_mac(book, &challenge, challenge.mac);
	evm_hex_format((const uint8_t *)&challenge, sizeof(challenge), hex);
	memcpy(text, hex + 2, API_CHALLENGE_TEXT_CAP); // without 0x: letters and digits only
	return 0;
}

// In constant time: who asks chooses the bytes.
static bool is_equal(const uint8_t *a, const uint8_t *b)
{
	unsigned difference = 0;

	for (int i = 0; i < MAC_BYTES; i++)
		difference |= a[i] ^ b[i];
	return difference == 0;
}

static int look(
	const struct api_challenge_book *book, const char *text, struct challenge *challenge
)
{
	uint8_t mac[MAC_BYTES];
	uint32_t now = now_sec(book);

	// One spelling only: upper case would be another text for the same challenge.
	if (strlen(text) != API_CHALLENGE_TEXT_CAP - 1 ||
	    strspn(text, "0123456789abcdef") != API_CHALLENGE_TEXT_CAP - 1 ||
	    evm_hex_parse_digits(text, (uint8_t *)challenge, sizeof(*challenge)) < 0)
		return -EBADMSG;
	make_mac(book, challenge, mac);
	if (!is_equal(mac, challenge->mac))
		return -EBADMSG;
	if (now - challenge->made_sec >= API_CHALLENGE_LIFE_SEC)
		return -ETIME;
	// From the newest back, as far as one that can still be valid was taken.
	for (uint32_t i = 1; i <= book->n_taken; i++) {
		const struct taken *taken =
			&book->ring[(book->next + API_CHALLENGE_MAX - i) % API_CHALLENGE_MAX];

		if (now - taken->at_sec > API_CHALLENGE_LIFE_SEC)
			return 0;
		if (is_equal(taken->mac, challenge->mac))
			return -EALREADY;
	}
	return book->n_taken == API_CHALLENGE_MAX ? -EAGAIN : 0;
}

int api_challenge_look(const struct api_challenge_book *book, const char *text)
{
	struct challenge challenge;

	return look(book, text, &challenge);
}

int api_challenge_take(struct api_challenge_book *book, const char *text)
{
	struct challenge challenge;
	struct taken *taken = &book->ring[book->next];
	int r = look(book, text, &challenge);

	if (r < 0)
		return r;
	taken->at_sec = now_sec(book);
	memcpy(taken->mac, challenge.mac, MAC_BYTES);
	book->next = (book->next + 1) % API_CHALLENGE_MAX;
	if (book->n_taken < API_CHALLENGE_MAX)
		book->n_taken++;
	return 0;
}
