// SPDX-License-Identifier: Apache-2.0
//
// One lock over all entries: they are written a few times in a poll interval and read at a scrape.
#include "controlplane/chain_gauge.h"

#include "common/clock.h"
#include "controlplane/settle/settle_record.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct chain_gauge {
	pthread_mutex_t lock; // of views
	struct chain_gauge_view views[CONFIG_MAX_CHAINS];
	size_t n_views; // constant
	struct chain_gauge_view told; // the loop's copy, too large for a stack
};

int chain_gauge_create(struct chain_gauge **ret, const struct config *config)
{
	struct chain_gauge *gauge = calloc(1, sizeof(*gauge));

	if (gauge == NULL)
		return -ENOMEM;
	pthread_mutex_init(&gauge->lock, NULL);
	gauge->n_views = config->n_chains;
	for (size_t i = 0; i < gauge->n_views; i++) {
		memcpy(gauge->views[i].name, config->chains[i].name, sizeof(gauge->views[i].name));
		gauge->views[i].chain_id = config->chains[i].id;
	}
	*ret = gauge;
	return 0;
}

void chain_gauge_destroy(struct chain_gauge *gauge)
{
	if (gauge == NULL)
		return;
	pthread_mutex_destroy(&gauge->lock);
	free(gauge);
}

size_t chain_gauge_n(const struct chain_gauge *gauge)
{
	return gauge->n_views;
}

void chain_gauge_get(struct chain_gauge *gauge, size_t idx, struct chain_gauge_view *ret)
{
	pthread_mutex_lock(&gauge->lock);
	memcpy(ret, &gauge->views[idx], sizeof(*ret));
	pthread_mutex_unlock(&gauge->lock);
}

uint64_t chain_gauge_head_time_sec(struct chain_gauge *gauge, uint64_t chain_id)
{
	uint64_t time_sec = 0;

	pthread_mutex_lock(&gauge->lock);
	for (size_t i = 0; i < gauge->n_views; i++) {
		if (gauge->views[i].chain_id == chain_id && gauge->views[i].head_number != 0)
			time_sec = gauge->views[i].head_time_sec;
	}
	pthread_mutex_unlock(&gauge->lock);
	return time_sec;
}

uint64_t chain_gauge_head_lag_sec(const struct chain_gauge_view *view, uint64_t now_unix_ns)
{
	uint64_t now_sec = now_unix_ns / NS_PER_SEC;

	return view->head_number != 0 && now_sec > view->head_time_sec
		? now_sec - view->head_time_sec
		: 0;
}

int chain_gauge_count_queue(
	struct db *db, const struct chain_gauge_view *view, struct chain_gauge_queue *ret
)
{
	struct chain_gauge_queue queue = {0};
	uint64_t oldest_sec = 0;
	struct settle_item item;
	struct settle_tx tx;
	struct db_iter iter;
	struct db_txn txn;

	db_txn_begin_read(&txn, db);
	db_iter_init(&iter, &txn, DB_SETTLE_QUEUED, NULL);
	while (db_iter_next(&iter)) {
		if (!settle_item_get(&txn, db_key_first(&iter.key), &item) ||
		    item.chain_id != view->chain_id)
			continue;
		queue.n_items++;
		if (item.queued_sec != 0 && (oldest_sec == 0 || item.queued_sec < oldest_sec))
			oldest_sec = item.queued_sec;
	}
	db_iter_fini(&iter);
	db_iter_init(&iter, &txn, DB_SETTLE_LIVE, NULL);
	while (db_iter_next(&iter)) {
		if (settle_tx_get(&txn, db_key_first(&iter.key), &tx) &&
		    tx.chain_id == view->chain_id)
			queue.n_txs++;
	}
	db_iter_fini(&iter);
	int rc = db_txn_commit(&txn);
	if (rc < 0)
		return rc;
	if (oldest_sec != 0 && view->head_time_sec > oldest_sec)
		queue.age_sec = view->head_time_sec - oldest_sec;
	*ret = queue;
	return 0;
}

