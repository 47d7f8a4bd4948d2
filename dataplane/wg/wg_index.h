// SPDX-License-Identifier: Apache-2.0
//
// Receiver indices: from the 32 bits in a message to the keypair or pending handshake they name.
// The low bits are a position in an array, the rest is random and compared, and the position itself
// is drawn at random from the free ones: an index can neither be predicted nor hit by counting. The
// slow path allots, publishes, unlinks and frees; workers look up at the same time without a lock.
//
// The life of an index: allot → publish → unlink → (one grace period, the caller's) → free. What
// the handle points to belongs to the caller, who may release it after the same grace period.
#ifndef WG_INDEX_H
#define WG_INDEX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// At least eight random bits stay beside the position.
#define WG_INDEX_CAPACITY_MAX (UINT32_C(1) << 24)

enum wg_index_kind {
	WG_INDEX_KEYPAIR = 0,
	WG_INDEX_HANDSHAKE = 1, // pending: an initiation of ours that waits for its response
};

// What an index names.
struct wg_index_ref {
	void *handle; // at least 2-byte aligned, never NULL
	enum wg_index_kind kind;
	uint16_t owner; // worker that owns the session
	uint32_t slot; // session slot
};

struct wg_index_entry {
	_Atomic uint32_t index; // slow path: rw, workers: ro. 0: not published
	uint32_t slot;
	_Atomic uintptr_t handle; // lowest bit: enum wg_index_kind
	uint16_t owner;
	uint8_t state; // slow path only
	uint32_t allotted; // slow path only: the index given out for this position
} __attribute__((aligned(32))); // never across two cache lines

struct wg_index {
	struct wg_index_entry *entries; // capacity of them
	uint32_t *free_positions; // slow path only: the first n_free are free
	uint32_t capacity; // a power of two
	uint32_t n_free; // slow path only
};

// Bytes of caller's memory for a table of this capacity; 0 if the capacity is not a power of two
// within bounds (2 to WG_INDEX_CAPACITY_MAX).
size_t wg_index_memory_bytes(uint32_t capacity);
// memory is wg_index_memory_bytes(capacity) long, 64-byte aligned, and outlives the table. -EINVAL
// on a bad capacity.
__attribute__((warn_unused_result)) int wg_index_init(
	struct wg_index *table, void *memory, uint32_t capacity
);

// Slow path. A random, non-zero index that nobody can look up yet. -ENOSPC if all are in use.
__attribute__((warn_unused_result)) int wg_index_allot(struct wg_index *table, uint32_t *ret_index);
// Slow path. Makes an allotted index visible (release): all behind ref->handle must be written
// before.
void wg_index_publish(struct wg_index *table, uint32_t index, const struct wg_index_ref *ref);
// Slow path. Changes handle and kind of a published index in one store (a handshake has become a
// keypair). The old handle may be in use until a grace period has passed.
void wg_index_replace(
	struct wg_index *table, uint32_t index, void *handle, enum wg_index_kind kind
);
// Slow path. No lookup that starts after it finds the index. Safe on an index that was allotted and
// never published.
void wg_index_unlink(struct wg_index *table, uint32_t index);
// Slow path, one grace period after unlink: the position may be allotted again.
void wg_index_free(struct wg_index *table, uint32_t index);

// Any thread. Whether the index (host order) is published; if so *ret_ref says what it names
// (acquire).
static inline bool wg_index_lookup(
	const struct wg_index *table, uint32_t index, struct wg_index_ref *ret_ref
)
{
	const struct wg_index_entry *entry = &table->entries[index & (table->capacity - 1)];
	uintptr_t handle;

	if (index == 0 || atomic_load_explicit(&entry->index, memory_order_acquire) != index)
		return false;
	handle = atomic_load_explicit(&entry->handle, memory_order_acquire);
	ret_ref->handle = (void *)(handle & ~(uintptr_t)1);
	ret_ref->kind = handle & 1 ? WG_INDEX_HANDSHAKE : WG_INDEX_KEYPAIR;
	ret_ref->owner = entry->owner;
	ret_ref->slot = entry->slot;
	return true;
}

// For a burst: brings the entry of an index into the cache.
static inline void wg_index_prefetch(const struct wg_index *table, uint32_t index)
{
	__builtin_prefetch(&table->entries[index & (table->capacity - 1)]);
}

#endif
