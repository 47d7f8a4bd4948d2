// SPDX-License-Identifier: Apache-2.0
//
// Addresses and networks that must agree. Pure.
#include "config/config_check.h"
#include "config/config_format.h"

#include <stdio.h>

#define ADDR_CAP 16
#define CIDR_CAP 20

static uint32_t last_of(const struct config_cidr *cidr)
{
	return cidr->addr | ~config_cidr_mask(cidr->prefix_len);
}

static uint32_t first_of(const struct config_cidr *cidr)
{
	return cidr->addr & config_cidr_mask(cidr->prefix_len);
}

static bool check_overlap(const struct config_cidr *a, const struct config_cidr *b)
{
	return config_cidr_contains(a, first_of(b)) || config_cidr_contains(b, first_of(a));
}

// Returns: whether a host of the subnet can have the address: in it, and neither its network nor its
//          broadcast address; /31 (RFC 3021) and /32 have neither.
static bool check_host(const struct config_cidr *subnet, uint32_t addr)
{
	if (!config_cidr_contains(subnet, addr))
		return false;
	return subnet->prefix_len >= 31 || (addr != first_of(subnet) && addr != last_of(subnet));
}

static void refuse_host(
	const struct config_check *check,
	const char *path,
	uint32_t addr,
	const char *what,
	const struct config_cidr *subnet
)
{
	bool is_wide = subnet->prefix_len < 31;
	char value[ADDR_CAP], low[ADDR_CAP], high[ADDR_CAP];

	if (addr == 0)
		snprintf(value, sizeof(value), "none");
	else
		config_format_ipv4(addr, value, sizeof(value));
	config_format_ipv4(first_of(subnet) + is_wide, low, sizeof(low));
	config_format_ipv4(last_of(subnet) - is_wide, high, sizeof(high));
	config_check_refuse(check, path, value, "%s; allowed: %s to %s", what, low, high);
}

static void refuse_equal(
	const struct config_check *check, const char *path, uint32_t addr, const char *what
)
{
	char value[ADDR_CAP];

	config_format_ipv4(addr, value, sizeof(value));
	config_check_refuse(check, path, value, "is %s; allowed: any other", what);
}

static void check_gateway(const struct config_check *check, uint32_t port_idx)
{
	const struct config_port *port = &check->config->ports[port_idx];
	char path[32];

	snprintf(path, sizeof(path), "ports[%u].gateway", port_idx);
	if (port->gateway == 0) {
		if (port->role != CONFIG_ROLE_TUNNEL)
			refuse_host(
				check,
				path,
				0,
				"is none, but the port leads to the internet",
				&port->address
			);
		return;
	}
	if (!check_host(&port->address, port->gateway))
		refuse_host(
			check, path, port->gateway, "is not on the port's subnet", &port->address
		);
	else if (port->gateway == port->address.addr)
		refuse_equal(check, path, port->gateway, "the port's own address");
}

static void check_ports(const struct config_check *check)
{
	const struct config_port *ports = check->config->ports;
	char path[32];

	for (uint32_t i = 0; i < check->config->n_ports; i++) {
		snprintf(path, sizeof(path), "ports[%u].address", i);
		if (!check_host(&ports[i].address, ports[i].address.addr))
			refuse_host(
				check,
				path,
				ports[i].address.addr,
				"is the network or broadcast address of its subnet",
				&ports[i].address
			);
		check_gateway(check, i);
	}
	if (check->config->n_ports == 2 && ports[0].address.addr == ports[1].address.addr)
		refuse_equal(
			check, "ports[1].address", ports[1].address.addr, "the other port's address"
		);
}

static void check_tunnel(const struct config_check *check)
{
	const struct config_tunnel *tunnel = &check->config->tunnel;
	uint64_t n_hosts = (uint64_t)last_of(&tunnel->network) - first_of(&tunnel->network) + 1;
	char text[CIDR_CAP];

	if (!config_check_is_sound(check, "tunnel.network"))
		return;
	config_format_cidr(&tunnel->network, text, sizeof(text));
	if (tunnel->network.prefix_len < 8 || tunnel->network.prefix_len > 30) {
		config_check_refuse(
			check,
			"tunnel.network",
			text,
			"has a prefix length of no use; allowed: /8 to /30"
		);
		return;
	}
	if (config_check_is_sound(check, "tunnel.address") &&
	    !check_host(&tunnel->network, tunnel->address))
		refuse_host(
			check,
			"tunnel.address",
			tunnel->address,
			"is no host's address in tunnel.network",
			&tunnel->network
		);
	// Network, broadcast and the node's own address are no session's.
	if (config_check_is_sound(check, "sessions.max") &&
	    check->config->sessions.max > n_hosts - 3) {
		char value[16];

		snprintf(value, sizeof(value), "%u", check->config->sessions.max);
		config_check_refuse(
			check,
			"sessions.max",
			value,
			"is more than tunnel.network %s has addresses; allowed: at most %llu",
			text,
			(unsigned long long)n_hosts - 3
		);
	}
}

