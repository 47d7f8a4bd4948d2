// SPDX-License-Identifier: Apache-2.0
//
// A contested proposal: between what bounds and in which mode an attestor's word is taken, when a claim
// must come first, and how it ends. Who signs what is tested in test_lifecycle_hostile.c.
#include "tests/unit/controlplane/lifecycle_story.h"

static void end_unpaid(struct story *story, enum purchase_mode mode)
{
	struct session_error err;

	create(story, mode, 2 * MB);
	connect(story);
	pass(story, 70000);
	assert_int_equal(lifecycle_end(story->life, story->id, "ended by the buyer", &err), 0);
	settle_down(story);
	assert_state(story, SESSION_SETTLING);
}

static void propose(struct story *story, uint64_t bytes)
{
	say(story,
	    (struct chain_event
	    ){.kind = CHAIN_EVENT_PROPOSED, .bytes = bytes, .deadline_sec = story->chain_sec + 3600}
	);
	set_item(story, SETTLE_ITEM_DONE, bytes);
}

// The buyer named an attestor and bought another mode: its word counts in a dispute alone.
static void test_other_mode(void **state)
{
	struct story *story = *state;

	end_unpaid(story, PURCHASE_OPTIMISTIC);
	assert_int_equal(attest(story, 70000, ATTESTOR, true), -EPERM);
	propose(story, 70000);
	assert_int_equal(attest(story, 70000, ATTESTOR, true), -EPERM);
	say(story,
	    (struct chain_event
	    ){.kind = CHAIN_EVENT_DISPUTED, .bytes = 5, .deadline_sec = story->chain_sec + 7200});
	assert_state(story, SESSION_DISPUTED);
	assert_int_equal(attest(story, 69000, ATTESTOR, true), 0);
	settle_down(story);
	assert_item(story, CHAIN_CALL_RESOLVE, 69000, 0);
}

// In a dispute the contract takes what lies between what was accepted and what was proposed.
static void test_bounds_in_a_dispute(void **state)
{
	struct story *story = *state;

	end_unpaid(story, PURCHASE_OPTIMISTIC);
	propose(story, 60000); // by hand, for less than was used
	say(story,
	    (struct chain_event
	    ){.kind = CHAIN_EVENT_DISPUTED, .bytes = 50000, .deadline_sec = story->chain_sec + 7200}
	);
	assert_int_equal(attest(story, 60001, ATTESTOR, true), -ERANGE);
	assert_int_equal(attest(story, 49999, ATTESTOR, true), -ERANGE);
	assert_int_equal(attest(story, 50000, ATTESTOR, true), 0);
}

// What was claimed is paid: the contract settles at no less.
static void test_less_than_was_claimed(void **state)
{
	struct story *story = *state;

	end_unpaid(story, PURCHASE_ATTESTED);
	say(story, (struct chain_event){.kind = CHAIN_EVENT_CLAIMED, .bytes = 40000});
	assert_int_equal(attest(story, 39999, ATTESTOR, true), -ERANGE);
	assert_int_equal(attest(story, 40000, ATTESTOR, true), 0);
}

static bool find_claim(struct story *story, struct settle_item *ret)
{
	struct db_txn txn;
	uint8_t id[32];

	memset(id, 0x51, sizeof(id));
	db_txn_begin_read(&txn, story->set.fix.db);
	bool is_found = settle_item_find_phase(&txn, CHAIN_ID, id, SETTLE_PHASE_CLAIM, ret);
	assert_int_equal(db_txn_commit(&txn), 0);
	return is_found;
}

static void set_claim(struct story *story, enum settle_item_state state)
{
	struct settle_item claim;
	struct db_txn txn;

	assert_true(find_claim(story, &claim));
	claim.state = state;
	db_txn_begin_write(&txn, story->set.fix.db);
	settle_item_put(&txn, &claim);
	assert_int_equal(db_txn_commit(&txn), 0);
	settle_down(story);
}

// An execution settles at what is paid by then: not before the claim is through, and the claim is sent once.
static void test_claim_before_the_end(void **state)
{
	struct story *story = *state;
	struct settle_item claim, again;

	end_unpaid(story, PURCHASE_OPTIMISTIC);
	propose(story, 70000);
	assert_int_equal(post_bytes(story, 60000), 0);
	say(story,
	    (struct chain_event
	    ){.kind = CHAIN_EVENT_DISPUTED, .bytes = 5, .deadline_sec = story->chain_sec + 7200});
	assert_true(find_claim(story, &claim));
	assert_int_equal(claim.call.voucher_bytes, 60000);
	pass_time(story, 7200);
	assert_item(story, CHAIN_CALL_PROPOSE, 70000, 0);
	set_claim(story, SETTLE_ITEM_BATCHED);
	assert_item(story, CHAIN_CALL_PROPOSE, 70000, 0);
	set_claim(story, SETTLE_ITEM_DONE);
	assert_item(story, CHAIN_CALL_EXECUTE, 70000, 0);
	assert_true(find_claim(story, &again));
	assert_int_equal(again.id, claim.id);
}

// The attestor's word came too late, or the buyer has accepted more than it says: executed, never resolved.
static void test_word_that_does_not_count(void **state)
{
	struct story *story = *state;

	end_unpaid(story, PURCHASE_ATTESTED);
	pass_time(story, PATIENCE_SEC);
	propose(story, 70000);
	assert_int_equal(attest(story, 40000, ATTESTOR, true), 0);
	settle_down(story);
	assert_item(story, CHAIN_CALL_FINALIZE_ATTESTED, 40000, 0);
	say(story,
	    (struct chain_event
	    ){.kind = CHAIN_EVENT_DISPUTED, .bytes = 50000, .deadline_sec = story->chain_sec + 7200}
	);
	assert_item(story, CHAIN_CALL_FINALIZE_ATTESTED, 40000, 0);
	unwind(story, story->block - 1);
	say(story,
	    (struct chain_event
	    ){.kind = CHAIN_EVENT_DISPUTED, .bytes = 5, .deadline_sec = story->chain_sec + 7200});
	assert_item(story, CHAIN_CALL_RESOLVE, 40000, 0);
	pass_time(story, 7199);
	assert_item(story, CHAIN_CALL_RESOLVE, 40000, 0);
	pass_time(story, 1);
	assert_item(story, CHAIN_CALL_EXECUTE, 40000, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_other_mode),
		TEST(test_bounds_in_a_dispute),
		TEST(test_less_than_was_claimed),
		TEST(test_claim_before_the_end),
		TEST(test_word_that_does_not_count),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
