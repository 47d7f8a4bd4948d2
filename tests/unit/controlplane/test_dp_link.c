// SPDX-License-Identifier: Apache-2.0
//
// The control plane against a double of the data plane: restarts of either, two dead boots, harvest,
// quota over restarts, refusals, full rings.
#include "controlplane/dp_link.h"
#include "tests/unit/controlplane/dp_link_setup.h"

#include <errno.h>

static void test_session_reaches_the_data_plane(void **state)
{
	struct setup *set = *state;
	struct usage_view view;

	dp_link_tick(set->fix.link);
	assert_true(set->fix.health.conditions[HEALTH_DATAPLANE].is_set);
	start_dp(set);
	round_trip(set);
	assert_false(health_is_degraded(&set->fix.health));
	const struct abi_command *add = &set->dp.adds[set->session.slot];
	assert_int_equal(add->generation, set->session.generation);
	assert_int_equal(add->limit_bytes, 5000);
	assert_int_equal(add->expires_unix_sec, FIXTURE_UNIX_SEC + 3600);
	assert_memory_equal(add->public_key, set->session.public_key, 32);
	assert_memory_equal(&add->inner, &set->session.inner, sizeof(add->inner));
	assert_int_equal(reload(set).state, SESSION_PROVISIONED);

	fake_dataplane_handshake(&set->dp, set->session.slot);
	fake_dataplane_bill(&set->dp, set->session.slot, 1000, 200);
	second(set);
	assert_int_equal(reload(set).state, SESSION_ACTIVE);
	assert_int_equal(total(set), 1200);
	assert_int_equal(usage_read(set->fix.usage, set->session.id, &view), 0);
	assert_true(view.is_in_dataplane);
	assert_int_equal(view.out_bits_per_sec, 8000);
	assert_int_equal(view.endpoint.addr[0], 198);
	assert_int_equal(set->dp.n_taken[ABI_COMMAND_ADD], 1);
	assert_int_equal(set->dp.n_taken[ABI_COMMAND_SET_LIMITS], 0);
}

static void test_changes_are_absolute_commands(void **state)
{
	struct setup *set = *state;
	struct session_book *book = set->fix.sessions;

	start_dp(set);
	round_trip(set);
	assert_int_equal(session_top_up(book, set->session.id, 700, NULL, &set->fix.err), 0);
	round_trip(set);
	assert_int_equal(set->dp.last[ABI_COMMAND_SET_LIMITS].limit_bytes, 5700);
	assert_int_equal(set->dp.n_taken[ABI_COMMAND_SET_LIMITS], 1);
	assert_int_equal(session_suspend(book, set->session.id, NULL, &set->fix.err), 0);
	round_trip(set);
	assert_int_equal(set->dp.last[ABI_COMMAND_GATE].gate, ABI_GATE_CLOSED);
	assert_int_equal(session_resume(book, set->session.id, NULL, &set->fix.err), 0);
	round_trip(set);
	assert_int_equal(set->dp.last[ABI_COMMAND_GATE].gate, ABI_GATE_OPEN);
	assert_int_equal(set->dp.n_taken[ABI_COMMAND_GATE], 2);
}

static void test_remove_commits_the_last_bytes(void **state)
{
	struct setup *set = *state;

	start_dp(set);
	round_trip(set);
	fake_dataplane_bill(&set->dp, set->session.slot, 100, 1);
	set->dp.is_deaf = true;
	assert_int_equal(
		session_remove(set->fix.sessions, set->session.id, NULL, &set->fix.err), 0
	);
	round_trip(set);
	assert_int_equal(reload(set).state, SESSION_DRAINING);
	fake_dataplane_bill(&set->dp, set->session.slot, 10, 0); // still counted
	set->dp.is_deaf = false;
	round_trip(set);
	const struct session session = reload(set);
	assert_int_equal(session.state, SESSION_SETTLED);
	assert_false(session.has_slot);
	assert_int_equal(total(set), 111);
}

static void test_restart_of_the_control_plane(void **state)
{
	struct setup *set = *state;

	start_dp(set);
	round_trip(set);
	fake_dataplane_bill(&set->dp, set->session.slot, 500, 0);
	second(set);
	restart_control(set);
	fake_dataplane_bill(&set->dp, set->session.slot, 70, 0);
	round_trip(set);
	assert_int_equal(total(set), 570);
	assert_int_equal(set->dp.n_taken[ABI_COMMAND_ADD], 1); // found, not added again
	assert_int_equal(set->dp.last[ABI_COMMAND_SET_LIMITS].limit_bytes, 5000);
}

