// SPDX-License-Identifier: Apache-2.0
//
// ARP on the slow path: whom it answers, what it learns, what it asks and when, and what becomes of the
// packets that wait. Each test ends with the conservation equation.
#include "dataplane/neigh.h"
#include "dataplane/net/net_arp_msg.h"
#include "tests/rig/slow_rig.h"
#include "tests/unit/test.h"

#include <rte_mbuf.h>
#include <rte_ring.h>

#include <arpa/inet.h>
#include <string.h>

#define OWN htonl(0x06000001)
#define EXTERNAL htonl(0x0600004d) // 6.0.0.77
#define HOST htonl(0x06000009)
#define OTHER htonl(0x06000010)
#define GATEWAY htonl(0x060000fe)

static const uint8_t host_mac[6] = {2, 0, 0, 0, 0, 9};
static const uint8_t broadcast[6] = {255, 255, 255, 255, 255, 255};

static int setup(void **state)
{
	*state = slow_rig_create(NULL);
	return 0;
}

static void with_gateway(struct config *config)
{
	config->ports[SLOW_RIG_INTERNET].gateway = ntohl(GATEWAY);
}

static int setup_gateway(void **state)
{
	*state = slow_rig_create(with_gateway);
	return 0;
}

static int teardown(void **state)
{
	bool is_conserved = slow_rig_check_conservation(*state, 0);

	assert_int_equal(slow_rig_destroy(*state), 0);
	assert_true(is_conserved);
	return 0;
}

static void put_frame(struct slow_rig *rig, const uint8_t *frame, size_t len)
{
	const struct pkt_meta meta = {
		.slow_kind = PKT_SLOW_ARP,
		.port = SLOW_RIG_INTERNET,
		.slot = PKT_SLOT_NONE,
	};

	slow_rig_put(rig, 1, &meta, frame, len);
	slow_rig_run(rig);
}

static void put_request(struct slow_rig *rig, uint32_t sender_be, uint32_t target_be)
{
	uint8_t frame[64] = {0};

	net_arp_msg_build_request(frame, host_mac, sender_be, target_be, NULL);
	put_frame(rig, frame, 60); // with its padding
}

static void put_reply(struct slow_rig *rig, uint32_t sender_be)
{
	const struct net_arp_msg request = {
		.op = NET_ARP_REQUEST,
		.sender_mac = {2, 0, 0, 0, 0, 2},
		.sender_be32 = OWN,
		.target_be32 = sender_be,
	};
	uint8_t frame[64];

	put_frame(rig, frame, net_arp_msg_build_reply(frame, host_mac, sender_be, &request));
}

// Takes an ARP frame of the node's own. Returns: its operation; 0 when there is none.
static int take_arp(struct slow_rig *rig, struct net_arp_msg *msg, uint8_t dst[6])
{
	struct rte_mbuf *m = slow_rig_take(rig, 0);
	uint8_t frame[64];

	if (m == NULL)
		return 0;
	assert_int_equal(m->data_len, NET_ETHER_HEADER_BYTES + NET_ARP_BYTES);
	assert_int_equal(pkt_meta(m)->verdict, PKT_PASS);
	assert_int_equal(pkt_meta(m)->slow_kind, PKT_SLOW_ARP); // complete: no route
	assert_int_equal(pkt_meta(m)->is_originated, 1);
	assert_int_equal(pkt_meta(m)->port, SLOW_RIG_INTERNET);
	memcpy(frame, rte_pktmbuf_mtod(m, void *), m->data_len);
	rte_pktmbuf_free(m);
	memcpy(dst, frame, 6);
	assert_int_equal(
		net_arp_msg_parse(frame + NET_ETHER_HEADER_BYTES, NET_ARP_BYTES, msg), NET_OK
	);
	return (int)msg->op;
}

static void assert_asks(struct slow_rig *rig, uint32_t target_be, const uint8_t *to)
{
	struct net_arp_msg msg;
	uint8_t dst[6];

	assert_int_equal(take_arp(rig, &msg, dst), NET_ARP_REQUEST);
	assert_int_equal(msg.target_be32, target_be);
	assert_int_equal(msg.sender_be32, OWN);
	assert_memory_equal(dst, to, 6);
}

