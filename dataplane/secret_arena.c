// SPDX-License-Identifier: Apache-2.0
//
// See secret_arena.h. System calls at creation and destruction only.
#include "dataplane/secret_arena.h"

#include "dataplane/wg/wg_primitives.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static size_t page_bytes(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static void describe_lock_refusal(size_t bytes, int error, char *err, size_t err_len)
{
	struct rlimit limit = {0};

	getrlimit(RLIMIT_MEMLOCK, &limit);
	snprintf(
		err,
		err_len,
		"cannot lock %zu bytes of memory for secrets (%s); RLIMIT_MEMLOCK is %llu bytes: "
		"run as root or with CAP_IPC_LOCK, raise the limit (LimitMEMLOCK=infinity), or "
		"lower sessions.max",
		bytes,
		strerror(error),
		(unsigned long long)limit.rlim_cur
	);
}

int secret_arena_create(struct secret_arena *ret, size_t bytes, char *err, size_t err_len)
{
	size_t page = page_bytes();
	uint8_t *map;
	int error;

	bytes = (bytes + page - 1) / page * page;
	map =
		mmap(NULL,
		     bytes + 2 * page,
		     PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		     -1,
		     0);
	if (map == MAP_FAILED) {
		error = errno;
		snprintf(
			err,
			err_len,
			"cannot map %zu bytes for secrets (%s): lower sessions.max",
			bytes,
			strerror(error)
		);
		return -error;
	}
	if (mprotect(map + page, bytes, PROT_READ | PROT_WRITE) < 0) {
		error = errno;
		snprintf(err, err_len, "cannot use the memory for secrets: %s", strerror(error));
		goto err_unmap;
	}
	if (mlock2(map + page, bytes, MLOCK_ONFAULT) < 0) {
		error = errno;
		describe_lock_refusal(bytes, error, err, err_len);
		goto err_unmap;
	}
	if (madvise(map + page, bytes, MADV_DONTDUMP) < 0 ||
	    madvise(map + page, bytes, MADV_WIPEONFORK) < 0) {
		error = errno;
		snprintf(
			err,
			err_len,
			"cannot keep secrets out of core dumps and children: %s",
			strerror(error)
		);
		goto err_unmap;
	}
	ret->base = map + page;
	ret->bytes = bytes;
	ret->used_bytes = 0;
	return 0;
err_unmap:
	munmap(map, bytes + 2 * page);
	return -error;
}

// Locked pages are never swapped out, so a page that is not resident was never written: zeroing the
// resident ones zeroes all secrets without touching the rest of a large, mostly unused mapping.
static void zero_resident(const struct secret_arena *arena, size_t page)
{
	enum { BATCH = 4096 };
	unsigned char resident[BATCH];

	for (size_t at = 0; at < arena->bytes; at += BATCH * page) {
		size_t len = arena->bytes - at < BATCH * page ? arena->bytes - at : BATCH * page;

		if (mincore(arena->base + at, len, resident) < 0)
			memset(resident, 1, sizeof(resident));
		for (size_t i = 0; i < len / page; i++)
			if (resident[i] & 1)
				wg_primitives_zero(arena->base + at + i * page, page);
	}
}

void secret_arena_destroy(struct secret_arena *arena)
{
	size_t page = page_bytes();

	if (arena->base == NULL)
		return;
	zero_resident(arena, page);
	munmap(arena->base - page, arena->bytes + 2 * page);
	memset(arena, 0, sizeof(*arena));
}

void *secret_arena_take(struct secret_arena *arena, size_t bytes)
{
	void *ret = arena->base + arena->used_bytes;

	if (bytes > arena->bytes || secret_arena_round(bytes) > arena->bytes - arena->used_bytes)
		return NULL;
	arena->used_bytes += secret_arena_round(bytes);
	return ret;
}

int secret_pool_init(
	struct secret_pool *ret, struct secret_arena *arena, size_t object_bytes, uint32_t n_objects
)
{
	size_t rounded = secret_arena_round(object_bytes);
	uint32_t *free_idx = calloc(n_objects, sizeof(*free_idx));
	uint8_t *base = secret_arena_take(arena, rounded * n_objects);

	if (free_idx == NULL || base == NULL) {
		free(free_idx);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < n_objects; i++)
		free_idx[i] = n_objects - 1 - i;
	*ret = (struct secret_pool){
		.base = base,
		.object_bytes = rounded,
		.free_idx = free_idx,
		.n_free = n_objects,
		.n_objects = n_objects,
	};
	return 0;
}

void secret_pool_fini(struct secret_pool *pool)
{
	free(pool->free_idx);
	memset(pool, 0, sizeof(*pool));
}

void *secret_pool_take(struct secret_pool *pool)
{
	if (pool->n_free == 0)
		return NULL;
	pool->n_free--;
	return pool->base + pool->object_bytes * pool->free_idx[pool->n_free];
}

void secret_pool_give(struct secret_pool *pool, void *object)
{
	size_t idx = (size_t)((uint8_t *)object - pool->base) / pool->object_bytes;

	wg_primitives_zero(object, pool->object_bytes);
	pool->free_idx[pool->n_free] = (uint32_t)idx;
	pool->n_free++;
}
