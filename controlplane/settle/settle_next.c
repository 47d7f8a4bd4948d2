// SPDX-License-Identifier: Apache-2.0
//
// A proposal is executed after its window. A dispute is resolved by the attestor's word where there
// is one, and executed at what was accepted when the attestor's time is over; what a newer voucher
// covers is claimed apart.

#include "settle_next.h"

static bool settle_next_has_attestation(const struct chain_item *item)
{
	uint8_t any = 0;

	for (int i = 0; i < 32; i++)
		any |= item->attestation_r[i] | item->attestation_vs[i];
	return any != 0;
}

bool settle_next_end(
	const struct settle_item *item,
	const struct chain_event *last,
	uint64_t now_sec,
	struct settle_next *ret
)
{
	bool is_disputed = last != NULL && last->kind == CHAIN_EVENT_DISPUTED;
	struct settle_next next = {.kind = CHAIN_CALL_EXECUTE};

	if (last == NULL)
		return false;
	if (now_sec < last->deadline_sec) {
		next.not_before_sec = last->deadline_sec;
		if (settle_next_has_attestation(&item->call)) {
			// Taken before a dispute and in one, by two different calls.
			next.kind = is_disputed ? CHAIN_CALL_RESOLVE : CHAIN_CALL_FINALIZE_ATTESTED;
			next.not_before_sec = 0;
			next.deadline_sec = last->deadline_sec;
		}
	}
	// The same at once would be refused again.
	if (next.not_before_sec <= now_sec && item->kind == (uint32_t)next.kind)
		return false;
	*ret = next;
	return true;
}
