// SPDX-License-Identifier: Apache-2.0
//
// What the chain thread last saw of each configured chain, for the loop to show: metrics, `twctl
// status`, alerts. The chain thread writes a chain's entry under a lock that it holds for the writing
// alone, never while it asks an endpoint; so a reader never waits for the network. Nothing here is
// stored and nothing decides by it.
#pragma once

#include "config/config.h"
#include "controlplane/chain/chain.h"
#include "controlplane/chain/evm/evm_rpc.h"
#include "controlplane/health.h"
#include "controlplane/settle/settle_outbox.h"
#include "controlplane/store/db.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHAIN_GAUGE_ALERT_CAP (CHAIN_WHY_SIZE + 200)
#define CHAIN_GAUGE_DISAGREEMENT_SEC 600 // an alert for so long after two endpoints disagreed

struct chain_gauge_view {
	char name[CONFIG_NAME_CAP]; // as configured
	uint64_t chain_id;
	// The head as an endpoint last told it; head_number 0: none did yet.
	uint64_t head_number;
	uint64_t head_time_sec; // block time
	uint64_t next_block; // not read yet; 0: nothing was read
	uint64_t blocks_behind; // deep enough to be read, and not read yet
	// Of the settling account.
	bool has_balance;
	struct u256 balance_wei;
	char low_balance[2 * U256_DEC_SIZE + 64]; // that it is below the alarm; empty: it is not
	// What ails the reading of events; empty: nothing.
	char failure[CHAIN_WHY_SIZE];
	// The outbox's alerts; an empty text: not raised.
	char alerts[SETTLE_N_ALERT][CHAIN_GAUGE_ALERT_CAP];
	// The host's clock against the head's time, as far as it is an alert; 0 = they agree.
	int64_t clock_skew_sec;
	// When and what two endpoints last contradicted each other about; 0 = never.
	uint64_t disagreed_unix_ns;
	char disagreement[EVM_RPC_WHY_SIZE];
	struct evm_rpc_stats endpoints[CONFIG_MAX_ENDPOINTS];
	size_t n_endpoints;
};

struct chain_gauge;

/* An entry for each chain of the configuration, in its order. Returns: 0; -ENOMEM. */
int chain_gauge_create(struct chain_gauge **ret, const struct config *config);
void chain_gauge_destroy(struct chain_gauge *gauge); // NULL is a no-op

// ---- any thread ------------------------------------------------------------------------------

size_t chain_gauge_n(const struct chain_gauge *gauge);

/* A copy of entry idx < chain_gauge_n(). A view is about 12 KB. */
void chain_gauge_get(struct chain_gauge *gauge, size_t idx, struct chain_gauge_view *ret);

/* Returns: block time of a chain's newest head; 0 while none is known, or of a chain that is not here. */
uint64_t chain_gauge_head_time_sec(struct chain_gauge *gauge, uint64_t chain_id);

/* Returns: seconds of block time that the head is behind the host's clock; 0 while no head is known. */
uint64_t chain_gauge_head_lag_sec(const struct chain_gauge_view *view, uint64_t now_unix_ns);

struct chain_gauge_queue {
	uint64_t n_items; // settlements that wait for a transaction
	uint64_t n_txs; // transactions that are under way, or done too lately to be certain
	uint64_t age_sec; // block time since the oldest item was first seen; 0: none was yet
};

/* Settlements of the view's chain, out of the store. Returns: 0; a store error. */
int chain_gauge_count_queue(
	struct db *db, const struct chain_gauge_view *view, struct chain_gauge_queue *ret
);

// ---- the writers: the chain thread -----------------------------------------------------------

/* The entry, locked; chain_gauge_end() releases it. Nothing may block between the two. */
struct chain_gauge_view *chain_gauge_begin(struct chain_gauge *gauge, size_t idx);
void chain_gauge_end(struct chain_gauge *gauge);

// ---- the loop's thread -----------------------------------------------------------------------

/* Sets or clears the conditions about chains: endpoints, settlement, chain clock. */
void chain_gauge_tell(struct chain_gauge *gauge, struct health *health, uint64_t now_unix_ns);
