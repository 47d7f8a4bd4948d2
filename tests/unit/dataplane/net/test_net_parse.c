// SPDX-License-Identifier: Apache-2.0
//
// net_parse: one table of good and bad packets; every packet cut at every byte and flipped at every
// bit, in memory of exactly its size, so that a sanitizer sees any read beyond it.
#include "dataplane/net/net_parse.h"
#include "tests/unit/dataplane/packet_ref.h"
#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <stdlib.h>

#define SRC 0x0a080002u
#define DST 0x08080808u

static const struct packet_spec specs[] = {
	{.proto = REF_TCP, .src = SRC, .dst = DST, .src_port = 1000, .dst_port = 80, .flags = 2},
	{.proto = REF_UDP,
	 .src = SRC,
	 .dst = DST,
	 .src_port = 1001,
	 .dst_port = 53,
	 .payload_len = 9},
	{.proto = REF_ICMP, .src = SRC, .dst = DST, .src_port = 77, .flags = 8, .payload_len = 16},
};

#define N_SPECS (sizeof(specs) / sizeof(specs[0]))

// Parses a copy of exactly len bytes.
static enum net_verdict parse_exact(const uint8_t *data, size_t len, unsigned flags)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	uint8_t *at = copy + (len > 0 ? 0 : 1);
	memcpy(at, data, len);
	struct net_l3l4 l34;
	enum net_verdict verdict = net_parse_ip(at, len, flags, &l34);
	if (verdict == NET_OK) {
		assert_true(l34.total_len <= len);
		assert_true(l34.payload_offset <= l34.total_len);
		struct net_l3l4 quote;
		uint16_t offset;
		if (l34.is_icmp_error && net_parse_icmp_quote(at, &l34, &quote, &offset) == NET_OK)
			assert_true((size_t)offset + quote.payload_offset <= l34.total_len);
	}
	free(copy);
	return verdict;
}

static void test_fields(void **state)
{
	(void)state;
	uint8_t packet[128];
	for (size_t i = 0; i < N_SPECS; i++) {
		size_t len = packet_build(packet, &specs[i]);
		struct net_l3l4 l34;
		// Ethernet padding behind the packet is tolerated and is no part of it.
		assert_int_equal(
			net_parse_ip(packet, len + 6, NET_PARSE_IP_CHECKSUM, &l34), NET_OK
		);
		assert_int_equal(ntohl(l34.src_be32), SRC);
		assert_int_equal(ntohl(l34.dst_be32), DST);
		assert_int_equal(ntohs(l34.src_port_be16), specs[i].src_port);
		assert_int_equal(l34.total_len, len);
		assert_int_equal(l34.proto, specs[i].proto);
		assert_int_equal(l34.l4_offset, 20);
		assert_int_equal(l34.payload_offset, len - specs[i].payload_len);
		assert_int_equal(l34.ttl, 64);
		assert_true(l34.has_ports);
		assert_false(l34.is_fragment);
		if (specs[i].proto == REF_ICMP)
			assert_int_equal(l34.dst_port_be16, l34.src_port_be16);
		else
			assert_int_equal(ntohs(l34.dst_port_be16), specs[i].dst_port);
	}
}

struct edit {
	const char *name;
	size_t spec;
	size_t at;
	uint8_t value;
	enum net_verdict want;
};

// One byte of a good packet changed, the IP checksum not looked at.
static const struct edit edits[] = {
	{"version 6", 0, 0, 0x65, NET_IPV6},
	{"version 5", 0, 0, 0x55, NET_IP_VERSION},
	{"IHL 4", 0, 0, 0x44, NET_IP_HEADER_LEN},
	{"IHL beyond the packet", 1, 0, 0x4f, NET_IP_TRUNCATED},
	{"total length below the header", 0, 3, 19, NET_IP_TOTAL_LEN},
	{"total length beyond the bytes", 0, 3, 41, NET_IP_TOTAL_LEN},
	{"MF", 0, 6, 0x20, NET_IP_FRAGMENT},
	{"fragment offset", 0, 7, 1, NET_IP_FRAGMENT},
	{"TCP data offset 4", 0, 32, 0x40, NET_TCP_DATA_OFFSET},
	{"TCP data offset beyond", 0, 32, 0x60, NET_TCP_DATA_OFFSET},
	{"TCP cut", 0, 3, 39, NET_L4_TRUNCATED},
	{"UDP length short", 1, 25, 16, NET_UDP_LENGTH},
	{"UDP length long", 1, 25, 18, NET_UDP_LENGTH},
	{"UDP cut", 1, 3, 27, NET_L4_TRUNCATED},
	{"ICMP cut", 2, 3, 27, NET_L4_TRUNCATED},
	{"other protocol", 2, 9, 47, NET_OK},
};

