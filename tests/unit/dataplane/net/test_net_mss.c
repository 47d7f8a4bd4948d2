// SPDX-License-Identifier: Apache-2.0
//
// net_mss: options at even and odd offsets, malformed ones untouched, the checksum right by full
// computation; every option byte cut and flipped.
#include "dataplane/net/net_mss.h"
#include "tests/unit/dataplane/packet_ref.h"
#include "tests/unit/test.h"

#include <stdlib.h>

#define SYN 0x02
#define ACK 0x10

struct row {
	const char *name;
	uint8_t flags;
	uint8_t options[12];
	uint16_t mss_at; // 0: stays as it is
};

static const struct row rows[] = {
	{"first option", SYN, {2, 4, 0x05, 0xb4, 1, 1, 4, 2}, 2},
	{"SYN+ACK", SYN | ACK, {2, 4, 0x05, 0xb4}, 2},
	{"odd offset", SYN, {1, 2, 4, 0x05, 0xb4, 1, 4, 2}, 3},
	{"behind another", SYN, {8, 3, 0, 1, 1, 2, 4, 0xff, 0xff, 0}, 7},
	{"no SYN", ACK, {2, 4, 0x05, 0xb4}, 0},
	{"small already", SYN, {2, 4, 0x05, 0x64}, 0},
	{"smaller", SYN, {2, 4, 0x00, 0x10}, 0},
	{"no MSS", SYN, {4, 2, 1, 1}, 0},
	{"behind the end", SYN, {0, 2, 4, 0x05, 0xb4}, 0},
	{"length 3", SYN, {2, 3, 0x05, 0xb4}, 0},
	{"length 0 before", SYN, {8, 0, 2, 4, 0x05, 0xb4}, 0},
	{"length beyond", SYN, {8, 13, 2, 4, 0x05, 0xb4}, 0},
	{"cut at the end", SYN, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 4}, 0},
	{"length byte missing", SYN, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2}, 0},
};

static size_t build(uint8_t *packet, const struct row *row)
{
	struct packet_spec spec = {
		.proto = REF_TCP,
		.src = 0x0a080002,
		.dst = 0x01020304,
		.src_port = 5,
		.dst_port = 6,
		.flags = row->flags,
		.payload_len = 12,
	};
	size_t len = packet_build(packet, &spec);
	packet[32] = 0x80;
	memcpy(packet + 40, row->options, 12);
	packet_seal(packet);
	return len;
}

// Clamps a copy of exactly len bytes and writes it back.
static bool clamp(uint8_t *packet, size_t len)
{
	uint8_t *copy = malloc(len);
	memcpy(copy, packet, len);
	struct net_l3l4 l34;
	bool is_changed = net_parse_ip(copy, len, 0, &l34) == NET_OK &&
		net_mss_clamp(copy, &l34, net_mss_for_mtu(1420));
	memcpy(packet, copy, len);
	free(copy);
	return is_changed;
}

static void test_rows(void **state)
{
	(void)state;
	uint8_t packet[64], before[64];
	assert_int_equal(net_mss_for_mtu(1420), 1380);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = build(packet, &rows[i]);
		memcpy(before, packet, len);
		bool is_changed = clamp(packet, len);
		if (is_changed != (rows[i].mss_at != 0))
			fail_msg("%s: changed %d", rows[i].name, is_changed);
		if (is_changed)
			assert_int_equal(ref_get16(packet + 40 + rows[i].mss_at), 1380);
		else
			assert_memory_equal(packet, before, len);
		assert_true(packet_check(packet));
	}
}

static void test_flipped_at_each_bit(void **state)
{
	(void)state;
	uint8_t packet[64];
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t bit = 0; bit < 32 * 8; bit++) {
			size_t len = build(packet, &rows[i]);
			packet[20 + bit / 8] ^= (uint8_t)(1u << bit % 8);
			packet_seal(packet);
			clamp(packet, len);
			assert_true(packet_check(packet));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_flipped_at_each_bit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
