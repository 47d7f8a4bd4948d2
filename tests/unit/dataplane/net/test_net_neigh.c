// SPDX-License-Identifier: Apache-2.0
//
// The neighbour table on an injected clock: what is asked when and how, what is believed how long, who
// is replaced, and that a lookup never lends one address another's hardware address.
#include "dataplane/net/net_neigh.h"
#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define SEC 1000000000ull
#define TIMEOUT (60 * SEC)
#define RETRY SEC
#define START (1000 * SEC)

static const struct net_neigh_timing timing = {.timeout_ns = TIMEOUT, .retry_ns = RETRY};
static const uint8_t mac_a[6] = {2, 0, 0, 0, 0, 0xa}, mac_b[6] = {2, 0, 0, 0, 0, 0xb};

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct net_neigh));
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static uint32_t addr(unsigned host)
{
	return htonl(0xc0000200 + host); // 192.0.2.0/24 and up
}

static void assert_mac(
	struct net_neigh *neigh, uint32_t addr_be, uint64_t now_ns, const uint8_t *mac
)
{
	uint8_t found[6];

	assert_true(net_neigh_lookup(neigh, addr_be, now_ns, found));
	assert_memory_equal(found, mac, sizeof(found));
}

static void test_unknown(void **state)
{
	uint8_t mac[6];

	assert_false(net_neigh_lookup(*state, addr(1), START, mac));
	assert_false(net_neigh_lookup(*state, 0, START, mac)); // free entries have address 0
	assert_null(net_neigh_find(*state, addr(1)));
}

static void test_resolve(void **state)
{
	struct net_neigh_entry *entry = net_neigh_insert(*state, addr(1), START);
	uint8_t mac[6];

	assert_non_null(entry);
	assert_ptr_equal(net_neigh_insert(*state, addr(1), START), entry);
	assert_false(net_neigh_lookup(*state, addr(1), START, mac));
	assert_false(net_neigh_mac(entry, mac));
	assert_int_equal(net_neigh_age(entry, &timing, START), NET_NEIGH_ASK_BROADCAST);
	assert_int_equal(net_neigh_age(entry, &timing, START + RETRY - 1), NET_NEIGH_WAIT);
	net_neigh_confirm(entry, mac_a, START + 5);
	assert_mac(*state, addr(1), START + 6, mac_a);
	net_neigh_confirm(entry, mac_b, START + 7); // moved to another station
	assert_mac(*state, addr(1), START + 8, mac_b);
}

static void test_given_up_after_three(void **state)
{
	struct net_neigh_entry *entry = net_neigh_insert(*state, addr(1), START);

	for (unsigned i = 0; i < NET_NEIGH_MAX_ASKED; i++) {
		assert_int_equal(
			net_neigh_age(entry, &timing, START + i * RETRY), NET_NEIGH_ASK_BROADCAST
		);
		assert_int_equal(
			net_neigh_age(entry, &timing, START + (i + 1) * RETRY - 1), NET_NEIGH_WAIT
		);
	}
	assert_int_equal(
		net_neigh_age(entry, &timing, START + NET_NEIGH_MAX_ASKED * RETRY),
		NET_NEIGH_GIVE_UP
	);
	assert_null(net_neigh_find(*state, addr(1)));
}

// Refreshed by unicast before it is stale, then by broadcast; usable until nobody answered either.
static void test_refresh_of_a_used_entry(void **state)
{
	struct net_neigh_entry *entry = net_neigh_insert(*state, addr(1), START);
	uint64_t due = START + TIMEOUT / 4 * 3;
	uint8_t mac[6];

	net_neigh_confirm(entry, mac_a, START);
	assert_mac(*state, addr(1), START + 30 * SEC, mac_a); // somebody uses it
	assert_int_equal(net_neigh_age(entry, &timing, due - 1), NET_NEIGH_WAIT);
	for (unsigned i = 0; i < NET_NEIGH_MAX_ASKED; i++) {
		assert_int_equal(net_neigh_age(entry, &timing, due), NET_NEIGH_ASK_UNICAST);
		assert_mac(*state, addr(1), due, mac_a);
		due += RETRY;
	}
	for (unsigned i = 0; i < NET_NEIGH_MAX_ASKED; i++) {
		assert_int_equal(net_neigh_age(entry, &timing, due), NET_NEIGH_ASK_BROADCAST);
		assert_mac(*state, addr(1), due, mac_a);
		due += RETRY;
	}
	assert_int_equal(net_neigh_age(entry, &timing, due), NET_NEIGH_GIVE_UP);
	assert_false(net_neigh_lookup(*state, addr(1), due, mac));
}

static void test_answered_refresh_starts_anew(void **state)
{
	struct net_neigh_entry *entry = net_neigh_insert(*state, addr(1), START);
	uint64_t due = START + TIMEOUT / 4 * 3;

	net_neigh_confirm(entry, mac_a, START);
	assert_mac(*state, addr(1), START + SEC, mac_a);
	assert_int_equal(net_neigh_age(entry, &timing, due), NET_NEIGH_ASK_UNICAST);
	net_neigh_confirm(entry, mac_a, due + 1);
	assert_int_equal(net_neigh_age(entry, &timing, due + RETRY), NET_NEIGH_WAIT);
	// Nobody has used it since, so it is not asked for again and goes in the end.
	assert_int_equal(net_neigh_age(entry, &timing, due + TIMEOUT), NET_NEIGH_WAIT);
	assert_int_equal(net_neigh_age(entry, &timing, due + 1 + TIMEOUT), NET_NEIGH_EXPIRED);
	assert_null(net_neigh_find(*state, addr(1)));
}

