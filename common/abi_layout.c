// SPDX-License-Identifier: Apache-2.0
//
// Offsets of both mappings and the hash that stands for all of them. A field that is added to the
// ABI gets a line in the hash. Pure, any thread.
#include "common/abi_layout.h"

#include <string.h>

#define FNV_OFFSET 0xcbf29ce484222325ull
#define FNV_PRIME 0x100000001b3ull

static void hash_u64(uint64_t *hash, uint64_t value)
{
	for (unsigned i = 0; i < 8; i++, value >>= 8)
		*hash = (*hash ^ (value & 0xff)) * FNV_PRIME;
}

static void hash_name(uint64_t *hash, const char *name)
{
	// The terminator is part of it, so that ("ab", "c") and ("a", "bc") differ.
	for (size_t i = 0; i <= strlen(name); i++)
		*hash = (*hash ^ (uint8_t)name[i]) * FNV_PRIME;
}

#define HASH_SIZE(type) hash_u64(hash, sizeof(type))
#define HASH_FIELD(type, field) \
	do { \
		hash_u64(hash, offsetof(type, field)); \
		hash_u64(hash, sizeof(((type *)0)->field)); \
	} while (0)

static void hash_session(uint64_t *hash)
{
	HASH_SIZE(struct abi_endpoint);
	HASH_FIELD(struct abi_endpoint, addr);
	HASH_FIELD(struct abi_endpoint, port_be);
	HASH_FIELD(struct abi_endpoint, family);
	HASH_SIZE(struct abi_session_slot);
	HASH_FIELD(struct abi_session_slot, live);
	HASH_FIELD(struct abi_session_slot, limits);
	HASH_FIELD(struct abi_session_slot, free);
	HASH_FIELD(struct abi_session_live, generation);
	HASH_FIELD(struct abi_session_live, state);
	HASH_FIELD(struct abi_session_live, gate);
	HASH_FIELD(struct abi_session_live, out_pkts);
	HASH_FIELD(struct abi_session_live, in_pkts);
	HASH_FIELD(struct abi_session_live, out_bytes);
	HASH_FIELD(struct abi_session_live, in_bytes);
	HASH_FIELD(struct abi_session_live, last_authentic_unix_ns);
	HASH_FIELD(struct abi_session_limits, seq);
	HASH_FIELD(struct abi_session_limits, owner);
	HASH_FIELD(struct abi_session_limits, base_out_bytes);
	HASH_FIELD(struct abi_session_limits, base_in_bytes);
	HASH_FIELD(struct abi_session_limits, limit_bytes);
	HASH_FIELD(struct abi_session_limits, last_handshake_unix_ns);
	HASH_FIELD(struct abi_session_limits, endpoint_addr);
	HASH_FIELD(struct abi_session_limits, endpoint_port_be);
	HASH_FIELD(struct abi_session_limits, endpoint_family);
	HASH_FIELD(struct abi_session_limits, expires_unix_sec);
	HASH_FIELD(struct abi_session_free, free_out_bytes);
	HASH_FIELD(struct abi_session_free, free_in_bytes);
	HASH_FIELD(struct abi_session_free, originated_bytes);
	HASH_FIELD(struct abi_session_free, drop_out_pkts);
	HASH_FIELD(struct abi_session_free, drop_in_pkts);
	HASH_FIELD(struct abi_session_free, rate_out_kbps);
	HASH_FIELD(struct abi_session_free, rate_in_kbps);
	HASH_FIELD(struct abi_session_free, keepalive_pkts);
}

static void hash_threads(uint64_t *hash)
{
	HASH_SIZE(struct abi_thread_stats);
	HASH_FIELD(struct abi_thread_stats, loops);
	HASH_FIELD(struct abi_thread_stats, busy_cycles);
	HASH_FIELD(struct abi_thread_stats, rx_pkts);
	HASH_FIELD(struct abi_thread_stats, rx_bytes);
	HASH_FIELD(struct abi_thread_stats, tx_pkts);
	HASH_FIELD(struct abi_thread_stats, tx_bytes);
	HASH_FIELD(struct abi_thread_stats, originated_pkts);
	HASH_FIELD(struct abi_thread_stats, fragments_made_pkts);
	HASH_FIELD(struct abi_thread_stats, reassembly_merged_pkts);
	HASH_FIELD(struct abi_thread_stats, handshakes_completed);
	HASH_FIELD(struct abi_thread_stats, cookies_sent);
	HASH_FIELD(struct abi_thread_stats, under_load);
	HASH_FIELD(struct abi_thread_stats, drops);
	HASH_FIELD(struct abi_thread_stats, consumed);
	HASH_FIELD(struct abi_thread_stats, stages);
	HASH_FIELD(struct abi_thread_stats, nat);
	HASH_FIELD(struct abi_stage_stats, calls);
	HASH_FIELD(struct abi_stage_stats, pkts);
	HASH_FIELD(struct abi_stage_stats, cycles);
	HASH_FIELD(struct abi_nat_stats, mappings_tcp);
	HASH_FIELD(struct abi_nat_stats, mappings_udp);
	HASH_FIELD(struct abi_nat_stats, mappings_icmp);
	HASH_FIELD(struct abi_nat_stats, filter_entries);
	HASH_FIELD(struct abi_nat_stats, mappings_created);
	HASH_FIELD(struct abi_nat_stats, mappings_expired);
	HASH_FIELD(struct abi_nat_stats, filters_replaced);
	HASH_FIELD(struct abi_nat_stats, ports_total);
}

