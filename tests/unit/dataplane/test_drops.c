// SPDX-License-Identifier: Apache-2.0
//
// Every way in which a packet ends on a worker, each produced once and asserted by name: one counter
// rises by one, no other, and every packet is accounted for. What the slow path alone counts stands in
// slow_path_reasons and is produced by its own tests; a reason that nobody lists fails the last test.
#include "common/abi_names.h"
#include "dataplane/net/net_checksum.h"
#include "tests/unit/dataplane/drops_histories.h"
#include "tests/unit/test.h"

#include <rte_ring.h>

#include <arpa/inet.h>
#include <string.h>

#define TOTAL_LEN 60
#define L2 14 // bytes before the IPv4 header
#define L4 (L2 + 20)

static bool is_drop_seen[N_DROP], is_consumed_seen[N_CONSUMED];

static void test_begin(struct drops_test *test, void (*adjust)(struct config *))
{
	memset(test, 0, sizeof(*test));
	test->rig = worker_rig_create(2, DROPS_QUOTA, adjust);
}

// The packets that stand in the rings to the slow path.
static unsigned n_held(struct drops_test *test)
{
	return rte_ring_count(test->rig->worker->mailbox->up_pkts);
}

static void test_end(struct drops_test *test, const char *name)
{
	if (!worker_rig_check_conservation(test->rig, n_held(test)))
		fail_msg("%s: a packet is not accounted for", name);
	for (unsigned i = 0; i < 2; i++)
		if (test->rig->dp.sessions[i].generation != 0 &&
		    test->rig->dp.sessions[i].reserved_bytes != 0 && n_held(test) == 0)
			fail_msg("%s: a reservation stays behind", name);
	worker_rig_destroy(test->rig);
}

static void expect_drop(struct drops_test *test, const char *name, enum drop_reason reason)
{
	const struct abi_thread_stats *stats = test->rig->worker->stats;

	for (unsigned i = 0; i < N_DROP; i++)
		if (stats->drops[i] != (i == reason))
			fail_msg(
				"%s: %lu dropped as %s, wanted one %s",
				name,
				(unsigned long)stats->drops[i],
				abi_drop_name(i),
				abi_drop_name(reason)
			);
	is_drop_seen[reason] = true;
}

static void expect_consumed(struct drops_test *test, const char *name, enum consumed_kind kind)
{
	const struct abi_thread_stats *stats = test->rig->worker->stats;

	for (unsigned i = 0; i < N_DROP; i++)
		if (stats->drops[i] != 0)
			fail_msg("%s: dropped as %s", name, abi_drop_name(i));
	for (unsigned i = 0; i < N_CONSUMED; i++)
		if (stats->consumed[i] != (i == kind))
			fail_msg("%s: not consumed as %s alone", name, abi_consumed_name(kind));
	is_consumed_seen[kind] = true;
}

// ---- frames from outside, each a good one with some bytes changed ------------------------------------

enum fix { FIX_NONE = 0, FIX_IP = 1, FIX_L4 = 2 };

struct poke {
	uint16_t at; // from the frame's first byte
	uint8_t value;
};

struct frame_row {
	const char *name;
	enum drop_reason drop; // DROP_NONE: consumed
	enum consumed_kind consumed;
	uint8_t port;
	uint8_t proto;
	uint32_t dst; // host order
	uint16_t dport;
	uint16_t len; // of the frame, 0 = whole
	unsigned fix; // checksums that are right in spite of the pokes
	struct poke pokes[5];
};

#define INET WORKER_RIG_INTERNET, NET_PROTO_UDP, DROPS_EXTERNAL, 3000
#define INET_ICMP WORKER_RIG_INTERNET, NET_PROTO_ICMP, DROPS_EXTERNAL, 0
#define TUN(dport) WORKER_RIG_TUNNEL, NET_PROTO_UDP, DROPS_NODE_TUNNEL, dport
#define TUN_ICMP WORKER_RIG_TUNNEL, NET_PROTO_ICMP, DROPS_NODE_TUNNEL, 0
#define WG_TYPE_POKES(type) \
	{L4 + 8, type}, {L4 + 9, 0}, {L4 + 10, 0}, \
	{ \
		L4 + 11, 0 \
	}
#define DROPS(reason) DROP_##reason, 0
#define EATS(kind) DROP_NONE, CONSUMED_##kind

