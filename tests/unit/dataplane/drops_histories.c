// SPDX-License-Identifier: Apache-2.0
//
// See drops_histories.h. Every row is one function of a few packets.
#include "tests/unit/dataplane/drops_histories.h"

#include "common/abi_names.h"
#include "dataplane/net/net_checksum.h"
#include "tests/unit/test.h"

#include <rte_ring.h>

#include <arpa/inet.h>
#include <string.h>

#define ADDR(a, b, c, d) htonl((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define L2 14 // bytes before the IPv4 header

size_t drops_histories_outbound(
	struct drops_test *test, uint8_t proto, uint16_t sport, uint16_t total_len
)
{
	return worker_rig_ipv4(
		test->packet,
		&(struct worker_rig_packet){
			.src_be = test->rig->clients[0].inner_be,
			.dst_be = htonl(DROPS_REMOTE),
			.sport = sport,
			.dport = DROPS_DPORT,
			.proto = proto,
			.ttl = 64,
			.total_len = total_len,
		}
	);
}

static void send_udp(struct drops_test *test, uint16_t sport, uint16_t total_len)
{
	size_t len = drops_histories_outbound(test, NET_PROTO_UDP, sport, total_len);

	worker_rig_send(test->rig, 0, test->packet, len);
	worker_poll(test->rig->worker);
}

// Opens a flow of client 0. Returns: its external port, host order.
static uint16_t flow_open(struct drops_test *test)
{
	struct net_l3l4 l34;

	send_udp(test, DROPS_SPORT, 100);
	size_t len = worker_rig_take(test->rig, WORKER_RIG_INTERNET, test->out);
	assert_int_equal(net_parse_ip(test->out + L2, len - L2, 0, &l34), NET_OK);
	return ntohs(l34.src_port_be16);
}

static void answer(
	struct drops_test *test, uint32_t from_be, uint16_t port, uint16_t total_len, bool df
)
{
	const struct worker_rig_packet packet = {
		.src_be = from_be,
		.dst_be = htonl(DROPS_EXTERNAL),
		.sport = DROPS_DPORT,
		.dport = port,
		.proto = NET_PROTO_UDP,
		.ttl = 60,
		.total_len = total_len,
	};
	size_t len = worker_rig_ipv4(test->packet, &packet);

	test->packet[6] = df ? 0x40 : 0;
	net_checksum_set_ipv4(test->packet, 20);
	worker_rig_put_ipv4(test->rig, WORKER_RIG_INTERNET, test->packet, len);
	worker_poll(test->rig->worker);
}

static void send_limits(struct drops_test *test, const struct mail_limits *limits)
{
	const struct mail mail = {
		.kind = MAIL_LIMITS,
		.generation = WORKER_RIG_GENERATION,
		.limits = *limits,
	};

	assert_true(mail_send_down(test->rig->worker->mailbox, &mail));
}

static void make_segmented(struct drops_test *test)
{
	struct rte_mbuf *head = rte_pktmbuf_alloc(test->rig->dp.pool);
	struct rte_mbuf *tail = rte_pktmbuf_alloc(test->rig->dp.pool);

	assert_true(head != NULL && tail != NULL);
	memset(rte_pktmbuf_append(head, 60), 0, 60);
	memset(rte_pktmbuf_append(tail, 60), 0, 60);
	assert_int_equal(rte_pktmbuf_chain(head, tail), 0);
	assert_int_equal(rte_ring_enqueue(test->rig->to_node[0], head), 0);
	worker_poll(test->rig->worker);
}

static void make_expired_keypair(struct drops_test *test)
{
	worker_rig_advance(test->rig, WG_REJECT_AFTER_TIME_SEC * NS_PER_SEC);
	send_udp(test, DROPS_SPORT, 100);
}

static void put_sealed(struct drops_test *test, uint8_t tos, uint8_t flip, unsigned n)
{
	uint8_t datagram[WORKER_RIG_FRAME_CAP];
	size_t inner = drops_histories_outbound(test, NET_PROTO_UDP, DROPS_SPORT, 100);
	size_t len = worker_rig_seal(test->rig, 0, test->packet, inner, datagram);

	datagram[1] = tos;
	datagram[len - 1] ^= flip;
	net_checksum_set_ipv4(datagram, 20);
	while (n-- > 0)
		worker_rig_put_ipv4(test->rig, WORKER_RIG_TUNNEL, datagram, len);
	worker_poll(test->rig->worker);
}