static void test_gateway_is_never_let_go(void **state)
{
	struct net_neigh_entry *entry = net_neigh_insert(*state, addr(1), START);
	uint64_t now = START;
	uint8_t mac[6];

	entry->is_pinned = true;
	for (unsigned round = 0; round < 3; round++) { // nobody answers: asked for ever
		for (unsigned i = 0; i < NET_NEIGH_MAX_ASKED; i++, now += RETRY)
			assert_int_equal(
				net_neigh_age(entry, &timing, now), NET_NEIGH_ASK_BROADCAST
			);
		assert_int_equal(net_neigh_age(entry, &timing, now), NET_NEIGH_GIVE_UP);
		now += RETRY;
	}
	net_neigh_confirm(entry, mac_a, now);
	// Refreshed although no packet went there.
	now += TIMEOUT / 4 * 3;
	for (unsigned i = 0; i < 2 * NET_NEIGH_MAX_ASKED; i++, now += RETRY)
		assert_int_equal(
			net_neigh_age(entry, &timing, now),
			i < NET_NEIGH_MAX_ASKED ? NET_NEIGH_ASK_UNICAST : NET_NEIGH_ASK_BROADCAST
		);
	assert_int_equal(net_neigh_age(entry, &timing, now), NET_NEIGH_GIVE_UP);
	assert_ptr_equal(net_neigh_find(*state, addr(1)), entry);
	assert_false(net_neigh_lookup(*state, addr(1), now, mac)); // lost, not stale
}

// Addresses that share a set: found by filling the table until an insertion evicts.
static void test_least_recently_used_is_replaced(void **state)
{
	struct net_neigh *neigh = *state;
	uint32_t same_set[NET_NEIGH_WAYS + 1];
	unsigned n = 0;
	uint8_t mac[6];
	struct net_neigh_entry *first = net_neigh_insert(neigh, addr(1), START);
	size_t set = (size_t)(first - neigh->entries) / NET_NEIGH_WAYS;

	same_set[n++] = addr(1);
	for (unsigned host = 2; n < NET_NEIGH_WAYS + 1; host++) {
		struct net_neigh probe = {0};
		struct net_neigh_entry *entry = net_neigh_insert(&probe, addr(host), START);

		if ((size_t)(entry - probe.entries) / NET_NEIGH_WAYS == set)
			same_set[n++] = addr(host);
	}
	for (unsigned i = 0; i < NET_NEIGH_WAYS; i++)
		net_neigh_confirm(net_neigh_insert(neigh, same_set[i], START), mac_a, START);
	for (unsigned i = 0; i < NET_NEIGH_WAYS; i++) // 3 is used longest ago; 0 is pinned
		assert_mac(neigh, same_set[i], START + (i == 3 ? 1 : 2 + i) * SEC, mac_a);
	net_neigh_find(neigh, same_set[0])->is_pinned = true;

	struct net_neigh_entry *taken =
		net_neigh_insert(neigh, same_set[NET_NEIGH_WAYS], START + 20 * SEC);
	assert_non_null(taken);
	assert_null(net_neigh_find(neigh, same_set[3]));
	assert_false(net_neigh_lookup(neigh, same_set[3], START + 20 * SEC, mac));
	assert_false(net_neigh_lookup(neigh, same_set[NET_NEIGH_WAYS], START + 20 * SEC, mac));
	for (unsigned i = 0; i < NET_NEIGH_WAYS; i++)
		if (i != 3)
			assert_mac(neigh, same_set[i], START + 21 * SEC, mac_a);
	// What is being asked for is not replaced: with nothing else in the set there is no room.
	for (unsigned i = 0; i < NET_NEIGH_WAYS; i++)
		if (i != 3 && i != 0)
			net_neigh_find(neigh, same_set[i])->state = NET_NEIGH_INCOMPLETE;
	assert_null(net_neigh_insert(neigh, same_set[3], START + 30 * SEC));
}

static void test_table_holds_many(void **state)
{
	struct net_neigh *neigh = *state;
	unsigned n_found = 0;

	for (unsigned host = 1; host <= 254; host++)
		net_neigh_confirm(net_neigh_insert(neigh, addr(host), START), mac_a, START);
	for (unsigned host = 1; host <= 254; host++)
		n_found += net_neigh_find(neigh, addr(host)) != NULL;
	assert_int_equal(n_found, 254); // a /24 fits whole: consecutive hosts spread
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_unknown, setup, teardown),
		cmocka_unit_test_setup_teardown(test_resolve, setup, teardown),
		cmocka_unit_test_setup_teardown(test_given_up_after_three, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refresh_of_a_used_entry, setup, teardown),
		cmocka_unit_test_setup_teardown(test_answered_refresh_starts_anew, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gateway_is_never_let_go, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_least_recently_used_is_replaced, setup, teardown
		),
		cmocka_unit_test_setup_teardown(test_table_holds_many, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