static void test_restart_of_the_data_plane(void **state)
{
	struct setup *set = *state;
	uint64_t billed = 0;

	for (int boot = 0; boot < 4; boot++) {
		start_dp(set);
		round_trip(set);
		const struct abi_command *add = &set->dp.adds[set->session.slot];
		assert_int_equal(add->base_out_bytes + add->base_in_bytes, billed);
		assert_int_equal(add->limit_bytes, 5000);
		billed += fake_dataplane_bill(&set->dp, set->session.slot, 1000, 500);
		fake_dataplane_kill(&set->dp); // and nobody had read it
		dp_link_tick(set->fix.link);
		assert_int_equal(total(set), billed);
		assert_int_equal(n_segments(set), 0);
	}
	assert_int_equal(billed, 4500); // the fourth 1500 did not fit: the quota holds over boots
}

// Twice while the control plane is down: the second boot never got the session.
static void test_two_dead_boots(void **state)
{
	struct setup *set = *state;
	struct dp_link_status status;

	start_dp(set);
	round_trip(set);
	fake_dataplane_handshake(&set->dp, set->session.slot);
	control_fixture_close(&set->fix);
	fake_dataplane_bill(&set->dp, set->session.slot, 2000, 0);
	fake_dataplane_kill(&set->dp);
	start_dp(set);
	fake_dataplane_kill(&set->dp);
	start_dp(set);
	assert_int_equal(n_segments(set), 3);
	control_fixture_open(&set->fix, true);
	round_trip(set);
	dp_link_status(set->fix.link, &status);
	assert_int_equal(status.n_harvested, 2);
	assert_int_equal(n_segments(set), 1);
	assert_int_equal(total(set), 2000);
	const struct abi_command *add = &set->dp.adds[set->session.slot];
	assert_int_equal(add->base_out_bytes, 2000);
	assert_int_equal(add->endpoint.addr[0], 198); // so that the node itself can call the client
	assert_int_equal(fake_dataplane_bill(&set->dp, set->session.slot, 3001, 0), 0);
	assert_int_equal(fake_dataplane_bill(&set->dp, set->session.slot, 3000, 0), 3000);
	second(set);
	assert_int_equal(total(set), 5000);
}

// A segment that comes back after its harvest (a copy, a failed unlink) adds nothing.
static void test_double_harvest_is_a_no_op(void **state)
{
	struct setup *set = *state;
	char path[256], copy[300], command[700];

	start_dp(set);
	round_trip(set);
	fake_dataplane_bill(&set->dp, set->session.slot, 1234, 0);
	strcpy(path, set->dp.seg.counters_path);
	snprintf(copy, sizeof(copy), "%s/copy", set->fix.tmp.path);
	fake_dataplane_kill(&set->dp);
	snprintf(command, sizeof(command), "cp %s %s", path, copy);
	assert_int_equal(system(command), 0);
	dp_link_tick(set->fix.link);
	assert_int_equal(total(set), 1234);
	assert_int_equal(rename(copy, path), 0);
	dp_link_tick(set->fix.link);
	assert_int_equal(n_segments(set), 0);
	assert_int_equal(total(set), 1234);
}

static void test_reboot_keeps_the_last_checkpoint(void **state)
{
	struct setup *set = *state;

	start_dp(set);
	round_trip(set);
	fake_dataplane_bill(&set->dp, set->session.slot, 1000, 0);
	clock_manual_advance(&set->fix.manual, 61 * NS_PER_SEC);
	round_trip(set); // checkpoint
	fake_dataplane_bill(&set->dp, set->session.slot, 500, 0);
	unlink(set->dp.seg.counters_path);
	fake_dataplane_kill(&set->dp);
	control_fixture_close(&set->fix);
	control_fixture_open(&set->fix, true);
	dp_link_tick(set->fix.link);
	start_dp(set);
	round_trip(set);
	assert_int_equal(total(set), 1000);
	assert_int_equal(set->dp.adds[set->session.slot].base_out_bytes, 1000);
	assert_true((reload(set).reviews & 1u << SESSION_REVIEW_USAGE_LOST) != 0);
	assert_true(set->fix.health.conditions[HEALTH_REVIEW].is_set);
}

