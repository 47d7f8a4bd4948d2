// SPDX-License-Identifier: Apache-2.0
//
// What a session may use and until when: nine tenths used, throttled instead of cut, the credit, jumps of
// the host's clock, the inner address that it had.
#include "tests/unit/controlplane/lifecycle_story.h"

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

static void end_by_buyer(struct story *story)
{
	struct session_error err;

	assert_int_equal(lifecycle_end(story->life, story->id, "ended by the buyer", &err), 0);
	settle_down(story);
}

static void test_nine_tenths(void **state)
{
	struct story *story = *state;

	create(story, PURCHASE_OPTIMISTIC, 2 * MB);
	connect(story);
	pass(story, 1799000);
	assert_int_equal(n_audit_lines(story, "90 % of quota"), 0);
	pass(story, 1000);
	pass_time(story, 60);
	assert_int_equal(n_audit_lines(story, "90 % of quota"), 1);
	assert_int_equal(bought(story).warned_bytes, 2 * MB);
	say(story,
	    (struct chain_event
	    ){.kind = CHAIN_EVENT_TOPPED_UP,
	      .bytes = 5 * MB,
	      .deadline_sec = FIXTURE_UNIX_SEC + 86400});
	assert_state(story, SESSION_ACTIVE);
	pass(story, 2700000); // 90 % of the new quota: once more
	assert_int_equal(bought(story).warned_bytes, 5 * MB);
}

// Throttled by config: past its quota it goes on at the free rate until it expires.
static void test_throttled(void **state)
{
	struct story *story = *state;

	story->set.fix.config.sessions.quota_action = CONFIG_QUOTA_THROTTLE;
	create(story, PURCHASE_OPTIMISTIC, 2 * MB);
	connect(story);
	assert_true(story->set.dp.adds[now(story).slot].is_throttled_on_quota);
	assert_int_equal(story->set.dp.adds[now(story).slot].free_rate_kbps, 64);
	pass(story, 2 * MB);
	story->set.dp.seg.slots[now(story).slot].live.gate = ABI_GATE_THROTTLED;
	pass_time(story, 3600);
	assert_state(story, SESSION_ACTIVE);
	pass_time(story, 86400);
	assert_item(story, CHAIN_CALL_PROPOSE, 2 * MB, 0);
}

// At the credit nothing is given away, whatever the config says of the quota's end.
static void test_never_throttled_at_the_credit(void **state)
{
	struct story *story = *state;

	story->set.fix.config.sessions.quota_action = CONFIG_QUOTA_THROTTLE;
	create(story, PURCHASE_VOUCHER, 10 * GB);
	connect(story);
	assert_false(story->set.dp.adds[now(story).slot].is_throttled_on_quota);
}

// The host's clock jumps by ten years: no session of a chain ends of it, and none waits for ever.
static void test_host_clock_jumps(void **state)
{
	struct story *story = *state;

	create(story, PURCHASE_VOUCHER, 10 * GB);
	connect(story);
	pass(story, 5 * MB);
	assert_true(bought(story).waiting_unix_sec != 0);
	clock_manual_advance(&story->set.fix.manual, 3650ull * 86400 * NS_PER_SEC);
	settle_down(story);
	assert_state(story, SESSION_ACTIVE);
	clock_manual_init(
		&story->set.fix.clock,
		&story->set.fix.manual,
		(FIXTURE_UNIX_SEC - 3650ull * 86400) * NS_PER_SEC
	);
	settle_down(story);
	assert_state(story, SESSION_ACTIVE);
	mine(story, 50, PATIENCE_SEC);
	assert_state(story, SESSION_SETTLING);
}

// The address that a session had comes back after the quarantine only.
static void test_address_in_quarantine(void **state)
{
	struct story *story = *state;
	struct control_fixture *fix = &story->set.fix;
	struct session_add add = control_fixture_add("next", 3);
	struct session session;

	create(story, PURCHASE_OPTIMISTIC, 2 * GB);
	connect(story);
	const struct abi_endpoint inner = now(story).inner;
	end_by_buyer(story);
	assert_false(now(story).has_slot);
	for (uint8_t i = 0; i < 11; i++) { // all others of the /28
		char name[8];
		snprintf(name, sizeof(name), "n%u", i);
		add = control_fixture_add(name, (uint8_t)(10 + i));
		add.duration_sec = 30 * 86400;
		assert_int_equal(session_add(fix->sessions, &add, &session, &fix->err), 0);
		assert_memory_not_equal(&session.inner, &inner, sizeof(inner));
	}
	add = control_fixture_add("last", 50);
	assert_int_equal(session_add(fix->sessions, &add, &session, &fix->err), -ENOSPC);
	clock_manual_advance(&fix->manual, 3601 * NS_PER_SEC);
	assert_int_equal(session_add(fix->sessions, &add, &session, &fix->err), 0);
	assert_memory_equal(&session.inner, &inner, sizeof(inner));
}

// Addresses must not leak: not even to a clock that was ten years ahead when they were given back.
static void test_quarantine_and_a_clock_that_went_back(void **state)
{
	struct story *story = *state;
	struct control_fixture *fix = &story->set.fix;
	struct session session;

	create(story, PURCHASE_OPTIMISTIC, 2 * GB);
	connect(story);
	end_by_buyer(story);
	clock_manual_init(
		&fix->clock, &fix->manual, (FIXTURE_UNIX_SEC - 3650ull * 86400) * NS_PER_SEC
	);
	for (uint8_t i = 0; i < 12; i++) {
		char name[8];
		snprintf(name, sizeof(name), "n%u", i);
		const struct session_add add = control_fixture_add(name, (uint8_t)(10 + i));
		assert_int_equal(session_add(fix->sessions, &add, &session, &fix->err), 0);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nine_tenths),
		TEST(test_throttled),
		TEST(test_never_throttled_at_the_credit),
		TEST(test_host_clock_jumps),
		TEST(test_address_in_quarantine),
		TEST(test_quarantine_and_a_clock_that_went_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
