// SPDX-License-Identifier: Apache-2.0
//
// net_icmp: what the node says and when it must be silent (RFC 1122 section 3.2.2, RFC 1812 section
// 4.3.2), and the bucket on an injected clock.
#include "dataplane/net/net_icmp.h"
#include "tests/unit/dataplane/packet_ref.h"
#include "tests/unit/test.h"

#include <arpa/inet.h>

#define SRC 0x0a080002u
#define DST 0x08080808u
#define NODE 0x0a080001u
#define SEC 1000000000ull

static size_t parse(uint8_t *packet, const struct packet_spec *spec, struct net_l3l4 *l34)
{
	size_t len = packet_build(packet, spec);
	assert_int_equal(net_parse_ip(packet, len, 0, l34), NET_OK);
	return len;
}

static const struct packet_spec udp = {
	.proto = REF_UDP,
	.src = SRC,
	.dst = DST,
	.src_port = 9,
	.dst_port = 10,
	.payload_len = 1200,
};

struct kind_row {
	enum net_icmp_error_kind kind;
	uint8_t type;
	uint8_t code;
	uint16_t mtu; // in the header, RFC 1191 section 4
};

static const struct kind_row kinds[] = {
	{NET_ICMP_ERROR_TTL, 11, 0, 0},
	{NET_ICMP_ERROR_TOO_BIG, 3, 4, 1420},
	{NET_ICMP_ERROR_PORT, 3, 3, 0},
	{NET_ICMP_ERROR_HOST, 3, 1, 0},
	{NET_ICMP_ERROR_ADMIN, 3, 13, 0},
};

static void test_errors(void **state)
{
	(void)state;
	uint8_t packet[2048], out[600];
	struct net_l3l4 l34;
	parse(packet, &udp, &l34);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct net_icmp_error error = {
			.kind = kinds[i].kind,
			.src_be32 = htonl(NODE),
			.next_hop_mtu_bytes = 1420,
		};
		size_t len = net_icmp_build_error(out, sizeof(out), &error, packet, &l34);
		assert_int_equal(len, NET_ICMP_ERROR_MAX_BYTES);
		assert_true(packet_check(out));
		assert_int_equal(out[20], kinds[i].type);
		assert_int_equal(out[21], kinds[i].code);
		assert_int_equal(ref_get16(out + 26), kinds[i].mtu);
		assert_int_equal(ref_get32(out + 12), NODE);
		assert_int_equal(ref_get32(out + 16), SRC);
		assert_memory_equal(out + 28, packet, len - 28);
		struct net_l3l4 made;
		assert_int_equal(net_parse_ip(out, len, NET_PARSE_IP_CHECKSUM, &made), NET_OK);
		// Never an error about an error.
		assert_false(net_icmp_check_error_allowed(&made));
		assert_int_equal(
			net_icmp_build_error(packet, sizeof(packet), &error, out, &made), 0
		);
	}
}

static void test_error_sizes(void **state)
{
	(void)state;
	uint8_t packet[2048], out[NET_ICMP_ERROR_MAX_BYTES];
	struct net_l3l4 l34;
	struct packet_spec small = udp;
	small.payload_len = 3;
	size_t len = parse(packet, &small, &l34);
	struct net_icmp_error error = {.kind = NET_ICMP_ERROR_TTL, .src_be32 = htonl(NODE)};
	assert_int_equal(net_icmp_build_error(out, sizeof(out), &error, packet, &l34), 28 + len);
	assert_int_equal(net_icmp_build_error(out, 28 + 27, &error, packet, &l34), 0);
	assert_int_equal(net_icmp_build_error(out, 28 + 28, &error, packet, &l34), 56);
	assert_int_equal(net_icmp_build_error(out, 0, &error, packet, &l34), 0);
	assert_true(packet_check(out));
}

struct silence {
	const char *name;
	uint32_t src;
	uint32_t dst;
	bool is_allowed;
};

static const struct silence silences[] = {
	{"plain", SRC, DST, true},
	{"zero source", 0, DST, false},
	{"loopback source", 0x7f000001, DST, false},
	{"multicast source", 0xe0000001, DST, false},
	{"class E source", 0xf0000001, DST, false},
	{"broadcast source", 0xffffffff, DST, false},
	{"multicast destination", SRC, 0xe00000fb, false},
	{"broadcast destination", SRC, 0xffffffff, false},
};

