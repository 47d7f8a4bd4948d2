// SPDX-License-Identifier: Apache-2.0
//
// nat: mapping, filtering, hairpin, limits, exhaustion, port shadowing, each named for the clause or the
// promise that it proves. Timeouts are in test_nat_expire, ICMP errors in test_nat_error.
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

static void test_there_and_back(void **state)
{
	(void)state;
	static const struct packet_spec rows[] = {
		{.proto = REF_UDP, .src_port = 4000, .dst_port = 53, .dst = FIX_REMOTE},
		{.proto = REF_UDP,
		 .src_port = 4001,
		 .dst_port = 53,
		 .dst = FIX_REMOTE,
		 .has_no_checksum = true},
		{.proto = REF_TCP,
		 .src_port = 4000,
		 .dst_port = 443,
		 .dst = FIX_REMOTE,
		 .flags = 2},
		{.proto = REF_ICMP, .src_port = 7777, .dst = FIX_REMOTE, .flags = 8},
		{.proto = REF_ICMP, .src_port = 7778, .dst = FIX_REMOTE, .flags = 13},
	};
	struct nat *nat = create();
	uint8_t packet[256];
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		struct packet_spec spec = from(1, rows[i]);
		assert_int_equal(fix_out(nat, 1, &spec, packet, FIX_START), NAT_OK);
		assert_true(packet_check(packet));
		assert_true(nat_check_external(nat, htonl(ref_get32(packet + 12))));
		// Port preservation: nobody else has it.
		assert_int_equal(
			ref_get16(packet + (rows[i].proto == REF_ICMP ? 24 : 20)), rows[i].src_port
		);
		uint8_t answer_flags = rows[i].proto == REF_TCP ? 0x12
			: rows[i].flags == 13			? 14
								: 0;
		struct packet_spec answer = fix_answer(packet, answer_flags);
		uint32_t slot = 99;
		assert_int_equal(fix_in(nat, &answer, packet, &slot, FIX_START), NAT_OK);
		assert_int_equal(slot, 1);
		assert_true(packet_check(packet));
		assert_int_equal(ref_get32(packet + 16), fix_inner(1));
		assert_true(fix_check_consistent(nat));
	}
	fix_destroy(nat);
}

//= RFC 4787 section 4.1 REQ-1: "Endpoint-Independent Mapping"; RFC 5508 REQ-1 for identifiers.
static void test_endpoint_independent_mapping(void **state)
{
	(void)state;
	struct nat *nat = create();
	uint8_t packet[256];
	struct packet_spec spec = from(2, udp);
	assert_int_equal(fix_out(nat, 2, &spec, packet, FIX_START), NAT_OK);
	uint32_t addr = ref_get32(packet + 12);
	spec.dst = FIX_OTHER;
	spec.dst_port = 9;
	assert_int_equal(fix_out(nat, 2, &spec, packet, FIX_START), NAT_OK);
	assert_int_equal(ref_get32(packet + 12), addr);
	assert_int_equal(ref_get16(packet + 20), 4000);
	assert_int_equal(nat->map.n_mappings, 1);
	assert_int_equal(nat->filter.n_entries, 2);
	fix_destroy(nat);
}

// RFC 4787 REQ-8: address-dependent. Any port of a remote that was sent to may answer, no other remote.
static void test_address_dependent_filtering(void **state)
{
	(void)state;
	struct nat *nat = create();
	uint8_t packet[256];
	uint32_t slot;
	struct packet_spec spec = from(2, udp);
	fix_out(nat, 2, &spec, packet, FIX_START);
	struct packet_spec answer = fix_answer(packet, 0);
	struct packet_spec other_port = answer, stranger = answer, no_mapping = answer;
	other_port.src_port = 999;
	stranger.src = FIX_OTHER;
	no_mapping.dst_port = 4002;
	assert_int_equal(fix_in(nat, &other_port, packet, &slot, FIX_START), NAT_OK);
	assert_int_equal(fix_in(nat, &stranger, packet, &slot, FIX_START), NAT_FILTERED);
	assert_int_equal(fix_in(nat, &no_mapping, packet, &slot, FIX_START), NAT_NO_MAPPING);
	no_mapping.dst_port = 80; // outside this worker's range
	assert_int_equal(fix_in(nat, &no_mapping, packet, &slot, FIX_START), NAT_NO_MAPPING);
	answer.dst = FIX_OTHER; // no address of ours
	assert_int_equal(fix_in(nat, &answer, packet, &slot, FIX_START), NAT_NO_MAPPING);
	assert_int_equal(nat->counters.filtered, 1);
	assert_int_equal(nat->counters.no_mapping, 3);
	fix_destroy(nat);
}