// A packet with a reservation that waits for a next hop.
static void put_packet(struct slow_rig *rig, uint32_t next_hop_be, uint16_t mark)
{
	const struct pkt_meta meta = {
		.slow_kind = PKT_SLOW_NEIGH,
		.port = SLOW_RIG_INTERNET,
		.slot = 3,
		.next_hop_be = next_hop_be,
		.n_bills = 1,
		.bills = {{.slot = 3, .bytes = mark}},
	};
	const uint8_t ip[20] = {0x45};

	slow_rig_put(rig, 1, &meta, ip, sizeof(ip));
	slow_rig_run(rig);
}

// The packet with that mark came back to its worker, reservation and all.
static void assert_back(struct slow_rig *rig, uint16_t mark, enum drop_reason reason)
{
	struct rte_mbuf *m = slow_rig_take(rig, 1);
	const struct pkt_meta *meta;

	assert_non_null(m);
	meta = pkt_meta(m);
	assert_int_equal(meta->bills[0].bytes, mark);
	assert_int_equal(meta->n_bills, 1);
	assert_int_equal(meta->is_resumed, 1);
	assert_int_equal(meta->verdict, reason == DROP_NONE ? PKT_PASS : PKT_DROP);
	assert_int_equal(meta->drop, reason);
	assert_null(m->next);
	rte_pktmbuf_free(m);
}

static void test_answers_for_its_addresses(void **state)
{
	static const struct {
		const char *name;
		unsigned target; // host order
		bool is_answered;
	} rows[] = {
		{"port", 0x06000001, true},
		{"external", 0x0600004d, true},
		{"another host", 0x06000010, false},
		{"the tunnel port's", 0x05000001, false},
	};
	struct slow_rig *rig = *state;

	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		struct net_arp_msg msg;
		uint8_t dst[6];

		put_request(rig, HOST, htonl(rows[i].target));
		int op = take_arp(rig, &msg, dst);
		if (op != (rows[i].is_answered ? NET_ARP_REPLY : 0))
			fail_msg("%s: %d", rows[i].name, op);
		if (op == 0)
			continue;
		assert_int_equal(msg.sender_be32, htonl(rows[i].target));
		assert_memory_equal(msg.sender_mac, rig->dp.ports[SLOW_RIG_INTERNET].mac, 6);
		assert_int_equal(msg.target_be32, HOST);
		assert_memory_equal(msg.target_mac, host_mac, 6);
		assert_memory_equal(dst, host_mac, 6);
	}
	assert_int_equal(slow_rig_consumed(rig, CONSUMED_ARP), TEST_N_ROWS(rows));
	assert_int_equal(rig->sp.stats->originated_pkts, 2);
}

static void test_learns(void **state)
{
	struct slow_rig *rig = *state;
	struct net_neigh *table = rig->dp.ports[SLOW_RIG_INTERNET].neigh;
	struct net_arp_msg msg;
	uint8_t dst[6], mac[6];

	put_reply(rig, HOST); // that nobody asked for
	assert_null(net_neigh_find(table, HOST));
	put_request(rig, HOST, OTHER); // not for us
	assert_null(net_neigh_find(table, HOST));
	put_request(rig, htonl(0x07000001), OWN); // not on the link: answered, not learnt
	assert_null(net_neigh_find(table, htonl(0x07000001)));
	put_request(rig, 0, OWN); // an address probe (RFC 5227)
	assert_int_equal(take_arp(rig, &msg, dst), NET_ARP_REPLY);
	assert_int_equal(take_arp(rig, &msg, dst), NET_ARP_REPLY);
	put_request(rig, HOST, OWN);
	assert_int_equal(take_arp(rig, &msg, dst), NET_ARP_REPLY);
	assert_true(net_neigh_lookup(table, HOST, rig->time.mono_ns, mac));
	assert_memory_equal(mac, host_mac, 6);
}

static void test_invalid(void **state)
{
	struct slow_rig *rig = *state;
	uint8_t frame[64];
	size_t len = net_arp_msg_build_request(frame, host_mac, HOST, OWN, NULL);
	unsigned n_invalid = 0;

	for (size_t i = NET_ETHER_HEADER_BYTES; i < len; i++, n_invalid++) // truncated at each byte
		put_frame(rig, frame, i);
	assert_int_equal(slow_rig_drops(rig, DROP_ARP_INVALID), n_invalid);
	put_request(rig, OWN, HOST); // claims our address
	put_request(rig, EXTERNAL, EXTERNAL);
	assert_int_equal(slow_rig_drops(rig, DROP_ARP_INVALID), n_invalid + 2);
	assert_int_equal(slow_rig_consumed(rig, CONSUMED_ARP), 0);
	assert_null(slow_rig_take(rig, 0));
}

