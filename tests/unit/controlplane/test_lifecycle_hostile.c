// SPDX-License-Identifier: Apache-2.0
//
// What nobody should say to the lifecycle: events twice, out of order, about unknown sessions, with
// impossible amounts; attestations of others; a store that is full; a data plane that hangs.
#include "tests/unit/controlplane/lifecycle_story.h"

#define JUNK 2000

static uint64_t count(struct story *story, enum db_table table)
{
	struct db_txn txn;

	db_txn_begin_read(&txn, story->set.fix.db);
	uint64_t n = db_count(&txn, table);
	assert_int_equal(db_txn_commit(&txn), 0);
	return n;
}

static void end_by_buyer(struct story *story)
{
	struct session_error err;

	assert_int_equal(lifecycle_end(story->life, story->id, "ended by the buyer", &err), 0);
	settle_down(story);
}

static unsigned n_audit_lines(struct story *story, const char *what)
{
	struct session_audit_entry entry;
	struct db_iter iter;
	struct db_txn txn;
	unsigned n = 0;

	db_txn_begin_read(&txn, story->set.fix.db);
	db_iter_init(&iter, &txn, DB_AUDIT, NULL);
	while (db_iter_next(&iter)) {
		assert_int_equal(
			session_store_decode_audit(&entry, db_key_first(&iter.key), &iter.value), 0
		);
		n += entry.session_id == story->id && strcmp(entry.what, what) == 0;
	}
	db_iter_fini(&iter);
	assert_int_equal(db_txn_commit(&txn), 0);
	return n;
}

// ---- events that do not fit ---------------------------------------------------------------------

static void test_unknown_sessions(void **state)
{
	struct story *story = *state;
	uint64_t n_sessions = count(story, DB_SESSIONS), n_audit = count(story, DB_AUDIT);

	for (int kind = CHAIN_EVENT_TOPPED_UP; kind <= CHAIN_EVENT_SKIPPED; kind++)
		say(story, (struct chain_event){.kind = kind, .bytes = 5 * MB, .deadline_sec = 9});
	unwind(story, 0);
	assert_int_equal(count(story, DB_SESSIONS), n_sessions);
	assert_int_equal(count(story, DB_PURCHASES), 0);
	assert_int_equal(count(story, DB_CHAIN_INBOX), 0);
	assert_int_equal(count(story, DB_AUDIT), n_audit);
}

static void test_everything_twice(void **state)
{
	struct story *story = *state;
	const struct chain_event top_up = {
		.kind = CHAIN_EVENT_TOPPED_UP,
		.bytes = 5 * MB,
		.deadline_sec = FIXTURE_UNIX_SEC + 90000,
	};
	const struct chain_event closed = {
		.kind = CHAIN_EVENT_CLOSED,
		.deadline_sec = FIXTURE_UNIX_SEC + 30000,
	};

	create(story, PURCHASE_OPTIMISTIC, 2 * MB);
	connect(story);
	say(story, top_up);
	say(story, created(story, PURCHASE_OPTIMISTIC, 2 * MB)); // must not take the top-up back
	say(story, top_up);
	assert_int_equal(limit_in_force(story), 5 * MB);
	assert_int_equal(bought(story).n_top_ups, 1);
	pass(story, 70000);
	say(story, closed);
	say(story, closed);
	const struct settle_item item = assert_item(story, CHAIN_CALL_PROPOSE, 70000, 0);
	assert_int_equal(item.deadline_sec, FIXTURE_UNIX_SEC + 30000);
	assert_int_equal(count(story, DB_SETTLE_ITEMS), 1);
}

