// SPDX-License-Identifier: Apache-2.0
//
// The chain thread's loop: lane by lane, first the events (they may concern what is being settled),
// then the outbox. Questions of the loop are answered between two steps, and while it sleeps; a flood
// of them holds up no round.

#include "chain_thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// Steps of reading in one round: a chain far behind must not keep the others waiting.
#define CHAIN_THREAD_STEPS_MAX 16

struct chain_thread_lane_state {
	struct chain_thread_lane conf;
	struct settle_outbox *outbox;
	uint64_t due_ns; // monotonic time of the next round
	uint64_t account_due_ns; // of the next look at the account
	bool is_failing; // told already
};

struct chain_thread {
	struct chain_thread_conf conf;
	struct chain_thread_lane_state lanes[CHAIN_THREAD_LANES_MAX];
	struct chain_event events[CHAIN_EVENTS_MAX];
	pthread_t id;
	pthread_mutex_t lock; // of the three below
	pthread_cond_t changed;
	bool is_woken;
	bool is_asked;
	bool is_stopping;
};

static bool chain_thread_is_stopping(struct chain_thread *thread)
{
	bool is_stopping;

	pthread_mutex_lock(&thread->lock);
	is_stopping = thread->is_stopping;
	pthread_mutex_unlock(&thread->lock);
	return is_stopping;
}

static void chain_thread_tell(
	struct chain_thread *thread, struct chain_thread_lane_state *lane, const char *why
)
{
	if (why != NULL && !lane->is_failing && thread->conf.on_error != NULL)
		thread->conf.on_error(thread->conf.ctx, lane->conf.chain.chain_id, why);
	lane->is_failing = why != NULL;
}

// Reads one step and stores it. Returns 1 when there is more, 0, or an error with why.
static int chain_thread_read_step(
	struct chain_thread *thread,
	struct chain_thread_lane_state *lane,
	struct chain_thread_seen *seen,
	char why[CHAIN_WHY_SIZE]
)
{
	const struct chain_driver *chain = &lane->conf.chain;
	struct chain_step step = {.events = thread->events};
	struct chain_cursor cursor;
	struct db_txn txn;
	int r;

	db_txn_begin_read(&txn, thread->conf.db);
	(void)chain_inbox_get_cursor(&txn, chain->chain_id, lane->conf.contract, &cursor);
	r = db_txn_commit(&txn);
	if (r == 0)
		r = chain->ops->watch(
			chain->driver, &cursor, lane->conf.provision_confirmations, &step, why
		);
	if (r < 0)
		return r;
	if (step.head_number != 0) {
		seen->head_number = step.head_number;
		seen->head_time_sec = step.head_time_sec;
	}
	seen->next_block = step.cursor.next_block;
	if (!step.is_unwound && step.cursor.next_block == cursor.next_block)
		return 0;
	db_txn_begin_write(&txn, thread->conf.db);
	chain_inbox_put_step(&txn, chain->chain_id, lane->conf.contract, &step);
	r = db_txn_commit(&txn);
	if (r < 0) {
		memcpy(why, txn.why, CHAIN_WHY_SIZE - 1);
		why[CHAIN_WHY_SIZE - 1] = '\0';
		return r;
	}
	if ((step.n_events > 0 || step.is_unwound) && thread->conf.on_news != NULL)
		thread->conf.on_news(thread->conf.ctx);
	return step.has_more ? 1 : 0;
}

// One question of each chain. Returns: whether there was one.
static bool chain_thread_answer(struct chain_thread *thread)
{
	bool is_any = false;

	for (size_t i = 0; thread->conf.ask != NULL && i < thread->conf.n_lanes; i++)
		is_any |= chain_ask_serve(thread->conf.ask, &thread->lanes[i].conf.chain);
	return is_any;
}

static uint64_t chain_thread_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

// Tells what the round saw, and now and then what the account holds.
static void chain_thread_report(
	struct chain_thread *thread,
	struct chain_thread_lane_state *lane,
	struct chain_thread_seen *seen
)
{
	const struct chain_driver *chain = &lane->conf.chain;
	uint64_t now_ns = chain_thread_now_ns();
	struct chain_account account;
	char why[CHAIN_WHY_SIZE];

	if (thread->conf.on_round == NULL)
		return;
	if (lane->conf.account_ms != 0 && now_ns >= lane->account_due_ns && seen->why == NULL &&
	    chain->ops->account(chain->driver, &account, why) == 0) {
		seen->account = &account;
		lane->account_due_ns = now_ns + lane->conf.account_ms * UINT64_C(1000000);
	}
	thread->conf.on_round(thread->conf.ctx, (size_t)(lane - thread->lanes), seen);
}

static void chain_thread_round(struct chain_thread *thread, struct chain_thread_lane_state *lane)
{
	struct chain_thread_seen seen = {0};
	char why[CHAIN_WHY_SIZE] = "";
	int r = 1;

	for (int i = 0; i < CHAIN_THREAD_STEPS_MAX && r == 1; i++) {
		r = chain_thread_is_stopping(thread)
			? -EINTR
			: chain_thread_read_step(thread, lane, &seen, why);
		(void)chain_thread_answer(thread);
	}
	if (r == -EINTR)
		return;
	chain_thread_tell(thread, lane, r < 0 ? why : NULL);
	// The outbox tells its own troubles by alerts.
	if (settle_outbox_poll(lane->outbox) == -EINTR)
		return;
	seen.why = r < 0 ? why : NULL;
	chain_thread_report(thread, lane, &seen);
}

