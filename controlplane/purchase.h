// SPDX-License-Identifier: Apache-2.0
//
// What a chain says about a session that was bought there, beside the session itself: by whom, on what
// terms, the newest voucher, and enough of its history to undo what a reorganisation takes back.
// Records are this host's: native layout, guarded by the store's schema version and checksums. All
// calls take part in the caller's transaction and leave failures in it. Loop's thread.
#pragma once

#include "controlplane/chain/chain.h"
#include "controlplane/store/db.h"

#include <stdbool.h>
#include <stdint.h>

// Undoable ones; deeper than any reorganisation that anybody survives.
#define PURCHASE_TOP_UPS_MAX 16
#define PURCHASE_CLAIMS_MAX 16

#define PURCHASE_GRACE_MIN_SEC (6 * 3600) // the contract's shortest grace

enum purchase_mode { PURCHASE_VOUCHER, PURCHASE_ATTESTED, PURCHASE_OPTIMISTIC, PURCHASE_N_MODE };

const char *purchase_mode_name(unsigned int mode);

struct purchase_top_up {
	uint64_t block_number;
	uint64_t bytes_before; // bought until then
	uint64_t expires_before_sec;
};

struct purchase_claim {
	uint64_t block_number;
	uint64_t bytes_before; // claimed until then
};

struct purchase {
	uint64_t session_id; // local
	uint8_t buyer[32]; // addresses left-padded, as on the chain
	uint8_t voucher_signer[32];
	uint8_t asset[32];
	uint8_t usage_signer[32];
	uint8_t attestor[32]; // zero: nobody
	struct u256 price_per_gb;
	uint32_t mode; // enum purchase_mode
	uint32_t n_top_ups;
	uint64_t created_block;
	uint64_t bought_bytes;
	uint64_t expires_sec; // chain time, as all times here
	uint64_t grace_sec; // from the expiry, or the close, to the buyer's reclaim
	struct purchase_top_up top_ups[PURCHASE_TOP_UPS_MAX]; // oldest first
	uint64_t closed_block; // closeSession; 0: not closed
	uint64_t reclaim_from_sec; // of a closed one: when the buyer may reclaim
	uint64_t proposed_block; // 0: none that stands
	uint64_t proposed_bytes;
	uint64_t window_end_sec; // of the proposal
	uint64_t disputed_block; // 0: none that stands
	uint64_t resolve_until_sec; // of the dispute: the attestor's time
	uint64_t accepted_bytes; // by the buyer in the dispute
	uint64_t claimed_bytes; // highest claim that the contract took
	uint64_t n_claims;
	struct purchase_claim claims[PURCHASE_CLAIMS_MAX]; // oldest first
	// Settled by whomever, as the contract said; it counts when it is deep enough.
	uint64_t settled_block; // 0: it was not
	uint64_t settled_bytes;
	uint8_t settled_tx_id[32];
	struct u256 settled_operator_amount;
	struct u256 settled_fee_amount;
	struct u256 settled_refund;
	// Newest voucher; all zero: none.
	uint64_t voucher_bytes;
	uint8_t voucher_r[32];
	uint8_t voucher_vs[32];
	uint64_t voucher_unix_sec; // when it came, by the host's clock
	// The attestor's word; all zero: none.
	uint64_t attested_bytes;
	uint8_t attested_root[32];
	uint8_t attestation_r[32];
	uint8_t attestation_vs[32];
	uint64_t warned_bytes; // the quota of which nine tenths were used, when that was noted
	uint64_t waiting_unix_sec; // gate closed at the credit since; 0: it is not
	uint64_t final_unix_sec; // usage is final since; 0: it is not
	uint64_t settled_unix_sec; // settled or refunded since; 0: it is not
};

// That the attestor's signature is there.
bool purchase_is_attested(const struct purchase *purchase);

// What the contract has paid at least: nothing settles below it.
uint64_t purchase_paid_bytes(const struct purchase *purchase);

// When the buyer could take the money back, in chain time.
uint64_t purchase_reclaim_from(const struct purchase *purchase);

// Returns: false when the session was not bought on a chain, or the transaction has failed.
bool purchase_load(struct db_txn *txn, uint64_t session_id, struct purchase *ret);
void purchase_save(struct db_txn *txn, const struct purchase *purchase);

// Local ids of what one address bought, upwards from `from`. Returns: how many, at most max.
uint32_t purchase_list_buyer(
	struct db_txn *txn, const uint8_t buyer[32], uint64_t from, uint64_t *ret_ids, uint32_t max
);

// Purchases that something may still happen to. Out of it: settled for good.
void purchase_retire(struct db_txn *txn, uint64_t session_id);

// Local ids of open purchases, upwards from `from`. Returns: how many, at most max.
uint32_t purchase_list_open(struct db_txn *txn, uint64_t from, uint64_t *ret_ids, uint32_t max);
