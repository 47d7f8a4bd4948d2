// SPDX-License-Identifier: Apache-2.0
//
// What retention forgets and what it must not: live, unpaid and reviewed sessions keep everything; an
// ended one keeps its record and total; a step is bounded; 0 keeps for ever.
#include "controlplane/session/session_store.h"
#include "controlplane/usage/usage_retention.h"
#include "controlplane/usage/usage_store.h"
#include "tests/unit/controlplane/control_fixture.h"
#include "tests/unit/test.h"

#include <errno.h>

#define DAY_NS (86400 * NS_PER_SEC)
#define N_CHECKPOINTS 600 // more than two steps

struct setup {
	struct control_fixture fix;
	struct usage_retention retention;
	struct session ended, live;
};

static void write_checkpoints(struct setup *set, const struct session *session)
{
	struct usage_entry entry = {0};
	struct db_txn txn;

	db_txn_begin_write(&txn, set->fix.db);
	for (int i = 1; i <= N_CHECKPOINTS; i++) {
		entry.ledger.base.out_bytes = 1000 * i;
		usage_store_checkpoint(
			&txn, session->id, session->identity.id, &entry, FIXTURE_UNIX_SEC
		);
	}
	assert_int_equal(db_txn_commit(&txn), 0);
}

static int begin(void **state)
{
	struct setup *set = calloc(1, sizeof(*set));
	struct control_fixture *fix = &set->fix;
	const struct session_add ended = control_fixture_add("ended", 1);
	const struct session_add live = control_fixture_add("live", 2);

	control_fixture_init(fix);
	fix->config.retention = (struct config_retention){.audit_days = 30, .usage_days = 30};
	control_fixture_open(fix, true);
	// The live one first: it stands before the ended one in every table.
	assert_int_equal(session_add(fix->sessions, &live, &set->live, &fix->err), 0);
	assert_int_equal(session_add(fix->sessions, &ended, &set->ended, &fix->err), 0);
	write_checkpoints(set, &set->live);
	write_checkpoints(set, &set->ended);
	assert_int_equal(session_remove(fix->sessions, set->ended.id, NULL, &fix->err), 0);
	dp_link_tick(fix->link); // no data plane: it ends at once
	assert_int_equal(session_get(fix->sessions, set->ended.id, &set->ended, &fix->err), 0);
	assert_int_equal(set->ended.state, SESSION_SETTLED);
	usage_retention_init(&set->retention, fix->db, &fix->config, &fix->clock);
	*state = set;
	return 0;
}

static int end(void **state)
{
	struct setup *set = *state;

	control_fixture_close(&set->fix);
	control_fixture_fini(&set->fix);
	free(set);
	return 0;
}

// A pass: the records that it forgot.
static unsigned pass(struct setup *set)
{
	char err[DB_WHY_CAP];
	unsigned n = 0;

	clock_manual_advance(&set->fix.manual, USAGE_RETENTION_REST_NS);
	for (int i = 0; i < 40; i++) {
		int rc = usage_retention_step(&set->retention, err, sizeof(err));
		assert_true(rc >= 0 && rc <= USAGE_RETENTION_STEP);
		n += (unsigned)rc;
	}
	assert_true(set->retention.rest_until_mono_ns > clock_mono_ns(&set->fix.clock));
	return n;
}

static bool count_checkpoint(void *ctx, const struct usage_checkpoint *checkpoint)
{
	(void)checkpoint;
	++*(unsigned *)ctx;
	return true;
}

static unsigned n_checkpoints(struct setup *set, const struct session *session)
{
	unsigned n = 0;

	assert_int_equal(
		usage_store_each_checkpoint(set->fix.db, session->id, 0, count_checkpoint, &n), 0
	);
	return n;
}

static unsigned n_records(struct setup *set, enum db_table table)
{
	struct db_txn txn;

	db_txn_begin_read(&txn, set->fix.db);
	unsigned n = (unsigned)db_count(&txn, table);
	assert_int_equal(db_txn_commit(&txn), 0);
	return n;
}

