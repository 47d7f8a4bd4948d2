// SPDX-License-Identifier: Apache-2.0
//
// Handshake messages that workers sent up: who may have an answer, and the answer. What costs least and
// trusts least comes first: mac1, limits per source, cookie, then the four Diffie-Hellmans. Every refusal
// has its own drop reason. This node is the responder: responses and cookie replies are unexpected.
// Slow path only.
#pragma once

#include "dataplane/wg/wg_ratelimit.h"

#include <stdint.h>

struct rte_mbuf;
struct slowpath;

#define HANDSHAKE_N_SOURCES 16384 // addresses whose rate is remembered, of either kind
// How long the node stays under load after it last was (as Linux: receive.c).
#define HANDSHAKE_LOAD_HOLD_NS 1000000000ull

struct handshake {
	// A source that has proved to receive at its address by a cookie has a limit of its own, so that
	// a stranger who forges the address cannot use it up.
	struct wg_ratelimit unproven;
	struct wg_ratelimit proven;
	void *memory; // of both
	uint64_t under_load_until_ns;
};

int handshake_init(struct slowpath *sp);
void handshake_fini(struct slowpath *sp);

// Once a round: n_queued handshake messages (and other packets) wait.
void handshake_measure_load(struct slowpath *sp, unsigned n_queued);

// A message that came up from `worker`, data_off at it. Takes m.
void handshake_receive(struct slowpath *sp, unsigned worker, struct rte_mbuf *m);
