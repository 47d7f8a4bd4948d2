// SPDX-License-Identifier: Apache-2.0
//
// Replay window of one keypair (RFC 6479: a ring of words, so that advancing clears words and
// shifts nothing): 8192 bits, of which 8128 are usable. The keypair's owner worker is the only
// user: no atomics. Only counters of packets with the verdict WG_AEAD_AUTHENTIC may be given to it.
#ifndef WG_REPLAY_H
#define WG_REPLAY_H

#include "dataplane/wg/wg_messages.h"

#include <stdbool.h>
#include <stdint.h>

#define WG_REPLAY_WORDS (WG_REPLAY_RING_BITS / 64)

struct wg_replay {
	uint64_t next; // greatest counter accepted, plus one; 0: none yet
	// Bit c % 64 of word c / 64 % WG_REPLAY_WORDS: counter c was seen.
	uint64_t ring[WG_REPLAY_WORDS];
};

void wg_replay_init(struct wg_replay *replay);

// Whether this counter is new: not seen, at most WG_REPLAY_WINDOW below the greatest, and below
// REJECT_AFTER_MESSAGES. If so it is noted; if not, nothing changes.
__attribute__((warn_unused_result)) bool wg_replay_accept(
	struct wg_replay *replay, uint64_t counter
);

#endif
