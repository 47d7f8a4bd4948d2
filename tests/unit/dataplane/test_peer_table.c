// SPDX-License-Identifier: Apache-2.0
//
// The peer table against a slow, obvious model: after any sequence of insertions and removals every live
// session is found by its key and its address, and nothing else is; secrets go when the session goes.
#include "dataplane/peer_table.h"
#include "dataplane/wg/wg_primitives.h"
#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_SLOTS 64
#define N_STEPS 4000

struct fixture {
	struct secret_arena arena;
	struct wg_local local;
	struct peer_table table;
	uint8_t keys[2 * N_SLOTS][WG_KEY_BYTES];
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	uint8_t private_key[WG_KEY_BYTES];
	char err[256];

	wg_primitives_generate_private(private_key);
	wg_local_init(&fixture->local, private_key);
	for (unsigned i = 0; i < 2 * N_SLOTS; i++) {
		wg_primitives_generate_private(private_key);
		wg_primitives_derive_public(private_key, fixture->keys[i]);
	}
	if (secret_arena_create(
		    &fixture->arena, peer_table_secret_bytes(N_SLOTS), err, sizeof(err)
	    ) < 0)
		return -1;
	*state = fixture;
	return peer_table_init(&fixture->table, N_SLOTS, &fixture->arena);
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	peer_table_fini(&fixture->table);
	secret_arena_destroy(&fixture->arena);
	wg_local_fini(&fixture->local);
	free(fixture);
	return 0;
}

static uint32_t addr_of(unsigned who)
{
	return htonl(0x0a080002 + who);
}

static int insert(struct fixture *fixture, uint32_t slot, unsigned who, uint32_t generation)
{
	struct abi_command add = {
		.kind = ABI_COMMAND_ADD,
		.slot = slot,
		.generation = generation,
		.gate = ABI_GATE_THROTTLED,
		.inner = {.family = ABI_FAMILY_IPV4},
	};
	uint32_t addr_be = addr_of(who);

	memcpy(add.public_key, fixture->keys[who], WG_KEY_BYTES);
	memcpy(add.inner.addr, &addr_be, sizeof(addr_be));
	return peer_table_insert(&fixture->table, &add, &fixture->local, NULL);
}

static void test_against_a_model(void **state)
{
	struct fixture *fixture = *state;
	struct peer_table *table = &fixture->table;
	int slot_of[2 * N_SLOTS]; // of each key; -1 = not in the table
	int who_is[N_SLOTS];

	memset(slot_of, -1, sizeof(slot_of));
	memset(who_is, -1, sizeof(who_is));
	srand(1);
	for (unsigned step = 0; step < N_STEPS; step++) {
		unsigned slot = (unsigned)rand() % N_SLOTS, who = (unsigned)rand() % (2 * N_SLOTS);

		if (who_is[slot] >= 0) {
			peer_table_unlink(table, &table->peers[slot]);
			peer_table_remove(table, &table->peers[slot]);
			slot_of[who_is[slot]] = -1;
			who_is[slot] = -1;
		} else if (slot_of[who] < 0) {
			assert_int_equal(insert(fixture, slot, who, step + 1), 0);
			slot_of[who] = (int)slot;
			who_is[slot] = (int)who;
		}
		for (unsigned i = 0; i < 2 * N_SLOTS; i++) {
			struct peer *expected = slot_of[i] < 0 ? NULL : &table->peers[slot_of[i]];

			assert_ptr_equal(peer_table_lookup_key(table, fixture->keys[i]), expected);
			assert_ptr_equal(peer_table_lookup_addr(table, addr_of(i)), expected);
		}
	}
}

static void test_full(void **state)
{
	struct fixture *fixture = *state;

	for (unsigned i = 0; i < N_SLOTS; i++)
		assert_int_equal(insert(fixture, i, i, 1), 0);
	assert_int_equal(fixture->table.wg_pool.n_free, 0);
	assert_int_equal(fixture->table.n_used_slots, N_SLOTS);
	for (unsigned i = 0; i < N_SLOTS; i++)
		assert_ptr_equal(
			peer_table_lookup_key(&fixture->table, fixture->keys[i]),
			&fixture->table.peers[i]
		);
}

static void test_life_of_a_session(void **state)
{
	struct fixture *fixture = *state;
	struct peer *peer = &fixture->table.peers[9];
	const uint8_t *secrets;

	assert_int_equal(insert(fixture, 9, 0, 5), 0);
	assert_true(peer->slot.is_live);
	assert_int_equal(peer->slot.generation, 5);
	assert_int_equal(peer->owner, ABI_OWNER_NONE);
	assert_int_equal(peer->gate, ABI_GATE_THROTTLED);
	secrets = (const uint8_t *)peer->wg;
	assert_memory_equal(peer->wg->public_key, fixture->keys[0], WG_KEY_BYTES);

	peer_table_unlink(&fixture->table, peer);
	assert_null(peer_table_lookup_key(&fixture->table, fixture->keys[0]));
	assert_null(peer_table_lookup_addr(&fixture->table, addr_of(0)));
	assert_false(peer->slot.is_live);
	assert_true(peer->slot.is_removing);
	assert_null(peer->wg);
	for (size_t i = 0; i < sizeof(struct wg_peer); i++)
		assert_int_equal(secrets[i], 0);

	peer_table_remove(&fixture->table, peer);
	assert_false(peer->slot.is_removing);
	assert_int_equal(peer->slot.generation, 5); // so that it never lives again
	// Key and address are free for another slot.
	assert_int_equal(insert(fixture, 10, 0, 1), 0);
}

static void test_low_order_key(void **state)
{
	struct fixture *fixture = *state;

	memset(fixture->keys[3], 0, WG_KEY_BYTES);
	assert_int_equal(insert(fixture, 3, 3, 1), -EINVAL);
	assert_false(fixture->table.peers[3].slot.is_live);
	assert_int_equal(fixture->table.wg_pool.n_free, N_SLOTS);
	assert_null(peer_table_lookup_key(&fixture->table, fixture->keys[3]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_against_a_model, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_life_of_a_session, setup, teardown),
		cmocka_unit_test_setup_teardown(test_low_order_key, setup, teardown),
	};

	if (wg_primitives_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
