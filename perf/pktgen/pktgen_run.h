// SPDX-License-Identifier: Apache-2.0
//
// A run of the generator: N buyers on the tunnel link, one host on the internet link, in one thread
// over two ethdev ports. The host answers every packet it gets when the run is two-way, and both ends
// check every byte.
#pragma once

#include "perf/pktgen/pktgen_buyer.h"
#include "perf/pktgen/pktgen_frame.h"

#include <rte_mbuf.h>

#include <stdbool.h>
#include <stdint.h>

enum pktgen_side { SIDE_TUNNEL, SIDE_INTERNET, N_SIDE };

struct pktgen_conf {
	const char *devargs[N_SIDE];
	uint32_t node_be[N_SIDE]; // the node's address on each link
	uint32_t first_buyer_be; // outer address of the first buyer
	uint32_t n_buyer_addresses; // they share this many addresses, by different ports
	uint32_t remote_be; // the host on the internet link
	uint16_t listen_port; // of the node
	uint8_t node_public_key[32];
	uint8_t proto;
	bool is_two_way;
	uint16_t sizes[12]; // inner total lengths in turn, 0 ends
	uint64_t n_packets; // each buyer sends so many
	uint64_t rate_pps; // all buyers together; 0 = as fast as it goes
	uint64_t timeout_sec; // for the whole run
	uint64_t window_pkts; // at most so many are under way; 0 = no bound
	const char *stop_file; // sending ends when it exists; may be NULL
};

struct pktgen_port {
	uint16_t id;
	uint8_t mac[6];
	uint8_t node_mac[6];
	bool is_node_known;
};

struct pktgen_run {
	struct pktgen_conf conf;
	struct pktgen_buyer *buyers;
	uint32_t n_buyers;
	struct rte_mempool *pool;
	struct pktgen_port ports[N_SIDE];
	uint64_t start_ns; // monotonic
	uint64_t last_arrival_ns;
	uint64_t silence_ns; // the longest without an arrival while packets were under way
	uint64_t n_sent, n_tx_refused;
	uint64_t n_under_way; // sent by either side, not yet arrived at the other
	uint64_t n_bad; // frames that failed a check
	const char *bad_why; // of the last one
};

// Opens both ports.
//
// Returns: 0, or -errno with a sentence on stderr.
int pktgen_run_open(struct pktgen_run *run);
void pktgen_run_close(struct pktgen_run *run);

// The phases; each returns 0, or -ETIMEDOUT with a sentence on stderr.
int pktgen_run_resolve(struct pktgen_run *run); // ARP for the node on both links
int pktgen_run_connect(struct pktgen_run *run); // handshakes of all buyers
int pktgen_run_traffic(struct pktgen_run *run); // sends, answers, and waits until nothing arrives