// clang-format off
static const struct frame_row frame_rows[] = {
	{"short frame", DROPS(L2_TRUNCATED), INET, 13, 0, {{0}}},
	{"other station", DROPS(L2_NOT_FOR_US), INET, 0, 0, {{5, 77}}},
	{"broadcast", DROPS(L2_NOT_FOR_US), INET, 0, 0, {{0, 255}, {1, 255}}},
	{"IPv6 on the wire", DROPS(L2_TYPE), INET, 0, 0, {{12, 0x86}, {13, 0xdd}}},
	{"half a header", DROPS(IP_TRUNCATED), INET, L2 + 10, 0, {{0}}},
	{"version 5", DROPS(IP_VERSION), INET, 0, FIX_IP, {{L2, 0x55}}},
	{"version 6 as IPv4", DROPS(IP_VERSION), INET, 0, 0, {{L2, 0x65}}},
	{"IHL 4", DROPS(IP_HEADER_LEN), INET, 0, 0, {{L2, 0x44}}},
	{"total length beyond", DROPS(IP_TOTAL_LEN), INET, 0, FIX_IP, {{L2 + 2, 1}}},
	{"total length of 19", DROPS(IP_TOTAL_LEN), INET, 0, FIX_IP, {{L2 + 3, 19}}},
	{"checksum", DROPS(IP_CHECKSUM), INET, 0, 0, {{L2 + 8, 3}}},
	{"source route", DROPS(IP_SOURCE_ROUTE), INET, 0, FIX_IP,
	 {{L2, 0x46}, {L4, 131}, {L4 + 1, 4}}},
	{"first fragment", DROPS(IP_FRAGMENT), INET, 0, FIX_IP, {{L2 + 6, 0x20}}},
	{"last fragment", DROPS(IP_FRAGMENT), INET, 0, FIX_IP, {{L2 + 7, 5}}},
	{"UDP to the node", DROPS(IP_UNCLAIMED), TUN(53), 0, 0, {{0}}},
	{"other host", DROPS(IP_NOT_OURS), INET, 0, FIX_IP, {{L2 + 19, 77}}},
	{"half a UDP header", DROPS(L4_TRUNCATED), INET, 0, FIX_IP, {{L2 + 3, 27}}},
	{"UDP length", DROPS(UDP_LENGTH), INET, 0, FIX_IP, {{L4 + 5, 41}}},
	{"TCP offset 4", DROPS(TCP_DATA_OFFSET), INET, 0, FIX_IP, {{L2 + 9, 6}, {L4 + 12, 0x40}}},
	{"ping, checksum", DROPS(L4_CHECKSUM), INET_ICMP, 0, 0, {{L4 + 20, 99}}},
	{"error, checksum", DROPS(L4_CHECKSUM), INET_ICMP, 0, 0, {{L4, 3}}},
	{"short datagram", DROPS(WG_TRUNCATED), TUN(DROPS_LISTEN_PORT), 0, FIX_IP,
	 {{L2 + 3, 59}, {L4 + 5, 39}}},
	{"type 8", DROPS(WG_TYPE), TUN(DROPS_LISTEN_PORT), 0, 0, {{0}}},
	{"reserved byte", DROPS(WG_TYPE), TUN(DROPS_LISTEN_PORT), 0, 0, {{L4 + 8, 4}, {L4 + 9, 1}}},
	{"short initiation", DROPS(WG_LENGTH), TUN(DROPS_LISTEN_PORT), 0, 0, {WG_TYPE_POKES(1)}},
	{"index of nobody", DROPS(WG_INDEX_UNKNOWN), TUN(DROPS_LISTEN_PORT), 0, 0, {WG_TYPE_POKES(4)}},
	{"no mapping", DROPS(NAT_NO_MAPPING), INET, 0, 0, {{0}}},
	{"GRE", DROPS(NAT_PROTOCOL), INET, 0, FIX_IP, {{L2 + 9, 47}}},
	{"redirect", DROPS(NAT_ICMP_TYPE), INET_ICMP, 0, FIX_L4, {{L4, 5}}},
	{"error about nothing", DROPS(NAT_ICMP_UNMATCHED), INET_ICMP, 0, FIX_L4, {{L4, 3}}},
	{"from everybody", DROPS(MARTIAN), INET, 0, FIX_IP, {{L2 + 12, 255}}},
	{"from nobody", DROPS(MARTIAN), INET, 0, FIX_IP, {{L2 + 12, 0}}},
	{"from our own address", DROPS(MARTIAN), INET, 0, FIX_IP, {{L2 + 15, 1}}},
	{"ping from a group", DROPS(MARTIAN), INET_ICMP, 0, FIX_IP, {{L2 + 12, 224}}},
	{"ping", EATS(ICMP_ECHO), INET_ICMP, 0, 0, {{0}}},
	{"reply to the node", EATS(ICMP_OTHER), TUN_ICMP, 0, FIX_L4, {{L4, 0}}},
};
// clang-format on

