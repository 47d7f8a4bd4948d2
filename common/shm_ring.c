// SPDX-License-Identifier: Apache-2.0
//
// The ring of shm_ring.h. Everything that decides an address (own index, capacity, record size) is
// private to this side; from the shared header comes one number, and it is compared with the
// capacity before use. Each side also repairs its own shared word, so that a scribbled index heals
// at the next call of its owner. One producer thread, one consumer thread.
#include "common/shm_ring.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static_assert(sizeof(struct shm_ring_header) == 128, "records follow after 128 bytes");
static_assert(offsetof(struct shm_ring_header, tail) == 64, "each index on its own line");

size_t shm_ring_bytes(uint32_t capacity, uint32_t record_bytes)
{
	return sizeof(struct shm_ring_header) + (size_t)capacity * record_bytes;
}

static void attach(struct shm_ring *ring, void *mem, uint32_t capacity, uint32_t record_bytes)
{
	assert(capacity != 0 && (capacity & (capacity - 1)) == 0);
	assert(record_bytes != 0 && record_bytes % 8 == 0);
	*ring = (struct shm_ring){
		.header = mem,
		.records = (uint8_t *)mem + sizeof(struct shm_ring_header),
		.capacity = capacity,
		.record_bytes = record_bytes,
	};
}

void shm_ring_attach_producer(
	struct shm_ring *ring, void *mem, uint32_t capacity, uint32_t record_bytes
)
{
	attach(ring, mem, capacity, record_bytes);
	ring->own_idx = __atomic_load_n(&ring->header->head, __ATOMIC_ACQUIRE);
}

void shm_ring_attach_consumer(
	struct shm_ring *ring, void *mem, uint32_t capacity, uint32_t record_bytes
)
{
	attach(ring, mem, capacity, record_bytes);
	ring->own_idx = __atomic_load_n(&ring->header->tail, __ATOMIC_ACQUIRE);
}

static uint64_t *record_at(const struct shm_ring *ring, uint32_t idx)
{
	return (uint64_t
			*)(ring->records + (size_t)(idx & (ring->capacity - 1)) * ring->record_bytes);
}

// Keeps the line clean when it already holds the value: an idle poll writes nothing.
static void publish_own(uint32_t *word, uint32_t own_idx)
{
	if (__atomic_load_n(word, __ATOMIC_RELAXED) != own_idx)
		__atomic_store_n(word, own_idx, __ATOMIC_RELEASE);
}

int shm_ring_push(struct shm_ring *ring, const void *record)
{
	uint32_t tail = __atomic_load_n(&ring->header->tail, __ATOMIC_ACQUIRE);
	uint32_t used = ring->own_idx - tail;

	if (used > ring->capacity) {
		ring->n_corrupt++;
		publish_own(&ring->header->head, ring->own_idx);
		return -EPROTO;
	}
	if (used == ring->capacity) {
		publish_own(&ring->header->head, ring->own_idx);
		return -ENOSPC;
	}
	uint64_t *dst = record_at(ring, ring->own_idx);
	for (uint32_t w = 0; w < ring->record_bytes / 8; w++) {
		uint64_t word;
		memcpy(&word, (const uint8_t *)record + (size_t)w * 8, 8);
		__atomic_store_n(dst + w, word, __ATOMIC_RELAXED);
	}
	ring->own_idx++;
	__atomic_store_n(&ring->header->head, ring->own_idx, __ATOMIC_RELEASE);
	return 0;
}

int shm_ring_pop(struct shm_ring *ring, void *dst)
{
	uint32_t head = __atomic_load_n(&ring->header->head, __ATOMIC_ACQUIRE);
	uint32_t used = head - ring->own_idx;

	if (used == 0 || used > ring->capacity) {
		int ret = 0;
		if (used != 0) {
			ring->n_corrupt++;
			ring->own_idx = head;
			ret = -EPROTO;
		}
		publish_own(&ring->header->tail, ring->own_idx);
		return ret;
	}
	// Each word is fetched once: what is checked later is what was copied.
	const uint64_t *src = record_at(ring, ring->own_idx);
	for (uint32_t w = 0; w < ring->record_bytes / 8; w++) {
		uint64_t word = __atomic_load_n(src + w, __ATOMIC_RELAXED);
		memcpy((uint8_t *)dst + (size_t)w * 8, &word, 8);
	}
	ring->own_idx++;
	__atomic_store_n(&ring->header->tail, ring->own_idx, __ATOMIC_RELEASE);
	return 1;
}