static void test_out_of_order(void **state)
{
	struct story *story = *state;

	create(story, PURCHASE_OPTIMISTIC, 2 * MB);
	connect(story);
	pass(story, 70000);
	say(story, (struct chain_event){.kind = CHAIN_EVENT_TOPPED_UP, .bytes = 1 * MB});
	assert_int_equal(limit_in_force(story), 2 * MB);
	assert_int_equal(n_audit_lines(story, "top-up refused"), 1);
	// A dispute before anything was proposed: nothing to contest, the session is served on.
	say(story,
	    (struct chain_event){.kind = CHAIN_EVENT_DISPUTED, .bytes = 7, .deadline_sec = 1});
	assert_state(story, SESSION_ACTIVE);
	unwind(story, story->block - 2);
	assert_state(story, SESSION_ACTIVE);
	// A proposal that the operator made by hand: nothing beyond it is ever paid.
	say(story,
	    (struct chain_event
	    ){.kind = CHAIN_EVENT_PROPOSED, .bytes = 70000, .deadline_sec = 1700001000});
	assert_state(story, SESSION_SETTLING);
	assert_int_equal(count(story, DB_SETTLE_ITEMS), 0);
	say(story, (struct chain_event){.kind = CHAIN_EVENT_SETTLED, .bytes = 70000});
	mine(story, 1, 12);
	assert_state(story, SESSION_SETTLING); // not deep enough
	mine(story, 3, 36);
	assert_state(story, SESSION_SETTLED);
	unwind(story, story->block - 6);
	assert_state(story, SESSION_SETTLING);
}

static void test_impossible_amounts(void **state)
{
	struct story *story = *state;
	struct chain_event event = created(story, PURCHASE_VOUCHER, UINT64_MAX);

	memset(&event.price_per_gb, 0xff, sizeof(event.price_per_gb));
	event.grace_sec = UINT64_MAX;
	say(story, event);
	story->id = 2;
	assert_state(story, SESSION_SETTLING); // the buyer has it back at once
	assert_item(story, CHAIN_CALL_FINALIZE, 0, 0);
	assert_int_equal(
		purchase_reclaim_from(&(struct purchase){.grace_sec = UINT64_MAX, .expires_sec = 9}
		),
		UINT64_MAX
	);
}

static void test_other_impossible_orders(void **state)
{
	struct story *story = *state;
	struct chain_event event = created(story, 200, 2 * GB);

	say(story, event); // a mode that is none
	story->id = 2;
	assert_item(story, CHAIN_CALL_FINALIZE, 0, 0);
	assert_false(now(story).has_slot);
	assert_string_equal(purchase_mode_name(200), "unknown");
}

static void test_nothing_bought(void **state)
{
	struct story *story = *state;

	say(story, created(story, PURCHASE_OPTIMISTIC, 0));
	story->id = 2;
	assert_item(story, CHAIN_CALL_FINALIZE, 0, 0);
}

static void test_price_of_nothing(void **state)
{
	struct story *story = *state;
	struct chain_event event = created(story, PURCHASE_OPTIMISTIC, 2 * MB);

	event.price_per_gb = U256_ZERO;
	say(story, event);
	story->id = 2;
	connect(story);
	pass(story, 3 * MB);
	assert_true(u256_is_zero(assert_item(story, CHAIN_CALL_PROPOSE, 2 * MB, 0).value));
}

// The chain was read beyond the expiry, but what was read there is not applied yet: a top-up may be in
// it that moves the expiry.
static void test_read_but_not_applied(void **state)
{
	struct story *story = *state;
	struct chain_event events[400] = {{.kind = CHAIN_EVENT_CLAIMED}};
	struct chain_step step = {.events = events, .n_events = 400};
	char err[DB_WHY_CAP];
	struct db_txn txn;

	create(story, PURCHASE_OPTIMISTIC, 2 * MB);
	connect(story);
	for (int i = 0; i < 400; i++) {
		events[i] = events[0]; // more than one round applies
		events[i].block_number = 200;
		memset(events[i].session_id, 0x51, 32);
	}
	events[399] = (struct chain_event){
		.kind = CHAIN_EVENT_TOPPED_UP,
		.bytes = 5 * MB,
		.deadline_sec = FIXTURE_UNIX_SEC + 2 * 86400,
		.block_number = 200,
	};
	memset(events[399].session_id, 0x51, 32);
	step.cursor.next_block = 201;
	step.cursor.read_time_sec = FIXTURE_UNIX_SEC + 86400 + 10;
	db_txn_begin_write(&txn, story->set.fix.db);
	chain_inbox_put_step(&txn, CHAIN_ID, contract, &step);
	assert_int_equal(db_txn_commit(&txn), 0);
	assert_int_equal(lifecycle_tick(story->life, err, sizeof(err)), 0);
	assert_true(count(story, DB_CHAIN_INBOX) > 0);
	assert_state(story, SESSION_ACTIVE);
	settle_down(story);
	assert_int_equal(count(story, DB_CHAIN_INBOX), 0);
	assert_state(story, SESSION_ACTIVE);
	assert_int_equal(limit_in_force(story), 5 * MB);
}

