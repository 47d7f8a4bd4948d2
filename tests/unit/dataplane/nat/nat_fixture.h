// SPDX-License-Identifier: Apache-2.0
//
// A small NAT and the packets to walk through it, for the tests of dataplane/nat and its fuzz target.
// Every packet that comes out is judged by packet_ref.h.
#pragma once

#include "dataplane/nat/nat.h"
#include "tests/unit/dataplane/packet_ref.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>

#define FIX_SEC 1000000000ull
#define FIX_START (1000 * FIX_SEC)
#define FIX_EXT0 0xc6336401u // 198.51.100.1
#define FIX_EXT1 0xc6336402u
#define FIX_REMOTE 0x08080808u
#define FIX_OTHER 0x01010101u
#define FIX_WG_PORT 51820

static inline uint32_t fix_inner(uint32_t slot)
{
	return 0x0a080002u + slot;
}

static inline void fix_conf(struct nat_conf *conf)
{
	nat_conf_init(conf);
	conf->n_sessions = 8;
	conf->n_mappings = 256;
	conf->n_filters = 64;
	conf->n_external = 2;
	conf->external_be32[0] = htonl(FIX_EXT0);
	conf->external_be32[1] = htonl(FIX_EXT1);
	conf->port_lo = 1024;
	conf->port_hi = 65535;
	conf->session_mapping_limit = 16;
	conf->session_filter_limit = 12;
	conf->n_reserved = 1;
	conf->reserved[0] = (struct nat_reserved){.proto = NAT_PROTO_UDP, .port = FIX_WG_PORT};
	for (size_t i = 0; i < sizeof(conf->seed); i++)
		conf->seed[i] = (uint8_t)(i * 37 + 1);
}

static inline struct nat *fix_create(const struct nat_conf *conf)
{
	size_t size = nat_mem_size(conf);
	if (size == 0)
		return NULL;
	void *mem = aligned_alloc(64, size);
	memset(mem, 0xa5, size); // nat_init owes every byte that is read later
	return nat_init(mem, conf);
}

static inline void fix_destroy(struct nat *nat)
{
	free(nat);
}

// One packet outbound. Out: packet as translated, l34 of it.
static inline enum nat_verdict fix_out_raw(
	struct nat *nat,
	uint32_t slot,
	uint8_t *packet,
	size_t len,
	struct net_l3l4 *l34,
	uint64_t now_ns
)
{
	enum net_verdict parsed = net_parse_ip(packet, len, NET_PARSE_IP_CHECKSUM, l34);
	if (parsed != NET_OK && parsed != NET_IP_FRAGMENT)
		return (enum nat_verdict)parsed;
	nat_outbound_prefetch(nat, slot, l34);
	nat_outbound_prefetch_mapping(nat, l34);
	return nat_outbound(nat, slot, l34, packet, now_ns);
}

static inline enum nat_verdict fix_out(
	struct nat *nat,
	uint32_t slot,
	const struct packet_spec *spec,
	uint8_t *packet,
	uint64_t now_ns
)
{
	struct net_l3l4 l34;
	size_t len = packet_build(packet, spec);
	return fix_out_raw(nat, slot, packet, len, &l34, now_ns);
}

// One packet inbound, lookup and commit. Out: ret_slot when it is NAT_OK.
static inline enum nat_verdict fix_in_raw(
	struct nat *nat, uint8_t *packet, size_t len, uint32_t *ret_slot, uint64_t now_ns
)
{
	struct net_l3l4 l34;
	struct nat_inbound inbound;
	enum net_verdict parsed = net_parse_ip(packet, len, NET_PARSE_IP_CHECKSUM, &l34);
	if (parsed != NET_OK && parsed != NET_IP_FRAGMENT)
		return (enum nat_verdict)parsed;
	nat_inbound_prefetch(nat, &l34);
	nat_inbound_prefetch_mapping(nat, &l34);
	enum nat_verdict verdict = nat_inbound_lookup(nat, &l34, packet, now_ns, &inbound);
	if (verdict != NAT_OK)
		return verdict;
	nat_inbound_commit(nat, &inbound, &l34, packet, now_ns);
	*ret_slot = inbound.session_slot;
	return NAT_OK;
}

static inline enum nat_verdict fix_in(
	struct nat *nat,
	const struct packet_spec *spec,
	uint8_t *packet,
	uint32_t *ret_slot,
	uint64_t now_ns
)
{
	size_t len = packet_build(packet, spec);
	return fix_in_raw(nat, packet, len, ret_slot, now_ns);
}

