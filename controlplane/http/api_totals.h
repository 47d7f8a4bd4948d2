// SPDX-License-Identifier: Apache-2.0
//
// Sums over all sessions, for those who ask again and again. Loop's thread.
#pragma once

#include "controlplane/control.h"

struct api_totals {
	uint64_t read_mono_ns;
	uint64_t by_state[SESSION_N_STATE];
	uint64_t n_review; // sessions that a person should look at
	uint64_t out_bytes, in_bytes; // billed to all sessions that ever were
};

// Returns: sums at most five seconds old, until the next call; NULL when the store cannot be read.
const struct api_totals *api_totals_read(struct control *control);
