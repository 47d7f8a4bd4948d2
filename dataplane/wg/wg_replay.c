// SPDX-License-Identifier: Apache-2.0
//
// RFC 6479 on 64-bit words. The ring has one word more than the window can need, so that the word
// being entered may be cleared as a whole. State counts from one ("next"), which leaves zero for an
// empty window.
#include "wg_replay.h"

#include <string.h>

void wg_replay_init(struct wg_replay *replay)
{
	memset(replay, 0, sizeof(*replay));
}

// Clears the words between that of the greatest counter and that of the new one: at most the whole
// ring.
static void advance(struct wg_replay *replay, uint64_t counter)
{
	uint64_t from_word = replay->next == 0 ? 0 : (replay->next - 1) / 64;
	uint64_t n_words = counter / 64 - from_word;

	if (n_words > WG_REPLAY_WORDS)
		n_words = WG_REPLAY_WORDS;
	for (uint64_t i = 1; i <= n_words; i++)
		replay->ring[(from_word + i) % WG_REPLAY_WORDS] = 0;
	replay->next = counter + 1;
}

bool wg_replay_accept(struct wg_replay *replay, uint64_t counter)
{
	uint64_t *word = &replay->ring[counter / 64 % WG_REPLAY_WORDS];
	uint64_t bit = UINT64_C(1) << (counter % 64);

	if (counter >= WG_REJECT_AFTER_MESSAGES)
		return false;
	if (counter >= replay->next) {
		advance(replay, counter);
	} else if (replay->next - 1 - counter > WG_REPLAY_WINDOW || (*word & bit) != 0) {
		return false;
	}
	*word |= bit;
	return true;
}
