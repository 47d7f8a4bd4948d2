// SPDX-License-Identifier: Apache-2.0
//
// Timeouts on an injected clock, one nanosecond before and at each edge: what a lookup permits and
// what the sweep removes. RFC 4787 REQ-5 and REQ-6, RFC 5382 REQ-5, RFC 5508 REQ-2, RFC 7857.
#include "nat_fixture.h"

#include "tests/unit/test.h"

static struct nat *create(bool refreshes_inbound)
{
	struct nat_conf conf;
	fix_conf(&conf);
	conf.refreshes_inbound = refreshes_inbound;
	struct nat *nat = fix_create(&conf);
	assert_non_null(nat);
	return nat;
}

static struct packet_spec flow(uint8_t proto, uint8_t flags)
{
	return (struct packet_spec){
		.proto = proto,
		.src = fix_inner(1),
		.dst = FIX_REMOTE,
		.src_port = 4000,
		.dst_port = 80,
		.flags = flags,
	};
}

// Plays segments, lower case outbound and upper case inbound, at one instant.
// Returns: the packet that the remote would answer with.
static struct packet_spec play(
	struct nat *nat, uint8_t proto, const char *segments, uint64_t now_ns
)
{
	struct packet_spec answer = {.proto = 0};
	uint8_t packet[256];
	uint32_t slot;
	for (const char *s = segments; *s != '\0'; s++) {
		uint8_t flags = 0x10;
		switch (*s | 0x20) {
		case 's':
			flags = *s == 's' ? 0x02 : 0x12;
			break;
		case 'f':
			flags = 0x11;
			break;
		case 'r':
			flags = 0x14;
			break;
		default:
			break;
		}
		if (proto == REF_ICMP)
			flags = *s >= 'a' ? 8 : 0;
		if (*s >= 'a') {
			struct packet_spec spec = flow(proto, flags);
			assert_int_equal(fix_out(nat, 1, &spec, packet, now_ns), NAT_OK);
			answer = fix_answer(packet, proto == REF_ICMP ? 0 : 0x10);
		} else {
			struct packet_spec inbound = answer;
			inbound.flags = flags;
			assert_int_equal(fix_in(nat, &inbound, packet, &slot, now_ns), NAT_OK);
		}
	}
	return answer;
}

struct row {
	const char *name;
	uint8_t proto;
	const char *segments;
	uint64_t timeout_ns;
};

static const struct row rows[] = {
	{"UDP (RFC 4787 REQ-5)", REF_UDP, "a", NAT_UDP_TIMEOUT_NS},
	{"ICMP query (RFC 5508 REQ-2)", REF_ICMP, "a", NAT_ICMP_TIMEOUT_NS},
	{"TCP opening (RFC 5382 REQ-5)", REF_TCP, "s", NAT_TCP_TRANSITORY_TIMEOUT_NS},
	{"TCP answered", REF_TCP, "sS", NAT_TCP_TRANSITORY_TIMEOUT_NS},
	{"TCP established (RFC 5382 REQ-5)", REF_TCP, "sSa", NAT_TCP_ESTABLISHED_TIMEOUT_NS},
	{"TCP half closed", REF_TCP, "sSaf", NAT_TCP_ESTABLISHED_TIMEOUT_NS},
	{"TCP closed", REF_TCP, "sSafFa", NAT_TCP_TRANSITORY_TIMEOUT_NS},
	{"TCP reset (RFC 7857 section 2.2)", REF_TCP, "sSaR", NAT_TCP_TRANSITORY_TIMEOUT_NS},
};

static void test_edges(void **state)
{
	(void)state;
	uint8_t packet[256];
	uint32_t slot;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		struct nat *nat = create(false);
		struct packet_spec answer = play(nat, rows[i].proto, rows[i].segments, FIX_START);
		uint64_t edge_ns = FIX_START + rows[i].timeout_ns;
		nat_expire_sweep(nat, 1000, edge_ns - 1);
		assert_int_equal(nat->map.n_mappings, 1);
		if (fix_in(nat, &answer, packet, &slot, edge_ns - 1) != NAT_OK)
			fail_msg("%s: gone too early", rows[i].name);
		// The lookup judges age before any sweep came by.
		if (fix_in(nat, &answer, packet, &slot, edge_ns) != NAT_NO_MAPPING)
			fail_msg("%s: there too long", rows[i].name);
		assert_int_equal(nat_expire_sweep(nat, 1000, edge_ns), 1);
		assert_int_equal(nat->map.n_mappings, 0);
		assert_int_equal(nat->filter.n_entries, 0);
		assert_int_equal(nat->counters.mappings_expired, 1);
		assert_true(fix_check_consistent(nat));
		fix_destroy(nat);
	}
}

// RFC 4787 REQ-6: outbound refreshes; inbound does not, so that a remote keeps nothing alive, unless
// the operator wants it to.
static void test_refresh(void **state)
{
	(void)state;
	uint8_t packet[256];
	uint32_t slot;
	for (int refreshes_inbound = 0; refreshes_inbound < 2; refreshes_inbound++) {
		struct nat *nat = create(refreshes_inbound);
		struct packet_spec answer = play(nat, REF_UDP, "a", FIX_START);
		uint64_t half_ns = NAT_UDP_TIMEOUT_NS / 2;
		play(nat, REF_UDP, "a", FIX_START + half_ns);
		uint64_t at_ns = FIX_START + half_ns + NAT_UDP_TIMEOUT_NS - 1;
		assert_int_equal(fix_in(nat, &answer, packet, &slot, at_ns), NAT_OK);
		assert_int_equal(
			fix_in(nat, &answer, packet, &slot, at_ns + half_ns),
			refreshes_inbound ? NAT_OK : NAT_NO_MAPPING
		);
		fix_destroy(nat);
	}
}

