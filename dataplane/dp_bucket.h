// SPDX-License-Identifier: Apache-2.0
//
// Token bucket in bytes, refilled from elapsed time. Pure; one user at a time.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Bytes that may pass at once: a tenth of a second's worth, and never less than two jumbo frames, so
// that a slow rate is a slow rate and not a wall.
#define DP_BUCKET_MIN_BURST_BYTES (2 * 9216)

struct dp_bucket {
	uint64_t rate_bytes_per_sec; // 0 = unlimited
	uint64_t burst_bytes;
	uint64_t tokens_bytes;
	uint64_t filled_ns; // monotonic; time that is already turned into tokens
};

// Sets the rate (kbps of 1000 bit/s; 0 = unlimited). A first call fills the bucket; a later one keeps
// the tokens there are, within the new burst, so that repeating a command grants nothing.
void dp_bucket_set(struct dp_bucket *bucket, uint32_t rate_kbps, uint64_t now_ns);

// Refills, and says whether `bytes` are there; takes nothing.
bool dp_bucket_check(struct dp_bucket *bucket, uint32_t bytes, uint64_t now_ns);

static inline void dp_bucket_take(struct dp_bucket *bucket, uint32_t bytes)
{
	if (bucket->rate_bytes_per_sec != 0)
		bucket->tokens_bytes -= bytes;
}