static void test_refusals_are_named_and_retried(void **state)
{
	struct setup *set = *state;

	for (unsigned result = ABI_ACK_MALFORMED; result < ABI_ACK_BUSY; result++) {
		struct fake_dataplane *dp = &set->dp;
		start_dp(set);
		dp->refuse_with = (enum abi_ack_result)result;
		second(set);
		assert_true((reload(set).reviews & 1u << SESSION_REVIEW_COMMAND_REFUSED) != 0);
		assert_true(set->fix.health.conditions[HEALTH_COMMANDS].is_set);
		assert_int_equal(dp->n_taken[ABI_COMMAND_ADD], 1);
		second(set);
		assert_int_equal(dp->n_taken[ABI_COMMAND_ADD], 1); // not in a hurry
		dp->refuse_with = ABI_ACK_OK;
		clock_manual_advance(&set->fix.manual, 31 * NS_PER_SEC);
		round_trip(set);
		assert_int_equal(dp->adds[set->session.slot].generation, set->session.generation);
		assert_int_equal(reload(set).reviews, 0); // resolved, so cleared
		assert_false(set->fix.health.conditions[HEALTH_COMMANDS].is_set);
		fake_dataplane_kill(dp);
		dp_link_tick(set->fix.link);
	}
}

// What the data plane would not take is nobody's concern once the session has ended.
static void test_refusal_ends_with_its_session(void **state)
{
	struct setup *set = *state;

	start_dp(set);
	set->dp.refuse_with = ABI_ACK_KEY_INVALID;
	second(set);
	assert_true((reload(set).reviews & 1u << SESSION_REVIEW_COMMAND_REFUSED) != 0);
	set->dp.refuse_with = ABI_ACK_STALE; // it never took the session
	assert_int_equal(
		session_remove(set->fix.sessions, set->session.id, NULL, &set->fix.err), 0
	);
	clock_manual_advance(&set->fix.manual, 31 * NS_PER_SEC);
	round_trip(set);
	round_trip(set);
	assert_int_equal(reload(set).state, SESSION_SETTLED);
	assert_int_equal(reload(set).reviews, 0);
	assert_false(set->fix.health.conditions[HEALTH_COMMANDS].is_set);
	assert_false(set->fix.health.conditions[HEALTH_REVIEW].is_set);
}

static void test_lost_acknowledgement_is_asked_again(void **state)
{
	struct setup *set = *state;
	struct dp_link_status status;

	start_dp(set);
	set->dp.is_mute = true;
	round_trip(set); // obeys, but the answer is lost
	dp_link_status(set->fix.link, &status);
	assert_int_equal(status.n_commands_waiting, 1);
	assert_int_equal(set->dp.n_taken[ABI_COMMAND_ADD], 1);
	set->dp.is_mute = false;
	clock_manual_advance(&set->fix.manual, 6 * NS_PER_SEC);
	round_trip(set);
	dp_link_status(set->fix.link, &status);
	assert_int_equal(status.n_commands_waiting, 0);
	assert_int_equal(status.n_sessions, 1);
	assert_int_equal(reload(set).reviews, 0);
}

// Nobody takes commands until the ring has no room: nothing is lost, it goes on when there is room.
static void test_full_command_ring(void **state)
{
	struct setup *set = *state;
	struct session_book *book = set->fix.sessions;

	start_dp(set);
	set->dp.is_deaf = true;
	for (int i = 0; i < ABI_COMMAND_RING + 20; i++) {
		clock_manual_advance(&set->fix.manual, 6 * NS_PER_SEC); // asked again each time
		dp_link_tick(set->fix.link);
	}
	assert_int_equal(session_top_up(book, set->session.id, 1, NULL, &set->fix.err), 0);
	dp_link_tick(set->fix.link);
	set->dp.is_deaf = false;
	second(set);
	clock_manual_advance(&set->fix.manual, 6 * NS_PER_SEC);
	round_trip(set);
	assert_int_equal(set->dp.seg.slots[set->session.slot].limits.limit_bytes, 5001);
	assert_int_equal(reload(set).reviews, 0);
}

// The control plane dies after its add is in the ring and comes back before the data plane reads it,
// with other limits by then.
static void test_add_from_before_a_restart(void **state)
{
	struct setup *set = *state;

	start_dp(set);
	dp_link_tick(set->fix.link); // add in the ring, unread
	assert_int_equal(
		session_top_up(set->fix.sessions, set->session.id, 1000, NULL, &set->fix.err), 0
	);
	restart_control(set);
	round_trip(set);
	assert_int_equal(set->dp.n_taken[ABI_COMMAND_ADD], 2);
	assert_int_equal(set->dp.seg.slots[set->session.slot].limits.limit_bytes, 6000);
	assert_int_equal(reload(set).reviews, 0);
}

