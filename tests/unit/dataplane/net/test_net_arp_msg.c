// SPDX-License-Identifier: Apache-2.0
//
// net_arp_msg: what is built is parsed back, and every byte that RFC 826 fixes is checked.
#include "dataplane/net/net_arp_msg.h"
#include "tests/unit/dataplane/packet_ref.h"
#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <stdlib.h>

static const uint8_t own_mac[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t other_mac[6] = {2, 0, 0, 0, 0, 2};

#define OWN 0xc6120001u
#define OTHER 0xc6120002u

static void test_request_and_reply(void **state)
{
	(void)state;
	uint8_t request[64], reply[64];
	struct net_arp_msg msg;
	assert_int_equal(
		net_arp_msg_build_request(request, other_mac, htonl(OTHER), htonl(OWN), NULL), 42
	);
	assert_memory_equal(request, "\xff\xff\xff\xff\xff\xff", 6);
	assert_int_equal(ref_get16(request + 12), NET_ETHER_TYPE_ARP);
	assert_int_equal(net_arp_msg_parse(request + 14, 28 + 18, &msg), NET_OK);
	assert_int_equal(msg.op, NET_ARP_REQUEST);
	assert_int_equal(ntohl(msg.target_be32), OWN);
	assert_memory_equal(msg.sender_mac, other_mac, 6);

	assert_int_equal(net_arp_msg_build_reply(reply, own_mac, htonl(OWN), &msg), 42);
	assert_memory_equal(reply, other_mac, 6);
	assert_memory_equal(reply + 6, own_mac, 6);
	assert_int_equal(net_arp_msg_parse(reply + 14, 28, &msg), NET_OK);
	assert_int_equal(msg.op, NET_ARP_REPLY);
	assert_int_equal(ntohl(msg.sender_be32), OWN);
	assert_int_equal(ntohl(msg.target_be32), OTHER);
	assert_memory_equal(msg.target_mac, other_mac, 6);

	// A refresh goes to the neighbour alone (RFC 1122 section 2.3.2.1).
	net_arp_msg_build_request(request, own_mac, htonl(OWN), htonl(OTHER), other_mac);
	assert_memory_equal(request, other_mac, 6);
}

struct row {
	const char *name;
	size_t at;
	uint8_t value;
	enum net_verdict want;
};

static const struct row rows[] = {
	{"hardware type", 1, 6, NET_ARP_INVALID},
	{"protocol type", 2, 0x86, NET_ARP_INVALID},
	{"hardware length", 4, 8, NET_ARP_INVALID},
	{"protocol length", 5, 16, NET_ARP_INVALID},
	{"operation 0", 7, 0, NET_ARP_INVALID},
	{"operation 3", 7, 3, NET_ARP_INVALID},
	{"reply", 7, 2, NET_OK},
	{"multicast sender", 8, 1, NET_ARP_INVALID},
	{"multicast sender address", 14, 0xe0, NET_ARP_INVALID},
	{"loopback sender address", 14, 127, NET_ARP_INVALID},
	{"any target hardware address", 18, 0xff, NET_OK},
};

static void test_refusals(void **state)
{
	(void)state;
	uint8_t frame[64];
	struct net_arp_msg msg;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		net_arp_msg_build_request(frame, other_mac, htonl(OTHER), htonl(OWN), NULL);
		frame[14 + rows[i].at] = rows[i].value;
		if (net_arp_msg_parse(frame + 14, 28, &msg) != rows[i].want)
			fail_msg("%s", rows[i].name);
	}
	net_arp_msg_build_request(frame, other_mac, htonl(OTHER), htonl(OWN), NULL);
	memset(frame + 22, 0, 6);
	assert_int_equal(net_arp_msg_parse(frame + 14, 28, &msg), NET_ARP_INVALID);
	// A probe (RFC 5227) has no sender address.
	net_arp_msg_build_request(frame, other_mac, 0, htonl(OWN), NULL);
	assert_int_equal(net_arp_msg_parse(frame + 14, 28, &msg), NET_OK);
}

static void test_truncated_and_flipped(void **state)
{
	(void)state;
	uint8_t frame[64];
	struct net_arp_msg msg;
	net_arp_msg_build_request(frame, other_mac, htonl(OTHER), htonl(OWN), NULL);
	for (size_t len = 0; len <= 28; len++) {
		uint8_t *copy = malloc(len + 1);
		memcpy(copy + 1, frame + 14, len);
		enum net_verdict got = net_arp_msg_parse(copy + 1, len, &msg);
		assert_int_equal(got, len < 28 ? NET_ARP_INVALID : NET_OK);
		free(copy);
	}
	for (size_t bit = 0; bit < 28 * 8; bit++) {
		frame[14 + bit / 8] ^= (uint8_t)(1u << bit % 8);
		enum net_verdict got = net_arp_msg_parse(frame + 14, 28, &msg);
		if (bit / 8 < 7)
			assert_int_equal(got, NET_ARP_INVALID);
		frame[14 + bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void test_claims_to_be_us(void **state)
{
	(void)state;
	const uint32_t own_be32[] = {htonl(0x01020304), htonl(OWN)};
	struct net_arp_msg msg = {.op = NET_ARP_REPLY, .sender_be32 = htonl(OTHER)};
	memcpy(msg.sender_mac, other_mac, 6);
	assert_true(net_arp_msg_check_foreign(&msg, own_mac, own_be32, 2));
	msg.sender_be32 = htonl(OWN);
	assert_false(net_arp_msg_check_foreign(&msg, own_mac, own_be32, 2));
	msg.sender_be32 = htonl(OTHER);
	memcpy(msg.sender_mac, own_mac, 6);
	assert_false(net_arp_msg_check_foreign(&msg, own_mac, own_be32, 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_and_reply),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_truncated_and_flipped),
		cmocka_unit_test(test_claims_to_be_us),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
