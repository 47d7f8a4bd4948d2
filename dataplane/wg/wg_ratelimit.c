// SPDX-License-Identifier: Apache-2.0
//
// Token buckets in a set-associative table. Tokens are nanoseconds: they grow with the clock up to
// burst messages' worth, and a message takes 1/rate of a second. Slow path only.
#include "wg_ratelimit.h"

#include "dataplane/wg/wg_messages.h"
#include "dataplane/wg/wg_primitives.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum {
	FAMILY_UNUSED = 0,
	FAMILY_IPV4 = 4,
	FAMILY_IPV6 = 6,
	ENTRIES_MAX = 1 << 24,
	PARAMETER_MAX = 1000000,
};

static_assert(
	sizeof(((struct wg_ratelimit *)0)->hash_key) == WG_PRIMITIVES_SHORTHASH_KEY_BYTES,
	"SipHash key"
);

size_t wg_ratelimit_memory_bytes(uint32_t n_entries)
{
	if (n_entries < WG_RATELIMIT_WAYS || n_entries > ENTRIES_MAX ||
	    (n_entries & (n_entries - 1)) != 0)
		return 0;
	return n_entries * sizeof(struct wg_ratelimit_entry);
}

int wg_ratelimit_init(
	struct wg_ratelimit *limiter,
	void *memory,
	uint32_t n_entries,
	const struct wg_ratelimit_config *config
)
{
	size_t bytes = wg_ratelimit_memory_bytes(n_entries);

	if (bytes == 0 || config->per_sec < 1 || config->per_sec > PARAMETER_MAX ||
	    config->burst < 1 || config->burst > PARAMETER_MAX)
		return -EINVAL;
	memset(memory, 0, bytes);
	limiter->entries = memory;
	limiter->n_sets = n_entries / WG_RATELIMIT_WAYS;
	limiter->cost_ns = WG_NS_PER_SEC / config->per_sec;
	limiter->tokens_max_ns = limiter->cost_ns * config->burst;
	wg_primitives_random(limiter->hash_key, sizeof(limiter->hash_key));
	return 0;
}

// The source's entry, or the one it takes over: unused, else idle longest.
static struct wg_ratelimit_entry *entry_of(
	struct wg_ratelimit *limiter, uint64_t prefix, uint8_t family
)
{
	struct {
		uint64_t prefix;
		uint64_t family;
	} tuple = {prefix, family};
	uint64_t hash = wg_primitives_shorthash(limiter->hash_key, &tuple, sizeof(tuple));
	struct wg_ratelimit_entry *set =
		&limiter->entries[(hash & (limiter->n_sets - 1)) * WG_RATELIMIT_WAYS];
	struct wg_ratelimit_entry *oldest = set;

	for (unsigned int i = 0; i < WG_RATELIMIT_WAYS; i++) {
		struct wg_ratelimit_entry *entry = &set[i];

		if (entry->family == family && entry->prefix == prefix)
			return entry;
		if (oldest->family == FAMILY_UNUSED)
			continue;
		if (entry->family == FAMILY_UNUSED || entry->last_ns < oldest->last_ns)
			oldest = entry;
	}
	oldest->family = FAMILY_UNUSED;
	return oldest;
}

bool wg_ratelimit_take(
	struct wg_ratelimit *limiter, const struct wg_source *source, uint64_t now_ns
)
{
	uint8_t family = source->is_ipv6 ? FAMILY_IPV6 : FAMILY_IPV4;
	struct wg_ratelimit_entry *entry;
	uint64_t prefix = 0, gained_ns;

	memcpy(&prefix, source->address, source->is_ipv6 ? 8 : 4);
	entry = entry_of(limiter, prefix, family);
	if (entry->family == FAMILY_UNUSED) {
		*entry = (struct wg_ratelimit_entry){
			.prefix = prefix,
			.last_ns = now_ns,
			.tokens_ns = limiter->tokens_max_ns,
			.family = family,
		};
	}
	gained_ns = now_ns > entry->last_ns ? now_ns - entry->last_ns : 0;
	entry->last_ns += gained_ns;
	if (gained_ns >= limiter->tokens_max_ns - entry->tokens_ns)
		entry->tokens_ns = limiter->tokens_max_ns;
	else
		entry->tokens_ns += gained_ns;
	if (entry->tokens_ns < limiter->cost_ns)
		return false;
	entry->tokens_ns -= limiter->cost_ns;
	return true;
}