static void make_wrong_tag(struct drops_test *test)
{
	put_sealed(test, 0, 1, 1);
}

static void make_replay(struct drops_test *test)
{
	put_sealed(test, 0, 0, 2);
}

static void make_ecn(struct drops_test *test)
{
	put_sealed(test, 3, 0, 1); // congestion experienced outside, not capable inside
}

static void make_no_keypair(struct drops_test *test)
{
	uint16_t port = flow_open(test);

	worker_rig_advance(test->rig, WG_REJECT_AFTER_TIME_SEC * NS_PER_SEC);
	answer(test, htonl(DROPS_REMOTE), port, 100, false);
}

static void make_filtered(struct drops_test *test)
{
	answer(test, ADDR(6, 0, 0, 10), flow_open(test), 100, false);
}

static void make_too_big(struct drops_test *test)
{
	answer(test, htonl(DROPS_REMOTE), flow_open(test), 1421, false);
}

static void make_too_big_df(struct drops_test *test)
{
	answer(test, htonl(DROPS_REMOTE), flow_open(test), 1421, true);
}

static void make_quota(struct drops_test *test)
{
	send_limits(test, &(struct mail_limits){.limit_bytes = 99, .expires_ns = UINT64_MAX});
	send_udp(test, DROPS_SPORT, 100);
}

static void make_gate_closed(struct drops_test *test)
{
	const struct mail mail = {
		.kind = MAIL_GATE,
		.gate = ABI_GATE_CLOSED,
		.generation = WORKER_RIG_GENERATION,
	};

	assert_true(mail_send_down(test->rig->worker->mailbox, &mail));
	send_udp(test, DROPS_SPORT, 100);
}

static void make_expired(struct drops_test *test)
{
	send_limits(test, &(struct mail_limits){.limit_bytes = DROPS_QUOTA, .expires_ns = 1});
	send_udp(test, DROPS_SPORT, 100);
}

static void make_rate_out(struct drops_test *test)
{
	send_limits(
		test,
		&(struct mail_limits
		){.limit_bytes = DROPS_QUOTA, .expires_ns = UINT64_MAX, .rate_out_kbps = 1}
	);
	for (unsigned i = 0; i <= DP_BUCKET_MIN_BURST_BYTES / 1024; i++)
		send_udp(test, DROPS_SPORT, 1024);
}

static void make_rate_in(struct drops_test *test)
{
	uint16_t port = flow_open(test);

	send_limits(
		test,
		&(struct mail_limits
		){.limit_bytes = DROPS_QUOTA, .expires_ns = UINT64_MAX, .rate_in_kbps = 1}
	);
	for (unsigned i = 0; i <= DP_BUCKET_MIN_BURST_BYTES / 1024; i++)
		answer(test, htonl(DROPS_REMOTE), port, 1024, false);
}

static void seven_ports(struct config *config)
{
	config->nat.port_min = 2000;
	config->nat.port_max = 2006;
}

static void make_ports_exhausted(struct drops_test *test)
{
	for (unsigned i = 0; i < 8; i++)
		send_udp(test, (uint16_t)(DROPS_SPORT + i), 100);
}

static void seven_mappings(struct config *config)
{
	config->nat.ports_per_session = 7;
}

static void make_tx_full(struct drops_test *test)
{
	while (worker_rig_drops(test->rig, DROP_TX_FULL) == 0)
		send_udp(test, DROPS_SPORT, 100);
}

static void make_ring_full(struct drops_test *test)
{
	size_t len = drops_histories_outbound(test, NET_PROTO_UDP, DROPS_SPORT, 100);

	net_store32(test->packet + 16, ADDR(6, 0, 0, 77)); // nobody's hardware address is known
	net_checksum_set_ipv4(test->packet, 20);
	for (unsigned i = 0; i <= MAIL_PKT_RING; i++) {
		worker_rig_send(test->rig, 0, test->packet, len);
		worker_poll(test->rig->worker);
	}
}

static void make_queue_full(struct drops_test *test)
{
	uint8_t datagram[WORKER_RIG_FRAME_CAP];
	const struct worker_rig_packet packet = {
		.src_be = ADDR(5, 0, 0, 100),
		.dst_be = htonl(DROPS_NODE_TUNNEL),
		.sport = 40000,
		.dport = DROPS_LISTEN_PORT,
		.proto = NET_PROTO_UDP,
		.ttl = 60,
		.total_len = 28 + sizeof(struct wg_message_initiation),
	};
	size_t len = worker_rig_ipv4(datagram, &packet);

	net_store32(datagram + 28, htole32(WG_MESSAGE_INITIATION));
	for (unsigned i = 0; i <= MAIL_PKT_RING; i++) {
		worker_rig_put_ipv4(test->rig, WORKER_RIG_TUNNEL, datagram, len);
		worker_poll(test->rig->worker);
	}
}

