// SPDX-License-Identifier: Apache-2.0
//
// nat_filter against a slow model: an array of (slot, mapping, remote) in order of use, searched from
// end to end. Entries are bounded per session; the least recently used is replaced.
#include "nat_fixture.h"

#include "tests/unit/test.h"

#define N_MODEL 64
#define LIMIT 12

struct model_entry {
	uint32_t slot;
	uint32_t mapping_idx;
	uint32_t remote_be32;
	uint64_t lru_ns;
};

// Oldest use first.
static struct model_entry model[N_MODEL];
static size_t n_model;

static size_t model_find(uint32_t mapping_idx, uint32_t remote_be32)
{
	size_t at = 0;
	while (at < n_model &&
	       (model[at].mapping_idx != mapping_idx || model[at].remote_be32 != remote_be32))
		at++;
	return at;
}

static void model_remove(size_t at)
{
	memmove(&model[at], &model[at + 1], (n_model - at - 1) * sizeof(model[0]));
	n_model--;
}

static void model_use(uint32_t slot, uint32_t mapping_idx, uint32_t remote_be32, uint64_t now_ns)
{
	size_t at = model_find(mapping_idx, remote_be32);
	if (at < n_model) {
		if (now_ns - model[at].lru_ns < NAT_FILTER_LRU_NS)
			return;
		model_remove(at);
	} else {
		size_t n = 0, oldest = n_model;
		for (size_t i = n_model; i-- > 0;) {
			n += model[i].slot == slot;
			oldest = model[i].slot == slot ? i : oldest;
		}
		if (n == LIMIT)
			model_remove(oldest);
	}
	model[n_model++] = (struct model_entry){slot, mapping_idx, remote_be32, now_ns};
}

static void test_against_model(void **state)
{
	(void)state;
	struct nat_conf conf;
	fix_conf(&conf);
	conf.session_filter_limit = LIMIT;
	struct nat *nat = fix_create(&conf);
	uint32_t mappings[15];
	uint64_t now_ns = FIX_START;
	for (uint32_t i = 0; i < 15; i++) {
		struct nat_tuple tuple = {i / 3, fix_inner(i / 3), (uint16_t)i, NAT_PROTO_UDP};
		uint32_t hash = nat_map_hash(&nat->map, &tuple);
		assert_int_equal(
			nat_map_insert(&nat->map, &tuple, hash, now_ns, &mappings[i]), NAT_MAP_OK
		);
	}
	srandom(7);
	for (int step = 0; step < 40000; step++) {
		uint32_t i = (uint32_t)random() % 15;
		uint32_t remote = htonl(FIX_REMOTE + (uint32_t)random() % 8);
		now_ns += (uint64_t)random() % (NAT_FILTER_LRU_NS / 2);
		uint32_t idx = nat_filter_lookup(&nat->filter, mappings[i], remote);
		assert_int_equal(idx != NAT_IDX_NONE, model_find(mappings[i], remote) < n_model);
		if (random() % 10 == 0) {
			if (idx == NAT_IDX_NONE)
				continue;
			nat_filter_remove(&nat->filter, idx);
			model_remove(model_find(mappings[i], remote));
		} else {
			if (idx == NAT_IDX_NONE)
				nat_filter_insert(&nat->filter, mappings[i], remote, now_ns);
			else
				nat_filter_touch(&nat->filter, idx, now_ns);
			model_use(i / 3, mappings[i], remote, now_ns);
		}
		assert_int_equal(nat->filter.n_entries, n_model);
		if (step % 100 == 0) {
			for (size_t at = 0; at < n_model; at++)
				assert_int_not_equal(
					nat_filter_lookup(
						&nat->filter,
						model[at].mapping_idx,
						model[at].remote_be32
					),
					NAT_IDX_NONE
				);
			assert_true(fix_check_consistent(nat));
		}
	}
	assert_true(nat->filter.n_replaced > 1000);
	fix_destroy(nat);
}

// The count of established connections follows every way in which one can end.
static void test_established_count(void **state)
{
	(void)state;
	struct nat_conf conf;
	fix_conf(&conf);
	conf.session_filter_limit = 2;
	struct nat *nat = fix_create(&conf);
	struct nat_tuple tuple = {0, fix_inner(0), 1, NAT_PROTO_TCP};
	uint32_t idx;
	nat_map_insert(&nat->map, &tuple, nat_map_hash(&nat->map, &tuple), FIX_START, &idx);
	const struct nat_mapping *mapping = &nat->map.mappings[idx];
	for (uint32_t i = 0; i < 5; i++) {
		uint32_t f =
			nat_filter_insert(&nat->filter, idx, htonl(FIX_REMOTE + i), FIX_START + i);
		nat_filter_set_tcp_state(&nat->filter, f, NAT_TCP_ESTABLISHED);
		nat_filter_set_tcp_state(&nat->filter, f, NAT_TCP_FIN_IN);
		assert_int_equal(mapping->n_established, i < 1 ? 1 : 2);
		assert_true(fix_check_consistent(nat));
	}
	nat_filter_set_tcp_state(&nat->filter, mapping->filter_head, NAT_TCP_RESET);
	assert_int_equal(mapping->n_established, 1);
	nat_filter_remove(&nat->filter, mapping->filter_head);
	nat_filter_remove(&nat->filter, mapping->filter_head);
	assert_int_equal(mapping->n_established, 0);
	fix_destroy(nat);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_model),
		cmocka_unit_test(test_established_count),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