// The packet that answers a translated one.
static inline struct packet_spec fix_answer(const uint8_t *packet, uint8_t flags)
{
	struct packet_spec spec = {
		.proto = packet[9],
		.src = ref_get32(packet + 16),
		.dst = ref_get32(packet + 12),
		.flags = flags,
		.payload_len = 5,
	};
	if (packet[9] == REF_ICMP) {
		spec.src_port = ref_get16(packet + 24);
	} else {
		spec.src_port = ref_get16(packet + 22);
		spec.dst_port = ref_get16(packet + 20);
	}
	return spec;
}

// Whether a mapping, its filter entries, its port and both ways to find it agree.
static inline bool fix_check_mapping(const struct nat *nat, uint32_t idx)
{
	const struct nat_map *map = &nat->map;
	const struct nat_mapping *m = &map->mappings[idx];
	const struct nat_port *ports = &map->ports[m->ext_idx * NAT_N_PROTO + m->proto];
	struct nat_tuple tuple = {m->session_slot, m->int_addr_be32, m->int_port_be16, m->proto};
	uint32_t n_established = 0, n_filters = 0;
	for (uint32_t f = m->filter_head; f != NAT_IDX_NONE;) {
		const struct nat_filter_entry *e = &nat->filter.entries[f];
		n_filters++;
		n_established += nat_tcp_check_established((enum nat_tcp_state)e->tcp_state);
		if (e->mapping_idx != idx ||
		    nat_filter_lookup(&nat->filter, idx, e->remote_be32) != f)
			return false;
		f = e->mapping_next;
	}
	return m->hash == nat_map_hash(map, &tuple) &&
		nat_map_lookup(map, &tuple, m->hash) == idx &&
		nat_map_lookup_inbound(map, m->ext_idx, m->proto, m->ext_port_be16) == idx &&
		!nat_port_check_free(ports, ntohs(m->ext_port_be16)) &&
		m->ext_addr_be32 == map->external_be32[m->ext_idx] && m->n_filters == n_filters &&
		m->n_established == n_established;
}

// Whether a session's lists are as long as it says, within its limits, and on its one address.
static inline bool fix_check_session(const struct nat *nat, uint32_t slot)
{
	const struct nat_map *map = &nat->map;
	const struct nat_session *s = &map->sessions[slot];
	uint32_t n_mappings = 0, n_filters = 0;
	for (uint32_t i = s->mapping_head; i != NAT_IDX_NONE; i = map->mappings[i].session_next) {
		if (map->mappings[i].session_slot != slot || map->mappings[i].ext_idx != s->ext_idx)
			return false;
		n_mappings++;
	}
	for (uint32_t f = s->filter_newest; f != NAT_IDX_NONE; f = nat->filter.entries[f].older)
		n_filters++;
	return n_mappings == s->n_mappings && n_filters == s->n_filters &&
		n_mappings <= map->session_mapping_limit &&
		n_filters <= nat->filter.session_filter_limit;
}

// Whether all that the tables say about each other is true, and every port is either free, or mapped,
// or waiting. Slow.
static inline bool fix_check_consistent(const struct nat *nat)
{
	const struct nat_map *map = &nat->map;
	uint32_t n_used = 0, n_filters = 0, n_inbound = 0, n_free = 0;
	for (uint32_t i = 0; i < map->n_mappings_cap; i++) {
		if (!map->mappings[i].is_used)
			continue;
		if (!fix_check_mapping(nat, i))
			return false;
		n_used++;
		n_filters += map->mappings[i].n_filters;
	}
	for (uint32_t slot = 0; slot < map->n_sessions; slot++) {
		if (!fix_check_session(nat, slot))
			return false;
	}
	uint32_t n_sets = map->n_external * NAT_N_PROTO;
	uint32_t n_ports = (uint32_t)map->port_hi - map->port_lo + 1;
	for (uint32_t set = 0; set < n_sets; set++)
		n_free += map->ports[set].n_free;
	for (size_t i = 0; i < (size_t)n_ports * n_sets; i++)
		n_inbound += map->inbound[i] != NAT_IDX_NONE;
	uint32_t n_waiting = map->quarantine.tail - map->quarantine.head;
	return n_used == map->n_mappings && n_inbound == n_used &&
		n_filters == nat->filter.n_entries &&
		nat->ports_total == (uint64_t)n_free + n_used + n_waiting &&
		n_used == map->n_by_proto[0] + map->n_by_proto[1] + map->n_by_proto[2];
}