static size_t frame_build(struct drops_test *test, const struct frame_row *row, uint8_t *frame)
{
	const struct worker_rig_packet packet = {
		.src_be = row->port == WORKER_RIG_TUNNEL ? htonl(DROPS_NODE_TUNNEL + 99)
							 : htonl(DROPS_REMOTE),
		.dst_be = htonl(row->dst),
		.sport = DROPS_DPORT,
		.dport = row->dport,
		.proto = row->proto,
		.ttl = 60,
		.total_len = TOTAL_LEN,
	};
	struct net_l3l4 l34;

	memcpy(frame, test->rig->dp.ports[row->port].mac, 6);
	memset(frame + 6, 2, 6);
	net_store16(frame + 12, htons(NET_ETHER_TYPE_IPV4));
	worker_rig_ipv4(frame + L2, &packet);
	for (unsigned i = 0; i < TEST_N_ROWS(row->pokes); i++)
		if (row->pokes[i].at != 0 || row->pokes[i].value != 0)
			frame[row->pokes[i].at] = row->pokes[i].value;
	if (row->fix & FIX_IP)
		net_checksum_set_ipv4(frame + L2, (frame[L2] & 0xf) * 4u);
	if (row->fix & FIX_L4) {
		assert_int_equal(net_parse_ip(frame + L2, TOTAL_LEN, 0, &l34), NET_OK);
		net_checksum_set_l4(frame + L2, &l34);
	}
	return row->len != 0 ? row->len : L2 + TOTAL_LEN;
}

static void test_frames(void **state)
{
	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(frame_rows); i++) {
		const struct frame_row *row = &frame_rows[i];
		uint8_t frame[WORKER_RIG_FRAME_CAP];
		struct drops_test test;

		test_begin(&test, NULL);
		worker_rig_put(test.rig, row->port, frame, frame_build(&test, row, frame));
		worker_poll(test.rig->worker);
		if (row->drop != DROP_NONE)
			expect_drop(&test, row->name, row->drop);
		else
			expect_consumed(&test, row->name, row->consumed);
		test_end(&test, row->name);
	}
}

// ---- authentic packets of a client ---------------------------------------------------------------------

struct inner_row {
	const char *name;
	enum drop_reason drop;
	uint8_t proto;
	unsigned fix;
	struct poke pokes[3]; // from the inner packet's first byte
};

static const struct inner_row inner_rows[] = {
	{"IPv6", DROP_INNER_IPV6, NET_PROTO_UDP, 0, {{0, 0x65}}},
	{"version 0", DROP_IP_VERSION, NET_PROTO_UDP, 0, {{0, 0x05}}},
	{"IHL 4", DROP_IP_HEADER_LEN, NET_PROTO_UDP, 0, {{0, 0x44}}},
	{"longer than it is", DROP_IP_TOTAL_LEN, NET_PROTO_UDP, FIX_IP, {{3, 65}}},
	{"checksum", DROP_IP_CHECKSUM, NET_PROTO_UDP, 0, {{8, 9}}},
	{"fragment", DROP_IP_FRAGMENT, NET_PROTO_UDP, FIX_IP, {{6, 0x20}}},
	{"TCP offset", DROP_TCP_DATA_OFFSET, NET_PROTO_TCP, 0, {{32, 0xf0}}},
	{"another's address", DROP_SOURCE_CHECK, NET_PROTO_UDP, FIX_IP, {{15, 3}}},
	{"private network", DROP_MARTIAN, NET_PROTO_UDP, FIX_IP, {{16, 192}, {17, 168}}},
	{"loopback", DROP_MARTIAN, NET_PROTO_UDP, FIX_IP, {{16, 127}}},
	{"the node's tunnel address", DROP_MARTIAN, NET_PROTO_UDP, FIX_IP, {{16, 5}, {19, 1}}},
	{"other session", DROP_INNER_TO_INNER, NET_PROTO_UDP, FIX_IP, {{16, 10}, {17, 8}, {19, 3}}},
	{"TTL 1", DROP_TTL_EXPIRED, NET_PROTO_UDP, FIX_IP, {{8, 1}}},
	{"TTL 0", DROP_TTL_EXPIRED, NET_PROTO_UDP, FIX_IP, {{8, 0}}},
	{"GRE", DROP_NAT_PROTOCOL, NET_PROTO_UDP, FIX_IP, {{9, 47}}},
	{"echo reply", DROP_NAT_ICMP_TYPE, NET_PROTO_ICMP, FIX_L4, {{20, 0}}},
	{"error about nothing", DROP_NAT_ICMP_UNMATCHED, NET_PROTO_ICMP, FIX_L4, {{20, 3}}},
	{"no way there", DROP_NEIGH_UNRESOLVED, NET_PROTO_UDP, FIX_IP, {{16, 8}}},
};

