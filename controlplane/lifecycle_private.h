// SPDX-License-Identifier: Apache-2.0
//
// What the lifecycle*.c files share; nobody else includes it.
#pragma once

#include "controlplane/chain/chain_inbox.h"
#include "controlplane/lifecycle.h"

#include <inttypes.h>

struct lifecycle {
	struct lifecycle_conf conf;
	struct lifecycle_chain chains[LIFECYCLE_CHAINS_MAX];
	uint64_t next_id; // of the round over open purchases
};

// NULL for a chain or contract that is not configured (any more).
const struct lifecycle_chain *lifecycle_find_chain(
	const struct lifecycle *life, uint64_t chain_id, const uint8_t contract[32]
);

// Billed bytes of both directions as last counted; saturated.
uint64_t lifecycle_billed_bytes(const struct lifecycle *life, uint64_t session_id);

// Stops serving. Returns: true when the session changed.
bool lifecycle_stop_serving(
	const struct lifecycle *life,
	struct db_txn *txn,
	struct session *session,
	const char *reason
);

// One record of the inbox in the transaction that removes it. Returns: true with the session to tell.
bool lifecycle_apply_event(
	struct lifecycle *life,
	struct db_txn *txn,
	const struct chain_event *event,
	const struct chain_inbox_record *record,
	struct session *ret
);
void lifecycle_apply_unwound(
	struct lifecycle *life, struct db_txn *txn, const struct chain_inbox_record *record
);

// Settling and settled sessions. Returns: true when something was changed.
bool lifecycle_settle(
	struct lifecycle *life,
	struct db_txn *txn,
	struct session *session,
	struct purchase *purchase,
	bool *ret_is_queued
);
