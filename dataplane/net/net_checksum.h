// SPDX-License-Identifier: Apache-2.0
//
// The Internet checksum (RFC 1071) and its incremental update (RFC 1624, equation 3): the one place
// that knows either. Everything is in the byte order of memory: a sum of network-order words is itself
// in network order, so nothing is swapped. Pure: any thread, no state.
#pragma once

#include "net_parse.h"

#include <string.h>

// Adds len bytes to a running one's complement sum. In: data starts at an even offset of the whole.
uint64_t net_checksum_add(uint64_t sum, const uint8_t *data, size_t len);

// The sum of a TCP or UDP pseudo header (RFC 793, RFC 768); l4_len in bytes, host order.
uint64_t net_checksum_pseudo(uint32_t src_be32, uint32_t dst_be32, uint8_t proto, uint16_t l4_len);

// Folds a running sum to 16 bits, not complemented.
static inline uint16_t net_checksum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

static inline uint16_t net_checksum_finish(uint64_t sum)
{
	return (uint16_t)~net_checksum_fold(sum);
}

// What a change of words adds to a checksum. Collected once, applied to each checksum that covers the
// words: += net_checksum_delta*() for each changed word, then net_checksum_apply().
//
//= RFC 1624 section 3
//# HC' = ~(C + (-m) + m') = ~(~HC + ~m + m')   [Eqn. 3]
static inline uint32_t net_checksum_delta16(uint16_t old_be16, uint16_t new_be16)
{
	return (uint32_t)(uint16_t)~old_be16 + new_be16;
}

static inline uint32_t net_checksum_delta32(uint32_t old_be32, uint32_t new_be32)
{
	return net_checksum_delta16((uint16_t)old_be32, (uint16_t)new_be32) +
		net_checksum_delta16((uint16_t)(old_be32 >> 16), (uint16_t)(new_be32 >> 16));
}

// Returns: the new checksum field. In: the old one and the collected delta (up to 32768 words).
static inline uint16_t net_checksum_apply(uint16_t check_be16, uint32_t delta)
{
	return net_checksum_finish((uint64_t)(uint16_t)~check_be16 + delta);
}

// The same for UDP, where zero says that the sender made no checksum.
//
//= RFC 768
//# If the computed checksum is zero, it is transmitted as all ones (the equivalent in one's
//# complement arithmetic). An all zero transmitted checksum value means that the transmitter
//# generated no checksum
static inline uint16_t net_checksum_apply_udp(uint16_t check_be16, uint32_t delta)
{
	if (check_be16 == 0)
		return 0;
	uint16_t check = net_checksum_apply(check_be16, delta);
	return check == 0 ? 0xffff : check;
}

// The same for a whole ICMP message, in place. Without a pseudo header its other words may all be zero
// (an echo reply with identifier, sequence number and data of 0): the one case where equation 3 gives 0
// instead of all ones (RFC 1624 section 3 relies on a word that is not zero).
void net_checksum_update_icmp(uint8_t *icmp, size_t len, uint32_t delta);

// The IPv4 header checksum over header_len bytes. Set writes the field, check verifies it.
void net_checksum_set_ipv4(uint8_t *packet, size_t header_len);
bool net_checksum_check_ipv4(const uint8_t *packet, size_t header_len);

// The TCP, UDP or ICMP checksum of a packet that is no fragment, by full computation. Set writes the
// field (UDP: never zero); check accepts a UDP checksum of zero. Other protocols: nothing, true.
void net_checksum_set_l4(uint8_t *packet, const struct net_l3l4 *l34);
bool net_checksum_check_l4(const uint8_t *packet, const struct net_l3l4 *l34);

// Unaligned words of packets, in the byte order of memory.
static inline uint16_t net_load16(const uint8_t *at)
{
	uint16_t value;
	memcpy(&value, at, sizeof(value));
	return value;
}

static inline uint32_t net_load32(const uint8_t *at)
{
	uint32_t value;
	memcpy(&value, at, sizeof(value));
	return value;
}

static inline void net_store16(uint8_t *at, uint16_t value)
{
	memcpy(at, &value, sizeof(value));
}

static inline void net_store32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, sizeof(value));
}
