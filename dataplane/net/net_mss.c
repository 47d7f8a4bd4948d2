// SPDX-License-Identifier: Apache-2.0
//
// See net_mss.h.
#include "net_mss.h"

#include "net_checksum.h"

#include <arpa/inet.h>

#define TCP_CHECKSUM_AT 16
#define TCP_OPTION_END 0
#define TCP_OPTION_NOP 1
#define TCP_OPTION_MSS 2
#define TCP_OPTION_MSS_BYTES 4

// Returns: offset of the MSS option in [at, end), or 0.
static size_t find_mss(const uint8_t *packet, size_t at, size_t end)
{
	while (at < end) {
		uint8_t option = packet[at];
		if (option == TCP_OPTION_END)
			return 0;
		if (option == TCP_OPTION_NOP) {
			at++;
			continue;
		}
		if (end - at < 2 || packet[at + 1] < 2 || packet[at + 1] > end - at)
			return 0;
		if (option == TCP_OPTION_MSS)
			return packet[at + 1] == TCP_OPTION_MSS_BYTES ? at : 0;
		at += packet[at + 1];
	}
	return 0;
}

bool net_mss_clamp(uint8_t *packet, const struct net_l3l4 *l34, uint16_t mss_bytes)
{
	if (l34->proto != NET_PROTO_TCP || !l34->has_ports || !(l34->tcp_flags & NET_TCP_SYN))
		return false;
	size_t option = find_mss(
		packet, (size_t)l34->l4_offset + NET_TCP_HEADER_BYTES, l34->payload_offset
	);
	if (option == 0 || ntohs(net_load16(packet + option + 2)) <= mss_bytes)
		return false;

	// The option may stand at an odd offset, where its bytes fall into two words of the sum. A
	// sum of swapped words is the swapped sum (RFC 1071 section 2 (B)), so swap both values.
	uint16_t old_be16 = net_load16(packet + option + 2);
	uint16_t new_be16 = htons(mss_bytes);
	net_store16(packet + option + 2, new_be16);
	if ((option - l34->l4_offset) & 1) {
		old_be16 = __builtin_bswap16(old_be16);
		new_be16 = __builtin_bswap16(new_be16);
	}
	uint8_t *check = packet + l34->l4_offset + TCP_CHECKSUM_AT;
	net_store16(
		check,
		net_checksum_apply(net_load16(check), net_checksum_delta16(old_be16, new_be16))
	);
	return true;
}
