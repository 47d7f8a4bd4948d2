// SPDX-License-Identifier: Apache-2.0
//
// A node restarted in every state of the table, the control plane alone and with the data plane: the
// state stands, and the session goes on to the same end, with the same bytes. The rows are checked
// against the table, so that a new state without a row fails.
#include "tests/unit/controlplane/lifecycle_story.h"

#define USED 70000

static void restart_both(struct story *story)
{
	fake_dataplane_kill(&story->set.dp);
	start_dp(&story->set);
	restart(story);
	settle_down(story);
}

static void end_by_buyer(struct story *story)
{
	struct session_error err;

	assert_int_equal(lifecycle_end(story->life, story->id, "ended by the buyer", &err), 0);
	settle_down(story);
}

static void item_is_done(struct story *story, uint64_t bytes)
{
	set_item(story, SETTLE_ITEM_DONE, bytes);
}

// ---- how a state is reached, and what must follow ----------------------------------------------

static void reach_pending(struct story *story)
{
	create(story, PURCHASE_OPTIMISTIC, 2 * GB);
}

static void expires_unused(struct story *story)
{
	pass_time(story, 86400);
	assert_item(story, CHAIN_CALL_FINALIZE, 0, 0);
}

static void reach_provisioned(struct story *story)
{
	struct control_fixture *fix = &story->set.fix;
	struct session session;
	uint8_t key[32];

	create(story, PURCHASE_OPTIMISTIC, 2 * GB);
	control_fixture_public_key(key, 2);
	assert_int_equal(session_provision(fix->sessions, story->id, key, &session, &fix->err), 0);
	settle_down(story);
}

static void reach_active(struct story *story)
{
	create(story, PURCHASE_OPTIMISTIC, 2 * GB);
	connect(story);
	pass(story, USED);
}

static void serves_and_expires(struct story *story)
{
	assert_int_equal(limit_in_force(story), 2 * GB);
	pass(story, USED);
	pass_time(story, 86400);
	assert_item(story, CHAIN_CALL_PROPOSE, 2 * USED, 0);
}

static void reach_suspended(struct story *story)
{
	struct control_fixture *fix = &story->set.fix;

	reach_active(story);
	assert_int_equal(session_suspend(fix->sessions, story->id, NULL, &fix->err), 0);
	settle_down(story);
}

static void stays_closed_and_expires(struct story *story)
{
	uint32_t slot = now(story).slot;

	assert_int_equal(story->set.dp.seg.slots[slot].live.gate, ABI_GATE_CLOSED);
	pass_time(story, 86400);
	assert_item(story, CHAIN_CALL_PROPOSE, USED, 0);
}

static void reach_draining(struct story *story)
{
	reach_active(story);
	story->set.dp.is_deaf = true;
	end_by_buyer(story);
}

static void drains(struct story *story)
{
	story->set.dp.is_deaf = false;
	pass_time(story, 10);
	assert_item(story, CHAIN_CALL_PROPOSE, USED, 0);
}

// Its last bytes are not signed for.
static void reach_settling(struct story *story)
{
	create(story, PURCHASE_VOUCHER, 2 * GB);
	connect(story);
	pass(story, USED);
	assert_int_equal(post_bytes(story, USED - 1000), 0);
	end_by_buyer(story);
}

static void waits_and_settles(struct story *story)
{
	struct settle_item item;

	assert_false(find_item(story, &item));
	pass_time(story, PATIENCE_SEC);
	assert_item(story, CHAIN_CALL_FINALIZE, USED - 1000, USED - 1000);
	pass_time(story, PATIENCE_SEC);
	item_is_done(story, USED - 1000);
	assert_state(story, SESSION_SETTLED);
}

static void reach_settled(struct story *story)
{
	reach_active(story);
	end_by_buyer(story);
	say(story,
	    (struct chain_event
	    ){.kind = CHAIN_EVENT_PROPOSED, .bytes = USED, .deadline_sec = story->chain_sec + 10});
	item_is_done(story, USED);
	pass_time(story, 10);
	assert_item(story, CHAIN_CALL_EXECUTE, USED, 0);
	item_is_done(story, USED);
}

