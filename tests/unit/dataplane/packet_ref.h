// SPDX-License-Identifier: Apache-2.0
//
// Packets for tests, and an independent judge of their checksums: byte by byte, in big-endian, by full
// computation, sharing nothing with dataplane/net. Tests and fuzz targets only.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define REF_ICMP 1
#define REF_TCP 6
#define REF_UDP 17

struct packet_spec {
	uint8_t proto;
	uint32_t src; // host order
	uint32_t dst;
	uint16_t src_port; // ICMP: identifier
	uint16_t dst_port;
	uint8_t flags; // TCP flags, or ICMP type
	uint16_t payload_len;
	bool has_no_checksum; // UDP: zero
};

static inline void ref_put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline void ref_put32(uint8_t *at, uint32_t value)
{
	ref_put16(at, (uint16_t)(value >> 16));
	ref_put16(at + 2, (uint16_t)value);
}

static inline uint16_t ref_get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t ref_get32(const uint8_t *at)
{
	return (uint32_t)ref_get16(at) << 16 | ref_get16(at + 2);
}

static inline uint16_t ref_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static inline uint32_t ref_sum(uint32_t sum, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum = ref_fold(sum + (i & 1 ? data[i] : (uint32_t)data[i] << 8));
	return sum;
}

// The sum over the transport part with its pseudo header; 0xffff when the checksum in it is right.
static inline uint16_t ref_l4_sum(const uint8_t *packet)
{
	size_t header_len = (packet[0] & 0xfu) * 4;
	size_t l4_len = ref_get16(packet + 2) - header_len;
	uint32_t sum = 0;
	if (packet[9] != REF_ICMP) {
		sum = ref_sum(0, packet + 12, 8);
		sum += packet[9] + (uint32_t)l4_len;
	}
	return ref_fold(ref_sum(sum, packet + header_len, l4_len));
}

static inline size_t ref_checksum_at(uint8_t proto)
{
	return proto == REF_TCP ? 16 : proto == REF_UDP ? 6 : 2;
}

static inline void packet_seal(uint8_t *packet)
{
	size_t header_len = (packet[0] & 0xfu) * 4;
	ref_put16(packet + 10, 0);
	ref_put16(packet + 10, (uint16_t)~ref_fold(ref_sum(0, packet, header_len)));
	uint8_t *check = packet + header_len + ref_checksum_at(packet[9]);
	ref_put16(check, 0);
	uint16_t value = (uint16_t)~ref_l4_sum(packet);
	ref_put16(check, packet[9] == REF_UDP && value == 0 ? 0xffff : value);
}

// Returns: bytes. Out: a whole IPv4 packet without options, checksums right.
static inline size_t packet_build(uint8_t *out, const struct packet_spec *spec)
{
	size_t l4_header = spec->proto == REF_TCP ? 20 : 8;
	size_t len = 20 + l4_header + spec->payload_len;
	memset(out, 0, len);
	out[0] = 0x45;
	ref_put16(out + 2, (uint16_t)len);
	ref_put16(out + 4, 0x1234);
	out[8] = 64;
	out[9] = spec->proto;
	ref_put32(out + 12, spec->src);
	ref_put32(out + 16, spec->dst);
	uint8_t *l4 = out + 20;
	if (spec->proto == REF_ICMP) {
		l4[0] = spec->flags;
		ref_put16(l4 + 4, spec->src_port);
		ref_put16(l4 + 6, 1);
	} else {
		ref_put16(l4, spec->src_port);
		ref_put16(l4 + 2, spec->dst_port);
		if (spec->proto == REF_TCP) {
			l4[12] = 0x50;
			l4[13] = spec->flags;
			ref_put16(l4 + 14, 0xffff);
		} else {
			ref_put16(l4 + 4, (uint16_t)(len - 20));
		}
	}
	for (size_t i = 0; i < spec->payload_len; i++)
		l4[l4_header + i] = (uint8_t)(i * 7 + 3);
	packet_seal(out);
	if (spec->proto == REF_UDP && spec->has_no_checksum)
		ref_put16(l4 + 6, 0);
	return len;
}

// An ICMP error that quotes the first quote_len bytes of a packet.
static inline size_t packet_build_error(
	uint8_t *out,
	uint8_t type,
	uint32_t src,
	uint32_t dst,
	const uint8_t *quoted,
	size_t quote_len
)
{
	size_t len = 28 + quote_len;
	memset(out, 0, 28);
	out[0] = 0x45;
	ref_put16(out + 2, (uint16_t)len);
	out[8] = 64;
	out[9] = REF_ICMP;
	ref_put32(out + 12, src);
	ref_put32(out + 16, dst);
	out[20] = type;
	out[21] = type == 3 ? 4 : 0;
	ref_put16(out + 26, 1280);
	memcpy(out + 28, quoted, quote_len);
	packet_seal(out);
	return len;
}

static inline bool packet_check_ip(const uint8_t *packet)
{
	return ref_fold(ref_sum(0, packet, (packet[0] & 0xfu) * 4)) == 0xffff;
}

// Whether IP and transport checksum are right by full computation.
static inline bool packet_check(const uint8_t *packet)
{
	size_t header_len = (packet[0] & 0xfu) * 4;
	if (!packet_check_ip(packet))
		return false;
	if (packet[9] == REF_UDP && ref_get16(packet + header_len + 6) == 0)
		return true;
	return ref_l4_sum(packet) == 0xffff;
}
