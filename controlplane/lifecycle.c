// SPDX-License-Identifier: Apache-2.0
//
// The rounds of lifecycle.h: the inbox, then every open purchase, each in a transaction of its own.
#include "controlplane/lifecycle.h"

#include "controlplane/lifecycle_private.h"
#include "controlplane/session/session_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_PER_TICK 256
#define FOREIGN_PER_COMMIT 4096
#define PURCHASES_PER_TICK 1024

int lifecycle_create(struct lifecycle **ret, const struct lifecycle_conf *conf)
{
	struct lifecycle *life;

	if (conf->n_chains > LIFECYCLE_CHAINS_MAX)
		return -EINVAL;
	life = calloc(1, sizeof(*life));
	if (life == NULL)
		return -ENOMEM;
	life->conf = *conf;
	for (size_t i = 0; i < conf->n_chains; i++)
		life->chains[i] = conf->chains[i];
	life->conf.chains = life->chains;
	*ret = life;
	return 0;
}

void lifecycle_destroy(struct lifecycle *life)
{
	free(life);
}

const struct lifecycle_chain *lifecycle_find_chain(
	const struct lifecycle *life, uint64_t chain_id, const uint8_t contract[32]
)
{
	for (size_t i = 0; i < life->conf.n_chains; i++) {
		const struct lifecycle_chain *chain = &life->chains[i];
		if (chain->driver.chain_id == chain_id &&
		    memcmp(chain->contract, contract, 32) == 0)
			return chain;
	}
	return NULL;
}

uint64_t lifecycle_chain_time(
	struct db_txn *txn, const struct session *session, uint64_t *ret_next_block
)
{
	const struct session_identity *identity = &session->identity;
	struct chain_inbox_record record;
	struct chain_cursor cursor;

	// The cursor stands where reading ended; what was read there may still wait to be applied.
	if (!chain_inbox_get_cursor(txn, identity->chain, identity->contract, &cursor) ||
	    chain_inbox_next(txn, &record))
		return 0;
	if (ret_next_block != NULL)
		*ret_next_block = cursor.next_block;
	return cursor.read_time_sec;
}

uint64_t lifecycle_billed_bytes(const struct lifecycle *life, uint64_t session_id)
{
	struct usage_view view;
	uint64_t sum;

	if (usage_read(life->conf.usage, session_id, &view) != 0)
		return 0;
	return __builtin_add_overflow(view.out_bytes, view.in_bytes, &sum) ? UINT64_MAX : sum;
}

bool lifecycle_stop_serving(
	const struct lifecycle *life,
	struct db_txn *txn,
	struct session *session,
	const char *reason
)
{
	enum session_state to = SESSION_DRAINING;

	switch (session->state) {
	case SESSION_PENDING:
		to = SESSION_SETTLING; // nothing was used
		break;
	case SESSION_PROVISIONED:
	case SESSION_ACTIVE:
	case SESSION_SUSPENDED:
		break;
	case SESSION_DRAINING:
	case SESSION_SETTLING:
	case SESSION_SETTLED:
	case SESSION_REFUNDED:
	case SESSION_DISPUTED:
	case SESSION_VOID:
	case SESSION_N_STATE:
		return false;
	}
	session_store_transition(txn, session, to, clock_unix_ns(life->conf.clock), reason);
	return txn->error == 0;
}

void lifecycle_keep(struct lifecycle_round *round, enum lifecycle_step step)
{
	purchase_save(round->txn, round->purchase);
	round->step = step;
	round->is_changed = true;
}

// ---- events ----------------------------------------------------------------------------------

// Returns: false when the inbox is empty; true also when it cannot be read.
static bool has_news(struct lifecycle *life)
{
	struct chain_inbox_record record;
	struct db_txn txn;

	db_txn_begin_read(&txn, life->conf.db);
	bool has = chain_inbox_next(&txn, &record) || txn.error != 0;
	db_txn_abort(&txn);
	return has;
}

// The escrow is everybody's, and whatever happens in it comes here: what is about other nodes' sessions goes
// without a commit of its own. Returns: false when the inbox is empty, or cannot be read.
static bool next_own(struct db_txn *txn, struct chain_inbox_record *ret)
{
	struct session session;

	for (int n = 0; chain_inbox_next(txn, ret); n++) {
		const struct session_identity identity = lifecycle_identity_of(ret);

		if (n == FOREIGN_PER_COMMIT || ret->is_unwound ||
		    ret->event.kind == CHAIN_EVENT_CREATED ||
		    session_store_find_identity(txn, &identity, &session))
			return true;
		chain_inbox_remove(txn, ret->sequence);
	}
	return false;
}

