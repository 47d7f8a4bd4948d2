// SPDX-License-Identifier: Apache-2.0
//
// See net_icmp.h.
#include "net_icmp.h"

#include "net_checksum.h"
#include "net_martian.h"

#include "common/clock.h"

#include <arpa/inet.h>
#include <string.h>

#define IPV4_CHECKSUM_AT 10
#define ICMP_CHECKSUM_AT 2
#define TOS_NETWORK_CONTROL 0xc0 // RFC 1812 section 4.3.2.5: precedence 6 for ICMP errors

//= RFC 1122 section 3.2.2
//# An ICMP error message MUST NOT be sent as the result of receiving:
//# *    an ICMP error message, or
//# *    a datagram destined to an IP broadcast or IP multicast address, or
//# *    a datagram sent as a link-layer broadcast, or
//# *    a non-initial fragment, or
//# *    a datagram whose source address does not define a single host
bool net_icmp_check_error_allowed(const struct net_l3l4 *l34)
{
	// An ICMP type that is unknown may be an error. A first fragment's type was not parsed.
	if (l34->proto == NET_PROTO_ICMP && !l34->has_ports)
		return false;
	if (l34->fragment_offset_bytes != 0)
		return false;
	return net_martian_check_single_host(l34->src_be32) &&
		net_martian_check_single_host(l34->dst_be32);
}

static void error_type(enum net_icmp_error_kind kind, uint8_t *ret_type, uint8_t *ret_code)
{
	*ret_type = NET_ICMP_UNREACHABLE;
	switch (kind) {
	case NET_ICMP_ERROR_TTL:
		*ret_type = NET_ICMP_TIME_EXCEEDED;
		*ret_code = 0;
		break;
	case NET_ICMP_ERROR_TOO_BIG:
		*ret_code = 4;
		break;
	case NET_ICMP_ERROR_PORT:
		*ret_code = 3;
		break;
	case NET_ICMP_ERROR_HOST:
		*ret_code = 1;
		break;
	case NET_ICMP_ERROR_ADMIN:
		*ret_code = 13;
		break;
	}
}

size_t net_icmp_build_error(
	uint8_t *out,
	size_t cap,
	const struct net_icmp_error *error,
	const uint8_t *packet,
	const struct net_l3l4 *l34
)
{
	if (!net_icmp_check_error_allowed(l34) || cap < NET_ICMP_ERROR_MIN_CAP)
		return 0;
	//= RFC 1812 section 4.3.2.3
	//# the ICMP datagram SHOULD contain as much of the original datagram as possible without
	//# the length of the ICMP datagram exceeding 576 bytes.
	size_t room = (cap < NET_ICMP_ERROR_MAX_BYTES ? cap : NET_ICMP_ERROR_MAX_BYTES) -
		NET_ICMP_ERROR_MIN_CAP;
	size_t quoted = l34->total_len < room ? l34->total_len : room;
	if (quoted < l34->total_len && quoted < (size_t)l34->l4_offset + 8)
		return 0;

	size_t len = NET_ICMP_ERROR_MIN_CAP + quoted;
	memset(out, 0, NET_ICMP_ERROR_MIN_CAP);
	out[0] = 0x45;
	out[1] = TOS_NETWORK_CONTROL;
	net_store16(out + 2, htons((uint16_t)len));
	net_store16(out + 4, error->ip_id_be16);
	out[8] = NET_ICMP_TTL;
	out[9] = NET_PROTO_ICMP;
	net_store32(out + 12, error->src_be32);
	net_store32(out + 16, l34->src_be32);

	uint8_t *icmp = out + NET_IPV4_HEADER_BYTES;
	error_type(error->kind, &icmp[0], &icmp[1]);
	//= RFC 1191 section 4
	//# it MUST include the MTU of that next-hop network in the low-order 16 bits of the ICMP
	//# header field that is labelled "unused" in the ICMP specification
	if (error->kind == NET_ICMP_ERROR_TOO_BIG)
		net_store16(icmp + 6, htons(error->next_hop_mtu_bytes));
	memcpy(icmp + NET_ICMP_HEADER_BYTES, packet, quoted);
	net_store16(
		icmp + ICMP_CHECKSUM_AT,
		net_checksum_finish(net_checksum_add(0, icmp, NET_ICMP_HEADER_BYTES + quoted))
	);
	net_checksum_set_ipv4(out, NET_IPV4_HEADER_BYTES);
	return len;
}

bool net_icmp_echo_reply(uint8_t *packet, struct net_l3l4 *l34)
{
	//= RFC 1122 section 3.2.2.6
	//# An ICMP Echo Request destined to an IP broadcast or IP multicast address MAY be silently
	//# discarded.
	if (l34->proto != NET_PROTO_ICMP || l34->is_fragment || !l34->has_ports ||
	    l34->icmp_type != NET_ICMP_ECHO_REQUEST ||
	    !net_martian_check_single_host(l34->src_be32) ||
	    !net_martian_check_single_host(l34->dst_be32))
		return false;

	uint32_t src_be32 = l34->src_be32;
	l34->src_be32 = l34->dst_be32;
	l34->dst_be32 = src_be32;
	net_store32(packet + 12, l34->src_be32);
	net_store32(packet + 16, l34->dst_be32);
	// Swapped addresses leave the sum as it was; type and TTL do not.
	uint16_t old_ttl_be16 = net_load16(packet + 8);
	packet[8] = NET_ICMP_TTL;
	l34->ttl = NET_ICMP_TTL;
	net_store16(
		packet + IPV4_CHECKSUM_AT,
		net_checksum_apply(
			net_load16(packet + IPV4_CHECKSUM_AT),
			net_checksum_delta16(old_ttl_be16, net_load16(packet + 8))
		)
	);

	uint8_t *icmp = packet + l34->l4_offset;
	uint16_t old_type_be16 = net_load16(icmp);
	icmp[0] = NET_ICMP_ECHO_REPLY;
	l34->icmp_type = NET_ICMP_ECHO_REPLY;
	net_checksum_update_icmp(
		icmp,
		(size_t)l34->total_len - l34->l4_offset,
		net_checksum_delta16(old_type_be16, net_load16(icmp))
	);
	return true;
}

void net_icmp_bucket_init(
	struct net_icmp_bucket *bucket, uint32_t rate_per_sec, uint32_t burst, uint64_t now_ns
)
{
	bucket->interval_ns = NS_PER_SEC / rate_per_sec;
	bucket->burst_ns = bucket->interval_ns * burst;
	bucket->credit_ns = bucket->burst_ns;
	bucket->last_ns = now_ns;
}

bool net_icmp_bucket_take(struct net_icmp_bucket *bucket, uint64_t now_ns)
{
	uint64_t passed_ns = now_ns - bucket->last_ns;
	if (passed_ns > bucket->burst_ns - bucket->credit_ns)
		bucket->credit_ns = bucket->burst_ns;
	else
		bucket->credit_ns += passed_ns;
	bucket->last_ns = now_ns;
	if (bucket->credit_ns < bucket->interval_ns)
		return false;
	bucket->credit_ns -= bucket->interval_ns;
	return true;
}
