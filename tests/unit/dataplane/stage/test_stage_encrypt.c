// SPDX-License-Identifier: Apache-2.0
//
// What a datagram to the client carries beside the inner packet: padding of zeros within the MTU, the
// outer header, and what sending does to the timers. After each test every packet is accounted for.
#include "tests/unit/dataplane/worker_fixture.h"

#define L2 14
#define TOS_AT 1
#define TTL_AT 8
#define GARBAGE 40 // bytes of Ethernet padding behind the packet

// A datagram from the remote, with a type of service and with garbage behind it in its frame.
static void put_answer(struct test *test, uint16_t port_be, uint16_t total_len, uint8_t tos)
{
	uint8_t frame[WORKER_RIG_FRAME_CAP];
	const struct worker_rig_packet packet = inbound(REMOTE, port_be, total_len);

	memset(frame, 0xff, sizeof(frame));
	memcpy(frame, test->rig->dp.ports[WORKER_RIG_INTERNET].mac, 6);
	net_store16(frame + 12, htons(NET_ETHER_TYPE_IPV4));
	worker_rig_ipv4(frame + L2, &packet);
	frame[L2 + TOS_AT] = tos;
	net_checksum_set_ipv4(frame + L2, 20);
	worker_rig_put(test->rig, WORKER_RIG_INTERNET, frame, L2 + total_len + GARBAGE);
	worker_poll(test->rig->worker);
}

static const struct {
	uint16_t inner_len;
	uint16_t sealed_len;
} padding_rows[] = {
	{333, 336},
	{336, 336},
	{1407, 1408},
	{1409, 1420}, // to the MTU and not beyond it
	{1419, 1420},
	{1420, 1420},
};

// What stood in the buffer before, a stranger's bytes perhaps, does not go out under the seal.
static void test_padding_is_zero_and_within_the_mtu(void **state)
{
	struct test *test = *state;
	uint16_t port_be = flow_open(test, 0);
	uint8_t inner[WORKER_RIG_FRAME_CAP];

	for (size_t i = 0; i < TEST_N_ROWS(padding_rows); i++) {
		put_answer(test, port_be, padding_rows[i].inner_len, 0);
		memset(inner, 0xee, sizeof(inner));
		assert_int_equal(
			worker_rig_receive(test->rig, 0, inner), padding_rows[i].sealed_len
		);
		for (unsigned at = padding_rows[i].inner_len; at < padding_rows[i].sealed_len; at++)
			assert_int_equal(inner[at], 0);
	}
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

// RFC 6040 section 4.1: the ECN field is copied. The DSCP would tell the world what is inside.
static void test_outer_header(void **state)
{
	struct test *test = *state;
	uint16_t port_be = flow_open(test, 0);

	for (unsigned ecn = 0; ecn <= 3; ecn++) {
		put_answer(test, port_be, 100, (uint8_t)(46u << 2 | ecn));
		size_t len = worker_rig_take(test->rig, WORKER_RIG_TUNNEL, test->out);

		assert_true(len > L2 + 28);
		assert_int_equal(test->out[L2 + TOS_AT], ecn);
		assert_int_equal(test->out[L2 + TTL_AT], 64);
		assert_int_equal(net_load16(test->out + L2 + 6), 0); // may be fragmented
		assert_true(net_checksum_check_ipv4(test->out + L2, 20));
	}
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

// Data that is sent waits for an answer; a keepalive waits for none and answers what was received.
static void test_timers_of_data_and_keepalive(void **state)
{
	struct test *test = *state;
	const struct wg_timers *timers = &test->rig->dp.sessions[0].timers;
	const struct mail keepalive = {.kind = MAIL_KEEPALIVE, .generation = WORKER_RIG_GENERATION};
	uint16_t port_be = flow_open(test, 0);

	assert_int_not_equal(timers->unanswered_receive_ns, 0);
	assert_int_equal(timers->unanswered_send_ns, 0);
	worker_rig_advance(test->rig, NS_PER_SEC);
	assert_true(mail_send_down(test->rig->worker->mailbox, &keepalive));
	worker_poll(test->rig->worker);
	assert_int_equal(worker_rig_receive(test->rig, 0, test->out), 0);
	assert_int_equal(timers->unanswered_receive_ns, 0);
	assert_int_equal(timers->unanswered_send_ns, 0);
	assert_int_equal(timers->traversal_ns, test->rig->worker->now_ns);

	put_answer(test, port_be, 100, 0);
	assert_int_equal(worker_rig_receive(test->rig, 0, test->out), 112);
	assert_int_equal(timers->unanswered_send_ns, test->rig->worker->now_ns);
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_padding_is_zero_and_within_the_mtu),
		T(test_outer_header),
		T(test_timers_of_data_and_keepalive),
	};

	worker_rig_eal();
	return cmocka_run_group_tests_name("stage_encrypt", tests, NULL, NULL);
}
