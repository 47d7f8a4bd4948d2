// SPDX-License-Identifier: Apache-2.0
//
// Purchases whose name, public key or place in the tunnel is another's when the chain tells of them, and
// what it tells of others' purchases: none of that may hold up what else was bought.
#include "tests/unit/controlplane/lifecycle_story.h"

#define N_FOREIGN 2000

static uint64_t n_events_left(struct story *story)
{
	struct db_txn txn;

	db_txn_begin_read(&txn, story->set.fix.db);
	uint64_t n = db_count(&txn, DB_CHAIN_INBOX);
	assert_int_equal(db_txn_commit(&txn), 0);
	return n;
}

static int try_add_admin(struct story *story, const char *name, unsigned key)
{
	const struct session_add add = control_fixture_add(name, key);
	struct control_fixture *fix = &story->set.fix;
	struct session session;

	return session_add(fix->sessions, &add, &session, &fix->err);
}

// An operator's session called as a purchase would be must not hold up everything that was bought.
static void test_name_taken(void **state)
{
	struct story *story = *state;

	assert_int_equal(try_add_admin(story, "s3", 9), 0);
	say(story, created(story, PURCHASE_OPTIMISTIC, 2 * GB));
	story->id = 3;
	assert_string_equal(now(story).name, "s3-2");
	unwind(story, story->block - 1);
	assert_state(story, SESSION_VOID);
	assert_int_equal(try_add_admin(story, "s3-2", 10), 0);
	assert_int_equal(try_add_admin(story, "s6", 11), 0);
	assert_int_equal(try_add_admin(story, NULL, 12), 0);
	say(story, created(story, PURCHASE_OPTIMISTIC, 2 * GB));
	assert_state(story, SESSION_PENDING);
	assert_string_equal(now(story).name, "s3-3");
	assert_int_equal(n_events_left(story), 0);
	story->id = 6;
	assert_string_equal(now(story).name, "s6-2");
}

// A purchase that is mined again when its key is another's: it ends, and is settled at what was used.
static void test_key_taken(void **state)
{
	struct story *story = *state;

	create(story, PURCHASE_OPTIMISTIC, 2 * GB);
	connect(story);
	pass(story, 50000);
	unwind(story, story->block - 1);
	assert_state(story, SESSION_VOID);
	assert_int_equal(try_add_admin(story, "bob", 2), 0);
	say(story, created(story, PURCHASE_OPTIMISTIC, 2 * GB));
	assert_int_equal(n_events_left(story), 0);
	assert_state(story, SESSION_SETTLING);
	assert_item(story, CHAIN_CALL_PROPOSE, 50000, 0);
}

// Likewise when the tunnel is full by now.
static void test_place_taken(void **state)
{
	struct story *story = *state;
	char name[16];

	create(story, PURCHASE_OPTIMISTIC, 2 * GB);
	connect(story);
	pass(story, 50000);
	unwind(story, story->block - 1);
	assert_state(story, SESSION_VOID);
	pass_time(story, 7200); // past the quarantine of its address
	for (unsigned n = 20; n < 40; n++) {
		snprintf(name, sizeof(name), "full%u", n);
		if (try_add_admin(story, name, n) != 0)
			break;
	}
	assert_int_equal(story->set.fix.err.code, -ENOSPC);
	say(story, created(story, PURCHASE_OPTIMISTIC, 2 * GB));
	assert_int_equal(n_events_left(story), 0);
	assert_state(story, SESSION_SETTLING);
	assert_item(story, CHAIN_CALL_PROPOSE, 50000, 0);
}

// A thousand events of others' sessions take one commit, not a thousand.
static void test_others_events(void **state)
{
	struct story *story = *state;
	struct chain_step step = {.n_events = N_FOREIGN};
	struct chain_event *events = calloc(N_FOREIGN, sizeof(*events));
	char err[DB_WHY_CAP];
	struct db_txn txn;

	create(story, PURCHASE_OPTIMISTIC, 2 * MB);
	for (unsigned i = 0; i < N_FOREIGN; i++) {
		events[i].kind = CHAIN_EVENT_CLAIMED;
		events[i].block_number = story->block + 1;
		memcpy(events[i].session_id, &i, sizeof(i));
	}
	events[N_FOREIGN - 1].kind = CHAIN_EVENT_CLOSED;
	memset(events[N_FOREIGN - 1].session_id, 0x51, 32);
	story->block++;
	step.events = events;
	step.cursor.next_block = story->block + 1;
	step.cursor.read_time_sec = story->chain_sec;
	db_txn_begin_write(&txn, story->set.fix.db);
	chain_inbox_put_step(&txn, CHAIN_ID, contract, &step);
	assert_int_equal(db_txn_commit(&txn), 0);
	free(events);
	assert_int_equal(lifecycle_tick(story->life, err, sizeof(err)), 0);
	assert_int_equal(n_events_left(story), 0);
	settle_down(story);
	assert_state(story, SESSION_SETTLING);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_name_taken),
		TEST(test_key_taken),
		TEST(test_place_taken),
		TEST(test_others_events),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
