// SPDX-License-Identifier: Apache-2.0
//
// What the data plane counts beside sessions: per thread (each worker, and the slow path as the last
// one) and per port. Every thread writes its own block and no other; readers sum.
//
// Every packet is accounted for. Summed over the threads, after a drain:
//   rx_pkts + originated_pkts + fragments_made_pkts =
//     tx_pkts + sum(drops) + sum(consumed) + reassembly_merged_pkts
// and in between the difference is what is held (waiting for ARP, or between threads).
#pragma once

#include "common/abi_names.h"
#include "common/abi_session.h"

#define ABI_DROP_ROWS 96
#define ABI_CONSUMED_ROWS 16
#define ABI_STAGE_ROWS 24

static_assert(N_DROP <= ABI_DROP_ROWS, "room for the drop reasons");
static_assert(N_CONSUMED <= ABI_CONSUMED_ROWS, "room for the consumed kinds");
static_assert(N_STAGE <= ABI_STAGE_ROWS, "room for the stages");

struct abi_stage_stats {
	uint64_t calls; // with at least one packet
	uint64_t pkts;
	uint64_t cycles; // TSC
};

struct abi_nat_stats {
	uint64_t mappings_tcp; // gauges
	uint64_t mappings_udp;
	uint64_t mappings_icmp;
	uint64_t filter_entries;
	uint64_t mappings_created; // counters
	uint64_t mappings_expired;
	uint64_t filters_replaced;
	uint64_t
		ports_total; // capacity: ports this worker may give out, all protocols and addresses
};

// One thread's block. dp that thread: rw, cp: ro.
struct abi_thread_stats {
	uint64_t loops; // heartbeat: rises while the thread lives
	uint64_t busy_cycles; // TSC in loops that had a packet
	uint64_t rx_pkts;
	uint64_t rx_bytes; // frames as received
	uint64_t tx_pkts;
	uint64_t tx_bytes;
	uint64_t originated_pkts;
	uint64_t fragments_made_pkts;
	uint64_t reassembly_merged_pkts;
	uint64_t handshakes_completed; // slow path
	uint64_t cookies_sent; // slow path
	uint64_t under_load; // slow path: 1 while cookies are demanded
	uint64_t drops[ABI_DROP_ROWS];
	uint64_t consumed[ABI_CONSUMED_ROWS];
	struct abi_stage_stats stages[ABI_STAGE_ROWS];
	struct abi_nat_stats nat;
} __attribute__((aligned(ABI_CACHE_LINE)));

#define ABI_MAX_PORTS 2
#define ABI_PORT_OFFLOAD_IP_CKSUM 0x1u
#define ABI_PORT_OFFLOAD_UDP_CKSUM 0x2u
#define ABI_PORT_OFFLOAD_TCP_CKSUM 0x4u
#define ABI_PORT_OFFLOAD_RX_CKSUM 0x8u

// One port. dp slow path: rw once a second (port.stats_interval), cp: ro.
struct abi_port_stats {
	char name[32]; // as in the YAML
	char driver[32];
	uint8_t mac[6];
	uint8_t is_link_up;
	uint8_t is_gateway_resolved;
	uint16_t mtu;
	uint16_t n_queues;
	uint32_t offloads; // ABI_PORT_OFFLOAD_*, those in use
	uint32_t link_mbps;
	struct abi_endpoint addr;
	struct abi_endpoint gateway;
	uint64_t rx_pkts; // as the driver counts
	uint64_t rx_bytes;
	uint64_t tx_pkts;
	uint64_t tx_bytes;
	uint64_t rx_missed_pkts; // lost before the data plane saw them
	uint64_t rx_error_pkts;
	uint64_t rx_no_mbuf_pkts;
	uint64_t tx_error_pkts;
} __attribute__((aligned(ABI_CACHE_LINE)));
