// SPDX-License-Identifier: Apache-2.0
//
// nat_map: hash table and inbound array against a plain list of tuples through random inserts and
// removals, in a table filled to its last entry.
#include "nat_fixture.h"

#include "tests/unit/test.h"

#define N_TUPLES 400

static struct nat_tuple tuple_at(uint32_t i)
{
	return (struct nat_tuple){
		.session_slot = i % 8,
		.int_addr_be32 = htonl(fix_inner(i % 8)),
		.int_port_be16 = htons((uint16_t)(i / 24)),
		.proto = (uint8_t)(i / 8 % 3),
	};
}

static void test_against_list(void **state)
{
	(void)state;
	struct nat_conf conf;
	fix_conf(&conf);
	conf.session_mapping_limit = 40;
	conf.quarantine_ns = 0;
	struct nat *nat = fix_create(&conf);
	struct nat_map *map = &nat->map;
	uint32_t list[N_TUPLES];
	uint32_t n = 0, n_full = 0, n_limited = 0;
	memset(list, 0xff, sizeof(list));
	srandom(8);
	for (int step = 0; step < 60000; step++) {
		uint32_t i = (uint32_t)random() % N_TUPLES;
		struct nat_tuple tuple = tuple_at(i);
		uint32_t hash = nat_map_hash(map, &tuple);
		assert_int_equal(nat_map_lookup(map, &tuple, hash), list[i]);
		if (list[i] != NAT_IDX_NONE) {
			const struct nat_mapping *m = &map->mappings[list[i]];
			assert_int_equal(
				nat_map_lookup_inbound(map, m->ext_idx, m->proto, m->ext_port_be16),
				list[i]
			);
			// Long phases that fill the table, long ones that empty it.
			if (step / 5000 % 2 == 0 && random() % 8 != 0)
				continue;
			nat_map_remove(map, list[i], FIX_START);
			list[i] = NAT_IDX_NONE;
			n--;
		} else {
			enum nat_map_result got =
				nat_map_insert(map, &tuple, hash, FIX_START, &list[i]);
			if (n == 256) {
				assert_true(
					got == NAT_MAP_NO_ENTRY || got == NAT_MAP_SESSION_LIMIT
				);
			}
			n_full += got == NAT_MAP_NO_ENTRY;
			n_limited += got == NAT_MAP_SESSION_LIMIT;
			n += got == NAT_MAP_OK;
		}
		assert_int_equal(map->n_mappings, n);
		if (step % 1000 == 0)
			assert_true(fix_check_consistent(nat));
	}
	assert_true(n_full > 0 && n_limited > 0);
	fix_destroy(nat);
}

// The hash is keyed: another seed, other buckets.
static void test_hash_is_keyed(void **state)
{
	(void)state;
	struct nat_conf conf;
	fix_conf(&conf);
	struct nat *a = fix_create(&conf);
	conf.seed[3] ^= 1;
	struct nat *b = fix_create(&conf);
	uint32_t n_equal = 0;
	for (uint32_t i = 0; i < N_TUPLES; i++) {
		struct nat_tuple tuple = tuple_at(i);
		n_equal += (nat_map_hash(&a->map, &tuple) & 0xff) ==
			(nat_map_hash(&b->map, &tuple) & 0xff);
	}
	assert_true(n_equal < 20);
	fix_destroy(a);
	fix_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_list),
		cmocka_unit_test(test_hash_is_keyed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