static void check_tunnel_overlap(const struct config_check *check)
{
	const struct config_cidr *network = &check->config->tunnel.network;
	char text[CIDR_CAP], other[CIDR_CAP];

	if (!config_check_is_sound(check, "tunnel.network"))
		return;
	for (uint32_t i = 0; i < check->config->n_ports; i++) {
		const struct config_port *port = &check->config->ports[i];

		if (!check_overlap(network, &port->address))
			continue;
		config_format_cidr(network, text, sizeof(text));
		config_format_cidr(&port->address, other, sizeof(other));
		config_check_refuse(
			check,
			"tunnel.network",
			text,
			"overlaps the subnet %s of port %s; allowed: a network of its own",
			other,
			port->name
		);
	}
}

// Of a list that was given: the default is a port's address, which has checks of its own.
static void check_external(const struct config_check *check, uint32_t idx)
{
	const struct config *config = check->config;
	const struct config_port *tunnel_port = &config->ports[config->tunnel_port_idx];
	const struct config_port *internet_port = &config->ports[config->internet_port_idx];
	uint32_t addr = config->nat.external_addresses[idx];
	char path[40];

	snprintf(path, sizeof(path), "nat.external_addresses[%u]", idx);
	for (uint32_t i = 0; i < idx; i++) {
		if (config->nat.external_addresses[i] == addr)
			refuse_equal(check, path, addr, "in the list twice");
	}
	if (addr == internet_port->gateway)
		refuse_equal(check, path, addr, "the internet port's gateway");
	if (tunnel_port != internet_port && addr == tunnel_port->address.addr)
		refuse_equal(check, path, addr, "the tunnel port's address");
	if (config_cidr_contains(&internet_port->address, addr) &&
	    !check_host(&internet_port->address, addr))
		refuse_host(
			check,
			path,
			addr,
			"is the network or broadcast address of the internet port",
			&internet_port->address
		);
	if (config_check_is_sound(check, "tunnel.network") &&
	    config_cidr_contains(&config->tunnel.network, addr))
		refuse_equal(check, path, addr, "inside tunnel.network");
}

// Private and shared addresses (RFC 1918, RFC 6598), link-local, and what else the built-in list of the
// firewall keeps buyers from.
static const struct config_cidr unreachable[] = {
	{0x0a000000, 8},
	{0x64400000, 10},
	{0xa9fe0000, 16},
	{0xac100000, 12},
	{0xc0a80000, 16},
};

static void check_dns(const struct config_check *check)
{
	const struct config_tunnel *tunnel = &check->config->tunnel;
	const struct config_firewall *firewall = &check->config->firewall;
	char path[32], text[ADDR_CAP];

	if (!config_check_is_sound(check, "tunnel.dns") ||
	    !config_check_is_sound(check, "firewall"))
		return;
	for (uint32_t i = 0; i < tunnel->n_dns; i++) {
		bool is_denied = false;

		for (uint32_t j = 0; j < sizeof(unreachable) / sizeof(unreachable[0]); j++)
			is_denied |= config_cidr_contains(&unreachable[j], tunnel->dns[i]);
		for (uint32_t j = 0; j < firewall->n_allow; j++)
			is_denied &= !config_cidr_contains(&firewall->allow[j], tunnel->dns[i]);
		for (uint32_t j = 0; j < firewall->n_deny; j++)
			is_denied |= config_cidr_contains(&firewall->deny[j], tunnel->dns[i]);
		if (!is_denied)
			continue;
		snprintf(path, sizeof(path), "tunnel.dns[%u]", i);
		config_format_ipv4(tunnel->dns[i], text, sizeof(text));
		config_check_warn(
			check,
			path,
			text,
			"is a name server that buyers may not reach: add it to firewall.allow"
		);
	}
}

static void check_rules(
	const struct config_check *check,
	const char *list,
	const struct config_cidr *rules,
	uint32_t n_rules
)
{
	char path[32], text[CIDR_CAP];

	if (!config_check_is_sound(check, list))
		return;
	for (uint32_t i = 1; i < n_rules; i++) {
		for (uint32_t j = 0; j < i; j++) {
			if (rules[i].addr != rules[j].addr ||
			    rules[i].prefix_len != rules[j].prefix_len)
				continue;
			snprintf(path, sizeof(path), "%s[%u]", list, i);
			config_format_cidr(&rules[i], text, sizeof(text));
			config_check_refuse(
				check, path, text, "is in the list twice; allowed: any other"
			);
		}
	}
}

void config_check_addr(const struct config_check *check)
{
	const struct config *config = check->config;

	if (config_check_is_sound(check, "ports")) {
		check_ports(check);
		check_tunnel_overlap(check);
		if (check->has_roles && config_check_is_sound(check, "nat.external_addresses") &&
		    config_doc_lookup(check->doc, "nat.external_addresses") != NULL) {
			for (uint32_t i = 0; i < config->nat.n_external_addresses; i++)
				check_external(check, i);
		}
	}
	check_tunnel(check);
	check_dns(check);
	check_rules(check, "firewall.allow", config->firewall.allow, config->firewall.n_allow);
	check_rules(check, "firewall.deny", config->firewall.deny, config->firewall.n_deny);
}