// ---- attestations -------------------------------------------------------------------------------

// The attestor's word counts for a time only: no payout threshold may hold it up beyond that.
static void test_attestation_deadlines(void **state)
{
	struct story *story = *state;
	uint64_t window_end_sec, resolve_until_sec;

	create(story, PURCHASE_ATTESTED, 2 * MB);
	connect(story);
	pass(story, 70000);
	end_by_buyer(story);
	pass_time(story, PATIENCE_SEC);
	assert_item(story, CHAIN_CALL_PROPOSE, 70000, 0);
	window_end_sec = story->chain_sec + 3600;
	say(story,
	    (struct chain_event
	    ){.kind = CHAIN_EVENT_PROPOSED, .bytes = 70000, .deadline_sec = window_end_sec});
	set_item(story, SETTLE_ITEM_DONE, 70000);
	assert_int_equal(attest(story, 69000, ATTESTOR, true), 0);
	settle_down(story);
	assert_int_equal(
		assert_item(story, CHAIN_CALL_FINALIZE_ATTESTED, 69000, 0).deadline_sec,
		window_end_sec
	);
	resolve_until_sec = story->chain_sec + 7200;
	say(story,
	    (struct chain_event
	    ){.kind = CHAIN_EVENT_DISPUTED, .bytes = 5, .deadline_sec = resolve_until_sec});
	settle_down(story);
	assert_int_equal(
		assert_item(story, CHAIN_CALL_RESOLVE, 69000, 0).deadline_sec, resolve_until_sec
	);
}

static void test_attestations(void **state)
{
	struct story *story = *state;
	struct settle_item item;

	create(story, PURCHASE_ATTESTED, 2 * MB);
	connect(story);
	pass(story, 70000);
	assert_int_equal(attest(story, 70000, ATTESTOR, true), -EPERM); // not over yet
	end_by_buyer(story);
	assert_false(find_item(story, &item));
	assert_int_equal(attest(story, 70000, ATTESTOR ^ 1, true), -EBADMSG);
	assert_int_equal(attest(story, 70000, ATTESTOR, false), -EINVAL);
	assert_int_equal(attest(story, 2 * MB + 1, ATTESTOR, true), -ERANGE);
	assert_int_equal(attest(story, 69000, ATTESTOR, true), 0);
	assert_int_equal(attest(story, 69000, ATTESTOR, true), 0);
	assert_int_equal(attest(story, 68000, ATTESTOR, true), -EEXIST);
	settle_down(story);
	assert_item(story, CHAIN_CALL_FINALIZE_ATTESTED, 69000, 0);
	set_item(story, SETTLE_ITEM_DONE, 69000);
	assert_state(story, SESSION_SETTLED);
	assert_int_equal(attest(story, 69000, ATTESTOR, true), -EPERM);
	story->id = story->set.session.id;
	assert_int_equal(attest(story, 1, ATTESTOR, true), -EPERM); // not bought
	story->id = 99;
	assert_int_equal(attest(story, 1, ATTESTOR, true), -ENOENT);
}

