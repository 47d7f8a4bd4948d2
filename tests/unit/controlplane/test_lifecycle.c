// SPDX-License-Identifier: Apache-2.0
//
// Bought sessions without vouchers from creation to settlement; reorganisations and repeats.
#include "tests/unit/controlplane/lifecycle_story.h"

// ---- the other modes -------------------------------------------------------------------------

static void test_optimistic(void **state)
{
	struct story *story = *state;
	uint64_t window_end;

	create(story, PURCHASE_OPTIMISTIC, 2 * MB);
	connect(story);
	assert_int_equal(limit_in_force(story), 2 * MB);
	pass(story, 3 * MB);
	assert_item(story, CHAIN_CALL_PROPOSE, 2 * MB, 0);
	window_end = FIXTURE_UNIX_SEC + 100000;
	say(story,
	    (struct chain_event
	    ){.kind = CHAIN_EVENT_PROPOSED, .bytes = 2 * MB, .deadline_sec = window_end});
	set_item(story, SETTLE_ITEM_DONE, 2 * MB);
	assert_state(story, SESSION_SETTLING);
	assert_item(story, CHAIN_CALL_PROPOSE, 2 * MB, 0);
	pass_time(story, 100100);
	assert_int_equal(
		assert_item(story, CHAIN_CALL_EXECUTE, 2 * MB, 0).state, SETTLE_ITEM_QUEUED
	);
	set_item(story, SETTLE_ITEM_DONE, 2 * MB);
	assert_state(story, SESSION_SETTLED);
}

static void test_unused_is_refunded(void **state)
{
	struct story *story = *state;

	create(story, PURCHASE_OPTIMISTIC, 2 * GB);
	pass_time(story, 86400);
	assert_item(story, CHAIN_CALL_FINALIZE, 0, 0);
	set_item(story, SETTLE_ITEM_DONE, 0);
	assert_state(story, SESSION_REFUNDED);
}

// Closing on chain ends it; and the operator's own session beside it goes on.
static void test_closed_on_chain(void **state)
{
	struct story *story = *state;
	struct control_fixture *fix = &story->set.fix;
	struct session alice;

	create(story, PURCHASE_OPTIMISTIC, 2 * GB);
	connect(story);
	pass(story, 70000);
	say(story,
	    (struct chain_event
	    ){.kind = CHAIN_EVENT_CLOSED, .deadline_sec = FIXTURE_UNIX_SEC + 30000});
	assert_state(story, SESSION_SETTLING);
	const struct settle_item item = assert_item(story, CHAIN_CALL_PROPOSE, 70000, 0);
	assert_int_equal(item.deadline_sec, FIXTURE_UNIX_SEC + 30000);
	pass_time(story, 7200); // beyond alice's expiry too
	assert_int_equal(session_get(fix->sessions, 1, &alice, &fix->err), 0);
	assert_int_equal(alice.state, SESSION_PROVISIONED);
}

static void test_dispute(void **state)
{
	struct story *story = *state;

	create(story, PURCHASE_OPTIMISTIC, 2 * MB);
	connect(story);
	pass(story, 3 * MB);
	say(story, (struct chain_event){.kind = CHAIN_EVENT_PROPOSED, .bytes = 2 * MB});
	say(story,
	    (struct chain_event
	    ){.kind = CHAIN_EVENT_DISPUTED,
	      .bytes = 1 * MB,
	      .deadline_sec = FIXTURE_UNIX_SEC + 1000});
	assert_state(story, SESSION_DISPUTED);
	unwind(story, story->block - 1);
	assert_state(story, SESSION_SETTLING);
}

// ---- reorganisations and repeats --------------------------------------------------------------

