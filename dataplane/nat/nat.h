// SPDX-License-Identifier: Apache-2.0
//
// NAT44 of one worker (RFC 4787, 5382, 5508, 7857), as the packet stages use it: outbound in one call;
// inbound in two, so that a packet which the quota refuses has changed nothing. One struct nat per
// worker, its ports a range of their own: no lock, no atomic. Time is a parameter, randomness starts
// from the caller's seed, memory is the caller's. Owner worker only, the reading of counters included.
//
// Order outbound: nat_check_external() (hairpin) before the martian check; nat_rewrite_ttl(); then
// nat_outbound(). On NAT_HAIRPIN the packet bears its external source already: hand it to
// nat_inbound_lookup() of the worker whose range holds the destination port.
#pragma once

#include "nat_expire.h"
#include "nat_filter.h"
#include "nat_map.h"
#include "nat_port.h"
#include "nat_rewrite.h"

#include "common/abi_names.h"
#include "dataplane/net/net_parse.h"

#define NAT_MAX_RESERVED 32
#define NAT_SEED_BYTES 32

// Defaults and minima of the timeouts.
//
//= RFC 4787 section 4.3 REQ-5
//# A NAT UDP mapping timer MUST NOT expire in less than two minutes [...]
//# A default value of five minutes or more for the NAT UDP mapping timer is RECOMMENDED.
#define NAT_UDP_TIMEOUT_NS 300000000000ull
#define NAT_UDP_TIMEOUT_MIN_NS 120000000000ull
//= RFC 5382 section 5 REQ-5
//# the value of the "established connection idle-timeout" MUST NOT be less than 2 hours 4 minutes.
//# The value of the "transitory connection idle-timeout" MUST NOT be less than 4 minutes.
#define NAT_TCP_ESTABLISHED_TIMEOUT_NS 7440000000000ull
#define NAT_TCP_ESTABLISHED_TIMEOUT_MIN_NS 7440000000000ull
#define NAT_TCP_TRANSITORY_TIMEOUT_NS 240000000000ull
#define NAT_TCP_TRANSITORY_TIMEOUT_MIN_NS 240000000000ull
//= RFC 5508 section 3.2 REQ-2
//# An ICMP Query session timer MUST NOT expire in less than 60 seconds.
#define NAT_ICMP_TIMEOUT_NS 60000000000ull
#define NAT_ICMP_TIMEOUT_MIN_NS 60000000000ull
//= RFC 6888 section 3 REQ-8
//# Once an external port is deallocated, it SHOULD NOT be reallocated to a new mapping until at
//# least 120 seconds have passed
// Clause C allows any shorter time to a NAT whose filtering is address-dependent, as ours is; so 0 is
// allowed and no minimum holds.
#define NAT_QUARANTINE_NS 120000000000ull

struct nat_reserved {
	uint8_t proto; // enum nat_proto
	uint16_t port; // host order
};

struct nat_conf {
	uint32_t n_sessions; // slots
	uint32_t n_mappings; // in all; 1 .. NAT_N_PROTO * n_external * ports of the range
	uint32_t n_filters; // entries in all
	uint32_t n_external; // 1..NAT_MAX_EXTERNAL
	uint32_t external_be32[NAT_MAX_EXTERNAL];
	uint16_t port_lo; // this worker's part, inclusive; also of ICMP identifiers
	uint16_t port_hi;
	uint16_t session_mapping_limit; // ports a session may hold, all protocols
	uint16_t session_filter_limit;
	uint32_t n_reserved;
	struct nat_reserved
		reserved[NAT_MAX_RESERVED]; // never given out: the WireGuard port, others
	bool preserves_parity; // RFC 4787 REQ-4
	bool refreshes_inbound; // RFC 4787 REQ-6: inbound packets keep a UDP mapping alive, too
	uint64_t udp_timeout_ns;
	uint64_t tcp_established_timeout_ns;
	uint64_t tcp_transitory_timeout_ns;
	uint64_t icmp_timeout_ns;
	uint64_t quarantine_ns;
	uint8_t seed[NAT_SEED_BYTES]; // fresh from the system's generator
};

// The values are the drop reasons, so a stage stores a verdict as it is; NAT_HAIRPIN is none.
enum nat_verdict {
	NAT_OK = DROP_NONE,
	NAT_NO_MAPPING = DROP_NAT_NO_MAPPING,
	NAT_FILTERED = DROP_NAT_FILTERED,
	NAT_PORT_EXHAUSTED = DROP_NAT_PORT_EXHAUSTED, // or a pool of nat_conf: see the counters
	NAT_SESSION_LIMIT = DROP_NAT_SESSION_LIMIT,
	NAT_PROTOCOL = DROP_NAT_PROTOCOL,
	NAT_ICMP_UNMATCHED = DROP_NAT_ICMP_UNMATCHED,
	NAT_ICMP_TYPE = DROP_NAT_ICMP_TYPE,
	NAT_IP_FRAGMENT = DROP_IP_FRAGMENT, // no ports: reassemble first
	NAT_L4_CHECKSUM =
		DROP_L4_CHECKSUM, // ICMP error with a wrong checksum, its own or the quote's
	NAT_HAIRPIN = N_DROP, // translated; goes on to the inbound side
};