static unsigned n_audit(struct setup *set, uint64_t session_id)
{
	struct session_audit_entry entry;
	struct db_iter iter;
	struct db_txn txn;
	unsigned n = 0;

	db_txn_begin_read(&txn, set->fix.db);
	db_iter_init(&iter, &txn, DB_AUDIT, NULL);
	while (db_iter_next(&iter)) {
		assert_int_equal(
			session_store_decode_audit(&entry, db_key_first(&iter.key), &iter.value), 0
		);
		n += entry.session_id == session_id;
	}
	db_iter_fini(&iter);
	assert_int_equal(db_txn_commit(&txn), 0);
	return n;
}

static void test_only_what_is_over_is_forgotten(void **state)
{
	struct setup *set = *state;
	struct usage_view view;
	unsigned n_ended = n_audit(set, set->ended.id), n_live = n_audit(set, set->live.id);

	assert_int_equal(pass(set), 0); // too young
	clock_manual_advance(&set->fix.manual, 31 * DAY_NS);
	assert_int_equal(pass(set), N_CHECKPOINTS + n_ended);
	assert_int_equal(n_checkpoints(set, &set->ended), 0);
	assert_int_equal(n_checkpoints(set, &set->live), N_CHECKPOINTS);
	assert_int_equal(n_records(set, DB_ATTEST_QUEUE), N_CHECKPOINTS); // of the live one
	assert_int_equal(n_audit(set, set->ended.id), 0);
	assert_int_equal(n_audit(set, set->live.id), n_live);
	assert_int_equal(usage_read(set->fix.usage, set->ended.id, &view), 0);
	assert_int_equal(view.out_bytes, 1000 * N_CHECKPOINTS);
	assert_int_equal(view.n_checkpoints, N_CHECKPOINTS);
	assert_int_equal(pass(set), 0);
}

static void test_unpaid_and_reviewed_are_kept(void **state)
{
	struct setup *set = *state;
	struct control_fixture *fix = &set->fix;
	struct db_txn txn;

	assert_int_equal(
		session_set_review(
			fix->sessions,
			set->ended.id,
			SESSION_REVIEW_USAGE_LOST,
			true,
			"test",
			&fix->err
		),
		0
	);
	clock_manual_advance(&fix->manual, 31 * DAY_NS);
	assert_int_equal(pass(set), 0);
	assert_int_equal(
		session_set_review(
			fix->sessions,
			set->ended.id,
			SESSION_REVIEW_USAGE_LOST,
			false,
			"test",
			&fix->err
		),
		0
	);
	// Back to settling, as a reorganisation of the chain does it.
	db_txn_begin_write(&txn, fix->db);
	assert_true(session_store_load(&txn, set->ended.id, &set->ended));
	session_store_transition(&txn, &set->ended, SESSION_SETTLING, 1, "test");
	assert_int_equal(db_txn_commit(&txn), 0);
	assert_int_equal(pass(set), 0);
	assert_int_equal(n_checkpoints(set, &set->ended), N_CHECKPOINTS);
}

static void test_zero_keeps_for_ever(void **state)
{
	struct setup *set = *state;

	clock_manual_advance(&set->fix.manual, 4000 * DAY_NS);
	set->fix.config.retention = (struct config_retention){0};
	assert_int_equal(pass(set), 0);
	set->fix.config.retention.usage_days = 1; // one without the other
	assert_int_equal(pass(set), N_CHECKPOINTS);
	assert_true(n_audit(set, set->ended.id) > 0);
}

static void test_clock_before_the_first_cutoff(void **state)
{
	struct setup *set = *state;

	set->fix.manual.unix_ns = 5 * DAY_NS; // no battery: the epoch
	assert_int_equal(pass(set), 0);
	assert_int_equal(n_checkpoints(set, &set->ended), N_CHECKPOINTS);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_only_what_is_over_is_forgotten),
		T(test_unpaid_and_reviewed_are_kept),
		T(test_zero_keeps_for_ever),
		T(test_clock_before_the_first_cutoff),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