static void test_refusals(void **state)
{
	(void)state;
	uint8_t packet[128];
	for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
		size_t len = packet_build(packet, &specs[edits[i].spec]);
		packet[edits[i].at] = edits[i].value;
		enum net_verdict got = parse_exact(packet, len, 0);
		if (got != edits[i].want)
			fail_msg("%s: %d, not %d", edits[i].name, (int)got, (int)edits[i].want);
	}
	size_t len = packet_build(packet, &specs[0]);
	packet[10] ^= 1;
	assert_int_equal(parse_exact(packet, len, NET_PARSE_IP_CHECKSUM), NET_IP_CHECKSUM);
	assert_int_equal(parse_exact(packet, len, 0), NET_OK);
}

// The fragment's addresses and lengths are there, its ports are not.
static void test_fragment(void **state)
{
	(void)state;
	uint8_t packet[128];
	struct net_l3l4 l34;
	size_t len = packet_build(packet, &specs[1]);
	ref_put16(packet + 6, 0x2000 | 185);
	packet[10] = packet[11] = 0;
	assert_int_equal(net_parse_ip(packet, len, 0, &l34), NET_IP_FRAGMENT);
	assert_true(l34.is_fragment && l34.has_mf && !l34.has_ports);
	assert_int_equal(l34.fragment_offset_bytes, 1480);
	assert_int_equal(ntohl(l34.dst_be32), DST);
}

struct options {
	const char *name;
	uint8_t bytes[8];
	enum net_verdict want;
};

// RFC 7126: source routes are refused, and so are options that cannot be walked.
static const struct options options[] = {
	{"no-operations", {1, 1, 1, 1, 1, 1, 1, 1}, NET_OK},
	{"end, rest ignored", {0, 131, 3, 4}, NET_OK},
	{"router alert", {148, 4, 0, 0, 0}, NET_OK},
	{"loose source route", {131, 7, 4, 1, 2, 3, 4, 0}, NET_IP_SOURCE_ROUTE},
	{"strict source route", {1, 137, 7, 4, 1, 2, 3, 4}, NET_IP_SOURCE_ROUTE},
	{"source route behind another", {148, 4, 0, 0, 131, 3, 4, 0}, NET_IP_SOURCE_ROUTE},
	{"length 0", {7, 0}, NET_IP_SOURCE_ROUTE},
	{"length 1", {7, 1}, NET_IP_SOURCE_ROUTE},
	{"length beyond", {7, 9}, NET_IP_SOURCE_ROUTE},
	{"length missing", {1, 1, 1, 1, 1, 1, 1, 7}, NET_IP_SOURCE_ROUTE},
};

static size_t build_options(uint8_t *packet, const uint8_t bytes[static 8])
{
	size_t len = packet_build(packet, &specs[1]);
	memmove(packet + 28, packet + 20, len - 20);
	memcpy(packet + 20, bytes, 8);
	packet[0] = 0x47;
	ref_put16(packet + 2, (uint16_t)(len + 8));
	packet_seal(packet);
	return len + 8;
}

static void test_options(void **state)
{
	(void)state;
	uint8_t packet[128];
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		size_t len = build_options(packet, options[i].bytes);
		enum net_verdict got = parse_exact(packet, len, NET_PARSE_IP_CHECKSUM);
		if (got != options[i].want)
			fail_msg("%s: %d", options[i].name, (int)got);
	}
}

static size_t build_corpus(uint8_t *packet, size_t which)
{
	uint8_t quoted[128];
	if (which < N_SPECS)
		return packet_build(packet, &specs[which]);
	if (which == N_SPECS)
		return build_options(packet, options[2].bytes);
	size_t len = packet_build(quoted, &specs[which - N_SPECS - 1]);
	return packet_build_error(packet, 3, DST, SRC, quoted, len);
}

