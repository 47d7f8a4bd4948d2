// SPDX-License-Identifier: Apache-2.0
//
// Usage inside of a store transaction: one entry per session (ledger, head of its checkpoint chain,
// where the client was last), and the checkpoints. Failures are the transaction's.
#pragma once

#include "common/abi_attach.h"
#include "controlplane/session/session.h"
#include "controlplane/usage/usage_checkpoint.h"
#include "controlplane/usage/usage_delta.h"

struct usage_entry {
	struct usage_ledger ledger;
	struct usage_checkpoint last; // sequence 0: none yet
	struct abi_endpoint endpoint;
	uint64_t last_authentic_unix_ns;
};

#define USAGE_ENTRY_BYTES 183

void usage_store_encode(const struct usage_entry *entry, uint8_t dst[USAGE_ENTRY_BYTES]);
int usage_store_decode(struct usage_entry *ret, const void *data, size_t len)
	__attribute__((warn_unused_result));

// Out: zero for a session that never was in a data plane.
void usage_store_load(struct db_txn *txn, uint64_t session_id, struct usage_entry *ret);
void usage_store_save(struct db_txn *txn, uint64_t session_id, const struct usage_entry *entry);

// Takes a reading into the entry: counters, endpoint, last authentic packet.
//
// Returns: USAGE_DELTA_*.
unsigned usage_store_observe(struct usage_entry *entry, const struct abi_session_reading *reading);

// Appends a checkpoint of the present total to the session's chain (identity_id: the session's 32-byte
// identity) when it moved since the last one, queues it for its signature, and saves the entry either way. Time never goes back within a chain, whatever the clock does.
void usage_store_checkpoint(
	struct db_txn *txn,
	uint64_t session_id,
	const uint8_t identity_id[32],
	struct usage_entry *entry,
	uint64_t now_unix_sec
);

// Shows a session's checkpoints, sequence from_sequence and upwards, until visit returns false.
//
// Returns: 0; -EBADMSG for a damaged record; another store error.
int usage_store_each_checkpoint(
	struct db *db,
	uint64_t session_id,
	uint64_t from_sequence,
	bool (*visit)(void *ctx, const struct usage_checkpoint *checkpoint),
	void *ctx
);
