// SPDX-License-Identifier: Apache-2.0
//
// What the settle_outbox_*.c files share; nobody else includes it but their unit tests.

#pragma once

#include "controlplane/settle/settle_failpoint.h"
#include "controlplane/settle/settle_fee.h"
#include "controlplane/settle/settle_outbox.h"

// One transaction at most is on its way to a block, so hardly more than one is done per block.
#define SETTLE_OUTBOX_WATCH_MAX 2048 // blocks
#define SETTLE_OUTBOX_DONE_MAX 4096
#define SETTLE_OUTBOX_OPEN_MAX 256
// Each kind of call in the native coin and in every token that has limits of its own. An operator
// who prices in more assets than that at once waits for the oldest to be settled.
#define SETTLE_OUTBOX_LOTS_MAX (CHAIN_N_CALL * (SETTLE_BATCH_TOKENS_MAX + 1))

struct settle_outbox_done {
	uint64_t mined_block;
	uint64_t id;
};

struct settle_outbox {
	struct settle_outbox_conf conf;
	struct chain_head head; // of this round
	uint64_t sure_head; // block number up to which a second endpoint goes along
	bool is_alert[SETTLE_N_ALERT];
	// Of the one transaction on its way, in memory: a restart merely sends again sooner.
	uint64_t pace_tx; // local id that the two times belong to
	uint64_t sent_ns;
	uint64_t priced_ns;
	// What this round looks at.
	uint64_t open[SETTLE_OUTBOX_OPEN_MAX];
	size_t n_open;
	bool is_crowded; // there are more open ones than this
	bool is_held_known; // whether held items were looked for since the start
	struct settle_outbox_done done[SETTLE_OUTBOX_DONE_MAX];
	size_t n_done;
	struct settle_batch lots[SETTLE_OUTBOX_LOTS_MAX];
	size_t n_lots;
	struct chain_event events[CHAIN_EVENTS_MAX];
	uint8_t raw[CHAIN_TX_SIZE];
};

void settle_outbox_alert(
	struct settle_outbox *outbox, enum settle_alert alert, const char *format, ...
) __attribute__((format(printf, 3, 4)));
void settle_outbox_calm(struct settle_outbox *outbox, enum settle_alert alert);

/* Commits, with the store's alert. Returns: 0 or the store's error. */
int settle_outbox_commit(struct settle_outbox *outbox, struct db_txn *txn)
	__attribute__((warn_unused_result));

/* The chain's answer to a question that failed; with the endpoints' alert. */
int settle_outbox_chain_error(struct settle_outbox *outbox, int r, const char *why);

/* Whether a block is as deep as a settlement must be, by a second endpoint's word too. */
bool settle_outbox_is_final(const struct settle_outbox *outbox, uint64_t block_number);

/* Stores next in tx's place; tx is next on success. */
int settle_outbox_store(struct settle_outbox *outbox, struct settle_tx *tx, struct settle_tx *next);

/* One more look at a transaction that is not final. Counted in the store, so that a restart does not
 * begin anew; no more once review was raised. */
int settle_outbox_count_poll(struct settle_outbox *outbox, struct settle_tx *tx);

/* Forms the next batch if one is due: *ret_is_new says whether tx is one, and stored. */
int settle_outbox_form(struct settle_outbox *outbox, struct settle_tx *tx, bool *ret_is_new);

/* For an intent, of which nobody outside can know: its items are queued and chosen anew along with
 * what came since, in one transaction of the store. It keeps its id. */
int settle_outbox_reform(struct settle_outbox *outbox, struct settle_tx *tx);

/* The arrows. Each takes a transaction record as it is in the store and stores the next one; tx is
 * the new record on success. */
int settle_outbox_sign(struct settle_outbox *outbox, struct settle_tx *tx);
int settle_outbox_send(struct settle_outbox *outbox, struct settle_tx *tx);
int settle_outbox_follow(struct settle_outbox *outbox, struct settle_tx *tx);
int settle_outbox_confirm(struct settle_outbox *outbox, struct settle_tx *tx);
int settle_outbox_recheck(struct settle_outbox *outbox, struct settle_tx *tx);

/* For a sent transaction that is in no block: sends again, or offers more. */
int settle_outbox_push(struct settle_outbox *outbox, struct settle_tx *tx);

enum settle_verdict {
	SETTLE_VERDICT_DONE,
	SETTLE_VERDICT_WAITS, // not the item's fault: another time, or another call
	SETTLE_VERDICT_SKIPPED,
};

struct settle_outcome {
	enum settle_verdict verdict;
	struct chain_event event; // DONE
	enum chain_call_kind kind; // WAITS: of the next try
	uint64_t not_before_sec; // WAITS: chain time
	uint64_t deadline_sec; // WAITS: chain time; 0 = none
	const char *reason; // unless DONE; the caller's or static
};

/* What came of an item by now. status: the final receipt of its transaction; NULL when there is none
 * to count, since the call was refused or the transaction failed, for this reason.
 * Returns: 0; what chain_driver_ops.find_event returns but -ENOENT. */
int settle_outbox_outcome(
	struct settle_outbox *outbox,
	const struct settle_item *item,
	const struct chain_tx_status *status,
	const char *reason,
	struct settle_outcome *ret
);

/* Inside a transaction: stores the item with its outcome; one skipped too often is held. */
void settle_outbox_apply(
	struct settle_outbox *outbox,
	struct db_txn *txn,
	struct settle_item *item,
	const struct settle_outcome *outcome
);

/* → dropped: its items are queued again, with the reason, and with nothing counted against them. */
int settle_outbox_drop(struct settle_outbox *outbox, struct settle_tx *tx, const char *reason);

/* → dropped, since the call as a whole is refused, or failed: the items are queued again in halves,
 * so that what is wrong with one of them comes to stand alone; an item that was alone has its
 * outcome or is skipped. */
int settle_outbox_fail(struct settle_outbox *outbox, struct settle_tx *tx, const char *reason);
