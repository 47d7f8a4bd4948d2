// SPDX-License-Identifier: Apache-2.0
//
// Challenges that a sign-in must carry: made by this process, good for five minutes, taken once. None
// is held until it is taken, so that asking for them fills nothing: a challenge says when it was made
// and carries a keyed hash. Loop's thread.
#pragma once

#include "common/clock.h"

#include <stdbool.h>
#include <stdint.h>

#define API_CHALLENGE_TEXT_CAP 49 // 24 bytes in hex
#define API_CHALLENGE_LIFE_SEC 300
#define API_CHALLENGE_MAX 65536 // taken within one life

struct api_challenge_book;

// Returns: 0; -ENOMEM; -EIO without randomness.
int api_challenge_book_create(struct api_challenge_book **ret, const struct clock *clock);
void api_challenge_book_destroy(struct api_challenge_book *book);

// Returns: 0; -EIO without randomness.
int api_challenge_issue(struct api_challenge_book *book, char text[API_CHALLENGE_TEXT_CAP]);

// Returns: 0, and never again 0 for this one; -EBADMSG when it is not ours; -ETIME when it is too old;
//          -EALREADY when it was taken; -EAGAIN when too many were taken in five minutes.
int api_challenge_take(struct api_challenge_book *book, const char *text)
	__attribute__((warn_unused_result));

// Whether it could be taken now, as api_challenge_take() would say, without taking it.
int api_challenge_look(const struct api_challenge_book *book, const char *text)
	__attribute__((warn_unused_result));
