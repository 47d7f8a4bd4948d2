// SPDX-License-Identifier: Apache-2.0
//
// nat_error: ICMP errors both ways, those that match nothing, and that none of them changes a mapping
// (RFC 5508 section 4).
#include "nat_fixture.h"

#include "tests/unit/test.h"

static const struct packet_spec udp = {
	.proto = REF_UDP, .src_port = 4000, .dst_port = 53, .dst = FIX_REMOTE, .payload_len = 20};

static struct packet_spec from(uint32_t slot, struct packet_spec spec)
{
	spec.src = fix_inner(slot);
	return spec;
}

static struct nat *create(void)
{
	struct nat_conf conf;
	fix_conf(&conf);
	struct nat *nat = fix_create(&conf);
	assert_non_null(nat);
	return nat;
}

// RFC 5508 REQ-4: an error from anywhere on the way, about a packet that a mapping sent.
static void test_icmp_error_inbound(void **state)
{
	(void)state;
	static const uint8_t protos[] = {REF_UDP, REF_TCP, REF_ICMP};
	static const uint8_t types[] = {3, 11, 12};
	struct nat *nat = create();
	for (size_t p = 0; p < 3; p++) {
		uint8_t sent[256], error[512];
		struct packet_spec spec = from(3, udp);
		spec.proto = protos[p];
		spec.flags = protos[p] == REF_TCP ? 2 : 8;
		assert_int_equal(fix_out(nat, 3, &spec, sent, FIX_START), NAT_OK);
		for (size_t t = 0; t < 3; t++) {
			uint32_t slot = 99;
			size_t len = packet_build_error(
				error, types[t], FIX_OTHER, ref_get32(sent + 12), sent, 28
			);
			assert_int_equal(fix_in_raw(nat, error, len, &slot, FIX_START), NAT_OK);
			assert_int_equal(slot, 3);
			assert_true(packet_check(error));
			assert_true(packet_check_ip(error + 28));
			assert_int_equal(ref_get32(error + 12), FIX_OTHER);
			assert_int_equal(ref_get32(error + 16), fix_inner(3));
			assert_int_equal(ref_get32(error + 28 + 12), fix_inner(3));
		}
	}
	fix_destroy(nat);
}

static void test_icmp_error_inbound_refused(void **state)
{
	(void)state;
	struct nat *nat = create();
	uint8_t sent[256], quoted[256], error[512];
	uint32_t slot;
	struct packet_spec spec = from(3, udp);
	fix_out(nat, 3, &spec, sent, FIX_START);
	uint32_t ext = ref_get32(sent + 12);
	size_t len;

	memcpy(quoted, sent, sizeof(quoted));
	ref_put16(quoted + 20, 4001); // a port that sent nothing
	len = packet_build_error(error, 3, FIX_OTHER, ext, quoted, 28);
	assert_int_equal(fix_in_raw(nat, error, len, &slot, FIX_START), NAT_ICMP_UNMATCHED);

	memcpy(quoted, sent, sizeof(quoted));
	ref_put32(quoted + 16, FIX_OTHER); // a remote that was never sent to
	packet_seal(quoted);
	len = packet_build_error(error, 3, FIX_OTHER, ext, quoted, 28);
	assert_int_equal(fix_in_raw(nat, error, len, &slot, FIX_START), NAT_ICMP_UNMATCHED);

	len = packet_build_error(error, 3, FIX_OTHER, ext, sent, 27); // less than 64 bits of data
	assert_int_equal(fix_in_raw(nat, error, len, &slot, FIX_START), NAT_ICMP_UNMATCHED);

	memcpy(quoted, sent, sizeof(quoted));
	quoted[8]--; // RFC 5508 REQ-3 a): the quoted header's checksum
	len = packet_build_error(error, 3, FIX_OTHER, ext, quoted, 28);
	assert_int_equal(fix_in_raw(nat, error, len, &slot, FIX_START), NAT_L4_CHECKSUM);

	len = packet_build_error(error, 3, FIX_OTHER, ext, sent, 28); // RFC 5508 REQ-3
	error[22] ^= 1;
	assert_int_equal(fix_in_raw(nat, error, len, &slot, FIX_START), NAT_L4_CHECKSUM);
	// To another address of ours than the one that sent.
	len = packet_build_error(error, 3, FIX_OTHER, FIX_EXT0 + FIX_EXT1 - ext, sent, 28);
	assert_int_equal(fix_in_raw(nat, error, len, &slot, FIX_START), NAT_ICMP_UNMATCHED);
	assert_int_equal(nat->counters.icmp_unmatched, 4);
	assert_true(fix_check_consistent(nat));
	fix_destroy(nat);
}