// Beside the gauges (nat.map.n_by_proto, nat.filter.n_entries, nat.filter.n_replaced).
struct nat_counters {
	uint64_t mappings_created;
	uint64_t mappings_expired; // idle
	uint64_t mappings_removed; // with their session
	uint64_t filters_expired;
	uint64_t port_exhausted; // no free external port
	uint64_t mapping_pool_exhausted; // n_mappings too small
	uint64_t filter_pool_exhausted; // n_filters too small
	uint64_t session_limit;
	uint64_t no_mapping;
	uint64_t filtered;
	uint64_t icmp_unmatched;
	uint64_t hairpinned;
};

struct nat {
	struct nat_map map;
	struct nat_filter filter;
	struct nat_counters counters;
	uint64_t ports_total; // all addresses and protocols, without the reserved
	uint64_t udp_timeout_ns;
	uint64_t tcp_established_timeout_ns;
	uint64_t tcp_transitory_timeout_ns;
	uint64_t icmp_timeout_ns;
	bool refreshes_inbound;
	uint32_t sweep_mapping; // where nat_expire goes on
	uint32_t sweep_filter;
};

// Fills in the defaults; addresses, ports, sizes and seed stay 0.
void nat_conf_init(struct nat_conf *conf);

// Returns: NULL when conf can be used, else the name of the first member that cannot.
const char *nat_conf_invalid(const struct nat_conf *conf);

// Returns: bytes that nat_init needs; 0 for an unusable conf.
size_t nat_mem_size(const struct nat_conf *conf);

// In: mem of nat_mem_size(conf) bytes, aligned to 64; stays the caller's.
// Returns: the NAT, at the start of mem; NULL for an unusable conf. Nothing to undo.
struct nat *nat_init(void *mem, const struct nat_conf *conf);

// Whether an address is one of the pool: an outbound packet to it is hairpinned.
bool nat_check_external(const struct nat *nat, uint32_t addr_be32);

// Translates a packet of a session outbound, making mapping and filter entry as needed.
//
// Returns: NAT_OK or NAT_HAIRPIN with packet and l34 rewritten, checksums right if they were before; any
// other verdict leaves both and the table as they were. In: l34 of packet (net_parse_ip), source address
// checked to be the session's.
enum nat_verdict nat_outbound(
	struct nat *nat,
	uint32_t session_slot,
	struct net_l3l4 *l34,
	uint8_t *packet,
	uint64_t now_ns
);

// For bursts: first nat_outbound_prefetch for all (hash, bucket), then nat_outbound_prefetch_mapping for
// all, then nat_outbound. Both are hints and may be left out.
void nat_outbound_prefetch(const struct nat *nat, uint32_t session_slot, struct net_l3l4 *l34);
void nat_outbound_prefetch_mapping(const struct nat *nat, const struct net_l3l4 *l34);

// What an inbound packet belongs to; travels with the packet through admission. Inbound calls leave it
// good; it is void after nat_outbound, nat_expire_sweep or nat_session_remove.
struct nat_inbound {
	uint32_t mapping_idx;
	uint32_t filter_idx;
	uint32_t session_slot;
	uint32_t int_addr_be32;
	uint16_t int_port_be16;
	uint16_t reserved;
};

// Finds mapping and permission for an inbound packet; changes nothing but counters of refusals.
//
// Returns: NAT_OK with ret filled; else ret undefined.
enum nat_verdict nat_inbound_lookup(
	struct nat *nat,
	const struct net_l3l4 *l34,
	const uint8_t *packet,
	uint64_t now_ns,
	struct nat_inbound *ret
);

// Commits a packet that nat_inbound_lookup found and admission let pass: TCP state, refresh if so
// configured, rewrite of packet and l34.
void nat_inbound_commit(
	struct nat *nat,
	const struct nat_inbound *inbound,
	struct net_l3l4 *l34,
	uint8_t *packet,
	uint64_t now_ns
);

void nat_inbound_prefetch(const struct nat *nat, const struct net_l3l4 *l34);
void nat_inbound_prefetch_mapping(const struct nat *nat, const struct net_l3l4 *l34);

// Removes up to n entries (filter entries and mappings) of a session.
// Returns: whether it holds more; the slot is not allotted again before this says false.
bool nat_session_remove(struct nat *nat, uint32_t session_slot, uint32_t n, uint64_t now_ns);

// One mapping as a person reads it.
struct nat_view {
	uint32_t session_slot;
	uint32_t int_addr_be32;
	uint32_t ext_addr_be32;
	uint16_t int_port_be16;
	uint16_t ext_port_be16;
	uint8_t proto; // enum nat_proto
	uint32_t n_filters;
	uint32_t n_established;
	uint64_t idle_ns;
	uint64_t timeout_ns; // that holds for it now
};

// Reads up to cap mappings, looking at no more than n_look places, from *cursor on (start at 0).
// Returns: mappings read; *cursor is NAT_IDX_NONE after the last.
uint32_t nat_iterate(
	const struct nat *nat,
	uint32_t *cursor,
	uint32_t n_look,
	struct nat_view *ret,
	uint32_t cap,
	uint64_t now_ns
);
