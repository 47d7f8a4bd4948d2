// SPDX-License-Identifier: Apache-2.0
//
// What each session has used: billed bytes of earlier data-plane boots (base) plus what the present
// boot's slot counts, and the chain of checkpoints over it. A total never goes down. Runs on the
// loop's thread. Reads no shared memory (dp_link.c does) and asks nobody for money.
#pragma once

#include "common/abi_attach.h"
#include "common/clock.h"
#include "config/config.h"
#include "controlplane/session/session.h"
#include "controlplane/store/db.h"

#include <stdbool.h>
#include <stdint.h>

// One session's usage as people see it. Bytes are billed bytes but for free_*.
struct usage_view {
	uint64_t out_bytes; // client -> internet, whole life
	uint64_t in_bytes;
	uint64_t out_pkts; // present boot only, as all below
	uint64_t in_pkts;
	uint64_t free_out_bytes;
	uint64_t free_in_bytes;
	uint64_t originated_bytes;
	uint64_t drop_out_pkts;
	uint64_t drop_in_pkts;
	uint64_t out_bits_per_sec; // over the last poll interval
	uint64_t in_bits_per_sec;
	uint64_t last_authentic_unix_ns; // 0 = never; survives boots
	uint64_t last_handshake_unix_ns; // 0 = none in this boot
	struct abi_endpoint endpoint; // where the client is or was; family NONE = unknown
	uint64_t n_checkpoints;
	uint64_t checkpoint_out_bytes; // as the last checkpoint says
	uint64_t checkpoint_in_bytes;
	bool is_in_dataplane; // the rest is zero when not
	uint64_t limit_bytes; // in force in the data plane
	uint8_t gate; // enum abi_gate
	uint8_t slot_state; // enum abi_slot_state
	uint16_t owner; // worker, or ABI_OWNER_NONE
};

// Its gate is closed at the limit that the store wants to be in force now, not at an older, lower one.
static inline bool usage_view_is_at_limit(
	const struct usage_view *view, const struct session *session
)
{
	return view->is_in_dataplane && view->gate == ABI_GATE_QUOTA &&
		view->limit_bytes == session_limit_bytes(session);
}

// Waiting for a voucher: closed at what vouchers cover and the credit, with quota left. No end.
static inline bool usage_view_is_waiting(
	const struct usage_view *view, const struct session *session
)
{
	return usage_view_is_at_limit(view, session) &&
		session_limit_bytes(session) < session->quota_bytes;
}

static inline bool usage_view_is_used_up(
	const struct usage_view *view, const struct session *session
)
{
	return usage_view_is_at_limit(view, session) &&
		session_limit_bytes(session) == session->quota_bytes;
}

struct usage_book;

struct usage_book_conf {
	struct db *db;
	const struct config *config;
	const struct clock *clock;
};

// Returns: 0 or -ENOMEM.
int usage_book_create(struct usage_book **ret, const struct usage_book_conf *conf);
void usage_book_destroy(struct usage_book *book);

// Out: the view; zero for a session that never was in a data plane.
//
// Returns: 0 or a store error (-errno).
int usage_read(struct usage_book *book, uint64_t session_id, struct usage_view *ret);

// ---- for dp_link.c: sessions of the boot that is attached, by slot ----------------------------

// In the transaction that comes before the session's `add`: its ledger is bound to the boot. One that
// was bound to this boot, slot and generation before goes on. usage_opened() follows the commit.
//
// Returns: false when it is bound to another boot, which must be harvested first, or on failure.
bool usage_open(
	struct usage_book *book,
	struct db_txn *txn,
	const struct session *session,
	const uint8_t boot_id[16]
);
void usage_opened(struct usage_book *book, const struct session *session);

// Out: what the `add` carries: base, last endpoint, last authentic time. In: an opened slot.
void usage_base(const struct usage_book *book, uint32_t slot, struct abi_command *add);

// Takes a reading into memory. Returns: USAGE_DELTA_*.
unsigned usage_observe(
	struct usage_book *book, uint32_t slot, const struct abi_session_reading *reading
);

// Checkpoints every session that moved by usage.checkpoint_bytes, or moved at all and is older than
// usage.checkpoint_interval; with is_forced all that moved. One transaction; on failure nothing is
// lost, because the counters stay where they are, and the next call tries again.
//
// Returns: how many were committed, or -errno with a sentence in err.
int usage_commit(struct usage_book *book, bool is_forced, char *err, size_t err_len);

// The slot's session has left the data plane and its total is committed.
void usage_forget(struct usage_book *book, uint32_t slot);
