// SPDX-License-Identifier: Apache-2.0
//
// See net_checksum.h.
#include "net_checksum.h"

#include <arpa/inet.h>

#define IPV4_CHECKSUM_AT 10
#define TCP_CHECKSUM_AT 16
#define UDP_CHECKSUM_AT 6
#define ICMP_CHECKSUM_AT 2

//= RFC 1071 section 2
//# Parallel Summation: [...] On machines that have word-sizes that are multiples of 16 bits, it is
//# possible to develop even more efficient implementations.
// 32-bit words into 64 bits: no carry is lost below 2^32 words.
uint64_t net_checksum_add(uint64_t sum, const uint8_t *data, size_t len)
{
	while (len >= 4) {
		sum += net_load32(data);
		data += 4;
		len -= 4;
	}
	if (len >= 2) {
		sum += net_load16(data);
		data += 2;
		len -= 2;
	}
	if (len == 1) {
		// RFC 1071 section 4.1: the odd byte stands first in memory, zero behind it.
		uint8_t last[2] = {*data, 0};
		sum += net_load16(last);
	}
	return sum;
}

uint64_t net_checksum_pseudo(uint32_t src_be32, uint32_t dst_be32, uint8_t proto, uint16_t l4_len)
{
	return (uint64_t)src_be32 + dst_be32 + htons(proto) + htons(l4_len);
}

void net_checksum_update_icmp(uint8_t *icmp, size_t len, uint32_t delta)
{
	uint8_t *field = icmp + ICMP_CHECKSUM_AT;
	uint16_t check = net_checksum_apply(net_load16(field), delta);
	net_store16(field, check);
	if (check == 0 && net_checksum_add(0, icmp, len) == 0)
		net_store16(field, 0xffff);
}

void net_checksum_set_ipv4(uint8_t *packet, size_t header_len)
{
	net_store16(packet + IPV4_CHECKSUM_AT, 0);
	net_store16(
		packet + IPV4_CHECKSUM_AT,
		net_checksum_finish(net_checksum_add(0, packet, header_len))
	);
}

bool net_checksum_check_ipv4(const uint8_t *packet, size_t header_len)
{
	return net_checksum_fold(net_checksum_add(0, packet, header_len)) == 0xffff;
}

// Returns: where the checksum of the protocol stands in its header; 0 for one that has none.
static size_t checksum_at(uint8_t proto)
{
	switch (proto) {
	case NET_PROTO_TCP:
		return TCP_CHECKSUM_AT;
	case NET_PROTO_UDP:
		return UDP_CHECKSUM_AT;
	case NET_PROTO_ICMP:
		return ICMP_CHECKSUM_AT;
	default:
		return 0;
	}
}

// The sum that the checksum covers, as the bytes stand.
static uint64_t sum_l4(const uint8_t *packet, const struct net_l3l4 *l34)
{
	uint16_t l4_len = (uint16_t)(l34->total_len - l34->l4_offset);
	uint64_t sum = 0;
	if (l34->proto != NET_PROTO_ICMP)
		sum = net_checksum_pseudo(l34->src_be32, l34->dst_be32, l34->proto, l4_len);
	return net_checksum_add(sum, packet + l34->l4_offset, l4_len);
}

void net_checksum_set_l4(uint8_t *packet, const struct net_l3l4 *l34)
{
	size_t at = checksum_at(l34->proto);
	if (at == 0)
		return;
	uint8_t *field = packet + l34->l4_offset + at;
	net_store16(field, 0);
	uint16_t check = net_checksum_finish(sum_l4(packet, l34));
	if (l34->proto == NET_PROTO_UDP && check == 0)
		check = 0xffff;
	net_store16(field, check);
}

bool net_checksum_check_l4(const uint8_t *packet, const struct net_l3l4 *l34)
{
	size_t at = checksum_at(l34->proto);
	if (at == 0)
		return true;
	if (l34->proto == NET_PROTO_UDP && net_load16(packet + l34->l4_offset + at) == 0)
		return true;
	return net_checksum_fold(sum_l4(packet, l34)) == 0xffff;
}
