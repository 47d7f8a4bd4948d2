// SPDX-License-Identifier: Apache-2.0
//
// Single-writer counters and multi-word records in memory that another thread or process reads.
// A counter has one writer: relaxed load and store, never an atomic read-modify-write. A record of
// several words that must agree carries a sequence count, odd while it is written; its readers give
// up after a bound, because the writer may have died inside.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline void counter_add(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}

static inline uint64_t counter_read(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static inline void counter_set(uint64_t *counter, uint64_t value)
{
	__atomic_store_n(counter, value, __ATOMIC_RELAXED);
}

// How often a reader retries before it reports a torn record.
#define SEQCOUNT_TRIES 1000

static inline void seqcount_write_begin(uint32_t *seq)
{
	__atomic_store_n(seq, *seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static inline void seqcount_write_end(uint32_t *seq)
{
	__atomic_store_n(seq, *seq + 1, __ATOMIC_RELEASE);
}

// Copies a record that stands under a sequence count.
//
// Returns: true with a consistent copy in dst; false when the writer never left its section (dst is
//          then undefined). In: words 8-byte aligned, len a multiple of 8: the copy is made of
//          relaxed 64-bit loads, so that a racing write is no undefined behaviour.
static inline bool seqcount_read(const uint32_t *seq, void *dst, const void *src, size_t len)
{
	for (unsigned i = 0; i < SEQCOUNT_TRIES; i++) {
		uint32_t before = __atomic_load_n(seq, __ATOMIC_ACQUIRE);
		if (before & 1)
			continue;
		for (size_t w = 0; w < len / 8; w++)
			((uint64_t *)dst)[w] =
				__atomic_load_n((const uint64_t *)src + w, __ATOMIC_RELAXED);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(seq, __ATOMIC_RELAXED) == before)
			return true;
	}
	return false;
}

// Writes a record under a sequence count, with relaxed 64-bit stores. One writer.
static inline void seqcount_write(uint32_t *seq, void *dst, const void *src, size_t len)
{
	seqcount_write_begin(seq);
	for (size_t w = 0; w < len / 8; w++)
		__atomic_store_n((uint64_t *)dst + w, ((const uint64_t *)src)[w], __ATOMIC_RELAXED);
	seqcount_write_end(seq);
}