// Removed while the add is still unread: it must not live on.
static void test_add_then_remove_in_one_round(void **state)
{
	struct setup *set = *state;

	start_dp(set);
	dp_link_tick(set->fix.link);
	assert_int_equal(
		session_remove(set->fix.sessions, set->session.id, NULL, &set->fix.err), 0
	);
	restart_control(set);
	clock_manual_advance(&set->fix.manual, 6 * NS_PER_SEC);
	round_trip(set);
	assert_int_equal(set->dp.adds[set->session.slot].generation, 0);
	assert_int_equal(reload(set).state, SESSION_SETTLED);
}

static void test_strangers_are_removed(void **state)
{
	struct setup *set = *state;
	struct abi_command add = {.kind = ABI_COMMAND_ADD, .slot = 9, .generation = 5};

	start_dp(set);
	fake_dataplane_add(&set->dp, &add);
	round_trip(set);
	assert_int_equal(set->dp.adds[9].generation, 0);
	assert_int_equal(set->dp.adds[set->session.slot].generation, set->session.generation);
}

// The slot of the session is as a data plane leaves one whose store was put back from an older copy:
// `state` under that generation, with bytes.
static void occupy(struct setup *set, uint32_t generation, uint8_t state, uint64_t bytes)
{
	struct abi_session_slot *slot = &set->dp.seg.slots[set->session.slot];

	abi_session_publish(slot, generation, state, ABI_GATE_OPEN);
	counter_add(&slot->live.out_bytes, bytes);
	if (state == ABI_SLOT_REMOVED)
		return;
	set->dp.adds[set->session.slot] = (struct abi_command){
		.slot = set->session.slot,
		.generation = generation,
	};
}

// The session was removed after the copy: its bytes are taken once, and it is served again.
static void test_old_store_finds_its_session_removed(void **state)
{
	struct setup *set = *state;

	start_dp(set);
	occupy(set, set->session.generation, ABI_SLOT_REMOVED, 1000);
	for (int i = 0; i < 5; i++)
		second(set);
	assert_int_equal(total(set), 1000);
	assert_int_equal(set->dp.n_taken[ABI_COMMAND_ADD], 1);
	assert_int_equal(set->dp.last[ABI_COMMAND_ADD].base_out_bytes, 1000);
	assert_true(set->dp.last[ABI_COMMAND_ADD].generation > set->session.generation);
	fake_dataplane_bill(&set->dp, set->session.slot, 500, 0);
	second(set);
	assert_int_equal(total(set), 1500);
	assert_int_equal(reload(set).reviews, 0);
}

// After the copy the slot went to others, whose bytes are not this session's.
static void test_old_store_finds_its_slot_used_on(void **state)
{
	static const uint8_t states[] = {ABI_SLOT_REMOVED, ABI_SLOT_ACTIVE};
	struct setup *set = *state;

	for (size_t i = 0; i < TEST_N_ROWS(states); i++) {
		start_dp(set);
		uint32_t used = reload(set).generation + 7;
		occupy(set, used, states[i], 1000);
		for (int j = 0; j < 5; j++)
			second(set);
		assert_int_equal(total(set), 0);
		assert_int_equal(set->dp.adds[set->session.slot].generation, used + 1);
		assert_int_equal(reload(set).generation, used + 1);
		assert_int_equal(reload(set).reviews, 0);
		assert_false(health_is_degraded(&set->fix.health));
		fake_dataplane_kill(&set->dp);
		dp_link_tick(set->fix.link);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_session_reaches_the_data_plane),
		T(test_changes_are_absolute_commands),
		T(test_remove_commits_the_last_bytes),
		T(test_restart_of_the_control_plane),
		T(test_restart_of_the_data_plane),
		T(test_two_dead_boots),
		T(test_double_harvest_is_a_no_op),
		T(test_reboot_keeps_the_last_checkpoint),
		T(test_refusals_are_named_and_retried),
		T(test_refusal_ends_with_its_session),
		T(test_lost_acknowledgement_is_asked_again),
		T(test_full_command_ring),
		T(test_add_from_before_a_restart),
		T(test_add_then_remove_in_one_round),
		T(test_strangers_are_removed),
		T(test_old_store_finds_its_session_removed),
		T(test_old_store_finds_its_slot_used_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
