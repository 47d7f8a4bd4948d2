// SPDX-License-Identifier: Apache-2.0
//
// The rounds of lifecycle.h: inbox, live sessions, settlements.
#include "controlplane/lifecycle.h"

#include "common/log.h"
#include "controlplane/lifecycle_private.h"
#include "controlplane/session/session_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_PER_TICK 256
#define PURCHASES_PER_TICK 1024
#define CREDIT_SEC 2 // served at the session's rate before the next voucher can be here

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

uint64_t lifecycle_billed_bytes(const struct lifecycle *life, uint64_t session_id)
{
	struct usage_view view;
	uint64_t sum;

	if (usage_read(life->conf.usage, session_id, &view) != 0)
		return 0;
	return __builtin_add_overflow(view.out_bytes, view.in_bytes, &sum) ? UINT64_MAX : sum;
}

uint64_t lifecycle_credit_bytes(const struct config *config, const struct session *session)
{
	uint64_t kbps = (uint64_t)session->rate_out_kbps + session->rate_in_kbps;
	uint64_t bytes = kbps * (1000 / 8) * CREDIT_SEC;

	// 0 is "unlimited": then the configured credit is what there is.
	if (session->rate_out_kbps == 0 || session->rate_in_kbps == 0)
		bytes = 0;
	return bytes > config->voucher.credit_bytes ? bytes : config->voucher.credit_bytes;
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

// ---- events ----------------------------------------------------------------------------------

// Returns: 1 when a record was applied, 0 when there is none, or a store error.
static int take_record(struct lifecycle *life, char *err, size_t err_len)
{
	struct chain_inbox_record record;
	struct session session = {0};
	bool is_changed = false;
	struct db_txn txn;

	db_txn_begin_write(&txn, life->conf.db);
	if (!chain_inbox_next(&txn, &record)) {
		int rc = txn.error;
		if (rc != 0)
			snprintf(err, err_len, "%s", txn.why);
		db_txn_abort(&txn);
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
	if (is_changed)
		session_tell(life->conf.sessions, &session);
	return 1;
}

// ---- live sessions ---------------------------------------------------------------------------

static bool end_live(
	struct lifecycle *life,
	struct db_txn *txn,
	struct session *session,
	struct purchase *purchase,
	const char *reason
)
{
	purchase->waiting_unix_sec = 0;
	purchase_save(txn, purchase);
	return lifecycle_stop_serving(life, txn, session, reason);
}

// The gate is closed at what vouchers cover and the credit.
static bool take_waiting(
	struct lifecycle *life,
	struct db_txn *txn,
	struct session *session,
	struct purchase *purchase,
	uint64_t now_sec
)
{
	if (purchase->waiting_unix_sec == 0) {
		purchase->waiting_unix_sec = now_sec;
		purchase_save(txn, purchase);
		return true;
	}
	if (now_sec < purchase->waiting_unix_sec + life->conf.config->voucher.patience_sec)
		return false;
	return end_live(life, txn, session, purchase, "no voucher within the patience");
}

// Provisioned, active, suspended. Returns: true when something was changed.
static bool watch_live(
	struct lifecycle *life,
	struct db_txn *txn,
	struct session *session,
	struct purchase *purchase
)
{
	uint64_t now_sec = clock_unix_ns(life->conf.clock) / NS_PER_SEC;
	bool is_at_credit = session_limit_bytes(session) < session->quota_bytes;
	struct usage_view view;

	if (now_sec >= session->expires_unix_sec)
		return end_live(life, txn, session, purchase, "expired");
	if (session->state == SESSION_PENDING ||
	    usage_read(life->conf.usage, session->id, &view) != 0)
		return false;
	// The gate may still be that of an older, lower limit.
	bool is_closed = view.is_in_dataplane && view.gate == ABI_GATE_QUOTA &&
		view.limit_bytes == session_limit_bytes(session);
	if (is_closed && is_at_credit)
		return take_waiting(life, txn, session, purchase, now_sec);
	if (is_closed && !is_at_credit)
		return end_live(life, txn, session, purchase, "used up");
	if (view.is_in_dataplane && view.gate == ABI_GATE_OPEN && purchase->waiting_unix_sec != 0) {
		purchase->waiting_unix_sec = 0;
		purchase_save(txn, purchase);
		return true;
	}
	return false;
}

static bool watch_one(
	struct lifecycle *life,
	struct db_txn *txn,
	struct session *session,
	struct purchase *purchase,
	bool *ret_is_queued
)
{
	switch (session->state) {
	case SESSION_PENDING:
	case SESSION_PROVISIONED:
	case SESSION_ACTIVE:
	case SESSION_SUSPENDED:
		return watch_live(life, txn, session, purchase);
	case SESSION_DRAINING:
	case SESSION_VOID:
	case SESSION_N_STATE:
		return false;
	case SESSION_SETTLING:
	case SESSION_SETTLED:
	case SESSION_REFUNDED:
	case SESSION_DISPUTED:
		return lifecycle_settle(life, txn, session, purchase, ret_is_queued);
	}
	return false;
}

static int watch(struct lifecycle *life, uint64_t id, char *err, size_t err_len)
{
	struct purchase purchase;
	struct session session;
	bool is_changed = false, is_queued = false;
	struct db_txn txn;

	db_txn_begin_write(&txn, life->conf.db);
	if (session_store_load(&txn, id, &session) && purchase_load(&txn, id, &purchase))
		is_changed = watch_one(life, &txn, &session, &purchase, &is_queued);
	if (!is_changed && txn.error == 0) {
		db_txn_abort(&txn);
		return 0;
	}
	int rc = db_txn_commit(&txn);
	if (rc != 0) {
		snprintf(err, err_len, "session %" PRIu64 ": %s", id, txn.why);
		return rc;
	}
	session_tell(life->conf.sessions, &session);
	if (is_queued && life->conf.queued != NULL)
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
	int rc = 1;

	for (int i = 0; i < EVENTS_PER_TICK && rc == 1; i++)
		rc = take_record(life, err, err_len);
	if (rc < 0)
		return rc;
	return watch_all(life, err, err_len);
}

// ---- the buyer -------------------------------------------------------------------------------

static int fail(struct session_error *err, int code, const char *text)
{
	*err = (struct session_error){.code = code};
	snprintf(err->text, sizeof(err->text), "%.500s", text);
	return code;
}

// Loads what was bought, or ends the transaction with an error. Returns: 0 or the error.
static int load_bought(
	struct db_txn *txn,
	uint64_t id,
	struct session *session,
	struct purchase *purchase,
	struct session_error *err
)
{
	if (!session_store_load(txn, id, session)) {
		db_txn_abort(txn);
		return fail(err, -ENOENT, "no such session");
	}
	if (!purchase_load(txn, id, purchase)) {
		db_txn_abort(txn);
		return fail(err, -EPERM, "this session was not bought on a chain");
	}
	return 0;
}

static int commit(struct lifecycle *life, struct db_txn *txn, struct session_error *err)
{
	int rc = db_txn_commit(txn);

	(void)life;
	if (rc != 0) {
		fail(err, rc, txn->why);
		strcpy(err->field, "store");
	}
	return rc;
}

int lifecycle_end(
	struct lifecycle *life, uint64_t session_id, const char *reason, struct session_error *err
)
{
	struct purchase purchase;
	struct session session;
	struct db_txn txn;

	db_txn_begin_write(&txn, life->conf.db);
	int rc = load_bought(&txn, session_id, &session, &purchase, err);
	if (rc != 0)
		return rc;
	if (!end_live(life, &txn, &session, &purchase, reason)) {
		db_txn_abort(&txn);
		return 0;
	}
	rc = commit(life, &txn, err);
	if (rc == 0)
		session_tell(life->conf.sessions, &session);
	return rc;
}

static int check_voucher(
	const struct lifecycle *life,
	const struct session *session,
	const struct purchase *purchase,
	const struct lifecycle_voucher *voucher,
	struct session_error *err
)
{
	static const uint8_t nobody[32];
	const struct lifecycle_chain *chain =
		lifecycle_find_chain(life, session->identity.chain, session->identity.contract);
	struct chain_item item = {.voucher_bytes = voucher->cumulative_bytes};
	char why[CHAIN_WHY_SIZE] = "";

	if (chain == NULL)
		return fail(err, -EPERM, "its chain is not configured on this node");
	if (memcmp(purchase->voucher_signer, nobody, 32) == 0)
		return fail(err, -EPERM, "this session was bought without a voucher signer");
	if (session->state == SESSION_SETTLED || session->state == SESSION_REFUNDED ||
	    session->state == SESSION_VOID)
		return fail(err, -EPERM, "this session is over");
	if (voucher->cumulative_bytes > purchase->bought_bytes)
		return fail(err, -ERANGE, "the voucher is for more than was bought");
	memcpy(item.session_id, session->identity.id, 32);
	memcpy(item.voucher_r, voucher->r, 32);
	memcpy(item.voucher_vs, voucher->vs, 32);
	if (chain->driver.ops->verify_voucher(
		    chain->driver.driver, &item, purchase->voucher_signer, why
	    ) == 0)
		return 0;
	return fail(err, -EBADMSG, why);
}

static void raise_limit(
	struct lifecycle *life,
	struct db_txn *txn,
	struct session *session,
	struct purchase *purchase
)
{
	uint64_t credit = lifecycle_credit_bytes(life->conf.config, session);

	if (purchase->mode != PURCHASE_VOUCHER)
		return;
	// No overflow: both are far below 2^63.
	session->voucher_limit_bytes = purchase->voucher_bytes + credit;
	session_store_save(txn, session);
}

int lifecycle_post_voucher(
	struct lifecycle *life,
	uint64_t session_id,
	const struct lifecycle_voucher *voucher,
	struct purchase *ret,
	struct session_error *err
)
{
	struct purchase purchase;
	struct session session;
	struct db_txn txn;

	*err = (struct session_error){0};
	db_txn_begin_write(&txn, life->conf.db);
	int rc = load_bought(&txn, session_id, &session, &purchase, err);
	if (rc != 0)
		return rc;
	rc = check_voucher(life, &session, &purchase, voucher, err);
	if (rc != 0 || voucher->cumulative_bytes <= purchase.voucher_bytes) {
		db_txn_abort(&txn);
		if (rc == 0 && ret != NULL)
			*ret = purchase;
		return rc;
	}
	purchase.voucher_bytes = voucher->cumulative_bytes;
	memcpy(purchase.voucher_r, voucher->r, 32);
	memcpy(purchase.voucher_vs, voucher->vs, 32);
	purchase.voucher_unix_sec = clock_unix_ns(life->conf.clock) / NS_PER_SEC;
	purchase.waiting_unix_sec = 0;
	raise_limit(life, &txn, &session, &purchase);
	purchase_save(&txn, &purchase);
	rc = commit(life, &txn, err);
	if (rc != 0)
		return rc;
	session_tell(life->conf.sessions, &session);
	if (ret != NULL)
		*ret = purchase;
	return 0;
}
