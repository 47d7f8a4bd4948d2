// SPDX-License-Identifier: Apache-2.0
//
// A worker: one lcore that runs packets to completion. Everything in struct worker is its own; what
// it shares with the slow path goes through the mailbox, what it tells the world through its
// statistics block and the slots of the sessions it owns.
#pragma once

#include "dataplane/dp.h"
#include "dataplane/nat/nat.h"
#include "dataplane/pkt.h"
#include "dataplane/wg/wg_aead.h"

struct worker {
	struct dp *dp;
	unsigned id;
	uint16_t queue; // RX and TX queue on every port
	struct mailbox *mailbox;
	struct abi_thread_stats *stats; // this worker writes
	struct wg_aead *aead;
	struct nat *nat;
	uint64_t now_ns; // monotonic, read once a loop
	uint64_t now_unix_ns; // wall time of now_ns, for the slots' stamps
	bool is_draining;

	struct burst received; // by stage; see worker.c
	struct burst transport; // to decrypt
	struct burst inbound; // to NAT lookup
	struct burst to_client; // to encrypt
	struct burst to_send; // to route and transmit
	struct burst done; // dropped and consumed: freed at the end of the loop
};

// Allocates a worker's private state (on the lcore's socket) for worker id.
//
// Returns: 0 or -errno with a sentence in err.
int worker_create(struct worker **ret, struct dp *dp, unsigned id, char *err, size_t err_len);
void worker_destroy(struct worker *worker);

// The lcore's main function: loops until dp->is_stopping and drained. Arg: struct worker *.
int worker_main(void *arg);

// One round; for tests and benchmarks that drive a worker themselves.
//
// Returns: packets that were handled.
unsigned worker_poll(struct worker *worker);
