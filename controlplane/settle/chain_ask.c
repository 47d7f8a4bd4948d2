// SPDX-License-Identifier: Apache-2.0
//
// See chain_ask.h. A place belongs to the loop's thread but for its call and answer between "taken" and
// "answered", which are the chain thread's. A question given up on keeps its place until the chain
// thread has let go of it.

#include "chain_ask.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum chain_ask_state {
	CHAIN_ASK_FREE,
	CHAIN_ASK_WAITING,
	CHAIN_ASK_TAKEN, // by the chain thread
	CHAIN_ASK_ABANDONED, // taken, and nobody waits for it any more
	CHAIN_ASK_ANSWERED,
};

struct chain_ask_place {
	enum chain_ask_state state; // under the lock
	uint64_t sequence; // of asking
	uint64_t deadline_ns; // monotonic
	struct chain_ask_question question; // data: call
	uint8_t call[CHAIN_ASK_CALL_MAX];
	void (*answered)(void *ctx, const struct chain_ask_answer *answer);
	void *ctx;
	int error;
	uint8_t *answer;
	size_t answer_len;
	char why[CHAIN_WHY_SIZE];
};

struct chain_ask {
	const struct clock *clock;
	uint64_t timeout_ns;
	uint64_t sequence;
	int fd;
	bool is_cancelled;
	pthread_mutex_t lock; // of the places' states and the two below
	void (*wake)(void *ctx);
	void *wake_ctx;
	struct chain_ask_place places[CHAIN_ASK_MAX];
};

int chain_ask_create(struct chain_ask **ret, const struct clock *clock, uint32_t timeout_ms)
{
	struct chain_ask *ask = calloc(1, sizeof(*ask));

	if (ask == NULL)
		return -ENOMEM;
	ask->clock = clock;
	ask->timeout_ns = timeout_ms * NS_PER_MS;
	ask->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (ask->fd < 0) {
		int r = -errno;

		free(ask);
		return r;
	}
	pthread_mutex_init(&ask->lock, NULL);
	*ret = ask;
	return 0;
}

void chain_ask_destroy(struct chain_ask *ask)
{
	if (ask == NULL)
		return;
	for (size_t i = 0; i < CHAIN_ASK_MAX; i++)
		free(ask->places[i].answer);
	pthread_mutex_destroy(&ask->lock);
	close(ask->fd);
	free(ask);
}

int chain_ask_fd(const struct chain_ask *ask)
{
	return ask->fd;
}

// ---- the loop's thread -----------------------------------------------------------------------

// A place for the asker, under the lock. NULL: there is none.
static struct chain_ask_place *chain_ask_find_free(struct chain_ask *ask, uint64_t asker)
{
	struct chain_ask_place *free_place = NULL;
	size_t n_free = 0, n_own = 0;

	for (size_t i = 0; i < CHAIN_ASK_MAX; i++) {
		struct chain_ask_place *place = &ask->places[i];

		if (place->state == CHAIN_ASK_FREE) {
			free_place = place;
			n_free++;
		} else if (place->question.asker == asker) {
			n_own++;
		}
	}
	if (asker != 0 && (n_free <= CHAIN_ASK_OWN || n_own >= CHAIN_ASK_PER_ASKER))
		return NULL;
	return free_place;
}

int chain_ask_submit(
	struct chain_ask *ask,
	const struct chain_ask_question *question,
	void (*answered)(void *ctx, const struct chain_ask_answer *answer),
	void *ctx
)
{
	struct chain_ask_place *place;

	if (question->len > CHAIN_ASK_CALL_MAX || question->answer_max > CHAIN_ASK_ANSWER_MAX)
		return -E2BIG;
	if (ask->is_cancelled)
		return -ECANCELED;
	pthread_mutex_lock(&ask->lock);
	place = chain_ask_find_free(ask, question->asker);
	if (place != NULL) {
		place->question = *question;
		memcpy(place->call, question->data, question->len);
		place->question.data = place->call;
		place->sequence = ++ask->sequence;
		place->deadline_ns = clock_mono_ns(ask->clock) + ask->timeout_ns;
		place->answered = answered;
		place->ctx = ctx;
		place->state = CHAIN_ASK_WAITING;
		if (ask->wake != NULL)
			ask->wake(ask->wake_ctx);
	}
	pthread_mutex_unlock(&ask->lock);
	return place == NULL ? -EBUSY : 0;
}

// The answer may ask again, so no lock is held; the place is the loop's until it is free.
static void chain_ask_hand_over(struct chain_ask *ask, struct chain_ask_place *place)
{
	place->answered(
		place->ctx,
		&(struct chain_ask_answer){
			.error = place->error,
			.data = place->answer,
			.len = place->answer_len,
			.why = place->why,
		}
	);
	free(place->answer);
	place->answer = NULL;
	pthread_mutex_lock(&ask->lock);
	place->state = CHAIN_ASK_FREE;
	pthread_mutex_unlock(&ask->lock);
}

