// SPDX-License-Identifier: Apache-2.0
//
// What dp_link does when something is wrong around it: counters that go down, a full disk, a clock that
// jumps, a slow path that stands still, a data plane of another release.
#include "controlplane/dp_link.h"
#include "tests/unit/controlplane/dp_link_setup.h"

#include <errno.h>
#include <sys/mount.h>

static void test_counters_that_go_down_are_not_believed(void **state)
{
	struct setup *set = *state;

	start_dp(set);
	round_trip(set);
	fake_dataplane_bill(&set->dp, set->session.slot, 900, 0);
	second(set);
	set->dp.seg.slots[set->session.slot].live.out_bytes = 100;
	second(set);
	assert_int_equal(total(set), 900);
	assert_true((reload(set).reviews & 1u << SESSION_REVIEW_USAGE_REGRESSED) != 0);
}

// No room for a commit: degraded and named, served on, and after room everything is there.
static void test_full_disk_loses_nothing(void **state)
{
	struct setup *set = *state;
	char store[200];

	control_fixture_close(&set->fix);
	snprintf(store, sizeof(store), "%s/small", set->fix.tmp.path);
	assert_int_equal(mkdir(store, 0700), 0);
	if (mount("tmpfs", store, "tmpfs", 0, "size=256k") != 0) {
		control_fixture_open(&set->fix, true);
		skip(); // needs root
	}
	strcpy(set->fix.config.store.path, store);
	control_fixture_open(&set->fix, true);
	const struct session_add add = control_fixture_add("bob", 2);
	assert_int_equal(session_add(set->fix.sessions, &add, &set->session, &set->fix.err), 0);
	start_dp(set);
	round_trip(set);
	fake_dataplane_bill(&set->dp, set->session.slot, 777, 0);
	char fill[300], command[400];
	snprintf(fill, sizeof(fill), "%s/fill", store);
	snprintf(command, sizeof(command), "cat /dev/zero > %s 2>/dev/null", fill);
	assert_int_not_equal(system(command), 0);
	for (int i = 0; i < 200 && !set->fix.health.conditions[HEALTH_STORE].is_set; i++) {
		clock_manual_advance(&set->fix.manual, 61 * NS_PER_SEC);
		fake_dataplane_bill(&set->dp, set->session.slot, 1, 0);
		round_trip(set);
	}
	assert_true(set->fix.health.conditions[HEALTH_STORE].is_set);
	assert_non_null(strstr(set->fix.health.conditions[HEALTH_STORE].reason, store));
	uint64_t before = total(set);
	fake_dataplane_bill(&set->dp, set->session.slot, 100, 0);
	fake_dataplane_kill(&set->dp);
	second(set);
	assert_true(set->fix.health.conditions[HEALTH_HARVEST].is_set);
	assert_int_equal(n_segments(set), 1); // not removed before it is committed
	assert_true(total(set) >= before);
	unlink(fill);
	second(set);
	second(set);
	assert_false(set->fix.health.conditions[HEALTH_STORE].is_set);
	assert_false(set->fix.health.conditions[HEALTH_HARVEST].is_set);
	assert_int_equal(total(set), before + 100);
	assert_int_equal(n_segments(set), 0);
	control_fixture_close(&set->fix);
	assert_int_equal(umount(store), 0);
}

static void put_record(struct setup *set, uint64_t session_id, const void *data, size_t len)
{
	const struct db_key key = db_key_u64(session_id);
	struct db_txn txn;

	db_txn_begin_write(&txn, set->fix.db);
	db_put(&txn, DB_SESSIONS, &key, data, len);
	assert_int_equal(db_txn_commit(&txn), 0);
}

static size_t get_record(struct setup *set, uint64_t session_id, uint8_t *record, size_t cap)
{
	const struct db_key key = db_key_u64(session_id);
	struct db_value value;
	struct db_txn txn;

	db_txn_begin_read(&txn, set->fix.db);
	assert_true(db_get(&txn, DB_SESSIONS, &key, &value));
	assert_true(value.len <= cap);
	memcpy(record, value.data, value.len);
	assert_int_equal(db_txn_commit(&txn), 0);
	return value.len;
}

