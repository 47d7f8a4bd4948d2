// SPDX-License-Identifier: Apache-2.0
//
// The receiver index table and the timers' stamps between threads: workers look up while the slow
// path allots, publishes, replaces, unlinks and frees. Under TSan it shows races; without it, a
// handle seen before its object is whole or after it was wiped. Grace periods are counted as in
// QSBR: each worker has passed a quiet point.
#include "dataplane/wg/wg_index.h"
#include "dataplane/wg/wg_primitives.h"
#include "dataplane/wg/wg_timers.h"
#include "tests/unit/test.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum {
	CAPACITY = 64,
	N_LIVE = 16, // indices in use at a time
	N_WORKERS = 2,
	ROUNDS = 300,
};

// Plain fields: only the table's ordering makes them safe to read.
struct object {
	uint32_t index;
	uint32_t slot;
	struct wg_timers timers;
};

static struct wg_index table;
static _Atomic uint32_t shared_index[N_LIVE]; // what is on the wire: may be stale
static _Atomic uint64_t quiet[N_WORKERS];
static _Atomic bool stopping;
static _Atomic uint64_t n_found, n_wrong;

static void look(unsigned int i)
{
	uint32_t index = atomic_load_explicit(&shared_index[i], memory_order_relaxed);
	struct wg_index_ref ref;
	struct object *object;

	if (!wg_index_lookup(&table, index, &ref))
		return;
	object = ref.handle;
	if (object->index != index || object->slot != ref.slot || ref.owner != i % N_WORKERS)
		atomic_fetch_add(&n_wrong, 1);
	if (i % N_WORKERS == ref.owner)
		atomic_fetch_add_explicit(&n_found, 1, memory_order_relaxed);
}

static void *worker(void *argument)
{
	size_t id = (size_t)argument;

	while (!atomic_load_explicit(&stopping, memory_order_relaxed)) {
		for (unsigned int i = 0; i < N_LIVE; i++)
			look(i);
		atomic_fetch_add_explicit(&quiet[id], 1, memory_order_release);
	}
	return NULL;
}

static void grace_period(void)
{
	for (unsigned int id = 0; id < N_WORKERS; id++) {
		uint64_t before = atomic_load_explicit(&quiet[id], memory_order_acquire);

		// Two, since the first may end a pass that began before the unlink was seen.
		while (atomic_load_explicit(&quiet[id], memory_order_acquire) < before + 2)
			sched_yield();
	}
}

static void place(struct object *object, unsigned int i, uint32_t slot)
{
	struct wg_index_ref ref = {object, WG_INDEX_KEYPAIR, (uint16_t)(i % N_WORKERS), slot};
	uint32_t index;

	assert_int_equal(wg_index_allot(&table, &index), 0);
	atomic_store_explicit(&shared_index[i], index, memory_order_relaxed);
	object->index = index;
	object->slot = slot;
	wg_index_publish(&table, index, &ref);
}

// One life of an index, from a pending handshake's object to a keypair's, to none.
static void replace_and_remove(struct object *old, struct object *successor)
{
	uint32_t index = old->index;

	*successor = *old;
	wg_index_replace(&table, index, successor, WG_INDEX_KEYPAIR);
	wg_index_unlink(&table, index);
	grace_period();
	wg_index_free(&table, index);
	memset(old, 0, sizeof(*old));
	memset(successor, 0, sizeof(*successor));
}

static void test_lookup_while_changing(void **state)
{
	static struct object objects[N_LIVE][2];
	pthread_t threads[N_WORKERS];
	void *memory = aligned_alloc(64, (wg_index_memory_bytes(CAPACITY) + 63) / 64 * 64);

	(void)state;
	assert_non_null(memory);
	assert_int_equal(wg_index_init(&table, memory, CAPACITY), 0);
	for (unsigned int i = 0; i < N_LIVE; i++)
		place(&objects[i][0], i, i);
	for (size_t id = 0; id < N_WORKERS; id++)
		assert_int_equal(pthread_create(&threads[id], NULL, worker, (void *)id), 0);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		unsigned int i = round % N_LIVE;

		replace_and_remove(&objects[i][0], &objects[i][1]);
		place(&objects[i][0], i, round);
	}
	atomic_store(&stopping, true);
	for (unsigned int id = 0; id < N_WORKERS; id++)
		assert_int_equal(pthread_join(threads[id], NULL), 0);
	assert_true(atomic_load(&n_found) > 0);
	assert_int_equal(atomic_load(&n_wrong), 0);
	free(memory);
}

static struct wg_timers timers;

static void *stamp(void *argument)
{
	(void)argument;
	for (uint64_t now_ns = 1; now_ns <= 200000; now_ns++) {
		wg_timers_received(&timers, true, now_ns);
		wg_timers_sent(&timers, now_ns % 3 == 0, now_ns);
	}
	return NULL;
}

// The owner stamps while the slow path scans: each stamp is read whole.
static void test_scan_while_stamping(void **state)
{
	pthread_t thread;
	uint64_t deadline_ns;

	(void)state;
	wg_timers_init(&timers);
	assert_int_equal(pthread_create(&thread, NULL, stamp, NULL), 0);
	for (int i = 0; i < 20000; i++) {
		assert_int_equal(wg_timers_due(&timers, WG_NS_PER_SEC, 200000), 0);
		deadline_ns = wg_timers_next_deadline_ns(&timers, WG_NS_PER_SEC);
		assert_true(deadline_ns == WG_TIMERS_NEVER || deadline_ns <= 16 * WG_NS_PER_SEC);
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lookup_while_changing),
		cmocka_unit_test(test_scan_while_stamping),
	};

	if (wg_primitives_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