static void send_ping(struct drops_test *test)
{
	size_t len = drops_histories_outbound(test, NET_PROTO_ICMP, DROPS_SPORT, 84);

	net_store32(test->packet + 16, ADDR(10, 8, 0, 1));
	net_checksum_set_ipv4(test->packet, 20);
	worker_rig_send(test->rig, 0, test->packet, len);
}

static void one_ping(struct config *config)
{
	config->icmp.burst = 1;
	config->icmp.rate_per_sec = 1;
}

static void make_icmp_rate(struct drops_test *test)
{
	send_ping(test);
	send_ping(test);
	worker_poll(test->rig->worker);
}

static void make_no_mbuf(struct drops_test *test)
{
	struct rte_mempool *pool = test->rig->dp.pool;
	static struct rte_mbuf *taken[16384];
	unsigned n = 0;

	send_ping(test);
	while (n < TEST_N_ROWS(taken) && (taken[n] = rte_pktmbuf_alloc(pool)) != NULL)
		n++;
	assert_true(n < TEST_N_ROWS(taken));
	worker_poll(test->rig->worker);
	rte_pktmbuf_free_bulk(taken, n);
}

// Held for its next hop by the slow path while its session ends.
static void make_shutdown(struct drops_test *test)
{
	struct mailbox *box = test->rig->worker->mailbox;
	const struct mail mail = {.kind = MAIL_REMOVE, .generation = WORKER_RIG_GENERATION};
	size_t len = drops_histories_outbound(test, NET_PROTO_UDP, DROPS_SPORT, 100);
	void *held = NULL;

	net_store32(test->packet + 16, ADDR(6, 0, 0, 77));
	net_checksum_set_ipv4(test->packet, 20);
	worker_rig_send(test->rig, 0, test->packet, len);
	worker_poll(test->rig->worker);
	assert_int_equal(rte_ring_dequeue(box->up_pkts, &held), 0);
	assert_true(mail_send_down(box, &mail));
	assert_int_equal(rte_ring_enqueue(box->down_pkts, held), 0);
	worker_poll(test->rig->worker);
}

const struct drops_history drops_histories[] = {
	{"two buffers", DROP_SEGMENTED, make_segmented, NULL},
	{"180 s", DROP_WG_KEYPAIR_EXPIRED, make_expired_keypair, NULL},
	{"wrong tag", DROP_WG_AUTH, make_wrong_tag, NULL},
	{"replay", DROP_WG_REPLAY, make_replay, NULL},
	{"congestion mark", DROP_INNER_ECN, make_ecn, NULL},
	{"no keypair", DROP_WG_NO_KEYPAIR, make_no_keypair, NULL},
	{"stranger", DROP_NAT_FILTERED, make_filtered, NULL},
	{"too big", DROP_TOO_BIG, make_too_big, NULL},
	{"too big, DF", DROP_TOO_BIG_DF, make_too_big_df, NULL},
	{"quota", DROP_QUOTA, make_quota, NULL},
	{"gate", DROP_GATE_CLOSED, make_gate_closed, NULL},
	{"expired", DROP_EXPIRED, make_expired, NULL},
	{"rate out", DROP_RATE_OUT, make_rate_out, NULL},
	{"rate in", DROP_RATE_IN, make_rate_in, NULL},
	{"ports", DROP_NAT_PORT_EXHAUSTED, make_ports_exhausted, seven_ports},
	{"mappings", DROP_NAT_SESSION_LIMIT, make_ports_exhausted, seven_mappings},
	{"transmit queue", DROP_TX_FULL, make_tx_full, NULL},
	{"ring to the slow path", DROP_RING_FULL, make_ring_full, NULL},
	{"handshakes", DROP_WG_QUEUE_FULL, make_queue_full, NULL},
	{"pings", DROP_ICMP_RATE, make_icmp_rate, one_ping},
	{"buffers", DROP_NO_MBUF, make_no_mbuf, NULL},
	{"removal", DROP_SHUTDOWN, make_shutdown, NULL},
};

const unsigned drops_histories_n = TEST_N_ROWS(drops_histories);
