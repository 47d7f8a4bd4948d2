// SPDX-License-Identifier: Apache-2.0
//
// See pktgen_frame.h.
#include "perf/pktgen/pktgen_frame.h"

#include <arpa/inet.h>
#include <endian.h>
#include <string.h>

#define MARK_MAGIC 0x746f6c6cu // "toll"
#define TCP_BYTES 20

static void store16(uint8_t *at, uint16_t host)
{
	at[0] = host >> 8;
	at[1] = (uint8_t)host;
}

static uint16_t load16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t sum_words(uint32_t sum, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += load16(data + i);
	if (len % 2 != 0)
		sum += (uint32_t)data[len - 1] << 8;
	return sum;
}

uint16_t pktgen_frame_checksum(uint32_t sum, const uint8_t *data, size_t len)
{
	sum = sum_words(sum, data, len);
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

// Sum of the pseudo header; 0 for ICMP, which has none.
static uint32_t pseudo_sum(const uint8_t *ip, size_t l4_len)
{
	if (ip[9] == FRAME_ICMP)
		return 0;
	return sum_words(0, ip + 12, 8) + ip[9] + (uint32_t)l4_len;
}

static size_t l4_header_bytes(uint8_t proto)
{
	return proto == FRAME_TCP ? TCP_BYTES : 8;
}

static size_t checksum_offset(uint8_t proto)
{
	return proto == FRAME_TCP ? 16 : proto == FRAME_UDP ? 6 : 2;
}

uint16_t pktgen_frame_min_len(uint8_t proto)
{
	return (uint16_t)(FRAME_IPV4_BYTES + l4_header_bytes(proto) + FRAME_MARK_BYTES);
}

static uint8_t pattern(const struct pktgen_mark *mark, size_t i)
{
	return (uint8_t)(mark->sequence * 131 + mark->buyer * 17 + i);
}

static void mark_write(uint8_t *at, size_t len, const struct pktgen_mark *mark)
{
	uint32_t words[3] = {htonl(MARK_MAGIC), htonl(mark->buyer), htonl(mark->is_reply)};
	uint64_t sequence = htobe64(mark->sequence);

	memcpy(at, words, sizeof(words));
	memcpy(at + sizeof(words), &sequence, sizeof(sequence));
	for (size_t i = FRAME_MARK_BYTES; i < len; i++)
		at[i] = pattern(mark, i);
}

static const char *mark_read(const uint8_t *at, size_t len, struct pktgen_mark *mark)
{
	uint32_t words[3];
	uint64_t sequence;

	if (len < FRAME_MARK_BYTES)
		return "payload shorter than its mark";
	memcpy(words, at, sizeof(words));
	memcpy(&sequence, at + sizeof(words), sizeof(sequence));
	if (ntohl(words[0]) != MARK_MAGIC)
		return "payload is not the generator's";
	*mark = (struct pktgen_mark){ntohl(words[1]), be64toh(sequence), (uint8_t)ntohl(words[2])};
	for (size_t i = FRAME_MARK_BYTES; i < len; i++)
		if (at[i] != pattern(mark, i))
			return "payload byte changed";
	return NULL;
}

static void l4_write(uint8_t *l4, size_t len, const struct pktgen_packet *packet)
{
	memset(l4, 0, l4_header_bytes(packet->proto));
	store16(l4, packet->sport);
	store16(l4 + 2, packet->dport);
	if (packet->proto == FRAME_UDP) {
		store16(l4 + 4, (uint16_t)len);
	} else if (packet->proto == FRAME_TCP) {
		l4[12] = (TCP_BYTES / 4) << 4;
		// A connection's first segment opens it, the later ones are data.
		l4[13] = packet->mark.sequence == 0 ? (packet->mark.is_reply ? 0x12 : 0x02) : 0x10;
		store16(l4 + 14, 65535);
	} else {
		l4[0] = packet->is_echo_reply ? 0 : 8;
		l4[1] = l4[2] = l4[3] = 0;
		store16(l4 + 4, packet->sport);
	}
}

void pktgen_frame_build(uint8_t *at, const struct pktgen_packet *packet)
{
	uint8_t *l4 = at + FRAME_IPV4_BYTES;
	size_t l4_len = packet->total_len - FRAME_IPV4_BYTES;
	size_t header = l4_header_bytes(packet->proto);

	memset(at, 0, FRAME_IPV4_BYTES);
	at[0] = 0x45;
	store16(at + 2, packet->total_len);
	at[6] = 0x40; // DF
	at[8] = packet->ttl;
	at[9] = packet->proto;
	memcpy(at + 12, &packet->src_be, 4);
	memcpy(at + 16, &packet->dst_be, 4);
	uint16_t check = pktgen_frame_checksum(0, at, FRAME_IPV4_BYTES);
	memcpy(at + 10, &check, 2);
	l4_write(l4, l4_len, packet);
	mark_write(l4 + header, l4_len - header, &packet->mark);
	check = pktgen_frame_checksum(pseudo_sum(at, l4_len), l4, l4_len);
	if (check == 0 && packet->proto == FRAME_UDP)
		check = 0xffff; // RFC 768: zero says that there is none
	memcpy(l4 + checksum_offset(packet->proto), &check, 2);
}

static const char *l4_read(const uint8_t *l4, size_t len, struct pktgen_packet *ret)
{
	size_t header = l4_header_bytes(ret->proto);

	if (len < header)
		return "transport header cut short";
	ret->sport = load16(l4);
	ret->dport = load16(l4 + 2);
	if (ret->proto == FRAME_UDP && load16(l4 + 4) != len)
		return "UDP length wrong";
	if (ret->proto == FRAME_TCP)
		header = (size_t)(l4[12] >> 4) * 4;
	if (ret->proto == FRAME_ICMP) {
		if (l4[0] != 0 && l4[0] != 8)
			return "ICMP type is no echo";
		ret->is_echo_reply = l4[0] == 0;
		ret->sport = ret->dport = load16(l4 + 4);
	}
	if (header < 8 || header > len)
		return "transport header length wrong";
	return mark_read(l4 + header, len - header, &ret->mark);
}

const char *pktgen_frame_read(const uint8_t *at, size_t len, struct pktgen_packet *ret)
{
	if (len < FRAME_IPV4_BYTES || at[0] != 0x45)
		return "no IPv4 header of 20 bytes";
	*ret = (struct pktgen_packet){.total_len = load16(at + 2), .ttl = at[8], .proto = at[9]};
	memcpy(&ret->src_be, at + 12, 4);
	memcpy(&ret->dst_be, at + 16, 4);
	if (ret->total_len > len || ret->total_len < FRAME_IPV4_BYTES)
		return "total length wrong";
	if (pktgen_frame_checksum(0, at, FRAME_IPV4_BYTES) != 0)
		return "IPv4 checksum wrong";
	if (ret->proto != FRAME_UDP && ret->proto != FRAME_TCP && ret->proto != FRAME_ICMP)
		return "protocol is not the generator's";
	size_t l4_len = ret->total_len - FRAME_IPV4_BYTES;
	if (pktgen_frame_checksum(pseudo_sum(at, l4_len), at + FRAME_IPV4_BYTES, l4_len) != 0)
		return "transport checksum wrong";
	return l4_read(at + FRAME_IPV4_BYTES, l4_len, ret);
}

void pktgen_frame_build_arp(uint8_t at[42], const struct pktgen_arp *arp)
{
	static const uint8_t head[] = {0x08, 0x06, 0, 1, 0x08, 0, 6, 4};

	memset(at, arp->op == 1 ? 0xff : 0, 6);
	if (arp->op != 1)
		memcpy(at, arp->target_mac, 6);
	memcpy(at + 6, arp->sender_mac, 6);
	memcpy(at + 12, head, sizeof(head));
	store16(at + 20, arp->op);
	memcpy(at + 22, arp->sender_mac, 6);
	memcpy(at + 28, &arp->sender_be, 4);
	memcpy(at + 32, arp->target_mac, 6);
	memcpy(at + 38, &arp->target_be, 4);
}

bool pktgen_frame_read_arp(const uint8_t *frame, size_t len, struct pktgen_arp *ret)
{
	if (len < 42 || load16(frame + 12) != 0x0806)
		return false;
	ret->op = load16(frame + 20);
	memcpy(ret->sender_mac, frame + 22, 6);
	memcpy(&ret->sender_be, frame + 28, 4);
	memcpy(ret->target_mac, frame + 32, 6);
	memcpy(&ret->target_be, frame + 38, 4);
	return true;
}