// Hands over what is answered. With an error, what is not is given up: its place is free at once, or
// when the chain thread lets go of it.
static void chain_ask_end(
	struct chain_ask *ask, struct chain_ask_place *place, int error, const char *why
)
{
	enum chain_ask_state state;

	pthread_mutex_lock(&ask->lock);
	state = place->state;
	if (error != 0 && state == CHAIN_ASK_WAITING)
		place->state = CHAIN_ASK_FREE;
	if (error != 0 && state == CHAIN_ASK_TAKEN)
		place->state = CHAIN_ASK_ABANDONED;
	pthread_mutex_unlock(&ask->lock);
	if (state == CHAIN_ASK_ANSWERED)
		chain_ask_hand_over(ask, place);
	else if (error != 0 && (state == CHAIN_ASK_WAITING || state == CHAIN_ASK_TAKEN))
		place->answered(place->ctx, &(struct chain_ask_answer){.error = error, .why = why});
}

void chain_ask_collect(struct chain_ask *ask)
{
	uint64_t now_ns = clock_mono_ns(ask->clock), n;

	// Emptied before the places are looked at: what comes later makes it readable again.
	while (read(ask->fd, &n, sizeof(n)) > 0)
		continue;
	for (size_t i = 0; i < CHAIN_ASK_MAX; i++) {
		struct chain_ask_place *place = &ask->places[i];

		chain_ask_end(
			ask,
			place,
			now_ns >= place->deadline_ns ? -ETIMEDOUT : 0,
			"the chain has not answered in time"
		);
	}
}

void chain_ask_cancel(struct chain_ask *ask)
{
	ask->is_cancelled = true;
	for (size_t i = 0; i < CHAIN_ASK_MAX; i++)
		chain_ask_end(ask, &ask->places[i], -ECANCELED, "the node is stopping");
}

// ---- the chain thread ------------------------------------------------------------------------

void chain_ask_serve_with(struct chain_ask *ask, void (*wake)(void *ctx), void *ctx)
{
	pthread_mutex_lock(&ask->lock);
	ask->wake = wake;
	ask->wake_ctx = ctx;
	pthread_mutex_unlock(&ask->lock);
}

// The oldest question for this chain, now taken. NULL: there is none.
static struct chain_ask_place *chain_ask_take(struct chain_ask *ask, uint64_t chain_id)
{
	struct chain_ask_place *oldest = NULL;

	pthread_mutex_lock(&ask->lock);
	for (size_t i = 0; i < CHAIN_ASK_MAX; i++) {
		struct chain_ask_place *place = &ask->places[i];

		if (place->state == CHAIN_ASK_WAITING && place->question.chain_id == chain_id &&
		    (oldest == NULL || place->sequence < oldest->sequence))
			oldest = place;
	}
	if (oldest != NULL)
		oldest->state = CHAIN_ASK_TAKEN;
	pthread_mutex_unlock(&ask->lock);
	return oldest;
}

static void chain_ask_answer_one(struct chain_ask_place *place, const struct chain_driver *chain)
{
	static const uint8_t nobody[32];
	const struct chain_ask_question *question = &place->question;
	const struct chain_query query = {
		.contract = question->contract,
		.from = memcmp(question->from, nobody, 32) == 0 ? NULL : question->from,
		.value = question->value,
		.data = place->call,
		.len = question->len,
		.work_max = question->work_max,
	};

	place->why[0] = '\0';
	place->answer_len = 0;
	place->answer = malloc(place->question.answer_max + 1);
	place->error = -ENOMEM;
	if (place->answer != NULL)
		place->error = chain->ops->call(
			chain->driver,
			&query,
			place->answer,
			place->question.answer_max,
			&place->answer_len,
			place->why
		);
}

bool chain_ask_serve(struct chain_ask *ask, const struct chain_driver *chain)
{
	struct chain_ask_place *place = chain_ask_take(ask, chain->chain_id);
	const uint64_t one = 1;

	if (place == NULL)
		return false;
	chain_ask_answer_one(place, chain);
	pthread_mutex_lock(&ask->lock);
	if (place->state == CHAIN_ASK_ABANDONED) {
		free(place->answer);
		place->answer = NULL;
		place->state = CHAIN_ASK_FREE;
	} else {
		place->state = CHAIN_ASK_ANSWERED;
	}
	pthread_mutex_unlock(&ask->lock);
	// A full eventfd is readable already.
	return write(ask->fd, &one, sizeof(one)) != 0;
}