static void test_inner_packets(void **state)
{
	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(inner_rows); i++) {
		const struct inner_row *row = &inner_rows[i];
		struct net_l3l4 l34;
		struct drops_test test;

		test_begin(&test, NULL);
		size_t len = drops_histories_outbound(&test, row->proto, DROPS_SPORT, TOTAL_LEN);
		for (unsigned p = 0; p < TEST_N_ROWS(row->pokes); p++)
			if (row->pokes[p].at != 0 || row->pokes[p].value != 0)
				test.packet[row->pokes[p].at] = row->pokes[p].value;
		if (row->fix & FIX_IP)
			net_checksum_set_ipv4(test.packet, 20);
		if (row->fix & FIX_L4) {
			assert_int_equal(net_parse_ip(test.packet, len, 0, &l34), NET_OK);
			net_checksum_set_l4(test.packet, &l34);
		}
		worker_rig_send(test.rig, 0, test.packet, len);
		worker_poll(test.rig->worker);
		expect_drop(&test, row->name, row->drop);
		const struct abi_session_slot *slot = &test.rig->dp.segment.slots[0];
		assert_int_equal(slot->live.out_bytes, 0);
		assert_int_equal(slot->free.drop_out_pkts, 1);
		test_end(&test, row->name);
	}
}

// ---- what it takes a history to produce

static void test_histories(void **state)
{
	(void)state;
	for (unsigned i = 0; i < drops_histories_n; i++) {
		const struct drops_history *row = &drops_histories[i];
		struct drops_test test;

		test_begin(&test, row->adjust);
		row->make(&test);
		expect_drop(&test, row->name, row->drop);
		test_end(&test, row->name);
	}
}

static void test_keepalive_is_consumed(void **state)
{
	struct drops_test test;

	(void)state;
	test_begin(&test, NULL);
	worker_rig_send(test.rig, 0, NULL, 0);
	worker_poll(test.rig->worker);
	expect_consumed(&test, "keepalive", CONSUMED_KEEPALIVE);
	test_end(&test, "keepalive");
}

// What no worker decides.
static const enum drop_reason slow_path_reasons[] = {
	DROP_NONE,
	DROP_ARP_INVALID,
	DROP_WG_MAC1,
	DROP_WG_RATE_SOURCE,
	DROP_WG_UNDER_LOAD,
	DROP_WG_HANDSHAKE_AUTH,
	DROP_WG_UNKNOWN_PEER,
	DROP_WG_INITIATION_REPLAY,
	DROP_WG_INITIATION_FLOOD,
	DROP_WG_UNEXPECTED,
	DROP_WG_SESSION_CLOSED,
	DROP_WG_INDEX_EXHAUSTED,
	DROP_NEIGH_QUEUE_FULL,
};
static const enum consumed_kind slow_path_kinds[] = {CONSUMED_ARP, CONSUMED_HANDSHAKE};

// Runs last: every name was produced above, or is the slow path's.
static void test_every_name_was_produced(void **state)
{
	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(slow_path_reasons); i++) {
		assert_false(is_drop_seen[slow_path_reasons[i]]);
		is_drop_seen[slow_path_reasons[i]] = true;
	}
	for (size_t i = 0; i < TEST_N_ROWS(slow_path_kinds); i++) {
		assert_false(is_consumed_seen[slow_path_kinds[i]]);
		is_consumed_seen[slow_path_kinds[i]] = true;
	}
	for (unsigned i = 0; i < N_DROP; i++)
		if (!is_drop_seen[i])
			fail_msg("no test produces %s", abi_drop_name(i));
	for (unsigned i = 0; i < N_CONSUMED; i++)
		if (!is_consumed_seen[i])
			fail_msg("no test produces %s", abi_consumed_name(i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_inner_packets),
		cmocka_unit_test(test_histories),
		cmocka_unit_test(test_keepalive_is_consumed),
		cmocka_unit_test(test_every_name_was_produced),
	};

	worker_rig_eal();
	return cmocka_run_group_tests_name("drops", tests, NULL, NULL);
}
