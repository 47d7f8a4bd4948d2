// SPDX-License-Identifier: Apache-2.0
//
// The outbox's steps, in the order in which a settlement goes through them. Test builds can be
// killed at each (SIGKILL, as a power cut would): tests/evm/driver/failpoints.test.mjs goes through
// this very list, so a step that is added here without a scenario there fails it. Product builds
// compile to nothing.

#pragma once

// id, name, what has just happened
#define SETTLE_STEP_LIST(X) \
	X(ITEM_QUEUED, "item_queued", "an item is stored, nobody was told") \
	X(INTENT_STORED, "intent_stored", "a batch is stored, nothing is signed") \
	X(REFORMED_STORED, \
	  "reformed_stored", \
	  "that batch has taken other items, nothing is signed") \
	X(TX_SIGNED, "tx_signed", "a transaction is signed, in memory only") \
	X(RAW_STORED, "raw_stored", "the signed transaction is stored, not sent") \
	X(TX_BROADCAST, "tx_broadcast", "it is sent, not marked as sent") \
	X(SENT_STORED, "sent_stored", "it is marked as sent") \
	X(REPRICE_SIGNED, "reprice_signed", "signed again at a higher price, in memory only") \
	X(REPRICE_STORED, "reprice_stored", "the higher price is stored, not sent") \
	X(MINED_SEEN, "mined_seen", "a receipt was seen, not stored") \
	X(MINED_STORED, "mined_stored", "it is marked as mined") \
	X(FINAL_SEEN, "final_seen", "the receipt is final, outcomes are not stored") \
	X(DONE_STORED, "done_stored", "outcomes are stored") \
	X(RETURNED_STORED, "returned_stored", "items of a lost transaction are queued again") \
	X(FAILED_STORED, "failed_stored", "those of a failed one or a refused call are, in halves" \
	) \
	X(UNMINED_STORED, "unmined_stored", "its block is gone, it is marked as sent again") \
	X(UNDONE_STORED, "undone_stored", "its block is gone after done, items are open again")

#define SETTLE_STEP_ENUM(id, name, help) SETTLE_STEP_##id,
enum settle_step { SETTLE_STEP_LIST(SETTLE_STEP_ENUM) SETTLE_N_STEP };

#ifdef SETTLE_FAILPOINTS
/* Kills this process when the environment's TOLLWIRE_FAILPOINT names the step. */
void settle_failpoint(enum settle_step step);

/* The same for a step of another list (lifecycle_failpoint.h), by its name. */
void settle_failpoint_hit(const char *step_name);
const char *settle_failpoint_name(enum settle_step step);
#else
static inline void settle_failpoint(enum settle_step step)
{
	(void)step;
}
#endif
