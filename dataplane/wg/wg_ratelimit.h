// SPDX-License-Identifier: Apache-2.0
//
// Limits handshake messages per source: one token bucket for each IPv4 address or IPv6 /64. The
// table is bounded and in the caller's memory; a source without an entry takes the place of the one
// in its set that was idle longest, with a full bucket. So a flood can push out others' entries,
// which only gives those a full bucket again: one source never limits another. That forged sources
// are not limited is what cookies are for. Slow path only.
#ifndef WG_RATELIMIT_H
#define WG_RATELIMIT_H

#include "dataplane/wg/wg_source.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WG_RATELIMIT_DEFAULT_PER_SEC 20
#define WG_RATELIMIT_DEFAULT_BURST 5
#define WG_RATELIMIT_WAYS 8

struct wg_ratelimit_entry {
	uint64_t prefix; // IPv4 address or upper half of the IPv6 address
	uint64_t last_ns; // time of the last refill
	uint64_t tokens_ns; // a message costs cost_ns
	uint8_t family; // 0: unused entry, else 4 or 6
};

struct wg_ratelimit {
	struct wg_ratelimit_entry *entries; // n_sets x WG_RATELIMIT_WAYS
	uint32_t n_sets; // a power of two
	uint64_t cost_ns;
	uint64_t tokens_max_ns;
	uint8_t hash_key[16]; // random: a sender cannot choose whose set it falls into
};

struct wg_ratelimit_config {
	uint32_t per_sec; // 1 to 1,000,000
	uint32_t burst; // 1 to 1,000,000
};

// Bytes of caller's memory for n_entries sources; 0 if n_entries is not a power of two from
// WG_RATELIMIT_WAYS to 2^24.
size_t wg_ratelimit_memory_bytes(uint32_t n_entries);
// memory as above, 64-byte aligned; it outlives the limiter. -EINVAL for a bad size or
// configuration.
__attribute__((warn_unused_result)) int wg_ratelimit_init(
	struct wg_ratelimit *limiter,
	void *memory,
	uint32_t n_entries,
	const struct wg_ratelimit_config *config
);
// Whether one more message of this source (its port is not looked at) is within its limit; if so it
// is counted.
__attribute__((warn_unused_result)) bool wg_ratelimit_take(
	struct wg_ratelimit *limiter, const struct wg_source *source, uint64_t now_ns
);

#endif
