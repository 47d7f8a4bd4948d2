// SPDX-License-Identifier: Apache-2.0
//
// A worker: one lcore that runs packets to completion. Everything in struct worker is its own; what
// it shares with the slow path goes through the mailbox, what it tells the world through its
// statistics block and the slots of the sessions it owns.
#pragma once

#include "dataplane/dp.h"
#include "dataplane/nat/nat.h"
#include "dataplane/net/net_icmp.h"
#include "dataplane/net/net_martian.h"
#include "dataplane/pkt.h"
#include "dataplane/wg/wg_aead.h"

#define WORKER_STASH 512

struct worker {
	struct dp *dp;
	unsigned id;
	uint16_t queue; // RX and TX queue on every port
	struct mailbox *mailbox;
	struct abi_thread_stats *stats; // this worker writes
	struct wg_aead *aead;
	struct nat *nat; // this worker's part of the external ports
	struct net_icmp_bucket icmp_bucket; // of what the node originates
	uint64_t housekept_ns;
	uint16_t rx_burst; // packets per receive call
	uint64_t now_ns; // monotonic, read once a loop
	uint64_t now_unix_ns; // wall time of now_ns, for the slots' stamps
	unsigned originated_room; // packets that the node may still make in this loop
	uint16_t ip_id; // of the next outer packet
	bool is_draining;
	bool is_snapshot_asked, is_drain_asked; // answered at the end of the loop

	// Mail that found the ring up full. Keypairs must come back, so no more is taken in than can
	// be kept here.
	struct mail stash[WORKER_STASH];
	unsigned n_stash;

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
