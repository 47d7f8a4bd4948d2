// SPDX-License-Identifier: Apache-2.0
//
// The configuration of a NAT (nat.h): defaults, what is refused, and the building of struct nat in the
// caller's memory. At start only.
#include "nat.h"

#include <string.h>

#define ALIGN_BYTES 64

void nat_conf_init(struct nat_conf *conf)
{
	memset(conf, 0, sizeof(*conf));
	conf->udp_timeout_ns = NAT_UDP_TIMEOUT_NS;
	conf->tcp_established_timeout_ns = NAT_TCP_ESTABLISHED_TIMEOUT_NS;
	conf->tcp_transitory_timeout_ns = NAT_TCP_TRANSITORY_TIMEOUT_NS;
	conf->icmp_timeout_ns = NAT_ICMP_TIMEOUT_NS;
	conf->quarantine_ns = NAT_QUARANTINE_NS;
	conf->preserves_parity = true;
}

static const char *sizes_invalid(const struct nat_conf *conf)
{
	if (conf->n_sessions < 1 || conf->n_sessions == NAT_IDX_NONE)
		return "n_sessions";
	if (conf->port_lo < 1 || conf->port_lo > conf->port_hi)
		return "port_lo";
	if (conf->n_external < 1 || conf->n_external > NAT_MAX_EXTERNAL)
		return "n_external";
	uint32_t n_ports = (uint32_t)conf->port_hi - conf->port_lo + 1;
	if (conf->n_mappings < 1 || conf->n_mappings > NAT_N_PROTO * conf->n_external * n_ports)
		return "n_mappings";
	if (conf->n_filters < 1 || conf->n_filters > 1u << 30)
		return "n_filters";
	if (conf->session_mapping_limit < 1)
		return "session_mapping_limit";
	if (conf->session_filter_limit < 1)
		return "session_filter_limit";
	return NULL;
}

static const char *lists_invalid(const struct nat_conf *conf)
{
	for (uint32_t i = 0; i < conf->n_external; i++) {
		if (conf->external_be32[i] == 0)
			return "external_be32";
		for (uint32_t j = 0; j < i; j++) {
			if (conf->external_be32[i] == conf->external_be32[j])
				return "external_be32";
		}
	}
	if (conf->n_reserved > NAT_MAX_RESERVED)
		return "n_reserved";
	for (uint32_t i = 0; i < conf->n_reserved; i++) {
		if (conf->reserved[i].proto >= NAT_N_PROTO)
			return "reserved";
	}
	return NULL;
}

static const char *timeouts_invalid(const struct nat_conf *conf)
{
	if (conf->udp_timeout_ns < NAT_UDP_TIMEOUT_MIN_NS)
		return "udp_timeout_ns";
	if (conf->tcp_established_timeout_ns < NAT_TCP_ESTABLISHED_TIMEOUT_MIN_NS)
		return "tcp_established_timeout_ns";
	if (conf->tcp_transitory_timeout_ns < NAT_TCP_TRANSITORY_TIMEOUT_MIN_NS)
		return "tcp_transitory_timeout_ns";
	if (conf->icmp_timeout_ns < NAT_ICMP_TIMEOUT_MIN_NS)
		return "icmp_timeout_ns";
	return NULL;
}

const char *nat_conf_invalid(const struct nat_conf *conf)
{
	const char *member = sizes_invalid(conf);
	if (member == NULL)
		member = lists_invalid(conf);
	return member != NULL ? member : timeouts_invalid(conf);
}

static uint32_t power_of_two(uint32_t at_least)
{
	uint32_t n = 1;
	while (n < at_least)
		n <<= 1;
	return n;
}

// Where each array lies, from the start of the caller's memory.
struct layout {
	size_t mappings;
	size_t buckets;
	size_t inbound;
	size_t sessions;
	size_t ports;
	size_t ring;
	size_t entries;
	size_t filter_buckets;
	size_t end;
	size_t n_inbound;
	uint32_t n_sets;
	uint32_t n_buckets;
	uint32_t ring_cap;
	uint32_t n_filter_buckets;
};

