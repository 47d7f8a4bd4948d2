// SPDX-License-Identifier: Apache-2.0
//
// The ICMP messages that the node itself makes (RFC 792, RFC 1122 section 3.2.2, RFC 1812 section 4.3)
// and the token bucket that limits them. It builds whole IPv4 packets in the caller's memory; who
// sends them, and what they cost nobody, is the stages' business. Pure; a bucket has one owner thread.
#pragma once

#include "net_parse.h"

// RFC 1812 section 4.3.2.3: as much of the original as fits without exceeding 576 bytes in all.
#define NET_ICMP_ERROR_MAX_BYTES 576
#define NET_ICMP_ERROR_MIN_CAP (NET_IPV4_HEADER_BYTES + NET_ICMP_HEADER_BYTES)
#define NET_ICMP_TTL 64

enum net_icmp_error_kind {
	NET_ICMP_ERROR_TTL, // Time Exceeded in transit: type 11 code 0
	NET_ICMP_ERROR_TOO_BIG, // fragmentation needed and DF set: type 3 code 4, next-hop MTU
	NET_ICMP_ERROR_PORT, // port unreachable: type 3 code 3
	NET_ICMP_ERROR_HOST, // host unreachable: type 3 code 1
	NET_ICMP_ERROR_ADMIN, // administratively prohibited: type 3 code 13
};

struct net_icmp_error {
	enum net_icmp_error_kind kind;
	uint32_t src_be32; // the node's address that speaks
	uint16_t next_hop_mtu_bytes; // NET_ICMP_ERROR_TOO_BIG only (RFC 1191 section 4)
	uint16_t ip_id_be16;
};

// Whether an ICMP error may be sent about this packet: never about an ICMP error (or an ICMP type we do
// not know), a fragment other than the first, or a source or destination that is no single host.
// Link-layer broadcasts are for the caller to refuse.
bool net_icmp_check_error_allowed(const struct net_l3l4 *l34);

// Builds an ICMP error about packet into out, addressed to the packet's source.
//
// Returns: its length in bytes; 0 when none may be sent or cap is below NET_ICMP_ERROR_MIN_CAP + the
// offending header + 8 bytes. In: l34 of packet as parsed; packet and out do not overlap.
size_t net_icmp_build_error(
	uint8_t *out,
	size_t cap,
	const struct net_icmp_error *error,
	const uint8_t *packet,
	const struct net_l3l4 *l34
);

// Turns an echo request into its reply in place: addresses swapped, type changed, TTL renewed, both
// checksums right if they were right before. l34 is brought up to date.
// Returns: false and nothing changed when the packet is no echo request, or its source or destination
// is no single host.
bool net_icmp_echo_reply(uint8_t *packet, struct net_l3l4 *l34);

// Limits what the node originates (RFC 1812 section 4.3.2.8). Owner thread only.
struct net_icmp_bucket {
	uint64_t interval_ns; // between two messages in the long run
	uint64_t burst_ns; // interval_ns * burst
	uint64_t credit_ns; // at last_ns
	uint64_t last_ns;
};

// In: rate_per_sec 1..1,000,000; burst >= 1 messages. Starts full.
void net_icmp_bucket_init(
	struct net_icmp_bucket *bucket, uint32_t rate_per_sec, uint32_t burst, uint64_t now_ns
);

// Returns: whether one message may be sent now; takes it from the bucket if so.
bool net_icmp_bucket_take(struct net_icmp_bucket *bucket, uint64_t now_ns);
