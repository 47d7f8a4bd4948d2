// SPDX-License-Identifier: Apache-2.0
//
// What the node makes itself, and what it does not: ICMP errors within their rate, none about an error,
// none of it billed. After each test every packet is accounted for.
#include "tests/unit/dataplane/worker_fixture.h"

static void two_at_once(struct config *config)
{
	config->icmp.burst = 2;
	config->icmp.rate_per_sec = 1;
}

// RFC 1812 section 4.3.2.8: whoever sends many packets with a short TTL gets no more answers than the rate.
static void test_errors_are_limited(void **state)
{
	static struct test test;
	unsigned n_answers = 0;

	(void)state;
	test.rig = worker_rig_create(1, QUOTA, two_at_once);
	struct worker_rig_packet packet = outbound(&test, 0, 100);
	packet.ttl = 1;
	size_t len = worker_rig_ipv4(test.packet, &packet);
	for (unsigned i = 0; i < 10; i++)
		worker_rig_send(test.rig, 0, test.packet, len);
	worker_poll(test.rig->worker); // one moment for all of them
	while (worker_rig_receive(test.rig, 0, test.out) > 0)
		n_answers++;
	assert_int_equal(n_answers, 2);
	assert_int_equal(worker_rig_drops(test.rig, DROP_TTL_EXPIRED), 10);
	worker_rig_advance(test.rig, NS_PER_SEC);
	send_packet(&test, 0, &packet);
	assert_true(worker_rig_receive(test.rig, 0, test.out) > 0);
	assert_int_equal(slot_of(&test, 0)->live.in_bytes, 0);
	assert_true(worker_rig_check_conservation(test.rig, 0));
	worker_rig_destroy(test.rig);
}

//= RFC 1122 section 3.2.2
//# An ICMP error message MUST NOT be sent as the result of receiving: [...] an ICMP error message
static void test_no_error_about_an_error(void **state)
{
	struct test *test = *state;
	struct worker_rig_packet packet = outbound(test, 0, 84);

	packet.proto = NET_PROTO_ICMP;
	packet.ttl = 1;
	send_packet(test, 0, &packet); // an echo request may be answered so
	assert_true(worker_rig_receive(test->rig, 0, test->out) > 0);
	size_t len = worker_rig_ipv4(test->packet, &packet);
	test->packet[20] = NET_ICMP_UNREACHABLE;
	worker_rig_send(test->rig, 0, test->packet, len);
	worker_poll(test->rig->worker);
	assert_int_equal(worker_rig_receive(test->rig, 0, test->out), -1);
	assert_int_equal(worker_rig_drops(test->rig, DROP_TTL_EXPIRED), 2);
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors_are_limited),
		cmocka_unit_test_setup_teardown(test_no_error_about_an_error, setup, teardown),
	};

	worker_rig_eal();
	return cmocka_run_group_tests_name("stage_originate", tests, NULL, NULL);
}
