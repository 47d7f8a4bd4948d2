// SPDX-License-Identifier: Apache-2.0
//
// The meter: what a throttled session moves counts as free, in its own direction and nowhere else.
// After the test every packet is accounted for.
#include "tests/unit/dataplane/worker_fixture.h"

static void test_free_bytes_stand_apart(void **state)
{
	struct test *test = *state;
	uint16_t port_be = flow_open(test, 0);
	const struct abi_session_slot *slot = slot_of(test, 0);
	struct worker_rig_packet packet = outbound(test, 0, 200);
	const struct mail mail = {
		.kind = MAIL_LIMITS,
		.generation = WORKER_RIG_GENERATION,
		.limits =
			{.limit_bytes = 100,
			 .expires_ns = UINT64_MAX,
			 .free_rate_kbps = 64,
			 .is_throttled_on_quota = true},
	};

	assert_true(mail_send_down(test->rig->worker->mailbox, &mail));
	send_packet(test, 0, &packet);
	assert_int_equal(take_internet(test).total_len, 200);
	answer(test, REMOTE, port_be, 333);
	assert_int_equal(worker_rig_receive(test->rig, 0, test->out), 336);
	answer(test, REMOTE, port_be, 50);
	assert_int_equal(worker_rig_receive(test->rig, 0, test->out), 64);
	assert_int_equal(slot->live.gate, ABI_GATE_THROTTLED);
	assert_int_equal(slot->live.out_bytes, 100);
	assert_int_equal(slot->live.in_bytes, 0);
	assert_int_equal(slot->free.free_out_bytes, 200);
	assert_int_equal(slot->free.free_in_bytes, 383);
	assert_int_equal(slot->free.originated_bytes, 0);
	assert_int_equal(test->rig->dp.sessions[0].reserved_bytes, 0);
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_free_bytes_stand_apart, setup, teardown),
	};

	worker_rig_eal();
	return cmocka_run_group_tests_name("stage_tx", tests, NULL, NULL);
}
