// SPDX-License-Identifier: Apache-2.0
//
// What settlement keeps in the store: items (one step of one session each), transactions (one batch
// each) and the raw bytes of every signed attempt. Records are this host's: native layout, guarded
// by the store's schema version and checksums. All calls take part in the caller's transaction and
// leave failures in it (db.h). Times are the chain's, in seconds; the host's clock appears nowhere.

#pragma once

#include "controlplane/chain/chain.h"
#include "controlplane/store/db.h"

#include <stdbool.h>
#include <stdint.h>

#define SETTLE_REASON_SIZE 96
#define SETTLE_ATTEMPTS_MAX 16 // prices of one transaction

// Stored by number: new ones at the end.
// id, name, help
#define SETTLE_ITEM_STATE_LIST(X) \
	X(QUEUED, "queued", "waits for a batch") \
	X(BATCHED, "batched", "in a transaction that is under way") \
	X(DONE, "done", "its own event stands in a final receipt") \
	X(HELD, "held", "was skipped too often; a person decides") \
	X(WITHDRAWN, "withdrawn", "never sent: another step of its session took its place")

#define SETTLE_TX_STATE_LIST(X) \
	X(INTENT, "intent", "items chosen, nothing signed") \
	X(SIGNED, "signed", "signed and stored, not known to be sent") \
	X(SENT, "sent", "given to the network, which may have refused it") \
	X(MINED, "mined", "in a block, not final") \
	X(DONE, "done", "final, outcomes stored") \
	X(DROPPED, "dropped", "can never be mined, or failed; its items went back")

#define SETTLE_ITEM_STATE_ENUM(id, name, help) SETTLE_ITEM_##id,
#define SETTLE_TX_STATE_ENUM(id, name, help) SETTLE_TX_##id,
enum settle_item_state { SETTLE_ITEM_STATE_LIST(SETTLE_ITEM_STATE_ENUM) SETTLE_N_ITEM_STATE };
enum settle_tx_state { SETTLE_TX_STATE_LIST(SETTLE_TX_STATE_ENUM) SETTLE_N_TX_STATE };

// A session's way to its end goes through up to three phases, each with an item of its own: what a
// claim secures is settled later, and a proposal is executed. Stored by number: new ones at the end.
enum settle_phase {
	SETTLE_PHASE_CLAIM, // pays what a voucher covers; a newer voucher is a further item
	SETTLE_PHASE_PROPOSAL,
	SETTLE_PHASE_END, // settles, in whichever way; one for ever
};

struct settle_item {
	uint64_t id; // local, from 1
	uint64_t chain_id;
	uint32_t state; // enum settle_item_state
	uint32_t kind; // enum chain_call_kind
	struct chain_item call;
	uint8_t asset[32]; // left-padded; zero: the native coin
	struct u256 value; // what settling it earns, in its asset's smallest unit
	uint64_t deadline_sec; // chain time by which it must be mined; 0 = none
	uint64_t queued_sec; // chain time; 0 = not seen by the outbox yet
	uint64_t not_before_sec; // chain time of the next try
	uint64_t tx; // local id of the transaction it is in, or was last in
	uint32_t n_skips;
	uint32_t batch_max; // not in a larger batch: one with it failed as a whole. 0 = any
	bool is_review;
	char reason[SETTLE_REASON_SIZE]; // why it came back last
	// The outcome, when DONE:
	uint8_t tx_id[CHAIN_ID_SIZE]; // transaction of its own event
	uint64_t block_number;
	uint64_t bytes;
	struct u256 operator_amount;
	struct u256 fee_amount;
	struct u256 refund;
};

struct settle_attempt {
	uint8_t tx_id[CHAIN_ID_SIZE];
	struct chain_fees fees;
	uint32_t raw_len;
};

struct settle_tx {
	uint64_t id; // local, from 1
	uint64_t chain_id;
	uint32_t state; // enum settle_tx_state
	uint32_t kind; // enum chain_call_kind
	uint64_t account_nonce;
	uint64_t gas_limit;
	uint32_t n_items;
	uint32_t n_attempts;
	uint32_t mined_attempt; // index, when MINED or DONE
	uint32_t n_polls; // since it was first sent
	uint64_t mined_block;
	uint8_t mined_hash[CHAIN_ID_SIZE];
	// First head at which its account nonce was another's, or one before it was nobody's; 0 =
	// neither.
	uint64_t astray_since_block;
	bool is_review;
	uint64_t items[CHAIN_BATCH_MAX];
	struct settle_attempt attempts[SETTLE_ATTEMPTS_MAX];
};

const char *settle_kind_name(unsigned int kind);
const char *settle_item_state_name(unsigned int state);
const char *settle_tx_state_name(unsigned int state);

bool settle_item_get(struct db_txn *txn, uint64_t id, struct settle_item *ret);

/* Also keeps the table of queued items' ids. */
void settle_item_put(struct db_txn *txn, const struct settle_item *item);

enum settle_phase settle_phase_of(enum chain_call_kind kind);

/* The item that a session's outcome depends on: that of its end, or else its proposal. A claim is
 * never it. false: neither was ever queued. */
bool settle_item_find(
	struct db_txn *txn,
	uint64_t chain_id,
	const uint8_t session_id[CHAIN_ID_SIZE],
	struct settle_item *ret
);

/* The newest item of a session's phase. false: none was ever queued. */
bool settle_item_find_phase(
	struct db_txn *txn,
	uint64_t chain_id,
	const uint8_t session_id[CHAIN_ID_SIZE],
	enum settle_phase phase,
	struct settle_item *ret
);

/* A new item: takes its id and makes it its session's one of that phase. -EEXIST is left in txn if
 * there is one that is not a claim. */
void settle_item_insert(struct db_txn *txn, struct settle_item *item);

/* Gives an item another kind, and files it under that one's phase. The caller stores it. */
void settle_item_turn(struct db_txn *txn, struct settle_item *item, enum chain_call_kind kind);

bool settle_tx_get(struct db_txn *txn, uint64_t id, struct settle_tx *ret);

/* Also keeps the table of live transactions' ids: all but dropped and retired ones. */
void settle_tx_put(struct db_txn *txn, const struct settle_tx *tx);
void settle_tx_insert(struct db_txn *txn, struct settle_tx *tx);

/* A done transaction whose block is too old to be looked at again. */
void settle_tx_retire(struct db_txn *txn, const struct settle_tx *tx);

/* Raw bytes of attempt n; the length stands in the transaction. */
void settle_raw_put(
	struct db_txn *txn, uint64_t tx, uint32_t attempt, const uint8_t *raw, size_t len
);
bool settle_raw_get(
	struct db_txn *txn,
	uint64_t tx,
	uint32_t attempt,
	uint8_t raw[CHAIN_TX_SIZE],
	size_t *ret_len
);
