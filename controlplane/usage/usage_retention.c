// SPDX-License-Identifier: Apache-2.0
//
// See usage_retention.h. A step first collects keys, then deletes them: a table is not written while it
// is iterated.
#include "controlplane/usage/usage_retention.h"

#include "common/log.h"
#include "controlplane/session/session_store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define SEC_PER_DAY 86400ull

struct step {
	struct db_txn txn;
	struct db_key keys[USAGE_RETENTION_STEP];
	unsigned n_keys;
	uint64_t cutoff_unix_sec;
	uint64_t judged_id; // the session that is_over is about
	bool is_over;
};

void usage_retention_init(
	struct usage_retention *retention,
	struct db *db,
	const struct config *config,
	const struct clock *clock
)
{
	*retention = (struct usage_retention){.db = db, .config = config, .clock = clock};
}

// Over since before the cutoff, paid, and nobody has to look at it.
static bool is_over(struct step *step, uint64_t session_id)
{
	struct session session;

	if (step->judged_id == session_id)
		return step->is_over;
	step->judged_id = session_id;
	step->is_over = session_store_load(&step->txn, session_id, &session) &&
		(session.state == SESSION_SETTLED || session.state == SESSION_REFUNDED) &&
		session.reviews == 0 && session.changed_unix_sec < step->cutoff_unix_sec;
	return step->is_over;
}

static void collect_audit(struct usage_retention *retention, struct step *step)
{
	const struct db_key from = db_key_u64(retention->audit_from);
	struct session_audit_entry entry;
	struct db_iter iter;
	unsigned n = 0;

	db_iter_init(&iter, &step->txn, DB_AUDIT, &from);
	while (n++ < USAGE_RETENTION_STEP) {
		if (!db_iter_next(&iter)) {
			retention->is_audit_done = true;
			break;
		}
		uint64_t sequence = db_key_first(&iter.key);
		if (session_store_decode_audit(&entry, sequence, &iter.value) != 0) {
			db_txn_fail(
				&step->txn, -EBADMSG, "audit record %" PRIu64 ": damaged", sequence
			);
			break;
		}
		if (entry.time_unix_ns / NS_PER_SEC >= step->cutoff_unix_sec) {
			retention->is_audit_done = true; // the rest is younger
			break;
		}
		retention->audit_from = sequence + 1;
		if (entry.session_id == 0 || is_over(step, entry.session_id))
			step->keys[step->n_keys++] = iter.key;
	}
	db_iter_fini(&iter);
}

// Walks the checkpoints; those of a session that is not over are passed over in one jump.
static void collect_checkpoints(struct usage_retention *retention, struct step *step)
{
	for (unsigned n = 0; n < USAGE_RETENTION_STEP && !retention->is_usage_done;) {
		const struct db_key from =
			db_key_pair(retention->session_from, retention->sequence_from);
		struct db_iter iter;
		bool is_jump = false;

		db_iter_init(&iter, &step->txn, DB_CHECKPOINTS, &from);
		while (n++ < USAGE_RETENTION_STEP && !is_jump) {
			if (!db_iter_next(&iter)) {
				retention->is_usage_done = true;
				break;
			}
			uint64_t id = db_key_first(&iter.key);
			is_jump = !is_over(step, id);
			retention->session_from = is_jump ? id + 1 : id;
			retention->sequence_from = is_jump ? 0 : db_key_second(&iter.key) + 1;
			if (!is_jump)
				step->keys[step->n_keys++] = iter.key;
		}
		db_iter_fini(&iter);
	}
}

// With a checkpoint goes its signature (attest_store.h), and its place in the queue for one.
static void forget(struct step *step, bool is_audit)
{
	for (unsigned i = 0; i < step->n_keys; i++) {
		if (is_audit) {
			db_delete(&step->txn, DB_AUDIT, &step->keys[i]);
			continue;
		}
		db_delete(&step->txn, DB_CHECKPOINTS, &step->keys[i]);
		db_delete(&step->txn, DB_ATTEST_SIGNATURES, &step->keys[i]);
		db_delete(&step->txn, DB_ATTEST_QUEUE, &step->keys[i]);
	}
}

static void finish_pass(struct usage_retention *retention)
{
	if (retention->n_audit + retention->n_checkpoints != 0)
		log_info(
			"retention",
			"forgot %" PRIu64 " audit records and %" PRIu64
			" checkpoints of sessions that are over",
			retention->n_audit,
			retention->n_checkpoints
		);
	usage_retention_init(retention, retention->db, retention->config, retention->clock);
	retention->rest_until_mono_ns = clock_mono_ns(retention->clock) + USAGE_RETENTION_REST_NS;
}

int usage_retention_step(struct usage_retention *retention, char *err, size_t err_len)
{
	const struct config_retention *conf = &retention->config->retention;
	const struct usage_retention before = *retention;
	uint64_t now_sec = clock_unix_ns(retention->clock) / NS_PER_SEC;
	struct step step = {.n_keys = 0};

	if (clock_mono_ns(retention->clock) < retention->rest_until_mono_ns)
		return 0;
	bool is_audit = !retention->is_audit_done && conf->audit_days != 0;
	uint64_t days = is_audit ? conf->audit_days : conf->usage_days;
	if (days == 0 || now_sec < days * SEC_PER_DAY) {
		if (is_audit)
			retention->is_audit_done = true;
		else
			finish_pass(retention);
		return 0;
	}
	step.cutoff_unix_sec = now_sec - days * SEC_PER_DAY;
	db_txn_begin_write(&step.txn, retention->db);
	if (is_audit)
		collect_audit(retention, &step);
	else
		collect_checkpoints(retention, &step);
	forget(&step, is_audit);
	int rc = db_txn_commit(&step.txn);
	if (rc != 0) {
		snprintf(err, err_len, "retention: %s", step.txn.why);
		*retention = before;
		return rc;
	}
	*(is_audit ? &retention->n_audit : &retention->n_checkpoints) += step.n_keys;
	if (retention->is_usage_done)
		finish_pass(retention);
	return (int)step.n_keys;
}
