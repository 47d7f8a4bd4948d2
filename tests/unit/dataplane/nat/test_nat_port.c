// SPDX-License-Identifier: Apache-2.0
//
// nat_port against a slow, obvious model (an array of flags), and the clauses it claims: no
// overloading (RFC 4787 REQ-3), preservation, parity (REQ-4), reserved ports, quarantine (RFC 6888
// REQ-8).
#include "dataplane/nat/nat_port.h"
#include "tests/unit/test.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static struct nat_port ports;

struct model {
	bool is_free[NAT_PORT_MAX];
	uint32_t n_free;
};

static struct model model;

static uint32_t random32(void)
{
	return (uint32_t)random() << 16 ^ (uint32_t)random();
}

static bool model_has_parity(uint32_t parity)
{
	for (uint32_t port = parity; port < NAT_PORT_MAX; port += 2) {
		if (model.is_free[port])
			return true;
	}
	return false;
}

struct range {
	uint16_t lo;
	uint16_t hi;
	bool preserves_parity;
};

static const struct range ranges[] = {
	{1, 65535, true},
	{1024, 65535, false},
	{1024, 1024, true},
	{40000, 40063, true},
	{40001, 40130, false},
	{65535, 65535, false},
	{32767, 32768, true},
	{5000, 5999, true},
};

// Judges one allocation by the model and takes it there.
static void judge(const struct range *range, uint16_t want, uint16_t got)
{
	if (model.n_free == 0) {
		assert_int_equal(got, NAT_PORT_NONE);
		return;
	}
	assert_int_not_equal(got, NAT_PORT_NONE);
	assert_true(model.is_free[got]); // REQ-3: never one that is given out
	if (model.is_free[want])
		assert_int_equal(got, want); // preservation
	else if (range->preserves_parity && model_has_parity(want & 1))
		assert_int_equal(got & 1, want & 1); // REQ-4
	model.is_free[got] = false;
	model.n_free--;
}

static void test_against_model(void **state)
{
	(void)state;
	static uint16_t taken[NAT_PORT_MAX];
	srandom(4);
	for (size_t i = 0; i < TEST_N_ROWS(ranges); i++) {
		const struct range *range = &ranges[i];
		uint32_t n_taken = 0;
		memset(&model, 0, sizeof(model));
		nat_port_init(&ports, range->lo, range->hi, range->preserves_parity);
		for (uint32_t port = range->lo; port <= range->hi; port++)
			model.is_free[port] = true;
		model.n_free = (uint32_t)range->hi - range->lo + 1;
		assert_int_equal(ports.n_total, model.n_free);
		for (int step = 0; step < 4000; step++) {
			// Phases that fill and phases that empty.
			if (random() % 100 < (step / 500 % 2 ? 25 : 90)) {
				uint16_t want = (uint16_t)random();
				uint16_t got = nat_port_alloc(&ports, want, random32());
				judge(range, want, got);
				if (got != NAT_PORT_NONE)
					taken[n_taken++] = got;
			} else if (n_taken > 0) {
				uint32_t at = random32() % n_taken;
				nat_port_free(&ports, taken[at]);
				model.is_free[taken[at]] = true;
				model.n_free++;
				taken[at] = taken[--n_taken];
			}
			assert_int_equal(ports.n_free, model.n_free);
		}
	}
}

static void test_gives_out_every_port_once(void **state)
{
	(void)state;
	memset(&model, 0, sizeof(model));
	nat_port_init(&ports, 1024, 65535, true);
	nat_port_reserve(&ports, 51820);
	nat_port_reserve(&ports, 51820);
	nat_port_reserve(&ports, 80); // outside the range
	for (uint32_t i = 0; i < 64511; i++) {
		uint16_t got = nat_port_alloc(&ports, 51820, random32());
		assert_in_range(got, 1024, 65535);
		assert_int_not_equal(got, 51820);
		assert_false(model.is_free[got]);
		model.is_free[got] = true;
	}
	assert_int_equal(nat_port_alloc(&ports, 51820, random32()), NAT_PORT_NONE);
	assert_int_equal(ports.n_total, 64511);
}

// The start is random: two seeds do not give the same port for the same wish.
static void test_start_is_random(void **state)
{
	(void)state;
	uint32_t n_distinct = 0;
	memset(&model, 0, sizeof(model));
	nat_port_init(&ports, 1024, 65535, false);
	nat_port_reserve(&ports, 2000);
	for (int i = 0; i < 200; i++) {
		uint16_t got = nat_port_alloc(&ports, 2000, random32());
		n_distinct += !model.is_free[got];
		model.is_free[got] = true;
		nat_port_free(&ports, got);
	}
	assert_true(n_distinct > 150);
}

static void test_quarantine(void **state)
{
	(void)state;
	struct nat_port_quarantine quarantine;
	struct nat_port_waiting ring[4];
	nat_port_init(&ports, 5000, 5007, false);
	nat_port_quarantine_init(&quarantine, ring, 4, 120);
	for (uint16_t port = 5000; port <= 5007; port++)
		assert_int_equal(nat_port_alloc(&ports, port, 0), port);
	nat_port_quarantine_insert(&quarantine, &ports, 0, 5001, 1000);
	nat_port_quarantine_insert(&quarantine, &ports, 0, 5002, 1010);
	assert_int_equal(nat_port_quarantine_release(&quarantine, &ports, 1119, 9), 0);
	assert_int_equal(nat_port_alloc(&ports, 5001, 0), NAT_PORT_NONE);
	assert_int_equal(nat_port_quarantine_release(&quarantine, &ports, 1120, 9), 1);
	assert_int_equal(nat_port_alloc(&ports, 5001, 0), 5001);
	assert_int_equal(nat_port_quarantine_release(&quarantine, &ports, 2000, 9), 1);
	// A full ring lets the oldest go early rather than losing a port.
	for (uint16_t port = 5003; port <= 5007; port++)
		nat_port_quarantine_insert(&quarantine, &ports, 0, port, 3000);
	assert_true(nat_port_check_free(&ports, 5003));
	assert_false(nat_port_check_free(&ports, 5004));
	assert_int_equal(nat_port_quarantine_release(&quarantine, &ports, 3120, 1), 1);
	assert_int_equal(nat_port_quarantine_release(&quarantine, &ports, 3120, 9), 3);
	// Time 0: no quarantine.
	nat_port_quarantine_init(&quarantine, ring, 4, 0);
	nat_port_quarantine_insert(&quarantine, &ports, 0, 5001, 1);
	assert_true(nat_port_check_free(&ports, 5001));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_model),
		cmocka_unit_test(test_gives_out_every_port_once),
		cmocka_unit_test(test_start_is_random),
		cmocka_unit_test(test_quarantine),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