// While a harvest loads all sessions again, one cannot be read: it is no stranger for that, and it is
// served as soon as it can be read.
static void test_unreadable_session_is_no_stranger(void **state)
{
	struct setup *set = *state;
	const struct session_add add = control_fixture_add("bob", 2);
	uint8_t record[4096];
	struct session bob;

	start_dp(set);
	second(set);
	fake_dataplane_kill(&set->dp);
	assert_int_equal(session_add(set->fix.sessions, &add, &bob, &set->fix.err), 0);
	size_t len = get_record(set, bob.id, record, sizeof(record));
	put_record(set, bob.id, record, len / 2);

	start_dp(set);
	fake_dataplane_add(
		&set->dp, &(struct abi_command){.slot = bob.slot, .generation = bob.generation}
	);
	second(set);
	assert_true(set->fix.health.conditions[HEALTH_STORE].is_set);
	assert_int_equal(set->dp.adds[bob.slot].generation, bob.generation);

	put_record(set, bob.id, record, len);
	second(set);
	second(set);
	assert_false(set->fix.health.conditions[HEALTH_STORE].is_set);
	assert_int_equal(set->dp.n_taken[ABI_COMMAND_REMOVE], 0);
	assert_int_equal(set->dp.adds[bob.slot].generation, bob.generation);
	assert_int_equal(set->dp.adds[set->session.slot].generation, reload(set).generation);
}

static void test_clock_jump_is_told_and_limits_sent_again(void **state)
{
	struct setup *set = *state;

	start_dp(set);
	second(set);
	unsigned before = set->dp.n_taken[ABI_COMMAND_SET_LIMITS];
	set->fix.manual.unix_ns -= 3600 * NS_PER_SEC;
	second(set);
	assert_true(set->fix.health.conditions[HEALTH_CLOCK].is_set);
	assert_int_equal(set->dp.n_taken[ABI_COMMAND_SET_LIMITS], before + 1);
	clock_manual_advance(&set->fix.manual, 61 * NS_PER_SEC);
	round_trip(set);
	assert_false(set->fix.health.conditions[HEALTH_CLOCK].is_set);
}

static void test_silent_slow_path_is_noticed(void **state)
{
	struct setup *set = *state;

	start_dp(set);
	round_trip(set);
	dp_link_tick(set->fix.link);
	clock_manual_advance(&set->fix.manual, 6 * NS_PER_SEC);
	dp_link_tick(set->fix.link);
	assert_true(set->fix.health.conditions[HEALTH_HEARTBEAT].is_set);
	second(set);
	assert_false(set->fix.health.conditions[HEALTH_HEARTBEAT].is_set);
}

static void test_other_release_is_named_and_kept(void **state)
{
	struct setup *set = *state;

	start_dp(set);
	set->dp.seg.header->abi_version = ABI_VERSION + 1;
	round_trip(set);
	assert_true(set->fix.health.conditions[HEALTH_ABI].is_set);
	assert_non_null(
		strstr(set->fix.health.conditions[HEALTH_ABI].reason, "data plane has ABI version")
	);
	assert_null(strstr(set->fix.health.conditions[HEALTH_ABI].reason, "has ended"));
	fake_dataplane_kill(&set->dp);
	dp_link_tick(set->fix.link);
	assert_int_equal(n_segments(set), 1); // not ours to throw away
	assert_non_null(strstr(
		set->fix.health.conditions[HEALTH_ABI].reason,
		"its data plane has ended: let the tollwire-control that it belonged to run once"
	));
}

// A dead boot of another release keeps its sessions waiting. The way out that the message names:
// without the file they go on from their last checkpoint.
static void test_other_release_is_given_up_by_hand(void **state)
{
	struct setup *set = *state;

	start_dp(set);
	round_trip(set);
	fake_dataplane_bill(&set->dp, set->session.slot, 700, 0);
	clock_manual_advance(&set->fix.manual, 61 * NS_PER_SEC);
	round_trip(set);
	control_fixture_close(&set->fix);
	char path[256];
	strcpy(path, set->dp.seg.counters_path);
	set->dp.seg.header->abi_version = ABI_VERSION + 1;
	fake_dataplane_kill(&set->dp);
	control_fixture_open(&set->fix, true);
	start_dp(set);
	second(set);
	assert_int_equal(set->dp.n_taken[ABI_COMMAND_ADD], 0);
	assert_non_null(strstr(set->fix.health.conditions[HEALTH_ABI].reason, path));
	assert_int_equal(unlink(path), 0);
	second(set);
	assert_int_equal(set->dp.last[ABI_COMMAND_ADD].base_out_bytes, 700);
	assert_false(set->fix.health.conditions[HEALTH_ABI].is_set);
}

