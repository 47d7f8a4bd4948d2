// SPDX-License-Identifier: Apache-2.0
//
// Checkpoints by bytes and by time, their chain in the store, a clock that goes back, and records of
// usage cut and flipped at each place.
#include "controlplane/session/session_store.h"
#include "controlplane/usage/usage.h"
#include "controlplane/usage/usage_store.h"
#include "tests/unit/controlplane/control_fixture.h"
#include "tests/unit/test.h"

#include <errno.h>

static const uint8_t boot[16] = {0xb0};

struct setup {
	struct control_fixture fix;
	struct session session;
};

static int begin(void **state)
{
	struct setup *set = calloc(1, sizeof(*set));
	const struct session_add add = control_fixture_add("alice", 1);
	struct db_txn txn;

	control_fixture_init(&set->fix);
	control_fixture_open(&set->fix, false);
	if (session_add(set->fix.sessions, &add, &set->session, &set->fix.err) != 0)
		return -1;
	db_txn_begin_write(&txn, set->fix.db);
	usage_open(set->fix.usage, &txn, &set->session, boot);
	if (db_txn_commit(&txn) != 0)
		return -1;
	usage_opened(set->fix.usage, &set->session);
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

static void observe(struct setup *set, uint64_t out, uint64_t in)
{
	const struct abi_session_reading reading = {.out_bytes = out, .in_bytes = in};

	assert_int_equal(usage_observe(set->fix.usage, set->session.slot, &reading), 0);
}

static int commit(struct setup *set, bool is_forced)
{
	char err[600];

	return usage_commit(set->fix.usage, is_forced, err, sizeof(err));
}

// Reads the whole chain and proves it. Returns: how many.
static unsigned verify_chain(struct setup *set, struct usage_checkpoint *last)
{
	const struct db_key from = db_key_pair(set->session.id, 0);
	struct usage_checkpoint next;
	struct db_txn txn;
	struct db_iter iter;
	unsigned n = 0;

	db_txn_begin_read(&txn, set->fix.db);
	db_iter_init(&iter, &txn, DB_CHECKPOINTS, &from);
	while (db_iter_next(&iter) && db_key_first(&iter.key) == set->session.id) {
		assert_int_equal(
			usage_checkpoint_decode(&next, iter.value.data, iter.value.len), 0
		);
		assert_int_equal(usage_checkpoint_verify_next(n == 0 ? NULL : last, &next), 0);
		assert_memory_equal(next.session_id, set->session.identity.id, 32);
		*last = next;
		n++;
	}
	db_iter_fini(&iter);
	assert_int_equal(db_txn_commit(&txn), 0);
	return n;
}

static void test_checkpoint_by_bytes_and_by_time(void **state)
{
	struct setup *set = *state;
	struct usage_checkpoint last;

	clock_manual_advance(&set->fix.manual, 3600 * NS_PER_SEC);
	assert_int_equal(commit(set, false), 0); // nothing moved
	observe(set, 600000, 399999);
	set->fix.config.usage.checkpoint_interval_sec = 4000;
	assert_int_equal(commit(set, false), 0); // one byte short of 10^6
	observe(set, 600000, 400000);
	assert_int_equal(commit(set, false), 1);
	observe(set, 600001, 400000);
	clock_manual_advance(&set->fix.manual, 3999 * NS_PER_SEC);
	assert_int_equal(commit(set, false), 0);
	clock_manual_advance(&set->fix.manual, NS_PER_SEC);
	assert_int_equal(commit(set, false), 1);
	assert_int_equal(commit(set, true), 0); // nothing new, even if asked
	observe(set, 600002, 400000);
	assert_int_equal(commit(set, true), 1);
	assert_int_equal(verify_chain(set, &last), 3);
	assert_int_equal(last.out_bytes, 600002);
	assert_int_equal(last.in_bytes, 400000);
}

static void test_clock_that_goes_back(void **state)
{
	struct setup *set = *state;
	struct usage_checkpoint last;

	observe(set, 10, 0);
	assert_int_equal(commit(set, true), 1);
	set->fix.manual.unix_ns -= 86400 * NS_PER_SEC;
	observe(set, 20, 0);
	assert_int_equal(commit(set, true), 1);
	assert_int_equal(verify_chain(set, &last), 2); // time is not below
	assert_int_equal(last.time_unix_sec, FIXTURE_UNIX_SEC);
}

static void test_survives_restart_with_the_chain(void **state)
{
	struct setup *set = *state;
	struct usage_checkpoint last;
	struct usage_view view;
	struct db_txn txn;

	observe(set, 10, 5);
	assert_int_equal(commit(set, true), 1);
	control_fixture_close(&set->fix);
	control_fixture_open(&set->fix, false);
	assert_int_equal(usage_read(set->fix.usage, set->session.id, &view), 0);
	assert_int_equal(view.out_bytes, 10);
	assert_int_equal(view.in_bytes, 5);
	assert_false(view.is_in_dataplane);
	db_txn_begin_write(&txn, set->fix.db);
	assert_true(usage_open(set->fix.usage, &txn, &set->session, boot));
	assert_int_equal(db_txn_commit(&txn), 0);
	usage_opened(set->fix.usage, &set->session);
	observe(set, 11, 5);
	assert_int_equal(commit(set, true), 1);
	assert_int_equal(verify_chain(set, &last), 2);
}

static void test_record_cut_and_flipped(void **state)
{
	struct usage_entry entry = {0}, got;
	uint8_t record[USAGE_ENTRY_BYTES + 1] = {0}, again[USAGE_ENTRY_BYTES];

	(void)state;
	entry.ledger = (struct usage_ledger){.base = {1, 2}, .boot = {3, 4}, .is_open = true};
	entry.last = (struct usage_checkpoint){.sequence = 9, .out_bytes = 3};
	entry.endpoint = (struct abi_endpoint){.family = 4, .addr = {1, 2, 3, 4}, .port_be = 5};
	entry.last_authentic_unix_ns = 77;
	usage_store_encode(&entry, record);
	assert_int_equal(usage_store_decode(&got, record, USAGE_ENTRY_BYTES), 0);
	assert_memory_equal(&got.ledger, &entry.ledger, sizeof(got.ledger));
	assert_memory_equal(&got.endpoint, &entry.endpoint, sizeof(got.endpoint));
	for (size_t len = 0; len <= sizeof(record); len++) {
		int want = len == USAGE_ENTRY_BYTES ? 0 : -EBADMSG;
		assert_int_equal(usage_store_decode(&got, record, len), want);
	}
	// A flipped bit is refused or is a value of its own: never one that reads as another.
	for (size_t bit = 0; bit < USAGE_ENTRY_BYTES * 8; bit++) {
		record[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (usage_store_decode(&got, record, USAGE_ENTRY_BYTES) == 0) {
			usage_store_encode(&got, again);
			const struct usage_count total = usage_delta_total(&got.ledger);
			assert_true(total.out_bytes >= got.ledger.base.out_bytes);
		}
		record[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_checkpoint_by_bytes_and_by_time),
		T(test_clock_that_goes_back),
		T(test_survives_restart_with_the_chain),
		cmocka_unit_test(test_record_cut_and_flipped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
