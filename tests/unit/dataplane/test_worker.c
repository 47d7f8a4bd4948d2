// SPDX-License-Identifier: Apache-2.0
//
// The packet path of one worker, frame in to frame out: what passes is right to the byte and billed,
// what does not ends under its own name, and a packet that is not authentic changes nothing. After
// each test every packet is accounted for.
#include "worker_fixture.h"

static void test_outbound_is_translated_and_billed(void **state)
{
	struct test *test = *state;
	struct worker_rig_packet packet = outbound(test, 0, 101);

	send_packet(test, 0, &packet);
	struct net_l3l4 l34 = take_internet(test);
	assert_int_equal(l34.src_be32, EXTERNAL);
	assert_int_equal(l34.dst_be32, REMOTE);
	assert_int_equal(l34.dst_port_be16, htons(DPORT));
	assert_int_equal(l34.ttl, 63);
	assert_int_equal(l34.total_len, 101); // the padding stayed behind
	assert_int_equal(slot_of(test, 0)->live.out_bytes, 101);
	assert_int_equal(slot_of(test, 0)->live.out_pkts, 1);
	assert_int_equal(slot_of(test, 0)->live.in_bytes, 0);
	assert_int_equal(test->rig->dp.sessions[0].reserved_bytes, 0);
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

static void test_inbound_is_translated_and_billed(void **state)
{
	struct test *test = *state;
	uint16_t port_be = flow_open(test, 1);
	uint8_t inner[WORKER_RIG_FRAME_CAP];
	struct net_l3l4 l34;

	answer(test, REMOTE, port_be, 333);
	int len = worker_rig_receive(test->rig, 1, inner);
	assert_int_equal(len, 336); // padded to 16
	assert_int_equal(net_parse_ip(inner, len, NET_PARSE_IP_CHECKSUM, &l34), NET_OK);
	assert_true(net_checksum_check_l4(inner, &l34));
	assert_int_equal(l34.dst_be32, test->rig->clients[1].inner_be);
	assert_int_equal(l34.dst_port_be16, htons(SPORT));
	assert_int_equal(l34.ttl, 59);
	assert_int_equal(slot_of(test, 1)->live.in_bytes, 333);
	assert_int_equal(slot_of(test, 1)->live.out_bytes, 100);
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

static void test_quota_ends_both_ways_to_the_byte(void **state)
{
	struct test *test = *state;
	uint16_t port_be = flow_open(test, 0); // 100 bytes
	uint8_t inner[WORKER_RIG_FRAME_CAP];
	uint64_t delivered = 100;
	struct net_l3l4 l34;

	for (unsigned i = 0; i < 2 * QUOTA / 1000; i++) {
		struct worker_rig_packet packet = outbound(test, 0, 700);
		send_packet(test, 0, &packet);
		l34 = take_internet(test);
		delivered += l34.total_len;
		answer(test, REMOTE, port_be, 1300);
		int len = worker_rig_receive(test->rig, 0, inner);
		if (len > 0 && net_parse_ip(inner, len, 0, &l34) == NET_OK)
			delivered += l34.total_len;
	}
	const struct abi_session_live *live = &slot_of(test, 0)->live;
	assert_int_equal(live->out_bytes + live->in_bytes, delivered);
	assert_true(delivered <= QUOTA && delivered > QUOTA - 1300);
	assert_int_equal(worker_rig_drops(test->rig, DROP_QUOTA), 1);
	assert_true(worker_rig_drops(test->rig, DROP_GATE_CLOSED) > 0);
	assert_int_equal(live->gate, ABI_GATE_QUOTA);
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

static void test_transmit_refusal_returns_the_reservation(void **state)
{
	struct test *test = *state;
	struct worker_rig_packet packet = outbound(test, 0, 500);
	unsigned n_sent = 0;

	// The far end takes nothing: its ring is full after a while.
	while (worker_rig_drops(test->rig, DROP_TX_FULL) < 3) {
		send_packet(test, 0, &packet);
		n_sent++;
	}
	assert_int_equal(slot_of(test, 0)->live.out_pkts, n_sent - 3);
	assert_int_equal(slot_of(test, 0)->live.out_bytes, (n_sent - 3) * 500);
	assert_int_equal(test->rig->dp.sessions[0].reserved_bytes, 0);
	assert_int_equal(slot_of(test, 0)->free.drop_out_pkts, 3);
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

// Everything of a session that a packet could change.
static uint64_t session_digest(struct test *test, unsigned client)
{
	struct dp_session session = test->rig->dp.sessions[client];
	struct abi_session_slot slot = *slot_of(test, client);
	struct wg_keypair keypair = *test->rig->clients[client].keypair;
	const struct {
		const void *at;
		size_t len;
	} parts[] = {
		{&session, sizeof(session)},
		{&slot.live, sizeof(slot.live)},
		{&slot.free, sizeof(slot.free)},
		{&keypair, sizeof(keypair)}};
	uint64_t digest = 14695981039346656037ull;

	for (unsigned p = 0; p < sizeof(parts) / sizeof(parts[0]); p++)
		for (size_t i = 0; i < parts[p].len; i++)
			digest = (digest ^ ((const uint8_t *)parts[p].at)[i]) * 1099511628211ull;
	return digest;
}

// Each bit of a datagram flipped: whatever it hits, nothing of the session changes unless the datagram
// still authenticates (outer headers carry no tag).
static void test_every_flipped_bit_changes_nothing(void **state)
{
	struct test *test = *state;
	struct worker_rig_packet packet = outbound(test, 0, 60);
	uint8_t datagram[WORKER_RIG_FRAME_CAP], flipped[WORKER_RIG_FRAME_CAP];
	size_t inner_len = worker_rig_ipv4(test->packet, &packet);
	size_t len = worker_rig_seal(test->rig, 0, test->packet, inner_len, datagram);
	uint64_t before = session_digest(test, 0);

	for (size_t bit = 28 * 8; bit < len * 8; bit++) {
		memcpy(flipped, datagram, len);
		flipped[bit / 8] ^= 1u << bit % 8;
		worker_rig_put_ipv4(test->rig, WORKER_RIG_TUNNEL, flipped, len);
		worker_poll(test->rig->worker);
		// A flip in the type may make a handshake of it; the slow path's tests go on there.
		assert_true(session_digest(test, 0) == before);
	}
	assert_int_equal(worker_rig_take(test->rig, WORKER_RIG_INTERNET, test->out), 0);
	worker_rig_put_ipv4(test->rig, WORKER_RIG_TUNNEL, datagram, len);
	worker_poll(test->rig->worker);
	assert_int_equal(take_internet(test).total_len, 60);
	assert_true(session_digest(test, 0) != before);
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

static void test_every_truncation_is_refused(void **state)
{
	struct test *test = *state;
	struct worker_rig_packet packet = outbound(test, 0, 60);
	uint8_t frame[WORKER_RIG_FRAME_CAP];
	size_t inner_len = worker_rig_ipv4(test->packet, &packet);
	size_t len = worker_rig_seal(test->rig, 0, test->packet, inner_len, frame + 14);
	uint64_t before = session_digest(test, 0);

	memcpy(frame, test->rig->dp.ports[0].mac, 6);
	memset(frame + 6, 2, 6);
	frame[12] = 8;
	frame[13] = 0;
	for (size_t n = 1; n < len + 14; n++) {
		worker_rig_put(test->rig, WORKER_RIG_TUNNEL, frame, n);
		worker_poll(test->rig->worker);
		assert_true(session_digest(test, 0) == before);
	}
	// The same with an IP header that agrees with what is left.
	for (size_t n = 28; n < len; n++) {
		net_store16(frame + 16, htons((uint16_t)n));
		net_store16(frame + 14 + 24, htons((uint16_t)(n - 20)));
		net_checksum_set_ipv4(frame + 14, 20);
		worker_rig_put(test->rig, WORKER_RIG_TUNNEL, frame, n + 14);
		worker_poll(test->rig->worker);
		assert_true(session_digest(test, 0) == before);
	}
	assert_true(worker_rig_drops(test->rig, DROP_WG_TRUNCATED) > 0);
	assert_true(worker_rig_drops(test->rig, DROP_WG_AUTH) > 0);
	assert_true(worker_rig_drops(test->rig, DROP_L2_TRUNCATED) > 0);
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

static void test_replay_in_and_across_bursts(void **state)
{
	struct test *test = *state;
	struct worker_rig_packet packet = outbound(test, 0, 60);
	uint8_t datagram[WORKER_RIG_FRAME_CAP];
	size_t inner_len = worker_rig_ipv4(test->packet, &packet);
	size_t len = worker_rig_seal(test->rig, 0, test->packet, inner_len, datagram);

	for (unsigned i = 0; i < 3; i++)
		worker_rig_put_ipv4(test->rig, WORKER_RIG_TUNNEL, datagram, len);
	worker_poll(test->rig->worker);
	worker_rig_put_ipv4(test->rig, WORKER_RIG_TUNNEL, datagram, len);
	worker_poll(test->rig->worker);
	assert_int_equal(worker_rig_drops(test->rig, DROP_WG_REPLAY), 3);
	assert_int_equal(slot_of(test, 0)->live.out_bytes, 60);
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

static void test_roaming_on_authentic_packets_alone(void **state)
{
	struct test *test = *state;
	struct dp_session *session = &test->rig->dp.sessions[0];
	struct worker_rig_client *client = &test->rig->clients[0];
	struct mail mail;
	uint8_t datagram[WORKER_RIG_FRAME_CAP];

	worker_rig_advance(test->rig, NS_PER_SEC); // since the endpoint of the handshake was told
	client->addr_be = ADDR(5, 0, 0, 101);
	client->port_be = htons(1234);
	size_t len = worker_rig_seal(test->rig, 0, NULL, 0, datagram);
	datagram[len - 1] ^= 1;
	worker_rig_put_ipv4(test->rig, WORKER_RIG_TUNNEL, datagram, len);
	worker_poll(test->rig->worker);
	assert_int_not_equal(session->endpoint.addr_be, client->addr_be);
	datagram[len - 1] ^= 1;
	worker_rig_put_ipv4(test->rig, WORKER_RIG_TUNNEL, datagram, len);
	worker_poll(test->rig->worker);
	assert_int_equal(session->endpoint.addr_be, client->addr_be);
	assert_int_equal(session->endpoint.port_be, client->port_be);
	assert_true(mail_recv_up(test->rig->worker->mailbox, &mail));
	assert_int_equal(mail.kind, MAIL_ENDPOINT);
	assert_int_equal(mail.endpoint.port_be, htons(1234));
	assert_int_equal(consumed(test, CONSUMED_KEEPALIVE), 1);
	// A replay from elsewhere moves nothing.
	memcpy(datagram + 12, &(uint32_t){ADDR(5, 0, 0, 102)}, 4);
	net_checksum_set_ipv4(datagram, 20);
	worker_rig_put_ipv4(test->rig, WORKER_RIG_TUNNEL, datagram, len);
	worker_poll(test->rig->worker);
	assert_int_equal(session->endpoint.addr_be, client->addr_be);
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

static void test_time_exceeded_to_client_and_internet(void **state)
{
	struct test *test = *state;
	struct worker_rig_packet packet = outbound(test, 0, 100);
	uint8_t inner[WORKER_RIG_FRAME_CAP];
	struct net_l3l4 l34;

	packet.ttl = 1;
	send_packet(test, 0, &packet);
	int len = worker_rig_receive(test->rig, 0, inner);
	assert_true(len > 0);
	assert_int_equal(net_parse_ip(inner, len, NET_PARSE_IP_CHECKSUM, &l34), NET_OK);
	assert_int_equal(l34.icmp_type, NET_ICMP_TIME_EXCEEDED);
	assert_int_equal(l34.src_be32, NODE_INNER);
	assert_int_equal(worker_rig_drops(test->rig, DROP_TTL_EXPIRED), 1);
	assert_int_equal(slot_of(test, 0)->live.out_bytes, 0); // free, both of them
	assert_int_equal(slot_of(test, 0)->free.originated_bytes, l34.total_len);

	uint16_t port_be = flow_open(test, 0);
	struct worker_rig_packet late = inbound(REMOTE, port_be, 90);

	late.ttl = 1;
	size_t n = worker_rig_ipv4(test->packet, &late);
	worker_rig_put_ipv4(test->rig, WORKER_RIG_INTERNET, test->packet, n);
	worker_poll(test->rig->worker);
	l34 = take_internet(test);
	assert_int_equal(l34.icmp_type, NET_ICMP_TIME_EXCEEDED);
	assert_int_equal(l34.src_be32, EXTERNAL);
	assert_int_equal(slot_of(test, 0)->live.in_bytes, 0);
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

static void test_fragmentation_needed(void **state)
{
	struct test *test = *state;
	uint16_t port_be = flow_open(test, 0);
	struct worker_rig_packet big = inbound(REMOTE, port_be, 1421);
	size_t n = worker_rig_ipv4(test->packet, &big);

	worker_rig_put_ipv4(test->rig, WORKER_RIG_INTERNET, test->packet, n);
	worker_poll(test->rig->worker);
	assert_int_equal(worker_rig_drops(test->rig, DROP_TOO_BIG), 1);
	assert_int_equal(take_internet(test).total_len, 0);
	test->packet[6] = 0x40; // DF
	net_checksum_set_ipv4(test->packet, 20);
	worker_rig_put_ipv4(test->rig, WORKER_RIG_INTERNET, test->packet, n);
	worker_poll(test->rig->worker);
	struct net_l3l4 l34 = take_internet(test);
	assert_int_equal(worker_rig_drops(test->rig, DROP_TOO_BIG_DF), 1);
	assert_int_equal(l34.icmp_type, NET_ICMP_UNREACHABLE);
	assert_int_equal(l34.icmp_code, 4);
	assert_int_equal(net_load16(test->out + 14 + 20 + 6), htons(1420)); // RFC 1191 section 4
	assert_int_equal(slot_of(test, 0)->free.drop_in_pkts, 2);
	assert_int_equal(slot_of(test, 0)->free.drop_out_pkts, 0);
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

static void test_hairpin_bills_both_sessions(void **state)
{
	struct test *test = *state;
	uint8_t inner[WORKER_RIG_FRAME_CAP];
	struct net_l3l4 l34;
	// Client 1 writes to the node's external address first, which permits that address to answer.
	struct worker_rig_packet packet = outbound(test, 1, 100);

	packet.dst_be = EXTERNAL;
	packet.dport = 7;
	send_packet(test, 1, &packet); // no mapping there yet
	assert_int_equal(worker_rig_drops(test->rig, DROP_NAT_NO_MAPPING), 1);
	assert_int_equal(slot_of(test, 1)->live.out_bytes, 0); // not delivered, not billed

	// Where client 1 is mapped shows on its way to the internet.
	packet = outbound(test, 1, 100);
	send_packet(test, 1, &packet);
	uint16_t port_be = take_internet(test).src_port_be16;
	packet = outbound(test, 0, 200);
	packet.dst_be = EXTERNAL;
	packet.dport = ntohs(port_be);
	send_packet(test, 0, &packet);
	int len = worker_rig_receive(test->rig, 1, inner);
	assert_int_equal(len, 208);
	assert_int_equal(net_parse_ip(inner, len, NET_PARSE_IP_CHECKSUM, &l34), NET_OK);
	assert_int_equal(l34.src_be32, EXTERNAL); // RFC 4787 REQ-9 a
	assert_int_equal(l34.dst_be32, test->rig->clients[1].inner_be);
	assert_int_equal(slot_of(test, 0)->live.out_bytes, 200);
	assert_int_equal(slot_of(test, 1)->live.in_bytes, 200);
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

// A hairpin that dies on its second hop: the answer would go to the node itself.
static void test_no_error_about_a_hairpin(void **state)
{
	struct test *test = *state;
	struct worker_rig_packet packet = outbound(test, 1, 100);

	packet.dst_be = EXTERNAL;
	send_packet(test, 1, &packet);
	uint16_t port_be = flow_open(test, 1);
	packet = outbound(test, 0, 200);
	packet.dst_be = EXTERNAL;
	packet.dport = ntohs(port_be);
	packet.ttl = 2;
	send_packet(test, 0, &packet);
	assert_int_equal(worker_rig_drops(test->rig, DROP_TTL_EXPIRED), 1);
	assert_int_equal(test->rig->worker->stats->originated_pkts, 0);
	assert_int_equal(test->rig->dp.sessions[0].reserved_bytes, 0);
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

// The worker itself looks for what is idle, a little in each round, and shows what is left.
static void test_idle_mapping_ends(void **state)
{
	struct test *test = *state;
	const struct abi_nat_stats *stats = &test->rig->worker->stats->nat;
	uint16_t port_be = flow_open(test, 0);

	worker_rig_advance(test->rig, NS_PER_MS);
	worker_poll(test->rig->worker);
	assert_int_equal(stats->mappings_udp, 1);
	worker_rig_advance(test->rig, 300 * NS_PER_SEC); // RFC 4787 REQ-5
	for (unsigned i = 0; i < 10000 && stats->mappings_udp != 0; i++) {
		worker_rig_advance(test->rig, NS_PER_MS);
		worker_poll(test->rig->worker);
	}
	assert_int_equal(stats->mappings_udp, 0);
	assert_int_equal(stats->mappings_expired, 1);
	assert_int_equal(stats->filter_entries, 0);
	answer(test, REMOTE, port_be, 100);
	assert_int_equal(worker_rig_drops(test->rig, DROP_NAT_NO_MAPPING), 1);
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

static void test_pings_to_the_node_are_free(void **state)
{
	struct test *test = *state;
	uint8_t inner[WORKER_RIG_FRAME_CAP];
	struct worker_rig_packet ping = outbound(test, 0, 84);
	struct net_l3l4 l34;

	ping.proto = NET_PROTO_ICMP;
	ping.dst_be = NODE_INNER;
	send_packet(test, 0, &ping);
	int len = worker_rig_receive(test->rig, 0, inner);
	assert_int_equal(net_parse_ip(inner, len, NET_PARSE_IP_CHECKSUM, &l34), NET_OK);
	assert_true(net_checksum_check_l4(inner, &l34));
	assert_int_equal(l34.icmp_type, NET_ICMP_ECHO_REPLY);

	ping.src_be = REMOTE;
	ping.dst_be = EXTERNAL;
	size_t n = worker_rig_ipv4(test->packet, &ping);
	worker_rig_put_ipv4(test->rig, WORKER_RIG_INTERNET, test->packet, n);
	worker_poll(test->rig->worker);
	l34 = take_internet(test);
	assert_int_equal(l34.icmp_type, NET_ICMP_ECHO_REPLY);
	assert_int_equal(l34.src_be32, EXTERNAL);
	assert_int_equal(consumed(test, CONSUMED_ICMP_ECHO), 2);
	assert_int_equal(slot_of(test, 0)->live.out_bytes + slot_of(test, 0)->live.in_bytes, 0);
	assert_true(worker_rig_check_conservation(test->rig, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_outbound_is_translated_and_billed),
		T(test_inbound_is_translated_and_billed),
		T(test_quota_ends_both_ways_to_the_byte),
		T(test_transmit_refusal_returns_the_reservation),
		T(test_every_flipped_bit_changes_nothing),
		T(test_every_truncation_is_refused),
		T(test_replay_in_and_across_bursts),
		T(test_roaming_on_authentic_packets_alone),
		T(test_time_exceeded_to_client_and_internet),
		T(test_fragmentation_needed),
		T(test_hairpin_bills_both_sessions),
		T(test_no_error_about_a_hairpin),
		T(test_idle_mapping_ends),
		T(test_pings_to_the_node_are_free),
	};

	worker_rig_eal();
	return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
