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

// A chain that branches at a block keeps what stands in that block.
static void test_branching_block_stays(void **state)
{
	struct story *story = *state;
	const struct chain_event events[] = {
		{.kind = CHAIN_EVENT_TOPPED_UP,
		 .bytes = 5 * MB,
		 .deadline_sec = FIXTURE_UNIX_SEC + 90000},
		{.kind = CHAIN_EVENT_CLAIMED, .bytes = 1000},
		{.kind = CHAIN_EVENT_CLOSED, .deadline_sec = FIXTURE_UNIX_SEC + 80000},
		{.kind = CHAIN_EVENT_PROPOSED, .bytes = 2000, .deadline_sec = 9},
		{.kind = CHAIN_EVENT_DISPUTED, .bytes = 1000, .deadline_sec = 10},
		{.kind = CHAIN_EVENT_SETTLED, .bytes = 1000},
	};

	create(story, PURCHASE_OPTIMISTIC, 2 * MB);
	unwind(story, story->block);
	assert_state(story, SESSION_PENDING);
	connect(story);
	for (size_t i = 0; i < TEST_N_ROWS(events); i++) {
		say(story, events[i]);
		const struct purchase before = bought(story);
		unwind(story, story->block);
		const struct purchase after = bought(story);
		assert_int_equal(after.n_top_ups, 1);
		assert_int_equal(after.bought_bytes, 5 * MB);
		assert_int_equal(after.claimed_bytes, before.claimed_bytes);
		assert_int_equal(after.closed_block, before.closed_block);
		assert_int_equal(after.proposed_block, before.proposed_block);
		assert_int_equal(after.disputed_block, before.disputed_block);
		assert_int_equal(after.settled_block, before.settled_block);
	}
	assert_true(bought(story).settled_block != 0);
}

// Settled by others while it was served: it is served no more, and nothing is sent for it.
static void test_settled_by_others(void **state)
{
	struct story *story = *state;
	struct settle_item item;

	create(story, PURCHASE_OPTIMISTIC, 2 * MB);
	connect(story);
	pass(story, 70000);
	say(story, (struct chain_event){.kind = CHAIN_EVENT_SETTLED, .bytes = 0});
	assert_state(story, SESSION_SETTLING);
	assert_false(now(story).has_slot);
	assert_false(find_item(story, &item));
	mine(story, 3, 36);
	assert_state(story, SESSION_REFUNDED);
	assert_false(find_item(story, &item));
}