static void test_silence(void **state)
{
	(void)state;
	uint8_t packet[2048];
	struct net_l3l4 l34;
	for (size_t i = 0; i < sizeof(silences) / sizeof(silences[0]); i++) {
		struct packet_spec spec = udp;
		spec.src = silences[i].src;
		spec.dst = silences[i].dst;
		parse(packet, &spec, &l34);
		if (net_icmp_check_error_allowed(&l34) != silences[i].is_allowed)
			fail_msg("%s", silences[i].name);
	}
	parse(packet, &udp, &l34);
	l34.is_fragment = 1;
	assert_true(net_icmp_check_error_allowed(&l34)); // the first fragment
	l34.fragment_offset_bytes = 8;
	assert_false(net_icmp_check_error_allowed(&l34));
	// An ICMP query may be answered with an error, every other ICMP may not.
	for (unsigned type = 0; type < 256; type++) {
		struct packet_spec icmp = {
			.proto = REF_ICMP, .src = SRC, .dst = DST, .flags = (uint8_t)type};
		parse(packet, &icmp, &l34);
		bool is_query = type == 0 || type == 8 || type == 13 || type == 14;
		assert_int_equal(net_icmp_check_error_allowed(&l34), is_query);
	}
}

static void test_echo_reply(void **state)
{
	(void)state;
	uint8_t packet[256];
	struct net_l3l4 l34, again;
	for (uint16_t payload_len = 0; payload_len < 100; payload_len++) {
		struct packet_spec spec = {
			.proto = REF_ICMP,
			.src = SRC,
			.dst = NODE,
			.src_port = (uint16_t)(payload_len * 655),
			.flags = 8,
			.payload_len = payload_len,
		};
		size_t len = parse(packet, &spec, &l34);
		packet[8] = (uint8_t)(payload_len + 1);
		packet_seal(packet);
		assert_true(net_icmp_echo_reply(packet, &l34));
		assert_true(packet_check(packet));
		assert_int_equal(packet[20], 0);
		assert_int_equal(packet[8], NET_ICMP_TTL);
		assert_int_equal(ref_get32(packet + 12), NODE);
		assert_int_equal(ref_get32(packet + 16), SRC);
		assert_int_equal(net_parse_ip(packet, len, 0, &again), NET_OK);
		assert_memory_equal(&l34, &again, sizeof(l34));
		assert_false(net_icmp_echo_reply(packet, &l34)); // no reply to a reply
	}
	// A reply of nothing but zeros needs all ones as its checksum.
	struct packet_spec zeros = {.proto = REF_ICMP, .src = SRC, .dst = NODE, .flags = 8};
	parse(packet, &zeros, &l34);
	ref_put16(packet + 26, 0);
	packet_seal(packet);
	assert_true(net_icmp_echo_reply(packet, &l34));
	assert_int_equal(ref_get16(packet + 22), 0xffff);
	assert_true(packet_check(packet));

	struct packet_spec spec = {.proto = REF_ICMP, .src = SRC, .dst = 0xe0000001, .flags = 8};
	parse(packet, &spec, &l34);
	assert_false(net_icmp_echo_reply(packet, &l34));
	struct packet_spec no_icmp = {.proto = REF_UDP, .src = SRC, .dst = NODE};
	parse(packet, &no_icmp, &l34);
	assert_false(net_icmp_echo_reply(packet, &l34));
}

static void test_bucket(void **state)
{
	(void)state;
	struct net_icmp_bucket bucket;
	net_icmp_bucket_init(&bucket, 10, 3, 5 * SEC);
	for (int i = 0; i < 3; i++)
		assert_true(net_icmp_bucket_take(&bucket, 5 * SEC));
	assert_false(net_icmp_bucket_take(&bucket, 5 * SEC));
	assert_false(net_icmp_bucket_take(&bucket, 5 * SEC + SEC / 10 - 1));
	assert_true(net_icmp_bucket_take(&bucket, 5 * SEC + SEC / 10));
	assert_false(net_icmp_bucket_take(&bucket, 5 * SEC + SEC / 10));
	// However long it rests, no more than the burst.
	for (int i = 0; i < 3; i++)
		assert_true(net_icmp_bucket_take(&bucket, UINT64_MAX / 2));
	assert_false(net_icmp_bucket_take(&bucket, UINT64_MAX / 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_error_sizes),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_echo_reply),
		cmocka_unit_test(test_bucket),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
