// SPDX-License-Identifier: Apache-2.0
//
// See net_arp_msg.h.
#include "net_arp_msg.h"

#include "net_checksum.h"

#include <arpa/inet.h>
#include <string.h>

#define ARP_HARDWARE_ETHERNET 1

static const uint8_t mac_broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t mac_zero[6];

// One station: not multicast or broadcast, and not all zero.
static bool check_station(const uint8_t mac[static 6])
{
	return (mac[0] & 1) == 0 && memcmp(mac, mac_zero, sizeof(mac_zero)) != 0;
}

enum net_verdict net_arp_msg_parse(const uint8_t *data, size_t len, struct net_arp_msg *ret)
{
	if (len < NET_ARP_BYTES)
		return NET_ARP_INVALID;
	if (ntohs(net_load16(data)) != ARP_HARDWARE_ETHERNET ||
	    ntohs(net_load16(data + 2)) != NET_ETHER_TYPE_IPV4 || data[4] != 6 || data[5] != 4)
		return NET_ARP_INVALID;
	uint16_t op = ntohs(net_load16(data + 6));
	if (op != NET_ARP_REQUEST && op != NET_ARP_REPLY)
		return NET_ARP_INVALID;
	uint32_t sender = ntohl(net_load32(data + 14));
	//= RFC 1812 section 3.3.2
	//# A router MUST not believe any ARP reply that claims that the Link Layer address of
	//# another host or router is a broadcast or multicast address.
	if (!check_station(data + 8))
		return NET_ARP_INVALID;
	if (sender >> 28 >= 0xe || sender >> 24 == 127)
		return NET_ARP_INVALID;

	ret->op = op;
	memcpy(ret->sender_mac, data + 8, sizeof(ret->sender_mac));
	memcpy(ret->target_mac, data + 18, sizeof(ret->target_mac));
	ret->sender_be32 = net_load32(data + 14);
	ret->target_be32 = net_load32(data + 24);
	return NET_OK;
}

bool net_arp_msg_check_foreign(
	const struct net_arp_msg *msg,
	const uint8_t own_mac[static 6],
	const uint32_t *own_be32,
	size_t n_own
)
{
	if (memcmp(msg->sender_mac, own_mac, sizeof(msg->sender_mac)) == 0)
		return false;
	for (size_t i = 0; i < n_own; i++) {
		if (msg->sender_be32 == own_be32[i])
			return false;
	}
	return true;
}

static size_t build(uint8_t *frame, const uint8_t *dst_mac, const struct net_arp_msg *msg)
{
	memcpy(frame, dst_mac, 6);
	memcpy(frame + 6, msg->sender_mac, 6);
	net_store16(frame + 12, htons(NET_ETHER_TYPE_ARP));
	uint8_t *arp = frame + NET_ETHER_HEADER_BYTES;
	net_store16(arp, htons(ARP_HARDWARE_ETHERNET));
	net_store16(arp + 2, htons(NET_ETHER_TYPE_IPV4));
	arp[4] = 6;
	arp[5] = 4;
	net_store16(arp + 6, htons((uint16_t)msg->op));
	memcpy(arp + 8, msg->sender_mac, 6);
	net_store32(arp + 14, msg->sender_be32);
	memcpy(arp + 18, msg->target_mac, 6);
	net_store32(arp + 24, msg->target_be32);
	return NET_ETHER_HEADER_BYTES + NET_ARP_BYTES;
}

size_t net_arp_msg_build_request(
	uint8_t *frame,
	const uint8_t own_mac[static 6],
	uint32_t own_be32,
	uint32_t target_be32,
	const uint8_t *dst_mac
)
{
	struct net_arp_msg msg = {
		.op = NET_ARP_REQUEST,
		.sender_be32 = own_be32,
		.target_be32 = target_be32,
	};
	memcpy(msg.sender_mac, own_mac, sizeof(msg.sender_mac));
	return build(frame, dst_mac != NULL ? dst_mac : mac_broadcast, &msg);
}

size_t net_arp_msg_build_reply(
	uint8_t *frame,
	const uint8_t own_mac[static 6],
	uint32_t own_be32,
	const struct net_arp_msg *request
)
{
	struct net_arp_msg msg = {
		.op = NET_ARP_REPLY,
		.sender_be32 = own_be32,
		.target_be32 = request->sender_be32,
	};
	memcpy(msg.sender_mac, own_mac, sizeof(msg.sender_mac));
	memcpy(msg.target_mac, request->sender_mac, sizeof(msg.target_mac));
	return build(frame, request->sender_mac, &msg);
}
