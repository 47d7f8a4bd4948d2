// SPDX-License-Identifier: Apache-2.0
//
// Sessions paid by vouchers: the credit, the wait for the next one, the patience, bad vouchers.
#include "tests/unit/controlplane/lifecycle_story.h"

// ---- vouchers --------------------------------------------------------------------------------

static void test_voucher_to_the_end(void **state)
{
	struct story *story = *state;
	struct settle_item item;

	create(story, PURCHASE_VOUCHER, 10 * GB);
	connect(story);
	assert_int_equal(limit_in_force(story), 1 * MB);
	pass(story, 2 * MB);
	assert_state(story, SESSION_ACTIVE);
	assert_true(bought(story).waiting_unix_sec != 0);
	assert_int_equal(post_bytes(story, 1 * MB), 0);
	assert_int_equal(bought(story).waiting_unix_sec, 0);
	round_trip(&story->set); // at once, no round of the lifecycle is needed
	assert_int_equal(limit_in_force(story), 2 * MB);
	assert_int_equal(story->set.dp.seg.slots[now(story).slot].live.gate, ABI_GATE_OPEN);
	pass(story, 500000);
	assert_int_equal(bought(story).waiting_unix_sec, 0);
	struct session_error err;
	assert_int_equal(lifecycle_end(story->life, story->id, "ended by the buyer", &err), 0);
	settle_down(story);
	assert_state(story, SESSION_SETTLING);
	assert_false(find_item(story, &item)); // the last bytes are not signed for yet
	assert_int_equal(post_bytes(story, 1500000), 0);
	settle_down(story);
	assert_item(story, CHAIN_CALL_FINALIZE, 1500000, 1500000);
	set_item(story, SETTLE_ITEM_DONE, 1500000);
	assert_state(story, SESSION_SETTLED);
	pass_time(story, 23 * 3600);
	set_item(story, SETTLE_ITEM_QUEUED, 0); // reorganised out
	assert_state(story, SESSION_SETTLING);
	set_item(story, SETTLE_ITEM_DONE, 1500000);
	assert_state(story, SESSION_SETTLED);
}

// The operator claimed by hand what the voucher covers. A branch without the claim takes the settlement too.
static void test_claimed_by_hand(void **state)
{
	struct story *story = *state;
	struct session_error err;

	create(story, PURCHASE_VOUCHER, 10 * GB);
	connect(story);
	pass(story, 70000);
	assert_int_equal(post_bytes(story, 70000), 0);
	say(story, (struct chain_event){.kind = CHAIN_EVENT_CLAIMED, .bytes = 70000});
	assert_int_equal(bought(story).claimed_bytes, 70000);
	unwind(story, story->block - 1);
	assert_int_equal(lifecycle_end(story->life, story->id, "ended by the buyer", &err), 0);
	settle_down(story);
	assert_item(story, CHAIN_CALL_FINALIZE, 70000, 70000);
}

// The buyer stops signing: waits, never ends before the patience, and is settled with the newest.
static void test_patience(void **state)
{
	struct story *story = *state;

	create(story, PURCHASE_VOUCHER, 10 * GB);
	connect(story);
	assert_int_equal(post_bytes(story, 300000), 0);
	settle_down(story);
	pass(story, 5 * MB);
	pass_time(story, PATIENCE_SEC - 60);
	assert_state(story, SESSION_ACTIVE);
	assert_true(bought(story).waiting_unix_sec != 0);
	pass_time(story, 61);
	assert_state(story, SESSION_SETTLING);
	assert_item(story, CHAIN_CALL_FINALIZE, 300000, 300000);
	// It comes late, and nothing was sent yet: what is queued takes it.
	assert_int_equal(post_bytes(story, 1200000), 0);
	settle_down(story);
	assert_item(story, CHAIN_CALL_FINALIZE, 1200000, 1200000);
}

