// SPDX-License-Identifier: Apache-2.0
//
// What comes in under a forged source or through the wrong port is nobody's: it would be billed to a
// buyer, or answered to the node itself. After each test every packet is accounted for.
#include "tests/unit/dataplane/worker_fixture.h"

#define POOL_ADDR ADDR(6, 0, 0, 2) // external, and no port's own

static void two_addresses(struct config *config)
{
	config->nat.external_addresses[1] = 6u << 24 | 2;
	config->nat.n_external_addresses = 2;
}

// A buyer who has hairpinned permits the node's own addresses to answer: only its own packets may come
// from there.
static void test_own_addresses_from_outside_are_forged(void **state)
{
	const uint32_t forged_be[] = {NODE_TUNNEL, EXTERNAL, POOL_ADDR};
	static struct test test;

	(void)state;
	test.rig = worker_rig_create(1, QUOTA, two_addresses);
	for (unsigned i = 0; i < TEST_N_ROWS(forged_be); i++) {
		struct worker_rig_packet packet = outbound(&test, 0, 100);

		send_packet(&test, 0, &packet);
		struct net_l3l4 l34 = take_internet(&test);
		packet.dst_be = EXTERNAL;
		send_packet(&test, 0, &packet); // permits EXTERNAL, finds nobody
		packet = inbound(forged_be[i], l34.src_port_be16, 100);
		packet.dst_be = l34.src_be32;
		size_t len = worker_rig_ipv4(test.packet, &packet);
		worker_rig_put_ipv4(test.rig, WORKER_RIG_INTERNET, test.packet, len);
		worker_poll(test.rig->worker);
		assert_int_equal(worker_rig_drops(test.rig, DROP_MARTIAN), i + 1);
	}
	assert_int_equal(slot_of(&test, 0)->live.in_bytes, 0);
	assert_true(worker_rig_check_conservation(test.rig, 0));
	worker_rig_destroy(test.rig);
}

// The tunnel is on the tunnel's port alone, whatever address a datagram bears.
static void test_tunnel_is_on_its_port_alone(void **state)
{
	struct test *test = *state;
	struct worker_rig_packet packet = outbound(test, 0, 100);
	uint8_t datagram[WORKER_RIG_FRAME_CAP];
	size_t len = worker_rig_ipv4(test->packet, &packet);

	len = worker_rig_seal(test->rig, 0, test->packet, len, datagram);
	net_store32(datagram + 16, EXTERNAL);
	net_checksum_set_ipv4(datagram, 20);
	worker_rig_put_ipv4(test->rig, WORKER_RIG_INTERNET, datagram, len);
	worker_poll(test->rig->worker);
	assert_int_equal(worker_rig_drops(test->rig, DROP_NAT_NO_MAPPING), 1);
	worker_rig_put_ipv4(test->rig, WORKER_RIG_TUNNEL, datagram, len);
	worker_poll(test->rig->worker);
	assert_int_equal(worker_rig_drops(test->rig, DROP_IP_NOT_OURS), 1);
	assert_int_equal(slot_of(test, 0)->live.out_bytes, 0);
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_addresses_from_outside_are_forged),
		cmocka_unit_test_setup_teardown(test_tunnel_is_on_its_port_alone, setup, teardown),
	};

	worker_rig_eal();
	return cmocka_run_group_tests_name("stage_classify", tests, NULL, NULL);
}
