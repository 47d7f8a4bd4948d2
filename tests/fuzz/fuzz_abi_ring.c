// SPDX-License-Identifier: Apache-2.0
//
// Fuzz target: the other side of a ring writes whatever it likes into the shared memory, between
// calls of ours. No index leads outside, a copied record is one that stands in the memory, and both
// directions work again as soon as the other side behaves.
#include "common/shm_ring.h"

#include <stdlib.h>
#include <string.h>

#define CAP 8u
#define GUARD 64u

struct record {
	uint64_t words[2];
};

#define RING_BYTES (128 + CAP * sizeof(struct record))

static _Alignas(64) uint8_t memory[RING_BYTES + GUARD];

static void check_guard(void)
{
	for (size_t i = RING_BYTES; i < sizeof(memory); i++) {
		if (memory[i] != 0xc3)
			abort();
	}
}

static void check_recovery(struct shm_ring *consumer)
{
	struct shm_ring producer;
	struct record record = {{1, 2}}, got;
	struct shm_ring_header *header = (void *)memory;

	// At most one refusal, then the indices agree again.
	while (shm_ring_pop(consumer, &got) != 0)
		;
	header->head = header->tail;
	shm_ring_attach_producer(&producer, memory, CAP, sizeof(record));
	if (shm_ring_push(&producer, &record) != 0)
		abort();
	if (shm_ring_pop(consumer, &got) != 1 || memcmp(&got, &record, sizeof(got)) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct shm_ring producer, consumer;
	struct record record;

	memset(memory, 0, RING_BYTES);
	memset(memory + RING_BYTES, 0xc3, GUARD);
	shm_ring_attach_producer(&producer, memory, CAP, sizeof(record));
	shm_ring_attach_consumer(&consumer, memory, CAP, sizeof(record));
	for (size_t i = 0; i + 4 <= len; i += 4) {
		size_t at = (size_t)(data[i + 1] | data[i + 2] << 8) % RING_BYTES;
		memset(&record, data[i + 3], sizeof(record));
		switch (data[i] % 4) {
		case 0:
			memory[at] = data[i + 3];
			break;
		case 1:
			shm_ring_push(&producer, &record);
			break;
		case 2:
			if (shm_ring_pop(&consumer, &record) > 1)
				abort();
			break;
		case 3: // the hostile side sets an index
			memcpy(memory + (data[i + 1] & 1 ? 0 : 64), data + i, 4);
			break;
		}
		check_guard();
	}
	check_recovery(&consumer);
	check_guard();
	return 0;
}