// RFC 5508 REQ-5: the client tells a remote about a packet that it was sent.
static void test_icmp_error_outbound(void **state)
{
	(void)state;
	struct nat *nat = create();
	uint8_t packet[256], error[512];
	uint32_t slot;
	struct net_l3l4 l34;
	struct packet_spec spec = from(3, udp);
	fix_out(nat, 3, &spec, packet, FIX_START);
	uint32_t ext = ref_get32(packet + 12);
	uint16_t ext_port = ref_get16(packet + 20);
	struct packet_spec answer = fix_answer(packet, 0);
	assert_int_equal(fix_in(nat, &answer, packet, &slot, FIX_START), NAT_OK);

	size_t len = packet_build_error(error, 3, fix_inner(3), FIX_REMOTE, packet, 33);
	assert_int_equal(fix_out_raw(nat, 3, error, len, &l34, FIX_START), NAT_OK);
	assert_true(packet_check(error));
	assert_true(packet_check(error + 28));
	assert_int_equal(ref_get32(error + 12), ext);
	assert_int_equal(ref_get32(error + 28 + 16), ext);
	assert_int_equal(ref_get16(error + 28 + 22), ext_port);
	assert_memory_equal(error + 28 + 12, packet + 12, 4);

	// To somebody else than the quote's sender, about another's mapping, about nothing.
	len = packet_build_error(error, 3, fix_inner(3), FIX_OTHER, packet, 33);
	assert_int_equal(fix_out_raw(nat, 3, error, len, &l34, FIX_START), NAT_ICMP_UNMATCHED);
	len = packet_build_error(error, 3, fix_inner(3), FIX_REMOTE, packet, 33);
	assert_int_equal(fix_out_raw(nat, 4, error, len, &l34, FIX_START), NAT_ICMP_UNMATCHED);
	len = packet_build_error(error, 3, fix_inner(4), FIX_REMOTE, packet, 33);
	assert_int_equal(fix_out_raw(nat, 3, error, len, &l34, FIX_START), NAT_ICMP_UNMATCHED);
	ref_put16(packet + 22, 4444);
	len = packet_build_error(error, 3, fix_inner(3), FIX_REMOTE, packet, 33);
	assert_int_equal(fix_out_raw(nat, 3, error, len, &l34, FIX_START), NAT_ICMP_UNMATCHED);
	assert_int_equal(nat->map.n_mappings, 1);
	fix_destroy(nat);
}

// RFC 5382 REQ-10: no ICMP error ends a mapping or refreshes it.
static void test_icmp_error_changes_nothing(void **state)
{
	(void)state;
	struct nat_conf conf;
	fix_conf(&conf);
	struct nat *nat = fix_create(&conf);
	uint8_t sent[256], error[512];
	uint32_t slot;
	struct packet_spec spec = from(3, udp);
	spec.proto = REF_TCP;
	spec.flags = 2;
	fix_out(nat, 3, &spec, sent, FIX_START);
	size_t size = nat_mem_size(&conf);
	uint8_t *before = malloc(size);
	memcpy(before, nat, size);
	size_t len = packet_build_error(error, 3, FIX_OTHER, ref_get32(sent + 12), sent, 40);
	assert_int_equal(fix_in_raw(nat, error, len, &slot, FIX_START + FIX_SEC), NAT_OK);
	assert_memory_equal(before, nat, size);
	free(before);
	fix_destroy(nat);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_icmp_error_inbound),
		cmocka_unit_test(test_icmp_error_inbound_refused),
		cmocka_unit_test(test_icmp_error_outbound),
		cmocka_unit_test(test_icmp_error_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