// A packet that admission refuses has changed nothing: lookup alone leaves every byte but counters.
static void test_lookup_changes_nothing(void **state)
{
	(void)state;
	struct nat_conf conf;
	fix_conf(&conf);
	struct nat *nat = fix_create(&conf);
	uint8_t packet[256];
	struct packet_spec spec = from(2, udp);
	spec.proto = REF_TCP;
	spec.flags = 2;
	fix_out(nat, 2, &spec, packet, FIX_START);
	struct packet_spec answer = fix_answer(packet, 0x12);
	size_t size = nat_mem_size(&conf);
	uint8_t *before = malloc(size);
	memcpy(before, nat, size);
	struct net_l3l4 l34;
	struct nat_inbound inbound;
	uint8_t copy[256];
	size_t len = packet_build(packet, &answer);
	memcpy(copy, packet, len);
	assert_int_equal(net_parse_ip(packet, len, 0, &l34), NET_OK);
	assert_int_equal(
		nat_inbound_lookup(nat, &l34, packet, FIX_START + 5 * FIX_SEC, &inbound), NAT_OK
	);
	assert_memory_equal(before, nat, size);
	assert_memory_equal(copy, packet, len);
	free(before);
	fix_destroy(nat);
}

// CVE-2021-3773: no session gets the WireGuard port, nor the mapping of another.
static void test_port_shadowing(void **state)
{
	(void)state;
	struct nat *nat = create();
	uint8_t packet[256];
	for (uint32_t slot = 0; slot < 8; slot++) {
		struct packet_spec spec = from(slot, udp);
		spec.src_port = FIX_WG_PORT;
		assert_int_equal(fix_out(nat, slot, &spec, packet, FIX_START), NAT_OK);
		assert_int_not_equal(ref_get16(packet + 20), FIX_WG_PORT);
		// The same internal port in every session: each has an external one of its own.
		spec.src_port = 5353;
		assert_int_equal(fix_out(nat, slot, &spec, packet, FIX_START), NAT_OK);
		struct packet_spec answer = fix_answer(packet, 0);
		uint32_t got = 99;
		assert_int_equal(fix_in(nat, &answer, packet, &got, FIX_START), NAT_OK);
		assert_int_equal(got, slot);
	}
	// Even with the port asked for by a client, a stranger's packet to it finds no mapping.
	struct packet_spec probe = {
		.proto = REF_UDP,
		.src = FIX_REMOTE,
		.dst = FIX_EXT0,
		.src_port = 53,
		.dst_port = FIX_WG_PORT};
	uint32_t slot;
	assert_int_equal(fix_in(nat, &probe, packet, &slot, FIX_START), NAT_NO_MAPPING);
	assert_true(fix_check_consistent(nat));
	fix_destroy(nat);
}

static void test_session_limit_and_exhaustion(void **state)
{
	(void)state;
	struct nat_conf conf;
	fix_conf(&conf);
	conf.port_lo = 2000;
	conf.port_hi = 2005;
	conf.n_external = 1;
	conf.n_mappings = 18;
	conf.session_mapping_limit = 4;
	struct nat *nat = fix_create(&conf);
	uint8_t packet[256];
	// RFC 4787 REQ-3: six ports serve six mappings and no more.
	for (uint32_t i = 0; i < 10; i++) {
		struct packet_spec spec = from(i / 5, udp);
		spec.src_port = (uint16_t)(3000 + i);
		enum nat_verdict want = i == 4 ? NAT_SESSION_LIMIT
			: i < 7		       ? NAT_OK
					       : NAT_PORT_EXHAUSTED;
		assert_int_equal(fix_out(nat, i / 5, &spec, packet, FIX_START), want);
		if (want != NAT_OK)
			assert_int_equal(ref_get32(packet + 12), fix_inner(i / 5)); // as it was
		assert_true(fix_check_consistent(nat));
	}
	assert_int_equal(nat->counters.session_limit, 1);
	assert_int_equal(nat->counters.port_exhausted, 3);
	// Another protocol has ports of its own.
	struct packet_spec tcp = from(2, udp);
	tcp.proto = REF_TCP;
	tcp.flags = 2;
	assert_int_equal(fix_out(nat, 2, &tcp, packet, FIX_START), NAT_OK);
	fix_destroy(nat);
}

