// SPDX-License-Identifier: Apache-2.0
//
// The slow path's half of the index table; the workers' lookup is inline in the header. Misuse
// (publishing what was not allotted, freeing what is published) is a programming error and
// asserted, never caused by a packet.
#include "wg_index.h"

#include "dataplane/wg/wg_primitives.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum entry_state {
	ENTRY_FREE = 0,
	ENTRY_ALLOTTED,
	ENTRY_PUBLISHED,
	ENTRY_UNLINKED,
};

size_t wg_index_memory_bytes(uint32_t capacity)
{
	if (capacity < 2 || capacity > WG_INDEX_CAPACITY_MAX || (capacity & (capacity - 1)) != 0)
		return 0;
	return capacity * (sizeof(struct wg_index_entry) + sizeof(uint32_t));
}

int wg_index_init(struct wg_index *table, void *memory, uint32_t capacity)
{
	size_t bytes = wg_index_memory_bytes(capacity);

	if (bytes == 0)
		return -EINVAL;
	memset(memory, 0, bytes);
	table->entries = memory;
	table->free_positions = (uint32_t *)(table->entries + capacity);
	table->capacity = capacity;
	table->n_free = capacity;
	for (uint32_t i = 0; i < capacity; i++)
		table->free_positions[i] = i;
	return 0;
}

// The entry of an index that was allotted and not yet freed.
static struct wg_index_entry *entry_of(struct wg_index *table, uint32_t index)
{
	struct wg_index_entry *entry = &table->entries[index & (table->capacity - 1)];

	assert(entry->allotted == index && entry->state != ENTRY_FREE);
	return entry;
}

int wg_index_allot(struct wg_index *table, uint32_t *ret_index)
{
	struct wg_index_entry *entry;
	uint32_t random[2], pick, position, index;

	if (table->n_free == 0)
		return -ENOSPC;
	// The bias of the modulo is below 2^-8 and says nothing about which positions are free.
	wg_primitives_random(random, sizeof(random));
	pick = random[0] % table->n_free;
	position = table->free_positions[pick];
	index = (random[1] & ~(table->capacity - 1)) | position;
	if (index == 0) // means "not published"
		index = table->capacity;
	table->free_positions[pick] = table->free_positions[--table->n_free];
	entry = &table->entries[position];
	entry->state = ENTRY_ALLOTTED;
	entry->allotted = index;
	*ret_index = index;
	return 0;
}

static uintptr_t handle_word(void *handle, enum wg_index_kind kind)
{
	assert(handle != NULL && ((uintptr_t)handle & 1) == 0);
	return (uintptr_t)handle | (uintptr_t)kind;
}

void wg_index_publish(struct wg_index *table, uint32_t index, const struct wg_index_ref *ref)
{
	struct wg_index_entry *entry = entry_of(table, index);

	assert(entry->state == ENTRY_ALLOTTED);
	atomic_store_explicit(
		&entry->handle, handle_word(ref->handle, ref->kind), memory_order_relaxed
	);
	entry->owner = ref->owner;
	entry->slot = ref->slot;
	entry->state = ENTRY_PUBLISHED;
	atomic_store_explicit(&entry->index, index, memory_order_release);
}

void wg_index_replace(struct wg_index *table, uint32_t index, void *handle, enum wg_index_kind kind)
{
	struct wg_index_entry *entry = entry_of(table, index);

	assert(entry->state == ENTRY_PUBLISHED);
	atomic_store_explicit(&entry->handle, handle_word(handle, kind), memory_order_release);
}

void wg_index_unlink(struct wg_index *table, uint32_t index)
{
	struct wg_index_entry *entry = entry_of(table, index);

	atomic_store_explicit(&entry->index, 0, memory_order_relaxed);
	entry->state = ENTRY_UNLINKED;
}

void wg_index_free(struct wg_index *table, uint32_t index)
{
	struct wg_index_entry *entry = entry_of(table, index);

	assert(entry->state == ENTRY_UNLINKED);
	entry->state = ENTRY_FREE;
	table->free_positions[table->n_free++] = index & (table->capacity - 1);
}
