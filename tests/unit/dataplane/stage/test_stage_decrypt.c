// SPDX-License-Identifier: Apache-2.0
//
// What an authentic datagram does beyond its inner packet: the congestion mark of its outer header, and
// what a replayed one leaves alone. After each test every packet is accounted for.
#include "tests/unit/dataplane/worker_fixture.h"

#define L2 14
#define TOS_AT 1

// Builds the datagram of client 0 with an inner and an outer type of service.
static size_t seal(struct test *test, uint8_t inner_tos, uint8_t outer_tos, uint8_t *datagram)
{
	struct worker_rig_packet packet = outbound(test, 0, 100);
	size_t len = worker_rig_ipv4(test->packet, &packet);

	test->packet[TOS_AT] = inner_tos;
	net_checksum_set_ipv4(test->packet, 20);
	len = worker_rig_seal(test->rig, 0, test->packet, len, datagram);
	datagram[TOS_AT] = outer_tos;
	net_checksum_set_ipv4(datagram, 20);
	return len;
}

// RFC 6040 section 4.2, figure 4: inner, outer, what goes on. (Congestion experienced outside a packet
// that is not capable inside is a drop reason, and test_drops has it.)
static const struct {
	uint8_t inner, outer, want;
} ecn_rows[] = {
	{0, 0, 0},
	{0, 1, 0},
	{0, 2, 0},
	{1, 3, 3},
	{2, 3, 3},
	{3, 3, 3},
	{3, 0, 3},
	{2, 0, 2},
};

static void test_congestion_mark_goes_inside(void **state)
{
	struct test *test = *state;
	const uint8_t dscp = 46u << 2;
	uint8_t datagram[WORKER_RIG_FRAME_CAP];

	for (size_t i = 0; i < TEST_N_ROWS(ecn_rows); i++) {
		size_t len = seal(test, dscp | ecn_rows[i].inner, ecn_rows[i].outer, datagram);

		worker_rig_put_ipv4(test->rig, WORKER_RIG_TUNNEL, datagram, len);
		worker_poll(test->rig->worker);
		assert_int_equal(take_internet(test).total_len, 100); // with right checksums
		assert_int_equal(test->out[L2 + TOS_AT], dscp | ecn_rows[i].want);
	}
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

// Whoever recorded a datagram cannot keep a session alive with it, nor have the node answer.
static void test_replay_leaves_the_timers(void **state)
{
	struct test *test = *state;
	const struct dp_session *session = &test->rig->dp.sessions[0];
	const struct abi_session_live *live = &slot_of(test, 0)->live;
	const struct mail keepalive = {.kind = MAIL_KEEPALIVE, .generation = WORKER_RIG_GENERATION};
	uint8_t datagram[WORKER_RIG_FRAME_CAP];
	size_t len = seal(test, 0, 0, datagram);

	worker_rig_put_ipv4(test->rig, WORKER_RIG_TUNNEL, datagram, len);
	assert_true(mail_send_down(test->rig->worker->mailbox, &keepalive));
	worker_poll(test->rig->worker);
	const struct wg_timers timers = session->timers;
	const uint64_t last_unix_ns = live->last_authentic_unix_ns;
	const uint64_t out_bytes = live->out_bytes;

	worker_rig_advance(test->rig, NS_PER_SEC);
	worker_rig_put_ipv4(test->rig, WORKER_RIG_TUNNEL, datagram, len);
	worker_poll(test->rig->worker);
	assert_int_equal(worker_rig_drops(test->rig, DROP_WG_REPLAY), 1);
	assert_memory_equal(&session->timers, &timers, sizeof(timers));
	assert_int_equal(live->last_authentic_unix_ns, last_unix_ns);
	assert_int_equal(live->out_bytes, out_bytes);
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_congestion_mark_goes_inside),
		T(test_replay_leaves_the_timers),
	};

	worker_rig_eal();
	return cmocka_run_group_tests_name("stage_decrypt", tests, NULL, NULL);
}
