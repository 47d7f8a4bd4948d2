// SPDX-License-Identifier: Apache-2.0
//
// Every pure parser and in-place rewriter of dataplane/net on one input, in memory of exactly its size.
// What parses must be inside the input; what the clamp and the echo reply change must keep checksums
// that were right.
#include "dataplane/net/net_arp_msg.h"
#include "dataplane/net/net_checksum.h"
#include "dataplane/net/net_icmp.h"
#include "dataplane/net/net_mss.h"
#include "dataplane/net/net_parse.h"
#include "tests/unit/dataplane/packet_ref.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_true)
{
	if (!is_true)
		abort();
}

static void check_accepted(uint8_t *packet, size_t size, struct net_l3l4 *l34)
{
	uint8_t error[NET_ICMP_ERROR_MAX_BYTES];
	struct net_icmp_error what = {.kind = NET_ICMP_ERROR_TOO_BIG, .next_hop_mtu_bytes = 1280};
	struct net_l3l4 quote;
	uint16_t offset;

	require(l34->total_len <= size && l34->payload_offset <= l34->total_len);
	if (l34->is_icmp_error && net_parse_icmp_quote(packet, l34, &quote, &offset) == NET_OK)
		require((size_t)offset + quote.payload_offset <= l34->total_len);
	size_t len = net_icmp_build_error(error, sizeof(error), &what, packet, l34);
	if (len > 0)
		require(packet_check(error));
	net_checksum_set_ipv4(packet, l34->l4_offset);
	net_checksum_set_l4(packet, l34);
	require(net_checksum_check_l4(packet, l34));
	bool has_l4 = l34->proto == REF_TCP || l34->proto == REF_UDP || l34->proto == REF_ICMP;
	net_mss_clamp(packet, l34, 1380);
	net_icmp_echo_reply(packet, l34);
	require(has_l4 ? packet_check(packet) : packet_check_ip(packet));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + 1);
	uint8_t *at = copy + 1; // ends where the allocation ends
	struct net_l3l4 l34;
	struct net_ether ether;
	struct net_arp_msg msg;

	if (size > 0)
		memcpy(at, data, size);
	net_parse_ether(at, size, &ether);
	net_arp_msg_parse(at, size, &msg);
	net_parse_ip(at, size, NET_PARSE_IP_CHECKSUM, &l34);
	if (net_parse_ip(at, size, 0, &l34) == NET_OK)
		check_accepted(at, size, &l34);
	free(copy);
	return 0;
}
