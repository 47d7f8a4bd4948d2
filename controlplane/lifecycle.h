// SPDX-License-Identifier: Apache-2.0
//
// The life of a session that was bought on a chain: what the contract says, the clock, the counters and
// the buyer drive it through the table of session_state.h, and at its end its settlement is queued.
// Each step is one transaction of the store that also takes the event out of the inbox, so a kill
// between any two loses and repeats nothing. Sessions of the operator's own are left alone: they end
// when the operator says so. Loop's thread; settlement itself is the chain thread's.
//
// Time here is the chain's: the time of the newest block whose events were applied, so that a deadline
// has passed only when nothing that came before it is left to hear of, and the host's clock may jump as
// it likes (it serves the data plane's expiry alone). While that time is not known, nothing is late.
//
// Vouchers: a session in voucher mode is served up to its newest voucher and a credit beyond. At the
// credit the gate closes and the session waits; the next voucher opens it. One that waits longer than
// voucher.patience_sec ends, and is settled with the newest voucher. A session that ended otherwise
// waits as long for the voucher, or in attested mode the attestation, that covers its last bytes.
#pragma once

#include "common/clock.h"
#include "config/config.h"
#include "controlplane/chain/chain_purchase.h"
#include "controlplane/purchase.h"
#include "controlplane/session/session.h"
#include "controlplane/store/db.h"
#include "controlplane/usage/usage.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIFECYCLE_CHAINS_MAX 8
#define LIFECYCLE_GRACE_MIN_SEC PURCHASE_GRACE_MIN_SEC
// So long before the buyer may reclaim nothing is waited for any more: the rest is the chain's.
#define LIFECYCLE_MARGIN_SEC (LIFECYCLE_GRACE_MIN_SEC / 2)

struct lifecycle_chain {
	struct chain_driver driver; // for verify_voucher alone, which talks to nobody
	uint8_t contract[32]; // the escrow, left-padded
	uint32_t settle_confirmations; // depth at which a settlement by others is believed; 0: 10
	// What the node sells there; NULL: whatever the registry said is taken.
	const struct chain_purchase_terms *terms;
};

struct lifecycle_conf {
	struct db *db;
	const struct config *config;
	const struct clock *clock;
	struct session_book *sessions;
	struct usage_book *usage;
	const struct lifecycle_chain *chains;
	size_t n_chains;
	void (*queued)(void *ctx); // a settlement was queued; may be NULL
	void *ctx;
};

struct lifecycle;

/* Copies conf and chains. Returns: 0; -EINVAL; -ENOMEM. */
int lifecycle_create(struct lifecycle **ret, const struct lifecycle_conf *conf);
void lifecycle_destroy(struct lifecycle *life);

/* One round: the inbox, then every open purchase. Call after dp_link_tick().
 * Returns: 0; a store error with a sentence in err, tried again in the next round. */
int lifecycle_tick(struct lifecycle *life, char *err, size_t err_len);

/* The buyer ends it. Returns: 0, also when it has ended; -ENOENT; -EPERM for a session that was not
 * bought; a store error. */
int lifecycle_end(
	struct lifecycle *life, uint64_t session_id, const char *reason, struct session_error *err
);

struct lifecycle_voucher {
	uint64_t cumulative_bytes;
	uint8_t r[32]; // EIP-2098
	uint8_t vs[32];
};

/* Takes a buyer's voucher: its signature is verified, it is stored, and the limit rises at once. An
 * older one, or the same again, is success and changes nothing.
 * Returns: 0; -ENOENT; -EPERM (no vouchers for this session, or it is settled); -EBADMSG (signature,
 * or another session's); -ERANGE (beyond what was bought); a store error; with a sentence in err. */
int lifecycle_post_voucher(
	struct lifecycle *life,
	uint64_t session_id,
	const struct lifecycle_voucher *voucher,
	struct purchase *ret,
	struct session_error *err
);

struct lifecycle_attestation {
	uint64_t bytes_used;
	uint8_t checkpoints_root[32];
	uint8_t r[32]; // EIP-2098
	uint8_t vs[32];
};

/* Takes the attestor's word from the operator, who got it from the attestor: on a session in attested
 * mode whose usage is final, and on any disputed one that has an attestor. The settlement goes by it
 * then, also after a proposal. The same again is success.
 * Returns: 0; -ENOENT; -EPERM (no attestor or another mode, usage not final, or settled); -EBADMSG
 * (signature); -EINVAL (another root than that of the session's checkpoints); -ERANGE (beyond what was
 * bought or proposed, or below what was paid or signed for); -EEXIST (there is another already); a
 * store error; with a sentence in err. */
int lifecycle_post_attestation(
	struct lifecycle *life,
	uint64_t session_id,
	const struct lifecycle_attestation *attestation,
	struct purchase *ret,
	struct session_error *err
);

// What voucher.credit_bytes and the session's rates allow beyond a voucher.
uint64_t lifecycle_credit_bytes(const struct config *config, const struct session *session);
