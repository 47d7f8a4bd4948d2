// SPDX-License-Identifier: Apache-2.0
//
// Where a buyer's packets may not go: special-purpose ranges (RFC 6890), the node's own addresses and
// what the operator denies, unless the operator allows it. The longest matching prefix decides; at
// equal length the operator's rule beats the built-in one, and deny beats allow. A NAT external address
// is hairpinned, not refused: ask nat_check_external() first. Pure: written once at start, then read
// by any thread.
#pragma once

#include <arpa/inet.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NET_MARTIAN_MAX_RULES 64 // of the operator
#define NET_MARTIAN_MAX_OWN 32
#define NET_MARTIAN_MAX_BUILTIN 24

struct net_martian_rule {
	uint32_t prefix_be32; // bits behind len are 0
	uint8_t len; // 0..32
	bool is_allowed;
};

struct net_martian {
	uint8_t by_first_octet
		[256]; // enum in net_martian.c: all pass, all refused, look at the rules
	uint32_t n_rules;
	struct {
		uint32_t prefix; // host order
		uint32_t mask;
		uint32_t is_allowed;
	} rules[NET_MARTIAN_MAX_RULES + NET_MARTIAN_MAX_OWN +
		NET_MARTIAN_MAX_BUILTIN]; // longest first
};

// In: own_be32 = every address of the node that nothing else claims.
// Returns: 0; -EINVAL for a prefix with bits behind its length or longer than 32; -E2BIG for too many.
int net_martian_init(
	struct net_martian *martian,
	const struct net_martian_rule *rules,
	size_t n_rules,
	const uint32_t *own_be32,
	size_t n_own
);

//= RFC 1122 section 3.2.2
//# [...] a datagram whose source address does not define a single host -- e.g., a zero address, a
//# loopback address, a broadcast address, a multicast address, or a Class E address.
static inline bool net_martian_check_single_host(uint32_t addr_be32)
{
	uint32_t addr = ntohl(addr_be32);

	return addr >> 24 != 0 && addr >> 24 != 127 && addr >> 28 < 0xe;
}

// Whether a packet to dst_be32 is to be refused.
bool net_martian_check_refused(const struct net_martian *martian, uint32_t dst_be32);
