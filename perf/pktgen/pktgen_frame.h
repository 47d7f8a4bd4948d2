// SPDX-License-Identifier: Apache-2.0
//
// Frames as the generator builds and reads them: Ethernet, ARP, IPv4, UDP, TCP, ICMP echo, and the
// marked payload that its sink checks. Written apart from dataplane/net on purpose: what the node
// sends is judged by code that it does not share. Pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_CAP 2048
#define FRAME_ETHER_BYTES 14
#define FRAME_IPV4_BYTES 20
#define FRAME_MARK_BYTES 20

enum { FRAME_ICMP = 1, FRAME_TCP = 6, FRAME_UDP = 17 };

// What a payload says of itself; the bytes behind it are a function of it.
struct pktgen_mark {
	uint32_t buyer;
	uint64_t sequence;
	uint8_t is_reply; // internet -> client
};

struct pktgen_packet {
	uint32_t src_be, dst_be;
	uint16_t sport, dport; // host order; ICMP: identifier in sport
	uint8_t proto; // FRAME_UDP, FRAME_TCP or FRAME_ICMP
	uint8_t ttl;
	uint8_t is_echo_reply; // ICMP
	uint16_t total_len;
	struct pktgen_mark mark;
};

// Smallest total length that holds a mark.
uint16_t pktgen_frame_min_len(uint8_t proto);

// Builds an IPv4 packet with right checksums. Out: at, packet->total_len bytes.
void pktgen_frame_build(uint8_t *at, const struct pktgen_packet *packet);

// Reads an IPv4 packet of at most len bytes and checks every length, checksum and payload byte.
//
// Returns: NULL and ret filled; else what is wrong with it, a static text.
const char *pktgen_frame_read(const uint8_t *at, size_t len, struct pktgen_packet *ret);

// One's complement sum over data, folded and complemented; big endian words, result in memory order.
uint16_t pktgen_frame_checksum(uint32_t sum, const uint8_t *data, size_t len);

// An ARP frame of 42 bytes. op 1 = request, 2 = reply.
struct pktgen_arp {
	uint16_t op;
	uint8_t sender_mac[6], target_mac[6];
	uint32_t sender_be, target_be;
};
void pktgen_frame_build_arp(uint8_t at[42], const struct pktgen_arp *arp);
bool pktgen_frame_read_arp(const uint8_t *frame, size_t len, struct pktgen_arp *ret);