// What a claim had paid is owed again when the claim is gone; of several, those beyond the branching.
static void test_claim_reorganised(void **state)
{
	struct story *story = *state;
	const struct chain_event claims[] = {
		{.kind = CHAIN_EVENT_CLAIMED, .bytes = 1000},
		{.kind = CHAIN_EVENT_CLAIMED, .bytes = 3000},
		{.kind = CHAIN_EVENT_CLAIMED, .bytes = 2000}, // older, mined late: a no-op on chain
	};

	create(story, PURCHASE_VOUCHER, 2 * MB);
	connect(story);
	for (size_t i = 0; i < 3; i++)
		say(story, claims[i]);
	const uint64_t newest = story->block;
	assert_int_equal(bought(story).claimed_bytes, 3000);
	unwind(story, newest - 1);
	assert_int_equal(bought(story).claimed_bytes, 3000);
	unwind(story, newest - 2);
	assert_int_equal(bought(story).claimed_bytes, 1000);
	for (uint64_t i = 0; i < 2 * PURCHASE_CLAIMS_MAX; i++)
		say(story, (struct chain_event){.kind = CHAIN_EVENT_CLAIMED, .bytes = 4000 + i});
	assert_int_equal(bought(story).claimed_bytes, 4000 + 2 * PURCHASE_CLAIMS_MAX - 1);
	unwind(story, story->block - 1);
	assert_int_equal(bought(story).claimed_bytes, 4000 + 2 * PURCHASE_CLAIMS_MAX - 2);
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

static void put_quietly(struct story *story, struct chain_step step)
{
	struct db_txn txn;

	step.cursor.next_block = story->block + 1;
	step.cursor.read_time_sec = step.is_unwound ? 0 : story->chain_sec;
	db_txn_begin_write(&txn, story->set.fix.db);
	chain_inbox_put_step(&txn, CHAIN_ID, contract, &step);
	assert_int_equal(db_txn_commit(&txn), 0);
}

// The chain is read anew from its beginning, as after a reorganisation deeper than the cursor remembers:
// creation and top-up go away and come back between two rounds, and the buyer notices nothing.
static void test_read_anew_in_one_round(void **state)
{
	struct story *story = *state;
	struct chain_event events[2] = {
		created(story, PURCHASE_OPTIMISTIC, 2 * MB),
		{.kind = CHAIN_EVENT_TOPPED_UP,
		 .bytes = 5 * MB,
		 .deadline_sec = FIXTURE_UNIX_SEC + 90000},
	};

	create(story, PURCHASE_OPTIMISTIC, 2 * MB);
	connect(story);
	say(story, events[1]);
	pass(story, 3 * MB);
	const uint32_t slot = now(story).slot, generation = now(story).generation;
	const unsigned n_removes = story->set.dp.n_taken[ABI_COMMAND_REMOVE];
	for (int i = 0; i < 2; i++) {
		memset(events[i].session_id, 0x51, 32);
		events[i].block_number = story->block - 1 + (uint64_t)i;
	}
	put_quietly(story, (struct chain_step){.is_unwound = true});
	put_quietly(story, (struct chain_step){.events = events, .n_events = 2});
	settle_down(story);
	assert_state(story, SESSION_ACTIVE);
	assert_int_equal(now(story).slot, slot);
	assert_int_equal(now(story).generation, generation);
	assert_int_equal(story->set.dp.n_taken[ABI_COMMAND_REMOVE], n_removes);
	assert_int_equal(limit_in_force(story), 5 * MB);
	assert_int_equal(lifecycle_billed_bytes(story->life, story->id), 3 * MB);
	assert_int_equal(bought(story).n_top_ups, 1);
	pass(story, 3 * MB);
	assert_item(story, CHAIN_CALL_PROPOSE, 5 * MB, 0);
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

// Another chain, or another contract on the same one, speaks of the same id: that is another session.
static void test_other_chains(void **state)
{
	struct story *story = *state;
	struct chain_event events[3] = {
		{.kind = CHAIN_EVENT_CLOSED, .deadline_sec = 9},
		{.kind = CHAIN_EVENT_SETTLED, .bytes = 5},
		created(story, PURCHASE_OPTIMISTIC, 7 * GB),
	};
	uint8_t other[32] = {[31] = 7};

	create(story, PURCHASE_OPTIMISTIC, 2 * GB);
	connect(story);
	for (int i = 0; i < 3; i++) {
		memset(events[i].session_id, 0x51, 32);
		events[i].block_number = story->block + 5;
	}
	for (int i = 0; i < 4; i++) {
		const struct chain_step step = {
			.events = events,
			.n_events = i % 2 == 0 ? 3 : 0,
			.is_unwound = i % 2 != 0,
			.cursor = {.next_block = 1, .read_time_sec = UINT64_MAX},
		};
		struct db_txn txn;

		db_txn_begin_write(&txn, story->set.fix.db);
		chain_inbox_put_step(
			&txn, i < 2 ? CHAIN_ID + 1 : CHAIN_ID, i < 2 ? contract : other, &step
		);
		assert_int_equal(db_txn_commit(&txn), 0);
		settle_down(story);
		assert_state(story, SESSION_ACTIVE);
		assert_int_equal(limit_in_force(story), 2 * GB);
	}
	story->id = 3;
	assert_int_equal(
		session_get(story->set.fix.sessions, 3, &story->set.session, &story->set.fix.err),
		-ENOENT
	);
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
		TEST(test_branching_block_stays),
		TEST(test_settled_by_others),
		TEST(test_claim_reorganised),
		TEST(test_creation_reorganised),
		TEST(test_read_anew_in_one_round),
		TEST(test_created_as_another_order),
		TEST(test_other_chains),
		TEST(test_refused_purchase),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
