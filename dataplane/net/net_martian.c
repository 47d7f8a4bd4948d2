// SPDX-License-Identifier: Apache-2.0
//
// See net_martian.h. The first octet decides most addresses; only where a rule longer than /8 touches
// an octet is the list read.
#include "net_martian.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

enum octet { OCTET_PASS, OCTET_REFUSED, OCTET_RULES };

struct builtin {
	uint32_t prefix; // host order
	uint8_t len;
};

// RFC 6890 section 2.2.2 (special-purpose addresses that are not globally reachable), RFC 1112.
static const struct builtin builtins[] = {
	{0x00000000, 8}, // "this host on this network" (RFC 1122)
	{0x0a000000, 8}, // private (RFC 1918)
	{0x64400000, 10}, // shared address space (RFC 6598)
	{0x7f000000, 8}, // loopback (RFC 1122)
	{0xa9fe0000, 16}, // link local (RFC 3927); cloud metadata services live here
	{0xac100000, 12}, // private (RFC 1918)
	{0xc0000000, 24}, // IETF protocol assignments (RFC 6890)
	{0xc0000200, 24}, // TEST-NET-1 (RFC 5737)
	{0xc0a80000, 16}, // private (RFC 1918)
	{0xc6120000, 15}, // benchmarking (RFC 2544)
	{0xc6336400, 24}, // TEST-NET-2 (RFC 5737)
	{0xcb007100, 24}, // TEST-NET-3 (RFC 5737)
	{0xe0000000, 4}, // multicast (RFC 1112)
	{0xf0000000, 4}, // class E and limited broadcast (RFC 1112, RFC 919)
};

#define N_BUILTIN (sizeof(builtins) / sizeof(builtins[0]))

_Static_assert(N_BUILTIN <= NET_MARTIAN_MAX_BUILTIN, "room for the built-in rules");

static uint32_t mask_of(uint8_t len)
{
	return len == 0 ? 0 : ~0u << (32 - len);
}

// Keeps the list ordered: longer masks first; at equal length the one inserted earlier.
static void insert_rule(struct net_martian *martian, uint32_t prefix, uint8_t len, bool is_allowed)
{
	uint32_t mask = mask_of(len);
	uint32_t at = martian->n_rules;
	while (at > 0 && martian->rules[at - 1].mask < mask)
		at--;
	memmove(&martian->rules[at + 1],
		&martian->rules[at],
		(martian->n_rules - at) * sizeof(martian->rules[0]));
	martian->rules[at].prefix = prefix;
	martian->rules[at].mask = mask;
	martian->rules[at].is_allowed = is_allowed;
	martian->n_rules++;
}

static bool check_by_rules(const struct net_martian *martian, uint32_t dst)
{
	for (uint32_t i = 0; i < martian->n_rules; i++) {
		if ((dst & martian->rules[i].mask) == martian->rules[i].prefix)
			return !martian->rules[i].is_allowed;
	}
	return false;
}

// An octet needs the list only if a rule splits it.
static uint8_t classify_octet(const struct net_martian *martian, uint32_t octet)
{
	uint32_t mask8 = mask_of(8);
	for (uint32_t i = 0; i < martian->n_rules; i++) {
		if (martian->rules[i].mask > mask8 &&
		    (martian->rules[i].prefix & mask8) == octet << 24)
			return OCTET_RULES;
	}
	return check_by_rules(martian, octet << 24) ? OCTET_REFUSED : OCTET_PASS;
}

int net_martian_init(
	struct net_martian *martian,
	const struct net_martian_rule *rules,
	size_t n_rules,
	const uint32_t *own_be32,
	size_t n_own
)
{
	if (n_rules > NET_MARTIAN_MAX_RULES || n_own > NET_MARTIAN_MAX_OWN)
		return -E2BIG;
	for (size_t i = 0; i < n_rules; i++) {
		if (rules[i].len > 32 ||
		    (ntohl(rules[i].prefix_be32) & ~mask_of(rules[i].len)) != 0)
			return -EINVAL;
	}

	martian->n_rules = 0;
	// The earlier wins at equal length: the operator's denials, his permissions, then ours.
	for (size_t i = 0; i < n_rules; i++) {
		if (!rules[i].is_allowed)
			insert_rule(martian, ntohl(rules[i].prefix_be32), rules[i].len, false);
	}
	for (size_t i = 0; i < n_rules; i++) {
		if (rules[i].is_allowed)
			insert_rule(martian, ntohl(rules[i].prefix_be32), rules[i].len, true);
	}
	for (size_t i = 0; i < n_own; i++)
		insert_rule(martian, ntohl(own_be32[i]), 32, false);
	for (size_t i = 0; i < N_BUILTIN; i++)
		insert_rule(martian, builtins[i].prefix, builtins[i].len, false);
	for (uint32_t octet = 0; octet < 256; octet++)
		martian->by_first_octet[octet] = classify_octet(martian, octet);
	return 0;
}

bool net_martian_check_refused(const struct net_martian *martian, uint32_t dst_be32)
{
	uint32_t dst = ntohl(dst_be32);
	uint8_t octet = martian->by_first_octet[dst >> 24];
	if (octet != OCTET_RULES)
		return octet == OCTET_REFUSED;
	return check_by_rules(martian, dst);
}
