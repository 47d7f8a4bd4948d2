// SPDX-License-Identifier: Apache-2.0
//
// Two threads on what two processes share: a ring, a session slot written by its owner while it is
// read and allotted again, a record under a sequence count. Every record that is read must be one
// that was written whole.
#include "common/abi_attach.h"
#include "common/counter.h"
#include "common/shm_ring.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define N_RECORDS 200000u
#define RING_CAP 64u
#define N_ROUNDS 200000u

struct record {
	uint64_t sequence;
	uint64_t words[3]; // functions of sequence
};

static _Alignas(64) uint8_t ring_memory[128 + RING_CAP * sizeof(struct record)];

static void *produce(void *arg)
{
	struct shm_ring *ring = arg;

	for (uint64_t i = 0; i < N_RECORDS;) {
		const struct record record = {i, {~i, i * 3, i ^ 0x5555}};
		if (shm_ring_push(ring, &record) == 0)
			i++;
		else
			sched_yield();
	}
	return NULL;
}

static void test_ring(void **state)
{
	struct shm_ring producer, consumer;
	struct record record;
	pthread_t thread;

	(void)state;
	shm_ring_attach_producer(&producer, ring_memory, RING_CAP, sizeof(record));
	shm_ring_attach_consumer(&consumer, ring_memory, RING_CAP, sizeof(record));
	assert_int_equal(pthread_create(&thread, NULL, produce, &producer), 0);
	for (uint64_t i = 0; i < N_RECORDS;) {
		int rc = shm_ring_pop(&consumer, &record);
		if (rc == 0) {
			sched_yield();
			continue;
		}
		assert_int_equal(rc, 1);
		assert_int_equal(record.sequence, i);
		assert_true(record.words[0] == ~i);
		assert_true(record.words[1] == i * 3);
		assert_true(record.words[2] == (i ^ 0x5555));
		i++;
	}
	pthread_join(thread, NULL);
	assert_int_equal(producer.n_corrupt + consumer.n_corrupt, 0);
}

static struct abi_session_slot slot;
static bool is_over;

// In every generation g the counters rise by 1 from 0 and the limits line says g in each word.
static void *own_slot(void *arg)
{
	size_t from = offsetof(struct abi_session_limits, base_out_bytes);

	(void)arg;
	for (uint32_t round = 0; round < N_ROUNDS; round++) {
		uint32_t generation = 1 + round / 1000;
		if (round % 1000 == 0) {
			const struct abi_session_limits limits = {
				.base_out_bytes = generation,
				.base_in_bytes = generation,
				.limit_bytes = generation,
				.last_handshake_unix_ns = generation,
			};
			seqcount_write(
				&slot.limits.seq,
				(uint8_t *)&slot.limits + from,
				(const uint8_t *)&limits + from,
				sizeof(limits) - from
			);
			abi_session_publish(&slot, generation, ABI_SLOT_ACTIVE, ABI_GATE_OPEN);
		}
		counter_add(&slot.live.out_bytes, 1);
		counter_add(&slot.free.free_out_bytes, 1);
	}
	__atomic_store_n(&is_over, true, __ATOMIC_RELEASE);
	return NULL;
}

static void test_slot_written_while_read(void **state)
{
	struct abi_session_reading reading;
	uint32_t last_generation = 0;
	uint64_t last_bytes = 0, n_read = 0;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, own_slot, NULL), 0);
	while (!__atomic_load_n(&is_over, __ATOMIC_ACQUIRE) || n_read == 0) {
		uint32_t generation = __atomic_load_n(&slot.live.generation, __ATOMIC_ACQUIRE);
		if (generation == 0 || abi_attach_read_session(&reading, &slot, generation) != 0)
			continue;
		n_read++;
		if (generation != last_generation)
			last_bytes = 0;
		assert_true(generation >= last_generation);
		// Within a generation nothing goes down, and nothing of another one shows.
		assert_true(reading.out_bytes >= last_bytes);
		assert_true(reading.out_bytes <= 1000);
		// The limits line is written first: one generation ahead is the most it can be.
		assert_true(reading.base_out_bytes == reading.base_in_bytes);
		assert_true(reading.base_out_bytes == reading.limit_bytes);
		assert_in_range(reading.limit_bytes, generation, generation + 1);
		last_generation = generation;
		last_bytes = reading.out_bytes;
	}
	pthread_join(thread, NULL);
	assert_int_equal(abi_attach_read_session(&reading, &slot, N_ROUNDS / 1000), 0);
	assert_int_equal(reading.out_bytes, 1000);
}

static uint64_t shared[6];
static uint32_t seq;
static bool is_written;

static void *write_records(void *arg)
{
	(void)arg;
	for (uint64_t i = 1; i <= N_ROUNDS; i++) {
		const uint64_t record[6] = {i, i + 1, i + 2, i + 3, i + 4, i + 5};
		seqcount_write(&seq, shared, record, sizeof(record));
	}
	__atomic_store_n(&is_written, true, __ATOMIC_RELEASE);
	return NULL;
}

static void test_seqcount(void **state)
{
	uint64_t copy[6], last = 0;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, write_records, NULL), 0);
	while (!__atomic_load_n(&is_written, __ATOMIC_ACQUIRE)) {
		if (!seqcount_read(&seq, copy, shared, sizeof(copy)) || copy[0] == 0)
			continue;
		for (uint64_t w = 1; w < 6; w++)
			assert_true(copy[w] == copy[0] + w);
		assert_true(copy[0] >= last);
		last = copy[0];
	}
	pthread_join(thread, NULL);
	assert_true(seqcount_read(&seq, copy, shared, sizeof(copy)));
	assert_int_equal(copy[0], N_ROUNDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ring),
		cmocka_unit_test(test_slot_written_while_read),
		cmocka_unit_test(test_seqcount),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
