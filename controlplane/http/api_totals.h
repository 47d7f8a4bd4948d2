// SPDX-License-Identifier: Apache-2.0
//
// Sums over all sessions, for those who ask again and again. Loop's thread.
#pragma once

#include "controlplane/control.h"

struct api_totals {
	uint64_t by_state[SESSION_N_STATE];
	uint64_t n_review; // sessions that a person should look at
	uint64_t out_bytes, in_bytes; // billed to all sessions that ever were
};

// Returns: sums at most five seconds old, or older where reading takes long (api_totals_life_ns()),
//          until the next call; NULL when the store cannot be read.
const struct api_totals *api_totals_read(struct control *control);

// How long the result of a pass over all sessions is given out again: as long that such passes take a
// twentieth of the loop's time at the most, however many sessions there are and however often is asked.
static inline uint64_t api_totals_life_ns(uint64_t took_ns, uint64_t least_ns)
{
	return 20 * took_ns > least_ns ? 20 * took_ns : least_ns;
}
