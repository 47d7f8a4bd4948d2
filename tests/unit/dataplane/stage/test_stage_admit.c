// SPDX-License-Identifier: Apache-2.0
//
// What admission tells besides its verdict: the slow path of a quota that nears its end and of a gate
// that closed, the client of a packet that is too big for the way on. After each test every packet is
// accounted for.
#include "tests/unit/dataplane/worker_fixture.h"

static unsigned n_mail(struct test *test, enum mail_kind kind, struct mail *ret_last)
{
	struct mail mail;
	unsigned n = 0;

	while (mail_recv_up(test->rig->worker->mailbox, &mail))
		if (mail.kind == kind) {
			*ret_last = mail;
			n++;
		}
	return n;
}

static void set_limit(struct test *test, uint64_t limit_bytes)
{
	const struct mail mail = {
		.kind = MAIL_LIMITS,
		.generation = WORKER_RIG_GENERATION,
		.limits = {.limit_bytes = limit_bytes, .expires_ns = UINT64_MAX},
	};

	assert_true(mail_send_down(test->rig->worker->mailbox, &mail));
}

// Once for each limit.
static void test_quota_90_is_told_once(void **state)
{
	struct test *test = *state;
	struct worker_rig_packet packet = outbound(test, 0, 100);
	struct mail mail = {0};

	set_limit(test, 1000);
	for (unsigned i = 0; i < 8; i++)
		send_packet(test, 0, &packet);
	assert_int_equal(n_mail(test, MAIL_QUOTA_90, &mail), 0);
	send_packet(test, 0, &packet);
	send_packet(test, 0, &packet);
	assert_int_equal(n_mail(test, MAIL_QUOTA_90, &mail), 1);
	set_limit(test, 2000);
	for (unsigned i = 0; i < 10; i++)
		send_packet(test, 0, &packet);
	assert_int_equal(n_mail(test, MAIL_QUOTA_90, &mail), 1);
	assert_int_equal(slot_of(test, 0)->live.out_bytes, 2000);
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

static void test_closed_gate_is_told(void **state)
{
	struct test *test = *state;
	struct worker_rig_packet packet = outbound(test, 0, 100);
	struct mail mail = {0};

	set_limit(test, 99);
	send_packet(test, 0, &packet);
	send_packet(test, 0, &packet);
	assert_int_equal(n_mail(test, MAIL_GATE_CLOSED, &mail), 1);
	assert_int_equal(mail.gate, ABI_GATE_QUOTA);
	assert_int_equal(mail.slot, 0);
	assert_int_equal(mail.generation, WORKER_RIG_GENERATION);
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

// RFC 1191 section 4: the client learns what the internet's link carries, which may be less than the
// tunnel does.
static void test_too_big_for_the_internet(void **state)
{
	struct test *test = *state;
	struct worker_rig_packet packet = outbound(test, 0, 1100);
	uint8_t inner[WORKER_RIG_FRAME_CAP];
	struct net_l3l4 l34;

	test->rig->dp.ports[WORKER_RIG_INTERNET].mtu = 1000;
	size_t len = worker_rig_ipv4(test->packet, &packet);
	test->packet[6] = 0x40; // DF
	net_checksum_set_ipv4(test->packet, 20);
	worker_rig_send(test->rig, 0, test->packet, len);
	worker_poll(test->rig->worker);
	int n = worker_rig_receive(test->rig, 0, inner);
	assert_true(n > 0);
	assert_int_equal(net_parse_ip(inner, n, NET_PARSE_IP_CHECKSUM, &l34), NET_OK);
	assert_true(net_checksum_check_l4(inner, &l34));
	assert_int_equal(l34.icmp_type, NET_ICMP_UNREACHABLE);
	assert_int_equal(l34.icmp_code, 4);
	assert_int_equal(net_load16(inner + 20 + 6), htons(1000));
	assert_int_equal(worker_rig_drops(test->rig, DROP_TOO_BIG_DF), 1);
	assert_int_equal(slot_of(test, 0)->live.out_bytes, 0);

	// What the tunnel carries and the link does not refuse goes on whole.
	test->rig->dp.ports[WORKER_RIG_INTERNET].mtu = 1500;
	packet.total_len = 1440;
	send_packet(test, 0, &packet);
	assert_int_equal(take_internet(test).total_len, 1440);
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

static void test_damaged_ping_is_not_answered(void **state)
{
	struct test *test = *state;
	struct worker_rig_packet ping = outbound(test, 0, 84);

	ping.proto = NET_PROTO_ICMP;
	ping.dst_be = NODE_INNER;
	size_t len = worker_rig_ipv4(test->packet, &ping);
	test->packet[len - 1] ^= 1;
	worker_rig_send(test->rig, 0, test->packet, len);
	worker_poll(test->rig->worker);
	assert_int_equal(worker_rig_drops(test->rig, DROP_L4_CHECKSUM), 1);
	assert_int_equal(worker_rig_receive(test->rig, 0, test->out), -1);
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_quota_90_is_told_once),
		T(test_closed_gate_is_told),
		T(test_too_big_for_the_internet),
		T(test_damaged_ping_is_not_answered),
	};

	worker_rig_eal();
	return cmocka_run_group_tests_name("stage_admit", tests, NULL, NULL);
}