// A claim that the contract does not take costs money when nobody looks: it is flagged, and the flag goes
// when it is mended.
static void test_held_claim(void **state)
{
	struct story *story = *state;
	struct settle_item claim;
	uint8_t id[32];
	struct db_txn txn;

	memset(id, 0x51, sizeof(id));
	create(story, PURCHASE_OPTIMISTIC, 2 * MB);
	connect(story);
	pass(story, 70000);
	end_by_buyer(story);
	say(story,
	    (struct chain_event
	    ){.kind = CHAIN_EVENT_PROPOSED, .bytes = 70000, .deadline_sec = 1700009000});
	set_item(story, SETTLE_ITEM_DONE, 70000);
	assert_int_equal(post_bytes(story, 60000), 0);
	say(story,
	    (struct chain_event
	    ){.kind = CHAIN_EVENT_DISPUTED, .bytes = 5, .deadline_sec = story->chain_sec + 600});
	for (int i = 0; i < 2; i++) {
		db_txn_begin_write(&txn, story->set.fix.db);
		assert_true(settle_item_find_phase(&txn, CHAIN_ID, id, SETTLE_PHASE_CLAIM, &claim));
		assert_int_equal(claim.call.voucher_bytes, 60000);
		claim.state = i == 0 ? SETTLE_ITEM_HELD : SETTLE_ITEM_DONE;
		settle_item_put(&txn, &claim);
		assert_int_equal(db_txn_commit(&txn), 0);
		settle_down(story);
		assert_int_equal(now(story).reviews, i == 0 ? 1u << SESSION_REVIEW_SETTLEMENT : 0);
	}
}

// Nobody can disown what it signed, and no attestor for it; what was signed ahead of use is not used.
static void test_attestation_below_a_voucher(void **state)
{
	struct story *story = *state;

	create(story, PURCHASE_ATTESTED, 2 * MB);
	connect(story);
	pass(story, 70000);
	assert_int_equal(post_bytes(story, 50000), 0);
	end_by_buyer(story);
	assert_int_equal(attest(story, 49999, ATTESTOR, true), -ERANGE);
	assert_int_equal(post_bytes(story, 90000), 0);
	assert_int_equal(attest(story, 69999, ATTESTOR, true), -ERANGE);
	assert_int_equal(attest(story, 70000, ATTESTOR, true), 0);
}

// ---- a data plane that hangs, a store that is full ------------------------------------------------

static void test_overdue(void **state)
{
	struct story *story = *state;
	uint64_t reclaim_sec = FIXTURE_UNIX_SEC + 30000;

	create(story, PURCHASE_VOUCHER, 10 * GB);
	connect(story);
	pass(story, 70000);
	assert_int_equal(post_bytes(story, 60000), 0);
	story->set.dp.is_deaf = true;
	say(story, (struct chain_event){.kind = CHAIN_EVENT_CLOSED, .deadline_sec = reclaim_sec});
	assert_state(story, SESSION_DRAINING);
	mine(story, 1, 30000 - LIFECYCLE_MARGIN_SEC - 1);
	assert_state(story, SESSION_DRAINING);
	mine(story, 1, 1);
	assert_state(story, SESSION_SETTLING);
	const struct settle_item item = assert_item(story, CHAIN_CALL_FINALIZE, 60000, 60000);
	assert_int_equal(item.deadline_sec, reclaim_sec);
	assert_true(now(story).has_slot); // the hanging data plane may still serve it
	story->set.dp.is_deaf = false;
	settle_down(story);
	assert_false(now(story).has_slot);
	assert_state(story, SESSION_SETTLING);
	assert_int_equal(lifecycle_billed_bytes(story->life, story->id), 70000);
}

static void fill_store(struct story *story)
{
	static const uint8_t junk[JUNK];
	struct db_txn txn;
	int rc;

	for (size_t len = sizeof(junk), i = 0; len > 10; len /= 2) {
		do {
			struct db_key key = db_key_pair(UINT64_MAX, i++);
			db_txn_begin_write(&txn, story->set.fix.db);
			for (int n = 0; n < (len == sizeof(junk) ? 64 : 1); n++) {
				key = db_key_pair(UINT64_MAX, i++);
				db_put(&txn, DB_SETTLE_RAW, &key, junk, len);
			}
			rc = db_txn_commit(&txn);
		} while (rc == 0);
		assert_int_equal(rc, -ENOSPC);
	}
}