static void is_forgotten(struct story *story)
{
	uint64_t id;
	struct db_txn txn;

	pass_time(story, 25ull * 3600);
	db_txn_begin_read(&txn, story->set.fix.db);
	assert_int_equal(purchase_list_open(&txn, 0, &id, 1), 0);
	assert_int_equal(db_txn_commit(&txn), 0);
	assert_int_equal(bought(story).bought_bytes, 2 * GB); // but not lost
}

static void reach_refunded(struct story *story)
{
	create(story, PURCHASE_OPTIMISTIC, 2 * GB);
	pass_time(story, 86400);
	item_is_done(story, 0);
}

static void reach_disputed(struct story *story)
{
	reach_active(story);
	end_by_buyer(story);
	say(story,
	    (struct chain_event
	    ){.kind = CHAIN_EVENT_PROPOSED, .bytes = USED, .deadline_sec = story->chain_sec + 10});
	item_is_done(story, USED);
	say(story,
	    (struct chain_event
	    ){.kind = CHAIN_EVENT_DISPUTED, .bytes = 5, .deadline_sec = story->chain_sec + 600});
}

static void executes_in_the_end(struct story *story)
{
	assert_item(story, CHAIN_CALL_PROPOSE, USED, 0);
	pass_time(story, 599);
	assert_item(story, CHAIN_CALL_PROPOSE, USED, 0);
	pass_time(story, 1);
	assert_item(story, CHAIN_CALL_EXECUTE, USED, 0);
	item_is_done(story, 5);
	assert_state(story, SESSION_SETTLED);
}

static void reach_void(struct story *story)
{
	reach_active(story);
	unwind(story, story->block - 1);
}

static void comes_back(struct story *story)
{
	say(story, created(story, PURCHASE_OPTIMISTIC, 2 * GB));
	assert_state(story, SESSION_ACTIVE);
	assert_int_equal(lifecycle_billed_bytes(story->life, story->id), USED);
	serves_and_expires(story);
}

static const struct row {
	enum session_state state;
	void (*reach)(struct story *story);
	void (*go_on)(struct story *story);
} rows[] = {
	{SESSION_PENDING, reach_pending, expires_unused},
	{SESSION_PROVISIONED, reach_provisioned, expires_unused},
	{SESSION_ACTIVE, reach_active, serves_and_expires},
	{SESSION_SUSPENDED, reach_suspended, stays_closed_and_expires},
	{SESSION_DRAINING, reach_draining, drains},
	{SESSION_SETTLING, reach_settling, waits_and_settles},
	{SESSION_SETTLED, reach_settled, is_forgotten},
	{SESSION_REFUNDED, reach_refunded, is_forgotten},
	{SESSION_DISPUTED, reach_disputed, executes_in_the_end},
	{SESSION_VOID, reach_void, comes_back},
};

static void test_every_state_has_a_row(void **state)
{
	unsigned seen = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		seen |= 1u << rows[i].state;
	assert_int_equal(seen, (1u << SESSION_N_STATE) - 1);
}

static void restart_in_every_state(void (*again)(struct story *story))
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		void *made;
		assert_int_equal(setup(&made), 0);
		struct story *story = made;
		rows[i].reach(story);
		assert_state(story, rows[i].state);
		again(story);
		// A data plane that is gone has drained.
		if (rows[i].state != SESSION_DRAINING || again == restart)
			assert_state(story, rows[i].state);
		rows[i].go_on(story);
		teardown(&made);
	}
}

static void test_control_plane_restarted(void **state)
{
	(void)state;
	restart_in_every_state(restart);
}

static void test_both_restarted(void **state)
{
	(void)state;
	restart_in_every_state(restart_both);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_state_has_a_row),
		cmocka_unit_test(test_control_plane_restarted),
		cmocka_unit_test(test_both_restarted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
