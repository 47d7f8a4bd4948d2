// SPDX-License-Identifier: Apache-2.0
//
// What the lifecycle*.c files share; nobody else includes it.
#pragma once

#include "controlplane/chain/chain_inbox.h"
#include "controlplane/lifecycle.h"
#include "controlplane/lifecycle_failpoint.h"
#include "controlplane/settle/settle_outbox.h"

#include <inttypes.h>
#include <string.h>

struct lifecycle {
	struct lifecycle_conf conf;
	struct lifecycle_chain chains[LIFECYCLE_CHAINS_MAX];
	uint64_t next_id; // of the round over open purchases
};

// One purchase in the transaction of a round, and what the round does with it.
struct lifecycle_round {
	struct db_txn *txn;
	struct session *session;
	struct purchase *purchase;
	uint64_t now_sec; // chain time; 0: not known
	enum lifecycle_step step; // what was changed last
	bool is_changed;
	bool is_queued; // the outbox has news
};

// NULL for a chain or contract that is not configured (any more).
const struct lifecycle_chain *lifecycle_find_chain(
	const struct lifecycle *life, uint64_t chain_id, const uint8_t contract[32]
);

/* Chain time of the session's contract: of the newest block read, once everything that was read is
 * applied. next_block may be NULL. Returns: 0 while it is not known. */
uint64_t lifecycle_chain_time(
	struct db_txn *txn, const struct session *session, uint64_t *ret_next_block
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

// Saves the purchase and notes what for.
void lifecycle_keep(struct lifecycle_round *round, enum lifecycle_step step);

// Of the session that an event is about.
struct session_identity lifecycle_identity_of(const struct chain_inbox_record *record);

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

// After its commit: tells of all open purchases of the contract, changed or not.
void lifecycle_tell_unwound(struct lifecycle *life, const struct chain_inbox_record *record);

// The states that the chain alone decides on: void and disputed, and back from disputed. Returns: true
// when the session changed.
bool lifecycle_follow_chain(
	struct lifecycle *life,
	struct db_txn *txn,
	struct session *session,
	const struct purchase *purchase
);

// Sessions that are served, or should be; draining ones.
void lifecycle_serve(struct lifecycle *life, struct lifecycle_round *round);

// Settling, disputed and settled sessions.
void lifecycle_settle(struct lifecycle *life, struct lifecycle_round *round);

// NULL while the session's chain is not configured.
const struct lifecycle_chain *lifecycle_chain_of(
	const struct lifecycle *life, const struct session *session
);

// The session's id and the signatures that are there.
void lifecycle_fill_call(
	const struct purchase *purchase, const struct session *session, struct chain_item *item
);

// Puts a call into the outbox, without the signatures that its kind does not take. Returns: false when
// the chain is not configured or the transaction has failed.
bool lifecycle_queue(
	struct lifecycle *life,
	struct lifecycle_round *round,
	enum chain_call_kind kind,
	struct chain_item *item,
	uint64_t deadline_sec
);

// What follows a proposal or an end that the contract did not take: EXECUTE at its bytes,
// FINALIZE_ATTESTED or RESOLVE at the attested ones.
void lifecycle_queue_end(
	struct lifecycle *life,
	struct lifecycle_round *round,
	const struct chain_item *former,
	enum chain_call_kind kind
);

// A disputed session: before and after its end is queued.
void lifecycle_dispute(
	struct lifecycle *life, struct lifecycle_round *round, const struct settle_item *proposal
);
void lifecycle_redirect(
	struct lifecycle *life, struct lifecycle_round *round, const struct settle_item *end
);