// However patient the operator is, half of the shortest grace is left for the chain.
static void test_patience_ends_before_the_grace(void **state)
{
	struct story *story = *state;
	uint64_t reclaim_sec = story->chain_sec + 30000;
	struct settle_item item;

	story->set.fix.config.voucher.patience_sec = 10 * 86400;
	create(story, PURCHASE_VOUCHER, 10 * GB);
	connect(story);
	pass(story, 70000);
	assert_int_equal(post_bytes(story, 60000), 0);
	say(story, (struct chain_event){.kind = CHAIN_EVENT_CLOSED, .deadline_sec = reclaim_sec});
	assert_state(story, SESSION_SETTLING);
	pass_time(story, 30000 - LIFECYCLE_MARGIN_SEC - 1);
	assert_false(find_item(story, &item));
	pass_time(story, 1);
	assert_item(story, CHAIN_CALL_FINALIZE, 60000, 60000);
}

// A gate that opens by itself, since a reservation came back, ends the wait: the next one has its whole patience.
static void test_gate_that_opened_by_itself(void **state)
{
	struct story *story = *state;

	create(story, PURCHASE_VOUCHER, 10 * GB);
	connect(story);
	pass(story, 2 * MB);
	assert_true(bought(story).waiting_unix_sec != 0);
	story->set.dp.seg.slots[now(story).slot].live.gate = ABI_GATE_OPEN;
	pass_time(story, 60);
	assert_int_equal(bought(story).waiting_unix_sec, 0);
	pass_time(story, PATIENCE_SEC);
	pass(story, 1000);
	assert_state(story, SESSION_ACTIVE);
	assert_int_equal(bought(story).waiting_unix_sec, story->chain_sec);
}

// What was claimed by another voucher than those that came here: the contract takes exactly that, and no voucher
// below it.
static void test_claimed_beyond_the_voucher(void **state)
{
	struct story *story = *state;
	struct session_error err;

	create(story, PURCHASE_VOUCHER, 10 * GB);
	connect(story);
	pass(story, 70000);
	assert_int_equal(post_bytes(story, 50000), 0);
	say(story, (struct chain_event){.kind = CHAIN_EVENT_CLAIMED, .bytes = 60000});
	assert_int_equal(lifecycle_end(story->life, story->id, "ended by the buyer", &err), 0);
	settle_down(story);
	pass_time(story, PATIENCE_SEC);
	assert_item(story, CHAIN_CALL_FINALIZE, 60000, 0);
}