static size_t take(size_t *at, size_t n, size_t size)
{
	size_t start = *at;
	*at = (start + n * size + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES;
	return start;
}

static struct layout layout_of(const struct nat_conf *conf)
{
	struct layout l = {.n_sets = conf->n_external * NAT_N_PROTO};
	size_t at = 0;
	l.n_inbound = (size_t)l.n_sets * ((size_t)conf->port_hi - conf->port_lo + 1);
	l.n_buckets = power_of_two(2 * conf->n_mappings);
	l.ring_cap = power_of_two(conf->n_mappings);
	l.n_filter_buckets = power_of_two(conf->n_filters);
	take(&at, 1, sizeof(struct nat));
	l.mappings = take(&at, conf->n_mappings, sizeof(struct nat_mapping));
	l.buckets = take(&at, l.n_buckets, sizeof(struct nat_map_bucket));
	l.inbound = take(&at, l.n_inbound, sizeof(uint32_t));
	l.sessions = take(&at, conf->n_sessions, sizeof(struct nat_session));
	l.ports = take(&at, l.n_sets, sizeof(struct nat_port));
	l.ring = take(&at, l.ring_cap, sizeof(struct nat_port_waiting));
	l.entries = take(&at, conf->n_filters, sizeof(struct nat_filter_entry));
	l.filter_buckets = take(&at, l.n_filter_buckets, sizeof(uint32_t));
	l.end = at;
	return l;
}

size_t nat_mem_size(const struct nat_conf *conf)
{
	return nat_conf_invalid(conf) != NULL ? 0 : layout_of(conf).end;
}

static void init_ports(struct nat *nat, const struct nat_conf *conf, uint32_t n_sets)
{
	for (uint32_t set = 0; set < n_sets; set++) {
		struct nat_port *ports = &nat->map.ports[set];
		nat_port_init(ports, conf->port_lo, conf->port_hi, conf->preserves_parity);
		for (uint32_t i = 0; i < conf->n_reserved; i++) {
			if (conf->reserved[i].proto == set % NAT_N_PROTO)
				nat_port_reserve(ports, conf->reserved[i].port);
		}
		nat->ports_total += ports->n_total;
	}
}

static void init_map(
	struct nat_map *map, const struct nat_conf *conf, uint8_t *base, const struct layout *l
)
{
	map->mappings = (struct nat_mapping *)(base + l->mappings);
	map->n_mappings_cap = conf->n_mappings;
	map->buckets = (struct nat_map_bucket *)(base + l->buckets);
	map->bucket_mask = l->n_buckets - 1;
	map->inbound = (uint32_t *)(base + l->inbound);
	map->n_external = conf->n_external;
	memcpy(map->external_be32, conf->external_be32, sizeof(map->external_be32));
	map->port_lo = conf->port_lo;
	map->port_hi = conf->port_hi;
	map->session_mapping_limit = conf->session_mapping_limit;
	map->n_sessions = conf->n_sessions;
	map->sessions = (struct nat_session *)(base + l->sessions);
	map->ports = (struct nat_port *)(base + l->ports);

	memset(map->inbound, 0xff, l->n_inbound * sizeof(uint32_t)); // NAT_IDX_NONE
	memset(map->buckets, 0xff, l->n_buckets * sizeof(struct nat_map_bucket));
	for (uint32_t i = 0; i < conf->n_mappings; i++) {
		map->mappings[i].is_used = 0;
		map->mappings[i].session_next = i + 1 < conf->n_mappings ? i + 1 : NAT_IDX_NONE;
	}
	map->free_head = 0;
	for (uint32_t i = 0; i < conf->n_sessions; i++) {
		map->sessions[i] = (struct nat_session){
			.mapping_head = NAT_IDX_NONE,
			.filter_newest = NAT_IDX_NONE,
			.filter_oldest = NAT_IDX_NONE,
		};
	}
	nat_port_quarantine_init(
		&map->quarantine,
		(struct nat_port_waiting *)(base + l->ring),
		l->ring_cap,
		conf->quarantine_ns
	);
}

static void init_filter(
	struct nat_filter *filter,
	const struct nat_conf *conf,
	uint8_t *base,
	const struct layout *l
)
{
	filter->entries = (struct nat_filter_entry *)(base + l->entries);
	filter->n_entries_cap = conf->n_filters;
	filter->buckets = (uint32_t *)(base + l->filter_buckets);
	filter->bucket_mask = l->n_filter_buckets - 1;
	filter->session_filter_limit = conf->session_filter_limit;
	memset(filter->buckets, 0xff, l->n_filter_buckets * sizeof(uint32_t));
	for (uint32_t i = 0; i < conf->n_filters; i++) {
		filter->entries[i].mapping_idx = NAT_IDX_NONE;
		filter->entries[i].hash_next = i + 1 < conf->n_filters ? i + 1 : NAT_IDX_NONE;
	}
	filter->free_head = 0;
}

struct nat *nat_init(void *mem, const struct nat_conf *conf)
{
	if (nat_conf_invalid(conf) != NULL)
		return NULL;
	struct layout l = layout_of(conf);
	struct nat *nat = mem;

	memset(nat, 0, sizeof(*nat));
	init_map(&nat->map, conf, mem, &l);
	init_filter(&nat->filter, conf, mem, &l);
	init_ports(nat, conf, l.n_sets);
	nat->filter.map = &nat->map;
	memcpy(&nat->map.hash.k0, conf->seed, 8);
	memcpy(&nat->map.hash.k1, conf->seed + 8, 8);
	memcpy(&nat->filter.hash.k0, conf->seed + 16, 8);
	memcpy(&nat->filter.hash.k1, conf->seed + 24, 8);
	nat->udp_timeout_ns = conf->udp_timeout_ns;
	nat->tcp_established_timeout_ns = conf->tcp_established_timeout_ns;
	nat->tcp_transitory_timeout_ns = conf->tcp_transitory_timeout_ns;
	nat->icmp_timeout_ns = conf->icmp_timeout_ns;
	nat->refreshes_inbound = conf->refreshes_inbound;
	return nat;
}