static void hash_ports(uint64_t *hash)
{
	HASH_SIZE(struct abi_port_stats);
	HASH_FIELD(struct abi_port_stats, name);
	HASH_FIELD(struct abi_port_stats, driver);
	HASH_FIELD(struct abi_port_stats, mac);
	HASH_FIELD(struct abi_port_stats, is_link_up);
	HASH_FIELD(struct abi_port_stats, is_gateway_resolved);
	HASH_FIELD(struct abi_port_stats, mtu);
	HASH_FIELD(struct abi_port_stats, n_queues);
	HASH_FIELD(struct abi_port_stats, offloads);
	HASH_FIELD(struct abi_port_stats, link_mbps);
	HASH_FIELD(struct abi_port_stats, addr);
	HASH_FIELD(struct abi_port_stats, gateway);
	HASH_FIELD(struct abi_port_stats, rx_pkts);
	HASH_FIELD(struct abi_port_stats, rx_bytes);
	HASH_FIELD(struct abi_port_stats, tx_pkts);
	HASH_FIELD(struct abi_port_stats, tx_bytes);
	HASH_FIELD(struct abi_port_stats, rx_missed_pkts);
	HASH_FIELD(struct abi_port_stats, rx_error_pkts);
	HASH_FIELD(struct abi_port_stats, rx_no_mbuf_pkts);
	HASH_FIELD(struct abi_port_stats, tx_error_pkts);
}

static void hash_headers(uint64_t *hash)
{
	HASH_SIZE(struct abi_counters_header);
	HASH_FIELD(struct abi_counters_header, total_bytes);
	HASH_FIELD(struct abi_counters_header, boot_id);
	HASH_FIELD(struct abi_counters_header, node_public_key);
	HASH_FIELD(struct abi_counters_header, started_unix_ns);
	HASH_FIELD(struct abi_counters_header, tsc_hz);
	HASH_FIELD(struct abi_counters_header, pid);
	HASH_FIELD(struct abi_counters_header, n_slots);
	HASH_FIELD(struct abi_counters_header, n_threads);
	HASH_FIELD(struct abi_counters_header, n_ports);
	HASH_FIELD(struct abi_counters_header, slots_offset);
	HASH_FIELD(struct abi_counters_header, threads_offset);
	HASH_FIELD(struct abi_counters_header, ports_offset);
	HASH_FIELD(struct abi_counters_header, heartbeat_unix_ns);
	HASH_FIELD(struct abi_counters_header, is_stopped);
	HASH_FIELD(struct abi_counters_header, events_lost);
	HASH_FIELD(struct abi_counters_header, commands_refused);
	HASH_FIELD(struct abi_counters_header, control_corrupt);
	HASH_FIELD(struct abi_counters_header, is_snapshot_pending);
	HASH_FIELD(struct abi_counters_header, version);
	HASH_SIZE(struct abi_control_header);
	HASH_FIELD(struct abi_control_header, total_bytes);
	HASH_FIELD(struct abi_control_header, boot_id);
	HASH_FIELD(struct abi_control_header, command_offset);
	HASH_FIELD(struct abi_control_header, ack_offset);
	HASH_FIELD(struct abi_control_header, event_offset);
}