// Returns: 1 when a record was applied, 0 when there is none, or a store error.
static int take_record(struct lifecycle *life, char *err, size_t err_len)
{
	struct chain_inbox_record record;
	struct session session = {0};
	bool is_changed = false;
	struct db_txn txn;

	db_txn_begin_write(&txn, life->conf.db);
	if (!next_own(&txn, &record)) {
		int rc = db_txn_commit(&txn);
		if (rc != 0)
			snprintf(err, err_len, "%s", txn.why);
		return rc;
	}
	if (record.is_unwound)
		lifecycle_apply_unwound(life, &txn, &record);
	else
		is_changed = lifecycle_apply_event(life, &txn, &record.event, &record, &session);
	chain_inbox_remove(&txn, record.sequence);
	int rc = db_txn_commit(&txn);
	if (rc != 0) {
		snprintf(err, err_len, "%s", txn.why);
		return rc;
	}
	lifecycle_failpoint(
		record.is_unwound ? LIFECYCLE_STEP_UNWOUND_STORED : LIFECYCLE_STEP_EVENT_STORED
	);
	if (record.is_unwound)
		lifecycle_tell_unwound(life, &record);
	else if (is_changed)
		session_tell(life->conf.sessions, &session);
	return 1;
}

// ---- open purchases --------------------------------------------------------------------------

static void watch_one(struct lifecycle *life, struct lifecycle_round *round)
{
	switch (round->session->state) {
	case SESSION_PENDING:
	case SESSION_PROVISIONED:
	case SESSION_ACTIVE:
	case SESSION_SUSPENDED:
	case SESSION_DRAINING:
		lifecycle_serve(life, round);
		break;
	case SESSION_SETTLING:
	case SESSION_SETTLED:
	case SESSION_REFUNDED:
	case SESSION_DISPUTED:
		lifecycle_settle(life, round);
		break;
	case SESSION_VOID:
	case SESSION_N_STATE:
		break;
	}
}

static void look(struct lifecycle *life, uint64_t id, struct lifecycle_round *round)
{
	struct db_txn *txn = round->txn;

	if (!session_store_load(txn, id, round->session) ||
	    !purchase_load(txn, id, round->purchase))
		return;
	round->now_sec = lifecycle_chain_time(txn, round->session, NULL);
	round->step = LIFECYCLE_STEP_EVENT_STORED;
	round->is_changed = lifecycle_follow_chain(life, txn, round->session, round->purchase);
	watch_one(life, round);
}

// A look that only reads. Nearly all find nothing to do, and none of them should wait for the chain
// thread's commits, as every write transaction does. Whatever would be written, or is wrong, shows as
// a change or an error; it is then done, or said, by a write transaction.
static bool has_work(struct lifecycle *life, uint64_t id)
{
	struct purchase purchase;
	struct session session;
	struct db_txn txn;
	struct lifecycle_round round = {.txn = &txn, .session = &session, .purchase = &purchase};

	db_txn_begin_read(&txn, life->conf.db);
	look(life, id, &round);
	bool has = round.is_changed || txn.error != 0;
	db_txn_abort(&txn);
	return has;
}

// Returns: 0 also when there is nothing to do.
static int watch(struct lifecycle *life, uint64_t id, char *err, size_t err_len)
{
	struct purchase purchase;
	struct session session;
	struct db_txn txn;
	struct lifecycle_round round = {.txn = &txn, .session = &session, .purchase = &purchase};

	if (!has_work(life, id))
		return 0;
	db_txn_begin_write(&txn, life->conf.db);
	look(life, id, &round);
	if (!round.is_changed && txn.error == 0) {
		db_txn_abort(&txn);
		return 0;
	}
	lifecycle_failpoint(LIFECYCLE_STEP_DECIDED);
	int rc = db_txn_commit(&txn);
	if (rc != 0) {
		snprintf(err, err_len, "session %" PRIu64 ": %s", id, txn.why);
		return rc;
	}
	lifecycle_failpoint(round.step);
	session_tell(life->conf.sessions, &session);
	if (round.is_queued && life->conf.queued != NULL)
		life->conf.queued(life->conf.ctx);
	return 0;
}

static int watch_all(struct lifecycle *life, char *err, size_t err_len)
{
	static uint64_t ids[PURCHASES_PER_TICK];
	struct db_txn txn;
	int first = 0;

	db_txn_begin_read(&txn, life->conf.db);
	uint32_t n = purchase_list_open(&txn, life->next_id, ids, PURCHASES_PER_TICK);
	int rc = db_txn_commit(&txn);
	if (rc != 0) {
		snprintf(err, err_len, "%s", txn.why);
		return rc;
	}
	// One that fails does not hold up the others.
	for (uint32_t i = 0; i < n; i++) {
		rc = watch(life, ids[i], err, err_len);
		if (first == 0)
			first = rc;
	}
	life->next_id = n == PURCHASES_PER_TICK ? ids[n - 1] + 1 : 0;
	return first;
}

int lifecycle_tick(struct lifecycle *life, char *err, size_t err_len)
{
	int rc = has_news(life) ? 1 : 0;

	for (int i = 0; i < EVENTS_PER_TICK && rc == 1; i++)
		rc = take_record(life, err, err_len);
	if (rc < 0)
		return rc;
	return watch_all(life, err, err_len);
}
