// SPDX-License-Identifier: Apache-2.0
//
// The receiver index table: its life cycle, forged indices, exhaustion, and that indices cannot be
// predicted.
#include "dataplane/wg/wg_index.h"
#include "dataplane/wg/wg_primitives.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY = 256 };

static struct wg_index table;
static void *memory;
static uint64_t objects[CAPACITY];

static void start(uint32_t capacity)
{
	size_t bytes = wg_index_memory_bytes(capacity);

	free(memory);
	memory = aligned_alloc(64, (bytes + 63) / 64 * 64);
	assert_non_null(memory);
	assert_int_equal(wg_index_init(&table, memory, capacity), 0);
}

static uint32_t put(void *handle, enum wg_index_kind kind, uint16_t owner, uint32_t slot)
{
	const struct wg_index_ref ref = {handle, kind, owner, slot};
	struct wg_index_ref found;
	uint32_t index;

	assert_int_equal(wg_index_allot(&table, &index), 0);
	assert_int_not_equal(index, 0);
	assert_false(wg_index_lookup(&table, index, &found)); // allotted is not published
	wg_index_publish(&table, index, &ref);
	return index;
}

static void test_sizes(void **state)
{
	static const struct {
		uint32_t capacity;
		bool is_valid;
	} rows[] = {
		{0, false},
		{1, false},
		{2, true},
		{3, false},
		{256, true},
		{257, false},
		{WG_INDEX_CAPACITY_MAX, true},
		{WG_INDEX_CAPACITY_MAX * 2, false},
		{UINT32_MAX, false},
	};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		assert_int_equal(wg_index_memory_bytes(rows[i].capacity) != 0, rows[i].is_valid);
		if (!rows[i].is_valid)
			assert_int_equal(wg_index_init(&table, objects, rows[i].capacity), -EINVAL);
	}
}

static void test_life_cycle(void **state)
{
	struct wg_index_ref found = {.slot = 99};
	uint32_t index;

	(void)state;
	start(CAPACITY);
	index = put(&objects[0], WG_INDEX_HANDSHAKE, 3, 77);
	assert_true(wg_index_lookup(&table, index, &found));
	assert_ptr_equal(found.handle, &objects[0]);
	assert_int_equal(found.kind, WG_INDEX_HANDSHAKE);
	assert_int_equal(found.owner, 3);
	assert_int_equal(found.slot, 77);

	wg_index_replace(&table, index, &objects[1], WG_INDEX_KEYPAIR);
	assert_true(wg_index_lookup(&table, index, &found));
	assert_ptr_equal(found.handle, &objects[1]);
	assert_int_equal(found.kind, WG_INDEX_KEYPAIR);
	assert_int_equal(found.owner, 3);

	wg_index_unlink(&table, index);
	found.slot = 1234;
	assert_false(wg_index_lookup(&table, index, &found));
	assert_int_equal(found.slot, 1234); // untouched
	wg_index_free(&table, index);
	assert_false(wg_index_lookup(&table, index, &found));
}

// With the table full, nothing but the exact 32 bits finds an entry.
static void test_forgery(void **state)
{
	uint32_t index[CAPACITY];
	struct wg_index_ref found;

	(void)state;
	start(CAPACITY);
	for (unsigned int i = 0; i < CAPACITY; i++)
		index[i] = put(&objects[i], WG_INDEX_KEYPAIR, 0, i);
	for (unsigned int i = 0; i < CAPACITY; i++) {
		assert_true(wg_index_lookup(&table, index[i], &found));
		assert_int_equal(found.slot, i);
		for (unsigned int bit = 8; bit < 32; bit++)
			assert_false(
				wg_index_lookup(&table, index[i] ^ (UINT32_C(1) << bit), &found)
			);
		// A flipped low bit is another position, whose high bits differ.
		for (unsigned int bit = 0; bit < 8; bit++) {
			if (wg_index_lookup(&table, index[i] ^ (UINT32_C(1) << bit), &found))
				assert_int_not_equal(found.slot, i);
		}
	}
	assert_false(wg_index_lookup(&table, 0, &found));
}

