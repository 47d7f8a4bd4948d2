// SPDX-License-Identifier: Apache-2.0
//
// See http_limit.h. An address may stand in any of the places of one bucket. Pure but for memory.
#include "http_limit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define N_BUCKETS 1024
#define BUCKET_PLACES 8
#define MINUTE_US 60000000ull

int http_limit_init(
	struct http_limit *limit,
	uint32_t conns_per_address,
	uint32_t requests_per_minute,
	uint64_t seed
)
{
	struct http_limit_entry *entries = calloc(N_BUCKETS * BUCKET_PLACES, sizeof(*entries));

	if (entries == NULL)
		return -ENOMEM;
	*limit = (struct http_limit){
		.entries = entries,
		.seed = seed,
		.conns_per_address = conns_per_address,
		.requests_per_minute = requests_per_minute,
	};
	return 0;
}

void http_limit_fini(struct http_limit *limit)
{
	free(limit->entries);
	limit->entries = NULL;
}

static void subscriber(uint8_t ret[16], const uint8_t addr[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}; // RFC 4291 section 2.5.5.2

	memcpy(ret, addr, 16);
	if (memcmp(addr, mapped, sizeof(mapped)) != 0)
		memset(ret + 8, 0, 8);
}

static struct http_limit_entry *bucket_of(const struct http_limit *limit, const uint8_t addr[16])
{
	uint64_t hash = limit->seed;

	for (int i = 0; i < 16; i++) {
		hash = (hash ^ addr[i]) * 0x9e3779b97f4a7c15;
		hash ^= hash >> 29;
	}
	return &limit->entries[(hash >> 32) % N_BUCKETS * BUCKET_PLACES];
}

// The place of the address, or the one that gives way to it; NULL when all have connections.
static struct http_limit_entry *find(const struct http_limit *limit, const uint8_t addr[16])
{
	struct http_limit_entry *bucket = bucket_of(limit, addr), *victim = NULL;

	for (int i = 0; i < BUCKET_PLACES; i++) {
		struct http_limit_entry *entry = &bucket[i];

		if (entry->is_used && memcmp(entry->addr, addr, 16) == 0)
			return entry;
		if (entry->n_conns == 0 && (victim == NULL || entry->paid_us < victim->paid_us))
			victim = entry; // who owes least; an unused place owes nothing
	}
	return victim;
}

struct http_limit_entry *http_limit_connect(
	struct http_limit *limit, const uint8_t addr[16], uint64_t now_us
)
{
	struct http_limit_entry *entry;
	uint8_t own[16];

	subscriber(own, addr);
	entry = find(limit, own);
	if (entry == NULL)
		return NULL;
	if (!entry->is_used || memcmp(entry->addr, own, 16) != 0) {
		*entry = (struct http_limit_entry){.is_used = true, .paid_us = now_us};
		memcpy(entry->addr, own, 16);
	}
	if (entry->n_conns >= limit->conns_per_address)
		return NULL;
	entry->n_conns++;
	return entry;
}

void http_limit_disconnect(struct http_limit_entry *entry)
{
	entry->n_conns--;
}

uint32_t http_limit_request(
	const struct http_limit *limit, struct http_limit_entry *entry, uint64_t now_us
)
{
	uint64_t price_us = MINUTE_US / limit->requests_per_minute;
	uint64_t paid_us = (entry->paid_us > now_us ? entry->paid_us : now_us) + price_us;

	if (paid_us > now_us + MINUTE_US) {
		uint64_t wait_us = paid_us - now_us - MINUTE_US;

		return (uint32_t)((wait_us + 999999) / 1000000);
	}
	entry->paid_us = paid_us;
	return 0;
}