static void test_pools_used_up(void **state)
{
	(void)state;
	struct nat_conf conf;
	fix_conf(&conf);
	conf.n_mappings = 2;
	conf.n_filters = 1;
	struct nat *nat = fix_create(&conf);
	uint8_t packet[256];
	struct packet_spec spec = from(0, udp);
	assert_int_equal(fix_out(nat, 0, &spec, packet, FIX_START), NAT_OK);
	spec = from(1, udp); // no filter entry for a second session, so no mapping either
	assert_int_equal(fix_out(nat, 1, &spec, packet, FIX_START), NAT_PORT_EXHAUSTED);
	assert_int_equal(nat->counters.filter_pool_exhausted, 1);
	assert_int_equal(nat->map.n_mappings, 1);
	spec = from(0, udp);
	spec.src_port++;
	assert_int_equal(fix_out(nat, 0, &spec, packet, FIX_START), NAT_OK);
	spec.src_port++;
	assert_int_equal(fix_out(nat, 0, &spec, packet, FIX_START), NAT_PORT_EXHAUSTED);
	assert_int_equal(nat->counters.mapping_pool_exhausted, 1);
	assert_true(fix_check_consistent(nat));
	fix_destroy(nat);
}

// RFC 4787 REQ-2: paired; another address of the pool only for a session without a mapping.
static void test_paired_pooling(void **state)
{
	(void)state;
	struct nat_conf conf;
	fix_conf(&conf);
	conf.port_lo = 2000;
	conf.port_hi = 2003;
	conf.n_mappings = 24;
	struct nat *nat = fix_create(&conf);
	uint8_t packet[256];
	uint32_t addr[2] = {0, 0};
	for (uint32_t slot = 0; slot < 2; slot++) {
		for (uint16_t i = 0; i < 4; i++) {
			struct packet_spec spec = from(slot, udp);
			spec.src_port = (uint16_t)(3000 + i);
			assert_int_equal(fix_out(nat, slot, &spec, packet, FIX_START), NAT_OK);
			if (i > 0)
				assert_int_equal(ref_get32(packet + 12), addr[slot]);
			addr[slot] = ref_get32(packet + 12);
		}
	}
	assert_int_not_equal(addr[0], addr[1]); // the second found the first's address used up
	struct packet_spec spec = from(0, udp);
	spec.src_port = 3999;
	assert_int_equal(fix_out(nat, 0, &spec, packet, FIX_START), NAT_PORT_EXHAUSTED);
	fix_destroy(nat);
}

//= RFC 4787 section 6 REQ-9: "Hairpinning", a) "External source IP address and port"
static void test_hairpin(void **state)
{
	(void)state;
	struct nat *nat = create();
	uint8_t packet[256];
	uint32_t slot;
	struct packet_spec b = from(2, udp);
	b.src_port = 6000;
	assert_int_equal(fix_out(nat, 2, &b, packet, FIX_START), NAT_OK);
	uint32_t b_addr = ref_get32(packet + 12);
	struct packet_spec a = from(1, udp);
	a.src_port = 6001;
	a.dst = b_addr;
	a.dst_port = 6000;
	assert_int_equal(fix_out(nat, 1, &a, packet, FIX_START), NAT_HAIRPIN);
	uint32_t a_addr = ref_get32(packet + 12);
	assert_true(a_addr == FIX_EXT0 || a_addr == FIX_EXT1);
	// The same filter: b has not spoken to a's external address yet.
	uint8_t copy[256];
	memcpy(copy, packet, sizeof(copy));
	assert_int_equal(fix_in_raw(nat, copy, 48, &slot, FIX_START), NAT_FILTERED);
	b.dst = a_addr;
	b.dst_port = 6001;
	uint8_t reply[256];
	assert_int_equal(fix_out(nat, 2, &b, reply, FIX_START), NAT_HAIRPIN);
	assert_int_equal(fix_in_raw(nat, reply, 48, &slot, FIX_START), NAT_OK);
	assert_int_equal(slot, 1);
	assert_int_equal(fix_in_raw(nat, packet, 48, &slot, FIX_START), NAT_OK);
	assert_int_equal(slot, 2);
	assert_true(packet_check(packet));
	assert_int_equal(ref_get32(packet + 12), a_addr); // external source
	assert_int_equal(ref_get32(packet + 16), fix_inner(2));
	fix_destroy(nat);
}

