// SPDX-License-Identifier: Apache-2.0
//
// Questions from the loop's thread to the chain thread: read-only calls of a contract whose answer
// comes later, since the loop must never wait for an endpoint. A fixed number of places: what does not
// fit is refused at once, what is not answered in time is answered for with -ETIMEDOUT. Each question
// is answered exactly once, on the loop's thread. Knows neither HTTP nor what the octets mean.
#pragma once

#include "common/clock.h"
#include "controlplane/chain/chain.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHAIN_ASK_MAX 32 // under way
#define CHAIN_ASK_OWN 4 // of them kept for the node's own questions (asker 0)
#define CHAIN_ASK_PER_ASKER 8
#define CHAIN_ASK_CALL_MAX 8192 // octets
#define CHAIN_ASK_ANSWER_MAX 131072

struct chain_ask_question {
	uint64_t chain_id;
	uint8_t contract[32]; // left-padded
	uint8_t from[32]; // likewise; zero: nobody
	struct u256 value;
	const uint8_t *data; // copied
	size_t len;
	uint64_t work_max; // gas that the call may use; 0: as the endpoint likes
	size_t answer_max; // octets; a longer answer is -ENOSPC
	uint64_t asker; // who counts for CHAIN_ASK_PER_ASKER; 0: the node itself
};

struct chain_ask_answer {
	// 0; -EREMOTEIO, -ENOEXEC when the contract refuses or fails; -ETIMEDOUT; -ECANCELED at the
	// end of the process; else as chain.h says.
	int error;
	const uint8_t *data; // until the callback returns
	size_t len;
	const char *why; // a sentence when error is not 0
};

struct chain_ask;

/* Returns: 0; -ENOMEM; -errno of eventfd. */
int chain_ask_create(struct chain_ask **ret, const struct clock *clock, uint32_t timeout_ms);

/* After the chain thread has stopped and chain_ask_cancel(). NULL is a no-op. */
void chain_ask_destroy(struct chain_ask *ask);

// ---- the loop's thread -----------------------------------------------------------------------

/* Returns: 0, and answered is called once, never from in here; -EBUSY when no place is free, or the
 * asker has its own taken; -E2BIG; -ECANCELED after chain_ask_cancel(). */
int chain_ask_submit(
	struct chain_ask *ask,
	const struct chain_ask_question *question,
	void (*answered)(void *ctx, const struct chain_ask_answer *answer),
	void *ctx
);

/* Readable when an answer is there. The caller watches it and calls chain_ask_collect(). */
int chain_ask_fd(const struct chain_ask *ask);

/* Hands over the answers, and -ETIMEDOUT for what is overdue. Also to be called now and then. */
void chain_ask_collect(struct chain_ask *ask);

/* Answers for everything with -ECANCELED; nothing is taken any more. */
void chain_ask_cancel(struct chain_ask *ask);

// ---- the chain thread ------------------------------------------------------------------------

/* wake is called, on the loop's thread, when a question has come; NULL for nobody. */
void chain_ask_serve_with(struct chain_ask *ask, void (*wake)(void *ctx), void *ctx);

/* Answers what waits for this chain, the oldest first, one question. Returns: whether there was one. */
bool chain_ask_serve(struct chain_ask *ask, const struct chain_driver *chain);
