// SPDX-License-Identifier: Apache-2.0
//
// What the packet path does around the NAT: the MSS of TCP connections is lowered both ways, and a
// session without ports left is told of once. After each test every packet is accounted for.
#include "tests/unit/dataplane/worker_fixture.h"

#define L2 14
#define TCP_AT 20
#define SYN_BYTES 44 // an MSS option and nothing else
#define MSS_AT (TCP_AT + 22)
#define CLAMPED (1420 - 40) // RFC 9293 section 3.7.1: the MTU less both headers

static void make_syn(
	uint8_t *at, const struct worker_rig_packet *packet, uint8_t flags, uint16_t mss
)
{
	static const uint8_t option[2] = {2, 4};
	struct net_l3l4 l34;

	worker_rig_ipv4(at, packet);
	at[TCP_AT + 12] = 6 << 4;
	at[TCP_AT + 13] = flags;
	memcpy(at + TCP_AT + 20, option, sizeof(option));
	net_store16(at + MSS_AT, htons(mss));
	assert_int_equal(net_parse_ip(at, SYN_BYTES, 0, &l34), NET_OK);
	net_checksum_set_l4(at, &l34);
}

// Returns: the MSS that the internet sees of a client's SYN. Out: ret_port_be, its external port.
static uint16_t mss_outbound(struct test *test, uint16_t mss, uint16_t *ret_port_be)
{
	struct worker_rig_packet packet = outbound(test, 0, SYN_BYTES);

	packet.proto = NET_PROTO_TCP;
	make_syn(test->packet, &packet, NET_TCP_SYN, mss);
	worker_rig_send(test->rig, 0, test->packet, SYN_BYTES);
	worker_poll(test->rig->worker);
	*ret_port_be = take_internet(test).src_port_be16; // with right checksums
	return ntohs(net_load16(test->out + L2 + MSS_AT));
}

// Returns: the MSS that the client sees of the answer.
static uint16_t mss_inbound(struct test *test, uint16_t mss, uint16_t port_be)
{
	struct worker_rig_packet packet = inbound(REMOTE, port_be, SYN_BYTES);
	uint8_t inner[WORKER_RIG_FRAME_CAP];
	struct net_l3l4 l34;

	packet.proto = NET_PROTO_TCP;
	make_syn(test->packet, &packet, NET_TCP_SYN | NET_TCP_ACK, mss);
	worker_rig_put_ipv4(test->rig, WORKER_RIG_INTERNET, test->packet, SYN_BYTES);
	worker_poll(test->rig->worker);
	int len = worker_rig_receive(test->rig, 0, inner);
	assert_int_equal(len, 48);
	assert_int_equal(net_parse_ip(inner, len, NET_PARSE_IP_CHECKSUM, &l34), NET_OK);
	assert_true(net_checksum_check_l4(inner, &l34));
	return ntohs(net_load16(inner + MSS_AT));
}

static void test_mss_is_lowered_both_ways(void **state)
{
	struct test *test = *state;
	uint16_t port_be;

	assert_int_equal(mss_outbound(test, 1000, &port_be), 1000);
	assert_int_equal(mss_outbound(test, 1460, &port_be), CLAMPED);
	assert_int_equal(mss_inbound(test, 1460, port_be), CLAMPED);
	assert_int_equal(mss_inbound(test, 536, port_be), 536);
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

static void no_clamp(struct config *config)
{
	config->tunnel.mss_clamp = false;
}

static void test_mss_stays_where_so_configured(void **state)
{
	static struct test test;
	uint16_t port_be;

	(void)state;
	test.rig = worker_rig_create(1, QUOTA, no_clamp);
	assert_int_equal(mss_outbound(&test, 1460, &port_be), 1460);
	assert_int_equal(mss_inbound(&test, 1460, port_be), 1460);
	worker_rig_destroy(test.rig);
}

static void three_ports(struct config *config)
{
	config->nat.ports_per_session = 3;
}

static void test_exhaustion_is_told_once(void **state)
{
	static struct test test;
	struct mail mail;
	unsigned n_told = 0;

	(void)state;
	test.rig = worker_rig_create(1, QUOTA, three_ports);
	for (unsigned i = 0; i < 6; i++) {
		struct worker_rig_packet packet = outbound(&test, 0, 100);

		packet.sport = (uint16_t)(SPORT + i);
		send_packet(&test, 0, &packet);
	}
	assert_int_equal(worker_rig_drops(test.rig, DROP_NAT_SESSION_LIMIT), 3);
	while (mail_recv_up(test.rig->worker->mailbox, &mail))
		n_told += mail.kind == MAIL_PORTS_EXHAUSTED;
	assert_int_equal(n_told, 1);
	worker_rig_destroy(test.rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_mss_is_lowered_both_ways, setup, teardown),
		cmocka_unit_test(test_mss_stays_where_so_configured),
		cmocka_unit_test(test_exhaustion_is_told_once),
	};

	worker_rig_eal();
	return cmocka_run_group_tests_name("stage_nat", tests, NULL, NULL);
}
