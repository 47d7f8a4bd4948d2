// SPDX-License-Identifier: Apache-2.0
//
// What of the configuration reaches a worker's NAT: the timeouts, each where it belongs, the bounds, and
// the port that no session may ever have.
#include "worker_fixture.h"

#define UDP_SEC 301
#define ESTABLISHED_SEC 7441
#define TRANSITORY_SEC 241
#define ICMP_SEC 61
#define N_FILTERS 16
#define LISTEN_PORT 51820

static void adjust(struct config *config)
{
	config->nat.timeouts = (struct config_nat_timeouts){
		.udp_sec = UDP_SEC,
		.tcp_established_sec = ESTABLISHED_SEC,
		.tcp_transitory_sec = TRANSITORY_SEC,
		.icmp_sec = ICMP_SEC,
	};
	config->nat.filters_per_session = N_FILTERS;
}

static int setup_adjusted(void **state)
{
	static struct test test;

	memset(&test, 0, sizeof(test));
	test.rig = worker_rig_create(1, QUOTA, adjust);
	*state = &test;
	return 0;
}

static uint16_t send_from(struct test *test, uint8_t proto, uint16_t sport)
{
	struct worker_rig_packet packet = outbound(test, 0, 100);

	packet.proto = proto;
	packet.sport = sport;
	send_packet(test, 0, &packet);
	return take_internet(test).src_port_be16;
}

// TCP: a SYN went out. The three-way handshake makes the long timeout of it.
static void establish(struct test *test, uint16_t port_be)
{
	static const struct {
		bool is_inbound;
		uint8_t flags;
	} segments[] = {{true, NET_TCP_SYN | NET_TCP_ACK}, {false, NET_TCP_ACK}};

	for (size_t i = 0; i < TEST_N_ROWS(segments); i++) {
		struct worker_rig_packet packet = segments[i].is_inbound
			? inbound(REMOTE, port_be, 40)
			: outbound(test, 0, 40);
		struct net_l3l4 l34;

		packet.proto = NET_PROTO_TCP;
		worker_rig_ipv4(test->packet, &packet);
		test->packet[33] = segments[i].flags;
		assert_int_equal(net_parse_ip(test->packet, 40, 0, &l34), NET_OK);
		net_checksum_set_l4(test->packet, &l34);
		if (segments[i].is_inbound)
			worker_rig_put_ipv4(test->rig, WORKER_RIG_INTERNET, test->packet, 40);
		else
			worker_rig_send(test->rig, 0, test->packet, 40);
		worker_poll(test->rig->worker);
	}
	worker_rig_flush(test->rig);
}

static uint64_t timeout_sec(struct test *test, enum nat_proto proto)
{
	const struct worker *worker = test->rig->worker;
	struct nat_view view;
	uint32_t cursor = 0;

	while (cursor != NAT_IDX_NONE)
		if (nat_iterate(worker->nat, &cursor, 4096, &view, 1, worker->now_ns) == 1 &&
		    view.proto == proto)
			return view.timeout_ns / NS_PER_SEC;
	return 0;
}

static void test_timeouts(void **state)
{
	struct test *test = *state;

	send_from(test, NET_PROTO_UDP, SPORT);
	send_from(test, NET_PROTO_ICMP, SPORT);
	uint16_t port_be = send_from(test, NET_PROTO_TCP, SPORT);
	assert_int_equal(timeout_sec(test, NAT_PROTO_UDP), UDP_SEC);
	assert_int_equal(timeout_sec(test, NAT_PROTO_ICMP), ICMP_SEC);
	assert_int_equal(timeout_sec(test, NAT_PROTO_TCP), TRANSITORY_SEC);
	establish(test, port_be);
	assert_int_equal(timeout_sec(test, NAT_PROTO_TCP), ESTABLISHED_SEC);
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

static void test_filters_are_bounded(void **state)
{
	struct test *test = *state;
	const struct nat_filter *filter = &test->rig->worker->nat->filter;
	const uint8_t mac[6] = {2, 2, 2, 2, 2, 2};

	for (unsigned i = 0; i < N_FILTERS + 3; i++) {
		struct worker_rig_packet packet = outbound(test, 0, 100);
		struct net_neigh *neigh = &test->rig->neighs[WORKER_RIG_INTERNET];

		packet.dst_be = ADDR(6, 0, 0, 100 + i);
		net_neigh_confirm(
			net_neigh_insert(neigh, packet.dst_be, test->rig->dp.base_ns),
			mac,
			test->rig->dp.base_ns
		);
		send_packet(test, 0, &packet);
		assert_int_equal(take_internet(test).dst_be32, packet.dst_be);
	}
	assert_int_equal(filter->n_entries, N_FILTERS);
	assert_int_equal(filter->n_replaced, 3);
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

// CVE-2021-3773: a client whose source port is the node's own gets another, or it would shadow it.
static void test_listen_port_is_nobodys(void **state)
{
	struct test *test = *state;

	assert_int_equal(send_from(test, NET_PROTO_UDP, LISTEN_PORT - 1), htons(LISTEN_PORT - 1));
	uint16_t port_be = send_from(test, NET_PROTO_UDP, LISTEN_PORT);
	assert_int_not_equal(port_be, 0);
	assert_int_not_equal(port_be, htons(LISTEN_PORT));
	assert_int_equal(send_from(test, NET_PROTO_TCP, LISTEN_PORT), htons(LISTEN_PORT));
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup_adjusted, teardown)
		T(test_timeouts),
		T(test_filters_are_bounded),
		T(test_listen_port_is_nobodys),
	};

	worker_rig_eal();
	return cmocka_run_group_tests_name("worker_state", tests, NULL, NULL);
}