static void hash_control(uint64_t *hash)
{
	HASH_SIZE(struct shm_ring_header);
	HASH_FIELD(struct shm_ring_header, head);
	HASH_FIELD(struct shm_ring_header, tail);
	HASH_SIZE(struct abi_command);
	HASH_FIELD(struct abi_command, id);
	HASH_FIELD(struct abi_command, kind);
	HASH_FIELD(struct abi_command, slot);
	HASH_FIELD(struct abi_command, generation);
	HASH_FIELD(struct abi_command, flags);
	HASH_FIELD(struct abi_command, public_key);
	HASH_FIELD(struct abi_command, inner);
	HASH_FIELD(struct abi_command, endpoint);
	HASH_FIELD(struct abi_command, last_authentic_unix_ns);
	HASH_FIELD(struct abi_command, base_out_bytes);
	HASH_FIELD(struct abi_command, base_in_bytes);
	HASH_FIELD(struct abi_command, limit_bytes);
	HASH_FIELD(struct abi_command, expires_unix_sec);
	HASH_FIELD(struct abi_command, rate_out_kbps);
	HASH_FIELD(struct abi_command, rate_in_kbps);
	HASH_FIELD(struct abi_command, free_rate_kbps);
	HASH_FIELD(struct abi_command, gate);
	HASH_FIELD(struct abi_command, is_throttled_on_quota);
	HASH_SIZE(struct abi_ack);
	HASH_FIELD(struct abi_ack, id);
	HASH_FIELD(struct abi_ack, kind);
	HASH_FIELD(struct abi_ack, slot);
	HASH_FIELD(struct abi_ack, generation);
	HASH_FIELD(struct abi_ack, result);
	HASH_FIELD(struct abi_ack, slot_generation);
	HASH_SIZE(struct abi_event);
	HASH_FIELD(struct abi_event, time_unix_ns);
	HASH_FIELD(struct abi_event, kind);
	HASH_FIELD(struct abi_event, slot);
	HASH_FIELD(struct abi_event, generation);
	HASH_FIELD(struct abi_event, port);
}

#define HASH_NAME(id, name, help) hash_name(hash, name);

// A count after each list, so that moving a name from one list to the next changes the hash.
static void hash_names(uint64_t *hash)
{
	ABI_DROP_LIST(HASH_NAME)
	hash_u64(hash, N_DROP);
	ABI_CONSUMED_LIST(HASH_NAME)
	hash_u64(hash, N_CONSUMED);
	ABI_STAGE_LIST(HASH_NAME)
	hash_u64(hash, N_STAGE);
	ABI_SLOT_STATE_LIST(HASH_NAME)
	hash_u64(hash, ABI_N_SLOT_STATE);
	ABI_GATE_LIST(HASH_NAME)
	hash_u64(hash, ABI_N_GATE);
	ABI_EVENT_LIST(HASH_NAME)
	hash_u64(hash, ABI_N_EVENT);
	ABI_COMMAND_LIST(HASH_NAME)
	hash_u64(hash, ABI_N_COMMAND);
	ABI_ACK_LIST(HASH_NAME)
	hash_u64(hash, ABI_N_ACK);
}

uint64_t abi_layout_hash(void)
{
	uint64_t hash = FNV_OFFSET;

	// One word tells the byte order of whoever computes it.
	const union {
		uint32_t word;
		uint8_t first;
	} order = {.word = 1};
	hash_u64(&hash, order.first);
	hash_session(&hash);
	hash_threads(&hash);
	hash_ports(&hash);
	hash_headers(&hash);
	hash_control(&hash);
	hash_u64(&hash, ABI_COMMAND_RING);
	hash_u64(&hash, ABI_ACK_RING);
	hash_u64(&hash, ABI_EVENT_RING);
	hash_names(&hash);
	return hash;
}

bool abi_layout_check_counts(uint32_t n_slots, uint32_t n_threads, uint32_t n_ports)
{
	return n_slots >= 1 && n_slots <= ABI_MAX_SLOTS && n_threads >= 1 &&
		n_threads <= ABI_MAX_THREADS && n_ports >= 1 && n_ports <= ABI_MAX_PORTS;
}

static_assert(sizeof(struct abi_session_slot) % ABI_CACHE_LINE == 0, "arrays stay aligned");
static_assert(sizeof(struct abi_thread_stats) % ABI_CACHE_LINE == 0, "arrays stay aligned");

// Not rounded up: every count then has offsets and a size of its own, and a wrong one is noticed.
struct abi_layout abi_layout_counters(uint32_t n_slots, uint32_t n_threads, uint32_t n_ports)
{
	struct abi_layout layout = {.slots_offset = ABI_PAGE};

	layout.threads_offset =
		layout.slots_offset + (uint64_t)n_slots * sizeof(struct abi_session_slot);
	layout.ports_offset =
		layout.threads_offset + (uint64_t)n_threads * sizeof(struct abi_thread_stats);
	layout.total_bytes =
		layout.ports_offset + (uint64_t)n_ports * sizeof(struct abi_port_stats);
	return layout;
}

static uint64_t align_page(uint64_t bytes)
{
	return (bytes + ABI_PAGE - 1) / ABI_PAGE * ABI_PAGE;
}

struct abi_layout_control abi_layout_control(void)
{
	struct abi_layout_control layout = {.command_offset = ABI_PAGE};

	layout.ack_offset = layout.command_offset +
		align_page(shm_ring_bytes(ABI_COMMAND_RING, sizeof(struct abi_command)));
	layout.event_offset = layout.ack_offset +
		align_page(shm_ring_bytes(ABI_ACK_RING, sizeof(struct abi_ack)));
	layout.total_bytes = layout.event_offset +
		align_page(shm_ring_bytes(ABI_EVENT_RING, sizeof(struct abi_event)));
	return layout;
}
