// SPDX-License-Identifier: Apache-2.0
//
// A single-producer single-consumer ring of fixed records in shared memory, between two processes
// that do not trust each other. Each side keeps its own index and geometry in private memory
// (struct shm_ring) and takes from the shared header only the other side's index, checked against
// the capacity. A record is copied out before it is looked at.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// In shared memory; each index on its own line. Records follow after 128 bytes.
struct shm_ring_header {
	uint32_t head; // producer writes (release): records produced, free running
	uint8_t pad0[60];
	uint32_t tail; // consumer writes (release): records consumed, free running
	uint8_t pad1[60];
};

// Private to one side.
struct shm_ring {
	struct shm_ring_header *header;
	uint8_t *records;
	uint32_t capacity; // power of two
	uint32_t record_bytes;
	uint32_t own_idx; // head of a producer, tail of a consumer
	uint64_t n_corrupt; // impossible foreign indices seen
};

size_t shm_ring_bytes(uint32_t capacity, uint32_t record_bytes);

// Out: ring, attached to header; the own index starts from the shared word of that side.
void shm_ring_attach_producer(
	struct shm_ring *ring, void *mem, uint32_t capacity, uint32_t record_bytes
);
void shm_ring_attach_consumer(
	struct shm_ring *ring, void *mem, uint32_t capacity, uint32_t record_bytes
);

// Returns: 0; -ENOSPC when full; -EPROTO when the foreign index is impossible (counted, nothing
//          written).
int shm_ring_push(struct shm_ring *ring, const void *record);

// Returns: 1 with a private copy in dst; 0 when empty; -EPROTO when the foreign index is impossible
//          (counted; the ring resynchronises to the foreign index, so that a restarted or hostile
//          producer costs its records and nothing else).
int shm_ring_pop(struct shm_ring *ring, void *dst);
