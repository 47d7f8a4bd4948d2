// SPDX-License-Identifier: Apache-2.0
//
// What the tests of a worker share: a rig with three clients, the usual packets, and the far ends.
#pragma once

#include "common/abi_names.h"
#include "dataplane/net/net_checksum.h"
#include "tests/rig/worker_rig.h"
#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <string.h>

#define ADDR(a, b, c, d) htonl((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define REMOTE ADDR(6, 0, 0, 9)
#define EXTERNAL ADDR(6, 0, 0, 1)
#define NODE_TUNNEL ADDR(5, 0, 0, 1)
#define NODE_INNER ADDR(10, 8, 0, 1)
#define QUOTA 1000000
#define SPORT 5000
#define DPORT 9000

struct test {
	struct worker_rig *rig;
	uint8_t packet[WORKER_RIG_FRAME_CAP];
	uint8_t out[WORKER_RIG_FRAME_CAP];
};

static inline int setup(void **state)
{
	static struct test test;

	memset(&test, 0, sizeof(test));
	test.rig = worker_rig_create(3, QUOTA, NULL);
	*state = &test;
	return 0;
}

static inline int teardown(void **state)
{
	worker_rig_destroy(((struct test *)*state)->rig);
	return 0;
}

static inline struct abi_session_slot *slot_of(struct test *test, unsigned client)
{
	return &test->rig->dp.segment.slots[client];
}

static inline uint64_t consumed(struct test *test, enum consumed_kind kind)
{
	return test->rig->worker->stats->consumed[kind];
}

// The usual packet of a client: UDP to the host on the internet.
static inline struct worker_rig_packet outbound(
	struct test *test, unsigned client, uint16_t total_len
)
{
	return (struct worker_rig_packet){
		.src_be = test->rig->clients[client].inner_be,
		.dst_be = REMOTE,
		.sport = SPORT,
		.dport = DPORT,
		.proto = NET_PROTO_UDP,
		.ttl = 64,
		.total_len = total_len,
	};
}

static inline void send_packet(
	struct test *test, unsigned client, const struct worker_rig_packet *packet
)
{
	size_t len = worker_rig_ipv4(test->packet, packet);

	worker_rig_send(test->rig, client, test->packet, len);
	worker_poll(test->rig->worker);
}

// Takes what went to the internet. Returns: its parsed header; total_len 0 when nothing came.
static inline struct net_l3l4 take_internet(struct test *test)
{
	struct net_l3l4 l34 = {0};
	size_t len = worker_rig_take(test->rig, WORKER_RIG_INTERNET, test->out);

	if (len == 0)
		return l34;
	assert_int_equal(
		net_parse_ip(test->out + 14, len - 14, NET_PARSE_IP_CHECKSUM, &l34), NET_OK
	);
	assert_true(net_checksum_check_l4(test->out + 14, &l34));
	return l34;
}

// Opens a flow and answers it from `from`. Returns: the external port, network order.
static inline uint16_t flow_open(struct test *test, unsigned client)
{
	struct worker_rig_packet packet = outbound(test, client, 100);

	send_packet(test, client, &packet);
	struct net_l3l4 l34 = take_internet(test);
	assert_int_equal(l34.total_len, 100);
	return l34.src_port_be16;
}

// The usual packet to a client: UDP from a host on the internet to the port that the node gave the flow.
static inline struct worker_rig_packet inbound(
	uint32_t from_be, uint16_t port_be, uint16_t total_len
)
{
	return (struct worker_rig_packet){
		.src_be = from_be,
		.dst_be = EXTERNAL,
		.sport = DPORT,
		.dport = ntohs(port_be),
		.proto = NET_PROTO_UDP,
		.ttl = 60,
		.total_len = total_len,
	};
}

static inline void answer(struct test *test, uint32_t from_be, uint16_t port_be, uint16_t total_len)
{
	struct worker_rig_packet packet = inbound(from_be, port_be, total_len);
	size_t len = worker_rig_ipv4(test->packet, &packet);

	worker_rig_put_ipv4(test->rig, WORKER_RIG_INTERNET, test->packet, len);
	worker_poll(test->rig->worker);
}