static void test_what_is_not_translated(void **state)
{
	(void)state;
	struct nat *nat = create();
	uint8_t packet[256];
	uint32_t slot;
	struct net_l3l4 l34;
	struct packet_spec spec = from(1, udp);
	for (unsigned type = 0; type < 256; type++) {
		struct packet_spec icmp = {
			.proto = REF_ICMP,
			.src = fix_inner(1),
			.dst = FIX_REMOTE,
			.flags = (uint8_t)type};
		enum nat_verdict got = fix_out(nat, 1, &icmp, packet, FIX_START);
		bool is_error = type == 3 || type == 11 || type == 12;
		bool is_query = type == 8 || type == 13;
		assert_int_equal(
			got,
			is_query	   ? NAT_OK
				: is_error ? NAT_ICMP_UNMATCHED
					   : NAT_ICMP_TYPE
		);
		icmp.src = FIX_REMOTE;
		icmp.dst = FIX_EXT0;
		icmp.src_port = 1; // outside the range
		got = fix_in(nat, &icmp, packet, &slot, FIX_START);
		bool is_reply = type == 0 || type == 14;
		assert_int_equal(
			got,
			is_reply	   ? NAT_NO_MAPPING
				: is_error ? NAT_ICMP_UNMATCHED
					   : NAT_ICMP_TYPE
		);
	}
	size_t len = packet_build(packet, &spec);
	packet[9] = 47;
	packet_seal(packet);
	assert_int_equal(fix_out_raw(nat, 1, packet, len, &l34, FIX_START), NAT_PROTOCOL);
	assert_int_equal(fix_in_raw(nat, packet, len, &slot, FIX_START), NAT_PROTOCOL);
	packet_build(packet, &spec);
	packet[6] = 0x20;
	packet_seal(packet);
	assert_int_equal(fix_out_raw(nat, 1, packet, len, &l34, FIX_START), NAT_IP_FRAGMENT);
	assert_int_equal(fix_in_raw(nat, packet, len, &slot, FIX_START), NAT_IP_FRAGMENT);
	// A reset that belongs to nothing is not worth a port.
	spec.proto = REF_TCP;
	spec.flags = 4;
	assert_int_equal(fix_out(nat, 1, &spec, packet, FIX_START), NAT_NO_MAPPING);
	fix_destroy(nat);
}

static void test_session_removal_is_bounded(void **state)
{
	(void)state;
	struct nat *nat = create();
	uint8_t packet[256];
	for (uint32_t slot = 1; slot < 3; slot++) {
		for (uint16_t i = 0; i < 10; i++) {
			struct packet_spec spec = from(slot, udp);
			spec.src_port = (uint16_t)(3000 + i);
			assert_int_equal(fix_out(nat, slot, &spec, packet, FIX_START), NAT_OK);
		}
	}
	uint32_t calls = 1;
	while (nat_session_remove(nat, 1, 3, FIX_START)) {
		assert_true(fix_check_consistent(nat));
		calls++;
	}
	assert_int_equal(calls, 7); // 20 entries by 3
	assert_int_equal(nat->map.n_mappings, 10);
	assert_int_equal(nat->counters.mappings_removed, 10);
	assert_false(nat_session_remove(nat, 5, 3, FIX_START));
	// The ports wait: RFC 6888 REQ-8.
	struct packet_spec spec = from(4, udp);
	spec.src_port = 3000;
	assert_int_equal(fix_out(nat, 4, &spec, packet, FIX_START), NAT_OK);
	assert_true(fix_check_consistent(nat));
	fix_destroy(nat);
}

static void test_iterate(void **state)
{
	(void)state;
	struct nat *nat = create();
	uint8_t packet[256];
	for (uint16_t i = 0; i < 9; i++) {
		struct packet_spec spec = from(i % 3, udp);
		spec.src_port = (uint16_t)(3000 + i);
		fix_out(nat, i % 3, &spec, packet, FIX_START);
	}
	struct nat_view views[4];
	uint32_t cursor = 0, n = 0, calls = 0;
	while (cursor != NAT_IDX_NONE) {
		n += nat_iterate(nat, &cursor, 50, views, 4, FIX_START + FIX_SEC);
		assert_true(++calls < 20);
	}
	assert_int_equal(n, 9);
	assert_int_equal(views[0].idle_ns, FIX_SEC);
	assert_int_equal(views[0].timeout_ns, NAT_UDP_TIMEOUT_NS);
	fix_destroy(nat);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_endpoint_independent_mapping),
		cmocka_unit_test(test_address_dependent_filtering),
		cmocka_unit_test(test_lookup_changes_nothing),
		cmocka_unit_test(test_port_shadowing),
		cmocka_unit_test(test_session_limit_and_exhaustion),
		cmocka_unit_test(test_pools_used_up),
		cmocka_unit_test(test_paired_pooling),
		cmocka_unit_test(test_hairpin),
		cmocka_unit_test(test_what_is_not_translated),
		cmocka_unit_test(test_session_removal_is_bounded),
		cmocka_unit_test(test_iterate),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
