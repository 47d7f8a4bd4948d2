// SPDX-License-Identifier: Apache-2.0
//
// net_checksum against the byte-wise reference of packet_ref.h, the example of RFC 1071 section 3 and
// the corner case of RFC 1624 section 4.
#include "dataplane/net/net_checksum.h"
#include "tests/unit/dataplane/packet_ref.h"
#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <stdlib.h>

static void test_rfc1071_example(void **state)
{
	(void)state;
	static const uint8_t data[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
	assert_int_equal(ntohs(net_checksum_fold(net_checksum_add(0, data, 8))), 0xddf2);
}

static void test_sum_against_reference(void **state)
{
	(void)state;
	srandom(1);
	for (size_t len = 0; len < 300; len++) {
		uint8_t *data = malloc(len + 1);
		for (size_t i = 0; i < len; i++)
			data[i] = (uint8_t)(len % 7 == 0 ? 0xff : random());
		uint16_t got = ntohs(net_checksum_fold(net_checksum_add(0, data, len)));
		assert_int_equal(got, ref_fold(ref_sum(0, data, len)));
		free(data);
	}
}

// RFC 1624 section 4: header sum 0xCD7A with the field 0x5555 changing to 0x3285; equation 2 would
// give 0xFFFF, equation 3 gives 0x0000.
static void test_rfc1624_example(void **state)
{
	(void)state;
	uint32_t delta = net_checksum_delta16(htons(0x5555), htons(0x3285));
	assert_int_equal(net_checksum_apply(htons(0xdd2f), delta), htons(0x0000));
}

static void test_incremental_against_full(void **state)
{
	(void)state;
	srandom(2);
	for (int round = 0; round < 20000; round++) {
		uint8_t data[20];
		for (size_t i = 0; i < sizeof(data); i++)
			data[i] = (uint8_t)(random() % 5 == 0 ? 0xff : random());
		data[0] = 0x45;
		net_checksum_set_ipv4(data, 20);
		assert_true(net_checksum_check_ipv4(data, 20));
		uint32_t addr = (uint32_t)random() << 1;
		uint32_t delta = net_checksum_delta32(net_load32(data + 12), addr);
		delta += net_checksum_delta16(net_load16(data + 4), (uint16_t)round);
		net_store32(data + 12, addr);
		net_store16(data + 4, (uint16_t)round);
		net_store16(data + 10, net_checksum_apply(net_load16(data + 10), delta));
		assert_true(packet_check_ip(data));
	}
}

// RFC 768: zero means "no checksum" and stays; a computed zero is sent as all ones.
static void test_udp_zero(void **state)
{
	(void)state;
	assert_int_equal(net_checksum_apply_udp(0, net_checksum_delta16(1, 2)), 0);
	uint32_t delta = net_checksum_delta16(htons(0x5555), htons(0x3285));
	assert_int_equal(net_checksum_apply_udp(htons(0xdd2f), delta), 0xffff);

	uint8_t packet[64];
	struct packet_spec spec = {.proto = REF_UDP, .src = 1, .dst = 2, .payload_len = 2};
	struct net_l3l4 l34;
	size_t len = packet_build(packet, &spec);
	assert_int_equal(net_parse_ip(packet, len, 0, &l34), NET_OK);
	// Choose the payload so that the sum of everything else is all ones.
	ref_put16(packet + 28, 0);
	ref_put16(packet + 26, 0);
	ref_put16(packet + 28, (uint16_t)~ref_l4_sum(packet));
	net_checksum_set_l4(packet, &l34);
	assert_int_equal(ref_get16(packet + 26), 0xffff);
	assert_true(net_checksum_check_l4(packet, &l34));
}

static void test_l4(void **state)
{
	(void)state;
	static const uint8_t protos[] = {REF_TCP, REF_UDP, REF_ICMP};
	uint8_t packet[2048];
	for (size_t i = 0; i < 3; i++) {
		for (uint16_t payload_len = 0; payload_len < 70; payload_len++) {
			struct packet_spec spec = {
				.proto = protos[i],
				.src = 0xc0a80101,
				.dst = 0x08080404,
				.src_port = 4000,
				.dst_port = 443,
				.flags = 8,
				.payload_len = payload_len,
			};
			struct net_l3l4 l34;
			size_t len = packet_build(packet, &spec);
			assert_int_equal(net_parse_ip(packet, len, 0, &l34), NET_OK);
			assert_true(net_checksum_check_l4(packet, &l34));
			packet[len - 1] ^= 0x10;
			assert_false(net_checksum_check_l4(packet, &l34));
			net_checksum_set_l4(packet, &l34);
			assert_true(packet_check(packet));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc1071_example),
		cmocka_unit_test(test_sum_against_reference),
		cmocka_unit_test(test_rfc1624_example),
		cmocka_unit_test(test_incremental_against_full),
		cmocka_unit_test(test_udp_zero),
		cmocka_unit_test(test_l4),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
