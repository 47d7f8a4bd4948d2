// SPDX-License-Identifier: Apache-2.0
//
// Checked arithmetic of ledgers. Pure.
#include "controlplane/usage/usage_delta.h"

#include "common/clock.h"

#include <string.h>

bool usage_delta_open(
	struct usage_ledger *ledger, const uint8_t boot_id[16], uint32_t slot, uint32_t generation
)
{
	if (ledger->is_open)
		return false;
	ledger->boot = (struct usage_count){0};
	memcpy(ledger->boot_id, boot_id, 16);
	ledger->slot = slot;
	ledger->generation = generation;
	ledger->is_open = true;
	return true;
}

static unsigned observe_one(uint64_t base, uint64_t *boot, uint64_t live)
{
	uint64_t total;

	if (live < *boot)
		return USAGE_DELTA_REGRESSED;
	if (__builtin_add_overflow(base, live, &total))
		return USAGE_DELTA_OVERFLOW;
	*boot = live;
	return 0;
}

unsigned usage_delta_observe(struct usage_ledger *ledger, const struct usage_count *live)
{
	if (!ledger->is_open)
		return 0;
	return observe_one(ledger->base.out_bytes, &ledger->boot.out_bytes, live->out_bytes) |
		observe_one(ledger->base.in_bytes, &ledger->boot.in_bytes, live->in_bytes);
}

struct usage_count usage_delta_total(const struct usage_ledger *ledger)
{
	struct usage_count total = ledger->base;

	if (ledger->is_open) {
		total.out_bytes += ledger->boot.out_bytes;
		total.in_bytes += ledger->boot.in_bytes;
	}
	return total;
}

void usage_delta_close(struct usage_ledger *ledger)
{
	ledger->base = usage_delta_total(ledger);
	ledger->boot = (struct usage_count){0};
	memset(ledger->boot_id, 0, sizeof(ledger->boot_id));
	ledger->slot = 0;
	ledger->generation = 0;
	ledger->is_open = false;
}

uint64_t usage_delta_sum(const struct usage_count *count)
{
	uint64_t sum;

	return __builtin_add_overflow(count->out_bytes, count->in_bytes, &sum) ? UINT64_MAX : sum;
}

uint64_t usage_delta_rate(uint64_t before_bytes, uint64_t now_bytes, uint64_t elapsed_ns)
{
	if (elapsed_ns == 0 || now_bytes <= before_bytes)
		return 0;
	unsigned __int128 bits = (unsigned __int128)(now_bytes - before_bytes) * 8 * NS_PER_SEC;
	bits /= elapsed_ns;
	return bits > UINT64_MAX ? UINT64_MAX : (uint64_t)bits;
}