static void test_each_bit_turned(void **state)
{
	struct slow_rig *rig = *state;
	uint8_t frame[64];
	size_t len = net_arp_msg_build_request(frame, host_mac, HOST, OWN, NULL);

	for (size_t bit = NET_ETHER_HEADER_BYTES * 8; bit < len * 8; bit++) {
		struct rte_mbuf *m;

		frame[bit / 8] ^= 1u << bit % 8;
		put_frame(rig, frame, len);
		frame[bit / 8] ^= 1u << bit % 8;
		while ((m = slow_rig_take(rig, 0)) != NULL)
			rte_pktmbuf_free(m);
	}
	// Each was dropped as invalid or taken as ARP, none otherwise.
	assert_int_equal(
		slow_rig_drops(rig, DROP_ARP_INVALID) + slow_rig_consumed(rig, CONSUMED_ARP),
		rig->n_put
	);
}

static void test_held_and_resumed(void **state)
{
	struct slow_rig *rig = *state;

	put_packet(rig, HOST, 1);
	assert_asks(rig, HOST, broadcast);
	put_packet(rig, HOST, 2);
	assert_null(slow_rig_take(rig, 0)); // asked once
	assert_null(slow_rig_take(rig, 1));
	assert_true(slow_rig_check_conservation(rig, 2));
	put_reply(rig, HOST);
	assert_back(rig, 1, DROP_NONE);
	assert_back(rig, 2, DROP_NONE);
	put_packet(rig, HOST, 3); // resolved since the worker looked
	assert_back(rig, 3, DROP_NONE);
}

static void test_unresolved(void **state)
{
	struct slow_rig *rig = *state;

	put_packet(rig, HOST, 1);
	for (unsigned i = 0; i < NET_NEIGH_MAX_ASKED; i++) {
		assert_asks(rig, HOST, broadcast);
		assert_null(slow_rig_take(rig, 1));
		slow_rig_advance(rig, NS_PER_SEC);
	}
	assert_back(rig, 1, DROP_NEIGH_UNRESOLVED);
	assert_null(slow_rig_take(rig, 0));
}

// RFC 1122 section 2.3.2.2: the latest packets are kept.
static void test_hold_is_bounded(void **state)
{
	struct slow_rig *rig = *state;

	for (uint16_t i = 1; i <= SLOW_RIG_HOLD + 2; i++)
		put_packet(rig, HOST, i);
	assert_asks(rig, HOST, broadcast);
	assert_back(rig, 1, DROP_NEIGH_QUEUE_FULL);
	assert_back(rig, 2, DROP_NEIGH_QUEUE_FULL);
	put_reply(rig, HOST);
	for (uint16_t i = 3; i <= SLOW_RIG_HOLD + 2; i++)
		assert_back(rig, i, DROP_NONE);
	assert_null(slow_rig_take(rig, 1));
}

// Many next hops that nobody has: together they hold an eighth of the buffers and no more.
static void test_holds_are_bounded_together(void **state)
{
	struct slow_rig *rig = *state;
	unsigned n_room = rig->config.memory.mbufs / NEIGH_HELD_PART;

	assert_in_range(n_room, 1, 1000);
	for (uint16_t i = 0; i < n_room; i++)
		put_packet(rig, htonl(0x06000100 + i), i);
	assert_null(slow_rig_take(rig, 1));
	put_packet(rig, HOST, 9999);
	assert_back(rig, 9999, DROP_NEIGH_QUEUE_FULL);
	neigh_drain(&rig->sp, &rig->sp.neigh[SLOW_RIG_INTERNET]);
	for (uint16_t i = 0; i < n_room; i++)
		rte_pktmbuf_free(slow_rig_take(rig, 1));
	for (struct rte_mbuf *m; (m = slow_rig_take(rig, 0)) != NULL;)
		rte_pktmbuf_free(m);
}

// A packet with a reservation is never freed here: when the ring down is full it waits.
static void test_return_waits_for_room(void **state)
{
	struct slow_rig *rig = *state;
	struct rte_ring *ring = rig->dp.mailboxes[1].down_pkts;
	struct rte_mbuf *filler = rte_pktmbuf_alloc(rig->dp.pool), *m;

	put_packet(rig, HOST, 1);
	put_packet(rig, HOST, 2);
	assert_asks(rig, HOST, broadcast);
	while (rte_ring_enqueue(ring, filler) == 0)
		;
	put_reply(rig, HOST);
	assert_int_equal(rig->sp.pkt.n_returns, 2);
	while (rte_ring_dequeue(ring, (void **)&m) == 0)
		assert_ptr_equal(m, filler);
	rte_pktmbuf_free(filler);
	slow_rig_run(rig);
	assert_int_equal(rig->sp.pkt.n_returns, 0);
	assert_back(rig, 1, DROP_NONE);
	assert_back(rig, 2, DROP_NONE);
}