static void test_exhaustion_and_reuse(void **state)
{
	uint32_t index[CAPACITY], extra = 42;
	struct wg_index_ref found;

	(void)state;
	start(CAPACITY);
	for (unsigned int i = 0; i < CAPACITY; i++)
		index[i] = put(&objects[i], WG_INDEX_KEYPAIR, 0, i);
	assert_int_equal(wg_index_allot(&table, &extra), -ENOSPC);
	assert_int_equal(extra, 42);
	// Unlinked is not free: only after the grace period may the position come again.
	wg_index_unlink(&table, index[5]);
	assert_int_equal(wg_index_allot(&table, &extra), -ENOSPC);
	wg_index_free(&table, index[5]);
	extra = put(&objects[5], WG_INDEX_KEYPAIR, 1, 500);
	assert_int_equal(extra % CAPACITY, index[5] % CAPACITY);
	assert_true(wg_index_lookup(&table, extra, &found));
	assert_int_equal(found.slot, 500);
	// Allotted and given up without being published.
	wg_index_unlink(&table, extra);
	wg_index_free(&table, extra);
	assert_int_equal(wg_index_allot(&table, &extra), 0);
	wg_index_unlink(&table, extra);
	wg_index_free(&table, extra);
	assert_int_equal(table.n_free, 1);
}

// Neither position nor high bits follow from the index before: over many allotments each bit is set
// about half the time (a fair coin leaves 40 to 60 % of 4,096 throws with a probability below
// 1e-36).
static void test_unpredictable(void **state)
{
	enum { THROWS = 4096 };
	unsigned int set[32] = {0}, n_successors = 0;
	uint32_t last = 0;

	(void)state;
	start(CAPACITY);
	for (int i = 0; i < THROWS; i++) {
		uint32_t index;

		assert_int_equal(wg_index_allot(&table, &index), 0);
		for (unsigned int bit = 0; bit < 32; bit++)
			set[bit] += index >> bit & 1;
		n_successors += index % CAPACITY == (last + 1) % CAPACITY;
		last = index;
		wg_index_unlink(&table, index);
		wg_index_free(&table, index);
	}
	for (unsigned int bit = 0; bit < 32; bit++)
		assert_in_range(set[bit], THROWS * 4 / 10, THROWS * 6 / 10);
	assert_in_range(n_successors, 0, THROWS / 20);
}

// The table against a plain array of what is published, under random operations.
static void test_model(void **state)
{
	struct {
		uint32_t index;
		unsigned int tag; // 0: not in use
	} model[CAPACITY] = {0};
	struct wg_index_ref found;

	(void)state;
	start(CAPACITY);
	srand(3);
	for (unsigned int step = 1; step < 20000; step++) {
		unsigned int i = (unsigned int)rand() % CAPACITY;

		if (model[i].tag == 0) {
			model[i].index = put(&objects[i], (enum wg_index_kind)(step & 1), 0, step);
			model[i].tag = step;
		} else {
			assert_true(wg_index_lookup(&table, model[i].index, &found));
			assert_int_equal(found.slot, model[i].tag);
			assert_ptr_equal(found.handle, &objects[i]);
			assert_int_equal(found.kind, model[i].tag & 1);
			wg_index_unlink(&table, model[i].index);
			assert_false(wg_index_lookup(&table, model[i].index, &found));
			wg_index_free(&table, model[i].index);
			model[i].tag = 0;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_life_cycle),
		cmocka_unit_test(test_forgery),
		cmocka_unit_test(test_exhaustion_and_reuse),
		cmocka_unit_test(test_unpredictable),
		cmocka_unit_test(test_model),
	};
	int ret;

	if (wg_primitives_init() < 0)
		return 1;
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	free(memory);
	return ret;
}