#define N_CORPUS (2 * N_SPECS + 1)

static void test_truncated_at_each_byte(void **state)
{
	(void)state;
	uint8_t packet[256];
	for (size_t which = 0; which < N_CORPUS; which++) {
		size_t len = build_corpus(packet, which);
		for (size_t cut = 0; cut < len; cut++)
			assert_int_not_equal(parse_exact(packet, cut, 0), NET_OK);
		// Cut in agreement with the total length: a verdict, and no read beyond.
		for (size_t cut = 20; cut < len; cut++) {
			ref_put16(packet + 2, (uint16_t)cut);
			parse_exact(packet, cut, 0);
		}
	}
}

static void test_flipped_at_each_bit(void **state)
{
	(void)state;
	uint8_t packet[256];
	for (size_t which = 0; which < N_CORPUS; which++) {
		size_t len = build_corpus(packet, which);
		for (size_t bit = 0; bit < len * 8; bit++) {
			packet[bit / 8] ^= (uint8_t)(1u << bit % 8);
			enum net_verdict got = parse_exact(packet, len, NET_PARSE_IP_CHECKSUM);
			if (bit / 8 < 20)
				assert_int_not_equal(got, NET_OK); // the header checksum sees it
			parse_exact(packet, len, 0);
			packet[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
}

static void test_ether(void **state)
{
	(void)state;
	uint8_t frame[14] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0};
	struct net_ether ether;
	assert_int_equal(net_parse_ether(frame, 14, &ether), NET_OK);
	assert_int_equal(ether.type, NET_ETHER_TYPE_IPV4);
	assert_int_equal(ether.dst[5], 1);
	assert_int_equal(ether.src[5], 2);
	for (size_t len = 0; len < 14; len++) {
		uint8_t *copy = malloc(len + 1);
		memcpy(copy, frame, len);
		assert_int_equal(net_parse_ether(copy + 0, len, &ether), NET_L2_TRUNCATED);
		free(copy);
	}
	static const uint16_t refused[] = {0x8100, 0x88a8, 0x86dd, 0x0000, 0x0807, 0xffff};
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		ref_put16(frame + 12, refused[i]);
		assert_int_equal(net_parse_ether(frame, 14, &ether), NET_L2_TYPE);
	}
	ref_put16(frame + 12, 0x0806);
	assert_int_equal(net_parse_ether(frame, 14, &ether), NET_OK);
}

// RFC 792: eight bytes of the transport header are enough; RFC 5508 REQ-3 b): options are traversed.
static void test_quote(void **state)
{
	(void)state;
	uint8_t quoted[128], packet[256];
	struct net_l3l4 l34, quote;
	uint16_t offset;
	size_t len = build_options(quoted, options[2].bytes);
	size_t error_len = packet_build_error(packet, 11, DST, SRC, quoted, 36);
	assert_int_equal(net_parse_ip(packet, error_len, 0, &l34), NET_OK);
	assert_true(l34.is_icmp_error && !l34.has_ports);
	assert_int_equal(net_parse_icmp_quote(packet, &l34, &quote, &offset), NET_OK);
	assert_int_equal(offset, 28);
	assert_int_equal(quote.l4_offset, 28);
	assert_int_equal(quote.payload_offset, 36);
	assert_int_equal(quote.total_len, len);
	assert_int_equal(ntohs(quote.src_port_be16), 1001);

	error_len = packet_build_error(packet, 11, DST, SRC, quoted, 35);
	assert_int_equal(net_parse_ip(packet, error_len, 0, &l34), NET_OK);
	assert_int_equal(net_parse_icmp_quote(packet, &l34, &quote, &offset), NET_L4_TRUNCATED);

	ref_put16(quoted + 6, 1);
	error_len = packet_build_error(packet, 11, DST, SRC, quoted, len);
	assert_int_equal(net_parse_ip(packet, error_len, 0, &l34), NET_OK);
	assert_int_equal(net_parse_icmp_quote(packet, &l34, &quote, &offset), NET_IP_FRAGMENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_fragment),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_truncated_at_each_byte),
		cmocka_unit_test(test_flipped_at_each_bit),
		cmocka_unit_test(test_ether),
		cmocka_unit_test(test_quote),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