static void test_refreshed_by_unicast(void **state)
{
	struct slow_rig *rig = *state;
	struct net_neigh *table = rig->dp.ports[SLOW_RIG_INTERNET].neigh;
	uint8_t mac[6];

	put_packet(rig, HOST, 1);
	assert_asks(rig, HOST, broadcast);
	put_reply(rig, HOST);
	assert_back(rig, 1, DROP_NONE);
	slow_rig_advance(rig, 44 * NS_PER_SEC);
	assert_null(slow_rig_take(rig, 0));
	assert_true(net_neigh_lookup(table, HOST, rig->time.mono_ns, mac)); // it is in use
	slow_rig_advance(rig, NS_PER_SEC);
	assert_asks(rig, HOST, host_mac);
	put_reply(rig, HOST);
	slow_rig_advance(rig, 30 * NS_PER_SEC); // 75 s after the first answer
	assert_true(net_neigh_lookup(table, HOST, rig->time.mono_ns, mac));
	assert_null(slow_rig_take(rig, 0));
}

static void test_gateway(void **state)
{
	struct slow_rig *rig = *state;

	slow_rig_run(rig);
	for (unsigned i = 0; i < NET_NEIGH_MAX_ASKED; i++) { // from the start, without a packet
		assert_asks(rig, GATEWAY, broadcast);
		assert_int_equal(slow_rig_count_events(rig, ABI_EVENT_GATEWAY_LOST), 0);
		slow_rig_advance(rig, NS_PER_SEC);
	}
	assert_int_equal(slow_rig_count_events(rig, ABI_EVENT_GATEWAY_LOST), 1);
	slow_rig_advance(rig, NS_PER_SEC);
	assert_asks(rig, GATEWAY, broadcast);
	put_reply(rig, GATEWAY);
	assert_int_equal(slow_rig_count_events(rig, ABI_EVENT_GATEWAY_FOUND), 1);
	slow_rig_advance(rig, 45 * NS_PER_SEC); // nobody uses it: refreshed all the same
	assert_asks(rig, GATEWAY, host_mac);
	put_reply(rig, GATEWAY);
	assert_int_equal(slow_rig_count_events(rig, ABI_EVENT_GATEWAY_FOUND), 0);
}

static void test_no_buffer(void **state)
{
	struct slow_rig *rig = *state;
	struct rte_mbuf *taken[4096];
	unsigned n = 0;

	put_packet(rig, HOST, 1);
	assert_asks(rig, HOST, broadcast);
	while ((taken[n] = rte_pktmbuf_alloc(rig->dp.pool)) != NULL)
		n++;
	slow_rig_advance(rig, NS_PER_SEC);
	assert_int_equal(slow_rig_drops(rig, DROP_NO_MBUF), 1);
	rte_pktmbuf_free_bulk(taken, n);
	slow_rig_advance(rig, NS_PER_SEC);
	assert_asks(rig, HOST, broadcast);
	put_reply(rig, HOST);
	assert_back(rig, 1, DROP_NONE);
}

static void test_table_full(void **state)
{
	struct slow_rig *rig = *state;
	uint32_t host =
		0x06000100; // more next hops than a set has room for while all are asked for

	while (net_neigh_insert(
		       rig->dp.ports[SLOW_RIG_INTERNET].neigh, htonl(host), rig->time.mono_ns
	       ) != NULL)
		host++;
	put_packet(rig, htonl(host), 1);
	assert_back(rig, 1, DROP_NEIGH_QUEUE_FULL);
	for (struct rte_mbuf *m; (m = slow_rig_take(rig, 0)) != NULL;)
		rte_pktmbuf_free(m);
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(test_answers_for_its_addresses),
		ROW(test_learns),
		ROW(test_invalid),
		ROW(test_each_bit_turned),
		ROW(test_held_and_resumed),
		ROW(test_unresolved),
		ROW(test_hold_is_bounded),
		ROW(test_holds_are_bounded_together),
		ROW(test_return_waits_for_room),
		ROW(test_refreshed_by_unicast),
		cmocka_unit_test_setup_teardown(test_gateway, setup_gateway, teardown),
		ROW(test_no_buffer),
		ROW(test_table_full),
	};

	slow_rig_eal();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