struct chain_gauge_view *chain_gauge_begin(struct chain_gauge *gauge, size_t idx)
{
	pthread_mutex_lock(&gauge->lock);
	return &gauge->views[idx];
}

void chain_gauge_end(struct chain_gauge *gauge)
{
	pthread_mutex_unlock(&gauge->lock);
}

// ---- conditions ------------------------------------------------------------------------------

// What all chains have to say about one condition.
struct story {
	char text[HEALTH_REASON_CAP];
	size_t used;
};

static void tell(struct story *story, const char *name, const char *what, const char *text)
{
	int n;

	if (story->used >= sizeof(story->text))
		return;
	n = snprintf(
		story->text + story->used,
		sizeof(story->text) - story->used,
		"%s%s: %s%s",
		story->used > 0 ? "; " : "",
		name,
		what,
		text
	);
	story->used += n > 0 ? (size_t)n : 0;
}

static void conclude(
	const struct story *story,
	struct health *health,
	enum health_condition condition,
	uint64_t now_unix_ns
)
{
	if (story->used > 0)
		health_set(health, condition, now_unix_ns, "%s", story->text);
	else
		health_clear(health, condition);
}

static void tell_endpoints(
	struct story *story, const struct chain_gauge_view *view, uint64_t now_unix_ns
)
{
	const char *silent = view->alerts[SETTLE_ALERT_ENDPOINTS];

	if (view->failure[0] != '\0')
		tell(story, view->name, "", view->failure);
	else if (silent[0] != '\0')
		tell(story, view->name, "", silent);
	if (view->disagreed_unix_ns != 0 &&
	    now_unix_ns < view->disagreed_unix_ns + CHAIN_GAUGE_DISAGREEMENT_SEC * NS_PER_SEC)
		tell(story, view->name, "endpoints disagree: ", view->disagreement);
}

static void tell_settlement(struct story *story, const struct chain_gauge_view *view)
{
	char what[64];

	// The outbox looks at the account when it has something to send, the round always.
	if (view->low_balance[0] != '\0' && view->alerts[SETTLE_ALERT_LOW_BALANCE][0] == '\0')
		tell(story, view->name, "low_balance: ", view->low_balance);
	for (unsigned i = 0; i < SETTLE_N_ALERT; i++) {
		if (view->alerts[i][0] == '\0' || i == SETTLE_ALERT_ENDPOINTS)
			continue;
		snprintf(what, sizeof(what), "%s: ", settle_alert_name(i));
		tell(story, view->name, what, view->alerts[i]);
	}
}

static void tell_clock(struct story *story, const struct chain_gauge_view *view)
{
	char text[128];

	if (view->clock_skew_sec == 0)
		return;
	snprintf(
		text,
		sizeof(text),
		"the host's clock is %" PRId64 " s %s the newest block's time",
		view->clock_skew_sec < 0 ? -view->clock_skew_sec : view->clock_skew_sec,
		view->clock_skew_sec < 0 ? "behind" : "ahead of"
	);
	tell(story, view->name, "", text);
}

void chain_gauge_tell(struct chain_gauge *gauge, struct health *health, uint64_t now_unix_ns)
{
	struct story endpoints = {0}, settlement = {0}, skew = {0};

	for (size_t i = 0; i < gauge->n_views; i++) {
		chain_gauge_get(gauge, i, &gauge->told);
		tell_endpoints(&endpoints, &gauge->told, now_unix_ns);
		tell_settlement(&settlement, &gauge->told);
		tell_clock(&skew, &gauge->told);
	}
	conclude(&endpoints, health, HEALTH_ENDPOINTS, now_unix_ns);
	conclude(&settlement, health, HEALTH_SETTLEMENT, now_unix_ns);
	conclude(&skew, health, HEALTH_CHAIN_CLOCK, now_unix_ns);
}
