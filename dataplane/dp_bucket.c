// SPDX-License-Identifier: Apache-2.0
//
// See dp_bucket.h.
#include "dataplane/dp_bucket.h"

#include "common/clock.h"

#define ELAPSED_MAX_NS NS_PER_SEC // longer silence fills the bucket no further

void dp_bucket_set(struct dp_bucket *bucket, uint32_t rate_kbps, uint64_t now_ns)
{
	bool is_first = bucket->burst_bytes == 0;

	bucket->rate_bytes_per_sec = (uint64_t)rate_kbps * 1000 / 8;
	bucket->burst_bytes = bucket->rate_bytes_per_sec / 10;
	if (bucket->burst_bytes < DP_BUCKET_MIN_BURST_BYTES)
		bucket->burst_bytes = DP_BUCKET_MIN_BURST_BYTES;
	if (is_first) {
		bucket->tokens_bytes = bucket->burst_bytes;
		bucket->filled_ns = now_ns;
	}
	if (bucket->tokens_bytes > bucket->burst_bytes)
		bucket->tokens_bytes = bucket->burst_bytes;
}

bool dp_bucket_check(struct dp_bucket *bucket, uint32_t bytes, uint64_t now_ns)
{
	uint64_t rate = bucket->rate_bytes_per_sec;

	if (rate == 0)
		return true;
	uint64_t elapsed_ns = now_ns > bucket->filled_ns ? now_ns - bucket->filled_ns : 0;
	if (elapsed_ns >= ELAPSED_MAX_NS) {
		bucket->tokens_bytes = bucket->burst_bytes;
		bucket->filled_ns = now_ns;
	} else {
		// Only the time that made whole bytes is used up: a slow rate asked often still fills.
		uint64_t added = (uint64_t)((unsigned __int128)elapsed_ns * rate / NS_PER_SEC);
		bucket->tokens_bytes += added;
		bucket->filled_ns += (uint64_t)((unsigned __int128)added * NS_PER_SEC / rate);
		if (bucket->tokens_bytes > bucket->burst_bytes)
			bucket->tokens_bytes = bucket->burst_bytes;
	}
	return bucket->tokens_bytes >= bytes;
}
