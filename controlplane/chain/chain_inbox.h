// SPDX-License-Identifier: Apache-2.0
//
// The queue from the chain thread to the loop: what contracts said about sessions, in the store, in
// the order in which it must be applied. The chain thread puts records in together with the cursor
// that says how far it has read; the loop applies one and removes it in one transaction. So a kill of
// either side loses nothing and applies nothing twice. After an "unwound" record, events of blocks
// above it are void; what the chain says instead follows.

#pragma once

#include "controlplane/chain/chain.h"
#include "controlplane/store/db.h"

#include <stdbool.h>
#include <stdint.h>

struct chain_inbox_record {
	uint64_t sequence; // from 1, rising
	uint64_t chain_id;
	uint8_t contract[32]; // left-padded
	bool is_unwound; // else event
	uint64_t unwound_to;
	struct chain_event event; // its reason is NULL
};

/* Cursor of one contract on one chain. false: it was never read; the cursor is zero then. */
bool chain_inbox_get_cursor(
	struct db_txn *txn, uint64_t chain_id, const uint8_t contract[32], struct chain_cursor *ret
);

/* Puts a step's events in and stores its cursor. */
void chain_inbox_put_step(
	struct db_txn *txn,
	uint64_t chain_id,
	const uint8_t contract[32],
	const struct chain_step *step
);

/* The oldest record. false when there is none. */
bool chain_inbox_next(struct db_txn *txn, struct chain_inbox_record *ret);
void chain_inbox_remove(struct db_txn *txn, uint64_t sequence);