// The end of an established connection counts from its reset, not from its last outbound segment; the
// remote cannot prolong it by more of them.
static void test_reset_of_an_idle_connection(void **state)
{
	(void)state;
	uint8_t packet[256];
	uint32_t slot;
	struct nat *nat = create(false);
	struct packet_spec answer = play(nat, REF_TCP, "sSa", FIX_START);
	uint64_t reset_ns = FIX_START + 3600 * FIX_SEC;
	answer.flags = 0x14;
	assert_int_equal(fix_in(nat, &answer, packet, &slot, reset_ns), NAT_OK);
	uint64_t edge_ns = reset_ns + NAT_TCP_TRANSITORY_TIMEOUT_NS;
	answer.flags = 0x02;
	assert_int_equal(fix_in(nat, &answer, packet, &slot, edge_ns - 2), NAT_OK);
	answer.flags = 0x14;
	assert_int_equal(fix_in(nat, &answer, packet, &slot, edge_ns - 1), NAT_OK);
	assert_int_equal(fix_in(nat, &answer, packet, &slot, edge_ns), NAT_NO_MAPPING);
	fix_destroy(nat);
}

// A filter entry grows old by itself while the mapping lives on other remotes.
static void test_filter_entry_alone(void **state)
{
	(void)state;
	uint8_t packet[256];
	uint32_t slot;
	struct nat *nat = create(false);
	struct packet_spec answer = play(nat, REF_UDP, "a", FIX_START);
	struct packet_spec other = flow(REF_UDP, 0);
	other.dst = FIX_OTHER;
	assert_int_equal(fix_out(nat, 1, &other, packet, FIX_START + 200 * FIX_SEC), NAT_OK);
	uint64_t edge_ns = FIX_START + NAT_UDP_TIMEOUT_NS;
	assert_int_equal(fix_in(nat, &answer, packet, &slot, edge_ns - 1), NAT_OK);
	assert_int_equal(fix_in(nat, &answer, packet, &slot, edge_ns), NAT_FILTERED);
	assert_int_equal(nat_expire_sweep(nat, 1000, edge_ns), 0);
	assert_int_equal(nat->filter.n_entries, 1);
	assert_true(fix_check_consistent(nat));
	fix_destroy(nat);
}

// A connection that ended by age and was not swept yet starts anew: its old state gives no long timeout.
static void test_aged_connection_starts_anew(void **state)
{
	(void)state;
	uint8_t packet[256];
	uint32_t slot;
	struct nat *nat = create(false);
	play(nat, REF_TCP, "sSa", FIX_START);
	uint64_t again_ns = FIX_START + NAT_TCP_ESTABLISHED_TIMEOUT_NS;
	struct packet_spec answer = play(nat, REF_TCP, "s", again_ns);
	uint64_t edge_ns = again_ns + NAT_TCP_TRANSITORY_TIMEOUT_NS;
	assert_int_equal(fix_in(nat, &answer, packet, &slot, edge_ns - 1), NAT_OK);
	assert_int_equal(fix_in(nat, &answer, packet, &slot, edge_ns), NAT_NO_MAPPING);
	fix_destroy(nat);
}

// Bounded work: n at a time, and everything in the end.
static void test_sweep_is_bounded(void **state)
{
	(void)state;
	uint8_t packet[256];
	struct nat *nat = create(false);
	for (uint32_t i = 0; i < 60; i++) {
		struct packet_spec spec = flow(REF_UDP, 0);
		spec.src = fix_inner(i % 8);
		spec.src_port = (uint16_t)(3000 + i / 16);
		spec.dst = FIX_REMOTE + i;
		assert_int_equal(fix_out(nat, i % 8, &spec, packet, FIX_START), NAT_OK);
	}
	uint64_t late_ns = FIX_START + NAT_UDP_TIMEOUT_NS;
	uint32_t calls = 0;
	while (nat->map.n_mappings > 0) {
		uint32_t before = nat->filter.n_entries;
		assert_true(nat_expire_sweep(nat, 4, late_ns) <= 4);
		assert_true(before - nat->filter.n_entries <= 8); // 4 swept, 4 with mappings
		assert_true(fix_check_consistent(nat));
		assert_true(++calls < 300);
	}
	assert_int_equal(nat->filter.n_entries, 0);
	// RFC 6888 REQ-8: ports return after 120 s.
	uint32_t n_waiting = nat->map.quarantine.tail - nat->map.quarantine.head;
	assert_true(n_waiting > 0);
	nat_expire_sweep(nat, 1000, late_ns + NAT_QUARANTINE_NS - 1);
	assert_int_equal(nat->map.quarantine.tail - nat->map.quarantine.head, n_waiting);
	nat_expire_sweep(nat, 1000, late_ns + NAT_QUARANTINE_NS);
	assert_int_equal(nat->map.quarantine.tail, nat->map.quarantine.head);
	assert_true(fix_check_consistent(nat));
	fix_destroy(nat);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_refresh),
		cmocka_unit_test(test_reset_of_an_idle_connection),
		cmocka_unit_test(test_filter_entry_alone),
		cmocka_unit_test(test_aged_connection_starts_anew),
		cmocka_unit_test(test_sweep_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