// A boot that cannot be read is told, not taken for none.
static void test_unreadable_counters_are_told(void **state)
{
	struct setup *set = *state;
	char path[256], aside[300];

	start_dp(set);
	strcpy(path, set->dp.seg.counters_path);
	snprintf(aside, sizeof(aside), "%s/aside", set->fix.tmp.path);
	assert_int_equal(rename(path, aside), 0);
	assert_int_equal(symlink(aside, path), 0); // refused: -ELOOP, as -EACCES would be
	dp_link_tick(set->fix.link);
	assert_true(set->fix.health.conditions[HEALTH_ABI].is_set);
	assert_non_null(strstr(set->fix.health.conditions[HEALTH_ABI].reason, path));
	assert_int_equal(rename(aside, path), 0);
	dp_link_tick(set->fix.link);
	assert_false(set->fix.health.conditions[HEALTH_ABI].is_set);
}

static struct session add_another(struct setup *set, uint8_t n)
{
	char name[8];
	struct session session;

	snprintf(name, sizeof(name), "s%u", n);
	const struct session_add add = control_fixture_add(name, n);
	assert_int_equal(session_add(set->fix.sessions, &add, &session, &set->fix.err), 0);
	return session;
}

// More sessions than the data plane has slots: the node says which and what to do, and one of them can
// be ended.
static void test_slots_beyond_the_data_plane_are_told(void **state)
{
	struct setup *set = *state;
	struct session last;

	set->fix.config.tunnel.network.prefix_len = 24;
	set->fix.config.sessions.max = 2 * FAKE_DATAPLANE_SLOTS;
	restart_control(set);
	for (uint8_t n = 2; n <= FAKE_DATAPLANE_SLOTS + 2; n++)
		last = add_another(set, n);
	start_dp(set);
	second(set);
	const char *reason = set->fix.health.conditions[HEALTH_SLOTS].reason;
	assert_non_null(strstr(reason, "2 sessions are not served, the first is s17"));
	assert_non_null(strstr(reason, "the data plane has 16 slots; set sessions.max to 18"));
	set->session = last;
	assert_int_equal(session_remove(set->fix.sessions, last.id, NULL, &set->fix.err), 0);
	second(set);
	assert_int_equal(reload(set).state, SESSION_SETTLED);
	assert_non_null(strstr(reason, "1 sessions are not served"));
	fake_dataplane_kill(&set->dp);
	second(set);
	assert_false(set->fix.health.conditions[HEALTH_SLOTS].is_set);
}

// sessions.max lowered while sessions above it are being served: they go on, and are metered.
static void test_lowered_maximum_cuts_nobody_off(void **state)
{
	struct setup *set = *state;

	start_dp(set);
	set->session = add_another(set, 2);
	round_trip(set);
	assert_int_equal(set->session.slot, 1);
	fake_dataplane_bill(&set->dp, 1, 1000, 0);
	set->fix.config.sessions.max = 1;
	restart_control(set);
	second(set);
	assert_int_equal(set->dp.n_taken[ABI_COMMAND_REMOVE], 0);
	assert_int_equal(fake_dataplane_bill(&set->dp, 1, 500, 0), 500);
	second(set);
	assert_int_equal(total(set), 1500);
	assert_int_equal(
		session_remove(set->fix.sessions, set->session.id, NULL, &set->fix.err), 0
	);
	second(set);
	assert_int_equal(reload(set).state, SESSION_SETTLED);
	assert_int_equal(total(set), 1500);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_counters_that_go_down_are_not_believed),
		T(test_full_disk_loses_nothing),
		T(test_unreadable_session_is_no_stranger),
		T(test_clock_jump_is_told_and_limits_sent_again),
		T(test_silent_slow_path_is_noticed),
		T(test_other_release_is_named_and_kept),
		T(test_other_release_is_given_up_by_hand),
		T(test_unreadable_counters_are_told),
		T(test_slots_beyond_the_data_plane_are_told),
		T(test_lowered_maximum_cuts_nobody_off),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
