// SPDX-License-Identifier: Apache-2.0
//
// The one place in memory where secrets live: the node's private key, the peers' secrets, keypairs,
// cookie secrets. One locked mapping for all of them, because a locked allocation for each would end
// at the kernel's number of maps (vm.max_map_count); pages are locked as they are first touched, so
// room for 100,000 sessions costs nothing until they come. Not in core dumps, not inherited by a
// child, with a guard page on either side. Destroying it zeroes every page that was ever touched.
//
// Built and destroyed by main(); pools are the slow path's.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct secret_arena {
	uint8_t *base;
	size_t bytes;
	size_t used_bytes;
};

// Objects of one size in the arena. The list of free ones is ordinary memory: it holds no secrets.
struct secret_pool {
	uint8_t *base;
	size_t object_bytes;
	uint32_t *free_idx; // the first n_free are free
	uint32_t n_free;
	uint32_t n_objects;
};

// Returns: 0, or -errno with a sentence in err (what was refused, how much was wanted, the way out).
__attribute__((warn_unused_result)) int secret_arena_create(
	struct secret_arena *ret, size_t bytes, char *err, size_t err_len
);

// Zeroes and unmaps. Safe on an arena of zeros.
void secret_arena_destroy(struct secret_arena *arena);

// Returns: zeroed memory for the arena's life, aligned to 64 bytes; NULL when it is used up.
void *secret_arena_take(struct secret_arena *arena, size_t bytes);

// Returns: bytes that secret_arena_take() of this size uses up.
static inline size_t secret_arena_round(size_t bytes)
{
	return (bytes + 63) & ~(size_t)63;
}

// Returns: 0 or -ENOMEM.
__attribute__((warn_unused_result)) int secret_pool_init(
	struct secret_pool *ret, struct secret_arena *arena, size_t object_bytes, uint32_t n_objects
);
void secret_pool_fini(struct secret_pool *pool);

// Returns: a zeroed object, or NULL when none is free. The one freed last comes first, so that few
// pages are in use.
void *secret_pool_take(struct secret_pool *pool);

// Zeroes the object and takes it back.
void secret_pool_give(struct secret_pool *pool, void *object);