// With a larger map, as the operator would: what filled it goes.
static void empty_store(struct story *story)
{
	const struct db_conf conf = {
		.path = story->set.fix.config.store.path,
		.map_size_mb = 64,
	};
	const struct db_key from = db_key_pair(UINT64_MAX, 0);
	char err[DB_WHY_CAP];
	struct db_iter iter;
	struct db_txn txn;
	struct db *db;
	bool is_left = true;

	lifecycle_destroy(story->life);
	control_fixture_close(&story->set.fix);
	assert_int_equal(db_open(&db, &conf, err, sizeof(err)), 0);
	while (is_left) {
		struct db_key keys[512];
		size_t n = 0;
		db_txn_begin_write(&txn, db);
		db_iter_init(&iter, &txn, DB_SETTLE_RAW, &from);
		while (n < 512 && db_iter_next(&iter))
			keys[n++] = iter.key;
		db_iter_fini(&iter);
		for (size_t i = 0; i < n; i++)
			db_delete(&txn, DB_SETTLE_RAW, &keys[i]);
		assert_int_equal(db_txn_commit(&txn), 0);
		is_left = n > 0;
	}
	db_close(db);
	control_fixture_open(&story->set.fix, true);
	open_life(story);
}

// An event that cannot be applied stays; a voucher that cannot be stored is refused and raises nothing.
static void test_store_full(void **state)
{
	struct story *story = *state;
	struct lifecycle_voucher voucher;
	struct session_error err;
	char why[DB_WHY_CAP] = "";
	struct db_txn txn;
	struct chain_event event = {
		.kind = CHAIN_EVENT_TOPPED_UP,
		.bytes = 12 * GB,
		.deadline_sec = FIXTURE_UNIX_SEC + 90000,
		.block_number = 200,
	};
	struct chain_step step = {
		.events = &event,
		.n_events = 1,
		.cursor = {.next_block = 201, .read_time_sec = FIXTURE_UNIX_SEC},
	};

	create(story, PURCHASE_VOUCHER, 10 * GB);
	connect(story);
	memset(event.session_id, 0x51, sizeof(event.session_id));
	db_txn_begin_write(&txn, story->set.fix.db);
	chain_inbox_put_step(&txn, CHAIN_ID, contract, &step);
	assert_int_equal(db_txn_commit(&txn), 0);
	fill_store(story);
	voucher = sign(story, 5 * MB);
	assert_int_equal(
		lifecycle_post_voucher(story->life, story->id, &voucher, NULL, &err), -ENOSPC
	);
	assert_string_equal(err.field, "store");
	assert_int_equal(lifecycle_tick(story->life, why, sizeof(why)), -ENOSPC);
	assert_true(strlen(why) > 20);
	assert_int_equal(lifecycle_end(story->life, story->id, "full", &err), -ENOSPC);
	round_trip(&story->set);
	assert_int_equal(limit_in_force(story), 1 * MB);
	assert_state(story, SESSION_ACTIVE);
	empty_store(story);
	settle_down(story);
	assert_int_equal(bought(story).bought_bytes, 12 * GB);
	assert_int_equal(count(story, DB_CHAIN_INBOX), 0);
	assert_int_equal(post(story, &voucher), 0);
	settle_down(story);
	assert_int_equal(limit_in_force(story), 6 * MB);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_unknown_sessions),
		TEST(test_everything_twice),
		TEST(test_out_of_order),
		TEST(test_impossible_amounts),
		TEST(test_other_impossible_orders),
		TEST(test_nothing_bought),
		TEST(test_price_of_nothing),
		TEST(test_read_but_not_applied),
		TEST(test_attestations),
		TEST(test_attestation_deadlines),
		TEST(test_attestation_below_a_voucher),
		TEST(test_held_claim),
		TEST(test_overdue),
		TEST(test_store_full),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
