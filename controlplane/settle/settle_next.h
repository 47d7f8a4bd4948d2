// SPDX-License-Identifier: Apache-2.0
//
// What becomes of a session's end when its call is refused because of what stands on the chain: a
// proposal in its window, a dispute, an attestor whose time is over. Pure; any thread.

#pragma once

#include "controlplane/settle/settle_record.h"

#include <stdbool.h>
#include <stdint.h>

struct settle_next {
	enum chain_call_kind kind;
	uint64_t not_before_sec; // chain time
	uint64_t deadline_sec; // chain time by which it must be mined; 0 = none
};

/* last is the session's last event out of PROPOSED and DISPUTED, NULL when there is none; its
 * deadline is the end of the window, or of the attestor's time.
 * Returns: false when none of this explains the refusal: then it counts as a skip. */
bool settle_next_end(
	const struct settle_item *item,
	const struct chain_event *last,
	uint64_t now_sec,
	struct settle_next *ret
);
