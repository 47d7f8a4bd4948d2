// SPDX-License-Identifier: Apache-2.0
//
// nat_rewrite against full recomputation (RFC 1624 against RFC 1071): random packets, all protocols,
// both directions, ICMP errors with quotes of every length.
#include "dataplane/nat/nat_rewrite.h"
#include "tests/unit/dataplane/packet_ref.h"
#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <stdlib.h>

static const uint8_t protos[] = {REF_TCP, REF_UDP, REF_ICMP};

// Words of all ones and all zeros are where one's complement arithmetic goes wrong.
static uint32_t random32(void)
{
	switch (random() % 6) {
	case 0:
		return 0xffffffff;
	case 1:
		return 0x0000ffff;
	case 2:
		return 0;
	default:
		return (uint32_t)random() << 16 ^ (uint32_t)random();
	}
}

static size_t build_random(uint8_t *packet)
{
	struct packet_spec spec = {
		.proto = protos[random() % 3],
		.src = random32(),
		.dst = random32(),
		.src_port = (uint16_t)random32(),
		.dst_port = (uint16_t)random32(),
		.flags = 8,
		.payload_len = (uint16_t)(random() % 64),
		.has_no_checksum = random() % 8 == 0,
	};
	return packet_build(packet, &spec);
}

static void test_flow(void **state)
{
	(void)state;
	uint8_t packet[256];
	struct net_l3l4 l34, again;
	srandom(5);
	for (int round = 0; round < 30000; round++) {
		size_t len = build_random(packet);
		assert_int_equal(net_parse_ip(packet, len, 0, &l34), NET_OK);
		bool had_none = l34.proto == REF_UDP && ref_get16(packet + 26) == 0;
		uint32_t addr = random32();
		uint16_t port = (uint16_t)random32();
		if (round & 1) {
			nat_rewrite_source(packet, &l34, htonl(addr), htons(port));
			assert_int_equal(ref_get32(packet + 12), addr);
		} else {
			nat_rewrite_destination(packet, &l34, htonl(addr), htons(port));
			assert_int_equal(ref_get32(packet + 16), addr);
		}
		assert_true(packet_check(packet));
		// RFC 768: no checksum stays none, and one never becomes none.
		if (l34.proto == REF_UDP)
			assert_int_equal(ref_get16(packet + 26) == 0, had_none);
		assert_int_equal(net_parse_ip(packet, len, 0, &again), NET_OK);
		assert_memory_equal(&l34, &again, sizeof(l34));
	}
}

// An echo reply of zeros, once the identifier is 0: the checksum is all ones.
static void test_zeros(void **state)
{
	(void)state;
	uint8_t packet[64];
	struct net_l3l4 l34;
	struct packet_spec spec = {.proto = REF_ICMP, .src = 1, .dst = 2, .src_port = 2000};
	size_t len = packet_build(packet, &spec);
	ref_put16(packet + 26, 0);
	packet_seal(packet);
	assert_int_equal(net_parse_ip(packet, len, 0, &l34), NET_OK);
	nat_rewrite_destination(packet, &l34, htonl(3), 0);
	assert_int_equal(ref_get16(packet + 22), 0xffff);
	assert_true(packet_check(packet));
}

static void test_errors(void **state)
{
	(void)state;
	uint8_t quoted[256], packet[512];
	struct net_l3l4 l34, quote;
	uint16_t offset;
	srandom(6);
	for (int round = 0; round < 30000; round++) {
		size_t quoted_len = build_random(quoted);
		size_t quote_len = 28 + (size_t)random() % (quoted_len - 27);
		size_t len =
			packet_build_error(packet, 3, random32(), random32(), quoted, quote_len);
		assert_int_equal(net_parse_ip(packet, len, NET_PARSE_IP_CHECKSUM, &l34), NET_OK);
		assert_int_equal(net_parse_icmp_quote(packet, &l34, &quote, &offset), NET_OK);
		uint32_t addr = random32();
		uint16_t port = (uint16_t)random32();
		if (round & 1) {
			nat_rewrite_error_inbound(
				packet, &l34, &quote, offset, htonl(addr), htons(port)
			);
			assert_int_equal(ref_get32(packet + 16), addr);
			assert_int_equal(ref_get32(packet + 28 + 12), addr);
		} else {
			nat_rewrite_error_outbound(
				packet, &l34, &quote, offset, htonl(addr), htons(port)
			);
			assert_int_equal(ref_get32(packet + 12), addr);
			assert_int_equal(ref_get32(packet + 28 + 16), addr);
		}
		// RFC 5508 REQ-4, REQ-5: outer IP, ICMP, quoted IP, and the quoted transport checksum
		// where the quote is whole.
		assert_true(packet_check(packet));
		assert_true(packet_check_ip(packet + 28));
		if (quote_len == quoted_len)
			assert_true(packet_check(packet + 28));
		assert_int_equal(packet[20], 3);
		assert_int_equal(packet[21], 4);
		assert_int_equal(ref_get16(packet + 26), 1280);
	}
}

static void test_ttl(void **state)
{
	(void)state;
	uint8_t packet[256];
	struct net_l3l4 l34;
	for (unsigned ttl = 0; ttl < 256; ttl++) {
		size_t len = build_random(packet);
		packet[8] = (uint8_t)ttl;
		packet_seal(packet);
		assert_int_equal(net_parse_ip(packet, len, 0, &l34), NET_OK);
		assert_int_equal(nat_rewrite_ttl(packet, &l34), ttl > 1);
		assert_int_equal(packet[8], ttl > 1 ? ttl - 1 : ttl);
		assert_int_equal(l34.ttl, packet[8]);
		assert_true(packet_check(packet));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flow),
		cmocka_unit_test(test_zeros),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_ttl),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