static void test_top_up_reorganised(void **state)
{
	struct story *story = *state;

	create(story, PURCHASE_OPTIMISTIC, 2 * MB);
	connect(story);
	pass(story, 500000);
	say(story,
	    (struct chain_event
	    ){.kind = CHAIN_EVENT_TOPPED_UP,
	      .bytes = 5 * MB,
	      .deadline_sec = FIXTURE_UNIX_SEC + 90000});
	assert_int_equal(limit_in_force(story), 5 * MB);
	unwind(story, story->block - 1);
	assert_int_equal(limit_in_force(story), 2 * MB); // the old limit
	assert_int_equal(now(story).expires_unix_sec, FIXTURE_UNIX_SEC + 86400);
	say(story,
	    (struct chain_event
	    ){.kind = CHAIN_EVENT_TOPPED_UP,
	      .bytes = 5 * MB,
	      .deadline_sec = FIXTURE_UNIX_SEC + 90000});
	pass(story, 2500000);
	unwind(story, story->block - 1);
	assert_int_equal(now(story).quota_bytes, 3 * MB); // what was billed
	assert_int_equal(bought(story).bought_bytes, 2 * MB);
	pass(story, 1000);
	assert_item(story, CHAIN_CALL_PROPOSE, 2 * MB, 0); // nobody pays for more than was bought
}

static void test_creation_reorganised(void **state)
{
	struct story *story = *state;
	const struct chain_event again = created(story, PURCHASE_OPTIMISTIC, 2 * GB);
	struct settle_item item;

	create(story, PURCHASE_OPTIMISTIC, 2 * GB);
	connect(story);
	pass(story, 50000);
	unwind(story, story->block - 1);
	assert_state(story, SESSION_VOID);
	assert_false(now(story).has_slot);
	assert_false(find_item(story, &item));
	say(story, again);
	assert_state(story, SESSION_ACTIVE);
	assert_true(now(story).has_slot);
	assert_int_equal(lifecycle_billed_bytes(story->life, story->id), 50000);
	say(story, again); // told twice
	assert_state(story, SESSION_ACTIVE);
}

// The buyer's id leaves it free to buy otherwise in another branch: with a token that is worth
// nothing, or another key for the vouchers. What was served would never be paid.
static void test_created_as_another_order(void **state)
{
	struct story *story = *state;
	const struct chain_event same = created(story, PURCHASE_OPTIMISTIC, 2 * GB);
	struct chain_event other[8];
	struct settle_item item;

	for (size_t i = 0; i < 8; i++)
		other[i] = same;
	other[0].buyer[31] ^= 1;
	other[1].voucher_signer[31] ^= 1;
	other[2].asset[31] ^= 1;
	other[3].usage_signer[31] ^= 1;
	other[4].attestor[31] ^= 1;
	other[5].price_per_gb = u256_from_u64(1);
	other[6].mode = PURCHASE_VOUCHER;
	other[7].grace_sec++;
	create(story, PURCHASE_OPTIMISTIC, 2 * GB);
	connect(story);
	unwind(story, story->block - 1);
	for (size_t i = 0; i < 8; i++) {
		say(story, other[i]);
		assert_state(story, SESSION_VOID);
		assert_false(now(story).has_slot);
		assert_false(find_item(story, &item));
	}
	say(story, same);
	assert_state(story, SESSION_ACTIVE);
}

static void test_refused_purchase(void **state)
{
	struct story *story = *state;

	say(story,
	    (struct chain_event
	    ){.kind = CHAIN_EVENT_CREATED,
	      .bytes = 2 * GB,
	      .deadline_sec = FIXTURE_UNIX_SEC - 1,
	      .mode = PURCHASE_VOUCHER});
	story->id = 2;
	assert_item(story, CHAIN_CALL_FINALIZE, 0, 0);
	assert_false(now(story).has_slot);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_optimistic),
		TEST(test_unused_is_refunded),
		TEST(test_closed_on_chain),
		TEST(test_dispute),
		TEST(test_top_up_reorganised),
		TEST(test_creation_reorganised),
		TEST(test_created_as_another_order),
		TEST(test_refused_purchase),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