static void test_bad_vouchers(void **state)
{
	struct story *story = *state;
	struct lifecycle_voucher voucher;
	struct session_error err;

	create(story, PURCHASE_VOUCHER, 10 * GB);
	voucher = sign(story, 5 * MB);
	for (unsigned bit = 0; bit < 256; bit++) {
		voucher.r[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(post(story, &voucher), -EBADMSG);
		voucher.r[bit / 8] ^= (uint8_t)(1u << bit % 8);
		voucher.vs[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(post(story, &voucher), -EBADMSG);
		voucher.vs[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	voucher.cumulative_bytes++;
	assert_int_equal(post(story, &voucher), -EBADMSG);
	assert_int_equal(bought(story).voucher_bytes, 0);
	assert_int_equal(post_bytes(story, 10 * GB + 1), -ERANGE);
	assert_int_equal(post_bytes(story, 5 * MB), 0);
	assert_int_equal(post_bytes(story, 4 * MB), 0); // an older one changes nothing
	assert_int_equal(bought(story).voucher_bytes, 5 * MB);
	assert_int_equal(now(story).voucher_limit_bytes, 6 * MB);
	voucher = sign(story, 6 * MB);
	assert_int_equal(
		lifecycle_post_voucher(story->life, story->set.session.id, &voucher, NULL, &err),
		-EPERM
	);
	assert_int_equal(lifecycle_post_voucher(story->life, 99, &voucher, NULL, &err), -ENOENT);
}

// Who bought another mode may sign all the same: that gives the node more, never the buyer less.
static void test_voucher_in_another_mode(void **state)
{
	struct story *story = *state;

	create(story, PURCHASE_OPTIMISTIC, 10 * GB);
	connect(story);
	assert_int_equal(post_bytes(story, 300000), 0);
	settle_down(story);
	assert_int_equal(limit_in_force(story), 10 * GB);
	pass(story, 2 * MB);
	assert_int_equal(bought(story).waiting_unix_sec, 0);
	assert_int_equal(story->set.dp.seg.slots[now(story).slot].live.gate, ABI_GATE_OPEN);
}

// The top-up is reorganised out under a voucher that needed it: the buyer's tool sends that one again and is
// answered; a newer one waits for the top-up to be mined again. Nobody pays for more than was bought.
static void test_top_up_reorganised(void **state)
{
	struct story *story = *state;
	const struct chain_event top_up = {
		.kind = CHAIN_EVENT_TOPPED_UP,
		.bytes = 5 * MB,
		.deadline_sec = FIXTURE_UNIX_SEC + 90000,
	};

	create(story, PURCHASE_VOUCHER, 2 * MB);
	connect(story);
	say(story, top_up);
	assert_int_equal(post_bytes(story, 2 * MB), 0);
	settle_down(story);
	pass(story, 2500000);
	assert_int_equal(post_bytes(story, 2500000), 0);
	unwind(story, story->block - 1);
	assert_int_equal(limit_in_force(story), 2500000); // what was billed
	assert_int_equal(post_bytes(story, 2500000), 0);
	assert_int_equal(post_bytes(story, 2400000), 0);
	assert_int_equal(post_bytes(story, 2500001), -ERANGE);
	assert_int_equal(bought(story).voucher_bytes, 2500000);
	say(story, top_up);
	assert_int_equal(post_bytes(story, 3 * MB), 0);
	settle_down(story);
	assert_int_equal(limit_in_force(story), 4 * MB);
	unwind(story, story->block - 1);
	pass(story, 1000);
	assert_item(story, CHAIN_CALL_FINALIZE, 2 * MB, 3 * MB);
}

// The quota is the lower limit near the end: used up is the end, not a wait.
static void test_used_up_with_vouchers(void **state)
{
	struct story *story = *state;

	create(story, PURCHASE_VOUCHER, 2 * MB);
	connect(story);
	assert_int_equal(post_bytes(story, 1500000), 0);
	settle_down(story);
	assert_int_equal(limit_in_force(story), 2 * MB);
	pass(story, 3 * MB);
	assert_state(story, SESSION_SETTLING);
	assert_int_equal(post_bytes(story, 2 * MB), 0);
	settle_down(story);
	assert_item(story, CHAIN_CALL_FINALIZE, 2 * MB, 2 * MB);
}

static void test_credit(void **state)
{
	struct story *story = *state;
	struct session session = {.rate_out_kbps = 100000, .rate_in_kbps = 300000};
	const struct config *config = &story->set.fix.config;

	assert_int_equal(lifecycle_credit_bytes(config, &session), 100 * MB); // 400 Mb/s for 2 s
	session.rate_in_kbps = 0;
	assert_int_equal(lifecycle_credit_bytes(config, &session), 1 * MB);
	session = (struct session){.rate_out_kbps = 8, .rate_in_kbps = 8};
	assert_int_equal(lifecycle_credit_bytes(config, &session), 1 * MB);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_voucher_to_the_end),
		TEST(test_claimed_by_hand),
		TEST(test_patience),
		TEST(test_patience_ends_before_the_grace),
		TEST(test_gate_that_opened_by_itself),
		TEST(test_claimed_beyond_the_voucher),
		TEST(test_bad_vouchers),
		TEST(test_voucher_in_another_mode),
		TEST(test_top_up_reorganised),
		TEST(test_used_up_with_vouchers),
		TEST(test_credit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
