// SPDX-License-Identifier: Apache-2.0
//
// The data plane's root: what all threads share, and who writes it. Built once by main() in the order
// of its table, torn down in reverse.
#pragma once

#include "common/abi_segment.h"
#include "common/clock.h"
#include "config/config.h"
#include "dataplane/dp_session.h"
#include "dataplane/mail.h"
#include "dataplane/net/net_martian.h"
#include "dataplane/net/net_neigh.h"
#include "dataplane/net/net_port.h"
#include "dataplane/wg/wg_index.h"

#include <rte_mempool.h>

struct rte_rcu_qsbr;
struct worker;

struct dp {
	const struct config *config; // constant after start
	const struct clock *clock;
	uint64_t tsc_hz;
	uint64_t tsc_base; // TSC and monotonic ns read together at start: now_ns = base_ns + Δtsc
	uint64_t base_ns;
	uint64_t wall_minus_mono_ns; // slow path writes each round (counter_set), workers read

	struct rte_mempool *pool; // packet buffers; private area is struct pkt_meta
	struct net_port
		ports[ABI_MAX_PORTS]; // constant after start, but each port's neighbour table
	unsigned n_ports;
	uint8_t tunnel_port; // indices into ports; equal when one-armed
	uint8_t internet_port;

	struct net_martian martian; // constant after start
	struct wg_index index; // slow path allots, publishes and frees; workers look up
	struct rte_rcu_qsbr *qsbr; // workers report once a loop; the slow path waits before freeing

	struct abi_segment segment;

	struct dp_session *sessions; // by slot; each entry is its owner worker's alone
	struct mailbox mailboxes[ABI_MAX_THREADS]; // by worker
	struct worker *workers[ABI_MAX_THREADS];
	unsigned n_workers;
	bool is_stopping; // slow path writes (release), workers read
};

// Monotonic nanoseconds of a TSC reading.
static inline uint64_t dp_tsc_to_ns(const struct dp *dp, uint64_t tsc)
{
	return dp->base_ns +
		(uint64_t)(((unsigned __int128)(tsc - dp->tsc_base) * NS_PER_SEC) / dp->tsc_hz);
}