// Until the first lane is due, or somebody wakes the thread: then all are.
static void chain_thread_sleep(struct chain_thread *thread)
{
	uint64_t due_ns = UINT64_MAX;
	struct timespec until;

	for (size_t i = 0; i < thread->conf.n_lanes; i++) {
		if (thread->lanes[i].due_ns < due_ns)
			due_ns = thread->lanes[i].due_ns;
	}
	until.tv_sec = (time_t)(due_ns / 1000000000);
	until.tv_nsec = (long)(due_ns % 1000000000);
	pthread_mutex_lock(&thread->lock);
	while (!thread->is_woken && !thread->is_stopping && chain_thread_now_ns() < due_ns) {
		if (thread->is_asked) {
			thread->is_asked = false;
			pthread_mutex_unlock(&thread->lock);
			while (chain_thread_answer(thread) && chain_thread_now_ns() < due_ns)
				continue;
			pthread_mutex_lock(&thread->lock);
		} else {
			(void)pthread_cond_timedwait(&thread->changed, &thread->lock, &until);
		}
	}
	for (size_t i = 0; thread->is_woken && i < thread->conf.n_lanes; i++)
		thread->lanes[i].due_ns = 0;
	thread->is_woken = false;
	pthread_mutex_unlock(&thread->lock);
}

static void *chain_thread_main(void *ctx)
{
	struct chain_thread *thread = ctx;

	while (!chain_thread_is_stopping(thread)) {
		for (size_t i = 0; i < thread->conf.n_lanes; i++) {
			struct chain_thread_lane_state *lane = &thread->lanes[i];

			if (lane->due_ns > chain_thread_now_ns())
				continue;
			chain_thread_round(thread, lane);
			lane->due_ns =
				chain_thread_now_ns() + lane->conf.poll_ms * UINT64_C(1000000);
		}
		chain_thread_sleep(thread);
	}
	return NULL;
}

static int chain_thread_init_lanes(
	struct chain_thread *thread, const struct chain_thread_conf *conf
)
{
	for (size_t i = 0; i < conf->n_lanes; i++) {
		struct chain_thread_lane_state *lane = &thread->lanes[i];
		int r;

		if (conf->lanes[i].poll_ms == 0)
			return -EINVAL;
		lane->conf = conf->lanes[i];
		lane->conf.outbox.db = conf->db;
		lane->conf.outbox.clock = conf->clock;
		lane->conf.outbox.chain = lane->conf.chain;
		r = settle_outbox_create(&lane->outbox, &lane->conf.outbox);
		if (r < 0)
			return r;
	}
	thread->conf.lanes = NULL; // ours are copies
	return 0;
}

static void chain_thread_free(struct chain_thread *thread)
{
	for (size_t i = 0; i < thread->conf.n_lanes; i++)
		settle_outbox_destroy(thread->lanes[i].outbox);
	free(thread);
}

// Of chain_ask: the loop's thread.
static void chain_thread_asked(void *ctx)
{
	struct chain_thread *thread = ctx;

	pthread_mutex_lock(&thread->lock);
	thread->is_asked = true;
	pthread_cond_signal(&thread->changed);
	pthread_mutex_unlock(&thread->lock);
}

int chain_thread_start(struct chain_thread **ret, const struct chain_thread_conf *conf)
{
	struct chain_thread *thread;
	pthread_condattr_t attributes;
	int r;

	if (conf->n_lanes == 0 || conf->n_lanes > CHAIN_THREAD_LANES_MAX)
		return -EINVAL;
	thread = calloc(1, sizeof(*thread));
	if (thread == NULL)
		return -ENOMEM;
	thread->conf = *conf;
	r = chain_thread_init_lanes(thread, conf);
	if (r < 0) {
		chain_thread_free(thread);
		return r;
	}
	pthread_mutex_init(&thread->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&thread->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	r = pthread_create(&thread->id, NULL, chain_thread_main, thread);
	if (r != 0) {
		pthread_cond_destroy(&thread->changed);
		pthread_mutex_destroy(&thread->lock);
		chain_thread_free(thread);
		return -r;
	}
	if (thread->conf.ask != NULL)
		chain_ask_serve_with(thread->conf.ask, chain_thread_asked, thread);
	*ret = thread;
	return 0;
}

void chain_thread_wake(struct chain_thread *thread)
{
	pthread_mutex_lock(&thread->lock);
	thread->is_woken = true;
	pthread_cond_signal(&thread->changed);
	pthread_mutex_unlock(&thread->lock);
}

void chain_thread_stop(struct chain_thread *thread)
{
	if (thread == NULL)
		return;
	if (thread->conf.ask != NULL)
		chain_ask_serve_with(thread->conf.ask, NULL, NULL);
	pthread_mutex_lock(&thread->lock);
	thread->is_stopping = true;
	pthread_cond_signal(&thread->changed);
	pthread_mutex_unlock(&thread->lock);
	for (size_t i = 0; i < thread->conf.n_lanes; i++) {
		if (thread->lanes[i].conf.interrupt != NULL)
			thread->lanes[i].conf.interrupt(thread->lanes[i].conf.chain.driver);
	}
	pthread_join(thread->id, NULL);
	pthread_cond_destroy(&thread->changed);
	pthread_mutex_destroy(&thread->lock);
	chain_thread_free(thread);
}
