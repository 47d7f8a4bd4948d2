// SPDX-License-Identifier: Apache-2.0
//
// The one thread for chain I/O: for each configured chain it reads events into the inbox and drives
// the outbox, every poll interval of its own, or sooner when it is woken; between two such steps it
// answers the loop's questions (chain_ask.h). Chains share nothing: one whose endpoints are down costs
// the others a time-out now and then. The loop hears of news by a callback that only has to wake it.

#pragma once

#include "controlplane/chain/chain_inbox.h"
#include "controlplane/settle/chain_ask.h"
#include "controlplane/settle/settle_outbox.h"

#include <stddef.h>
#include <stdint.h>

#define CHAIN_THREAD_LANES_MAX 8

// One chain with one escrow and one settling account.
struct chain_thread_lane {
	struct chain_driver chain;
	uint8_t contract[32]; // the escrow, left-padded
	uint32_t
		provision_confirmations; // confirmations.provision: depth at which events are believed
	uint32_t poll_ms; // 5000
	uint32_t account_ms; // how often the account is looked at, for on_round; 0 = never
	struct settle_outbox_conf outbox; // db, chain and clock are set by the thread
	void (*interrupt)(void *driver); // ends a running question; called from the stopping thread
};

// What a lane's round saw.
struct chain_thread_seen {
	uint64_t head_number; // 0: none was told
	uint64_t head_time_sec;
	uint64_t next_block; // of the cursor
	const struct chain_account *account; // NULL: not asked in this round
	const char *why; // what ails the reading; NULL: nothing
};

struct chain_thread_conf {
	struct db *db;
	const struct clock *clock;
	const struct chain_thread_lane *lanes;
	size_t n_lanes;
	struct chain_ask *ask; // whose questions to answer; NULL: nobody's
	void (*on_news)(void *ctx); // on the chain thread: records are in the inbox
	// On the chain thread, once per failure and lane until it works again.
	void (*on_error)(void *ctx, uint64_t chain_id, const char *why);
	// On the chain thread, at the end of each round of a lane; may be NULL.
	void (*on_round)(void *ctx, size_t lane, const struct chain_thread_seen *seen);
	void *ctx;
};

struct chain_thread;

/* Copies conf and lanes. Returns: 0; -EINVAL; -ENOMEM; -errno of pthread. */
int chain_thread_start(struct chain_thread **ret, const struct chain_thread_conf *conf);

/* A settlement was queued. Any thread. */
void chain_thread_wake(struct chain_thread *thread);

/* Interrupts what runs, waits for the thread's end, frees. Work goes on at the next start. */
void chain_thread_stop(struct chain_thread *thread);
