// SPDX-License-Identifier: Apache-2.0
//
// The ring between two processes: order, full, empty, wrap of the free-running indices, and every
// index that the other side could never have written.
#include "common/shm_ring.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CAP 8u

struct record {
	uint64_t value;
	uint64_t check;
};

struct fixture {
	struct shm_ring producer;
	struct shm_ring consumer;
	_Alignas(64) uint8_t mem[128 + CAP * sizeof(struct record) + 64];
};

static void init(struct fixture *fix, uint32_t start)
{
	memset(fix, 0, sizeof(*fix));
	memset(fix->mem, 0xa5, sizeof(fix->mem));
	struct shm_ring_header *hdr = (void *)fix->mem;
	hdr->head = start;
	hdr->tail = start;
	shm_ring_attach_producer(&fix->producer, fix->mem, CAP, sizeof(struct record));
	shm_ring_attach_consumer(&fix->consumer, fix->mem, CAP, sizeof(struct record));
}

static int push(struct fixture *fix, uint64_t value)
{
	return shm_ring_push(&fix->producer, &(struct record){value, ~value});
}

static void assert_pop(struct fixture *fix, uint64_t value)
{
	struct record rec;

	assert_int_equal(shm_ring_pop(&fix->consumer, &rec), 1);
	assert_int_equal(rec.value, value);
	assert_int_equal(rec.check, ~value);
}

static void test_fifo_across_wrap(void **state)
{
	static const uint32_t starts[] = {0, 5, UINT32_MAX - 3, UINT32_MAX};
	struct fixture fix;
	struct record rec;

	(void)state;
	for (size_t s = 0; s < sizeof(starts) / sizeof(starts[0]); s++) {
		init(&fix, starts[s]);
		assert_int_equal(shm_ring_pop(&fix.consumer, &rec), 0);
		for (uint64_t round = 0; round < 3; round++) {
			for (uint64_t i = 0; i < CAP; i++)
				assert_int_equal(push(&fix, round * 100 + i), 0);
			assert_int_equal(push(&fix, 999), -ENOSPC);
			for (uint64_t i = 0; i < CAP; i++)
				assert_pop(&fix, round * 100 + i);
			assert_int_equal(shm_ring_pop(&fix.consumer, &rec), 0);
		}
		assert_int_equal(fix.producer.n_corrupt + fix.consumer.n_corrupt, 0);
	}
}

static void test_stays_in_its_memory(void **state)
{
	struct fixture fix;

	(void)state;
	init(&fix, UINT32_MAX - 1);
	for (uint64_t i = 0; i < CAP; i++)
		push(&fix, i);
	for (size_t i = shm_ring_bytes(CAP, sizeof(struct record)); i < sizeof(fix.mem); i++)
		assert_int_equal(fix.mem[i], 0xa5);
}

// Every distance that the other side cannot have, near both ends and by steps in between.
static bool next_distance(uint32_t *distance)
{
	if (*distance == UINT32_MAX)
		return false;
	*distance += *distance < 4 * CAP || *distance > UINT32_MAX - 4 * CAP ? 1 : 65521;
	if (*distance < 4 * CAP)
		*distance = UINT32_MAX;
	return true;
}

static void test_consumer_refuses_every_impossible_head(void **state)
{
	struct fixture fix;
	struct record rec = {1, 2};
	uint32_t distance = CAP;

	(void)state;
	while (next_distance(&distance)) {
		init(&fix, 77);
		struct shm_ring_header *hdr = (void *)fix.mem;
		hdr->head = 77 + distance;
		assert_int_equal(shm_ring_pop(&fix.consumer, &rec), -EPROTO);
		assert_int_equal(fix.consumer.n_corrupt, 1);
		assert_int_equal(rec.value, 1); // dst untouched
		// resynchronised: it goes on from there, and the producer's word agrees again
		assert_int_equal(hdr->tail, hdr->head);
		assert_int_equal(shm_ring_pop(&fix.consumer, &rec), 0);
	}
}

static void test_producer_refuses_every_impossible_tail(void **state)
{
	struct fixture fix;
	uint32_t distance = CAP;

	(void)state;
	while (next_distance(&distance)) {
		init(&fix, 77);
		uint8_t before[sizeof(fix.mem)];
		struct shm_ring_header *hdr = (void *)fix.mem;
		hdr->tail = 77 - distance;
		memcpy(before, fix.mem, sizeof(before));
		assert_int_equal(push(&fix, 5), -EPROTO);
		assert_int_equal(fix.producer.n_corrupt, 1);
		assert_memory_equal(before, fix.mem, sizeof(before));
	}
}

static void test_scribbled_own_words_heal(void **state)
{
	struct fixture fix;
	struct record rec;
	struct shm_ring_header *hdr;

	(void)state;
	init(&fix, 10);
	hdr = (void *)fix.mem;
	hdr->tail = 0xdeadbeef; // the consumer's own word, written by somebody else
	assert_int_equal(push(&fix, 1), -EPROTO);
	assert_int_equal(shm_ring_pop(&fix.consumer, &rec), 0);
	assert_int_equal(push(&fix, 2), 0);
	assert_pop(&fix, 2);

	hdr->head = 0xdeadbeef; // the producer's own word
	assert_int_equal(push(&fix, 3), 0);
	assert_pop(&fix, 3);
}

static void test_restarted_side_goes_on(void **state)
{
	struct fixture fix;
	struct shm_ring again;
	struct record rec;

	(void)state;
	init(&fix, UINT32_MAX);
	push(&fix, 1);
	push(&fix, 2);
	shm_ring_attach_producer(&again, fix.mem, CAP, sizeof(struct record));
	assert_int_equal(shm_ring_push(&again, &(struct record){3, ~3ull}), 0);
	assert_pop(&fix, 1);
	shm_ring_attach_consumer(&fix.consumer, fix.mem, CAP, sizeof(struct record));
	assert_pop(&fix, 2);
	assert_pop(&fix, 3);
	assert_int_equal(shm_ring_pop(&fix.consumer, &rec), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fifo_across_wrap),
		cmocka_unit_test(test_stays_in_its_memory),
		cmocka_unit_test(test_consumer_refuses_every_impossible_head),
		cmocka_unit_test(test_producer_refuses_every_impossible_tail),
		cmocka_unit_test(test_scribbled_own_words_heal),
		cmocka_unit_test(test_restarted_side_goes_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
