// SPDX-License-Identifier: Apache-2.0
//
// twctl port: links, addresses, offloads and the drivers' own counters.
#include "twctl_counters.h"

#include "common/counter.h"

#include <arpa/inet.h>
#include <string.h>

static const struct {
	uint32_t bit;
	const char *name;
} offloads[] = {
	{ABI_PORT_OFFLOAD_IP_CKSUM, "tx_ip_checksum"},
	{ABI_PORT_OFFLOAD_UDP_CKSUM, "tx_udp_checksum"},
	{ABI_PORT_OFFLOAD_TCP_CKSUM, "tx_tcp_checksum"},
	{ABI_PORT_OFFLOAD_RX_CKSUM, "rx_checksum"},
};

static const struct {
	const char *name;
	size_t offset;
} fields[] = {
#define FIELD(name) \
	{ \
#name, offsetof(struct abi_port_stats, name) \
	}
	FIELD(rx_pkts),
	FIELD(rx_bytes),
	FIELD(tx_pkts),
	FIELD(tx_bytes),
	FIELD(rx_missed_pkts),
	FIELD(rx_error_pkts),
	FIELD(rx_no_mbuf_pkts),
	FIELD(tx_error_pkts),
#undef FIELD
};

#define N_FIELD (sizeof(fields) / sizeof(fields[0]))
#define N_OFFLOAD (sizeof(offloads) / sizeof(offloads[0]))

static uint64_t read_field(const struct abi_port_stats *port, size_t idx)
{
	return counter_read((const uint64_t *)((const char *)port + fields[idx].offset));
}

// The text of a fixed field that another process writes.
static const char *copy_text(char dst[64], const char src[32])
{
	char raw[33];

	memcpy(raw, src, 32);
	raw[32] = '\0';
	json_quote(dst, 64, raw);
	return dst;
}

// Returns: NULL for no address.
static const char *addr_text(char dst[INET6_ADDRSTRLEN], const struct abi_endpoint *addr)
{
	int family = addr->family == ABI_FAMILY_IPV6 ? AF_INET6 : AF_INET;

	if (addr->family == ABI_FAMILY_NONE)
		return NULL;
	return inet_ntop(family, addr->addr, dst, INET6_ADDRSTRLEN);
}

static void mac_text(char dst[18], const uint8_t mac[6])
{
	snprintf(
		dst,
		18,
		"%02x:%02x:%02x:%02x:%02x:%02x",
		mac[0],
		mac[1],
		mac[2],
		mac[3],
		mac[4],
		mac[5]
	);
}

static void put_port(struct json_writer *writer, const struct abi_port_stats *port)
{
	char text[64], mac[18], addr[INET6_ADDRSTRLEN];

	mac_text(mac, port->mac);
	json_begin_object(writer, NULL);
	json_put_string(writer, "name", copy_text(text, port->name));
	json_put_string(writer, "driver", copy_text(text, port->driver));
	json_put_string(writer, "mac", mac);
	json_put_bool(writer, "is_link_up", port->is_link_up != 0);
	json_put_count(writer, "link_mbps", port->link_mbps);
	json_put_count(writer, "mtu", port->mtu);
	json_put_count(writer, "queues", port->n_queues);
	json_put_string(writer, "address", addr_text(addr, &port->addr));
	json_put_string(writer, "gateway", addr_text(addr, &port->gateway));
	json_put_bool(writer, "is_gateway_resolved", port->is_gateway_resolved != 0);
	json_begin_array(writer, "offloads");
	for (size_t i = 0; i < N_OFFLOAD; i++) {
		if (port->offloads & offloads[i].bit)
			json_put_string(writer, NULL, offloads[i].name);
	}
	json_end(writer);
	for (size_t i = 0; i < N_FIELD; i++)
		json_put_count(writer, fields[i].name, read_field(port, i));
	json_end(writer);
}

static void print_port(const struct abi_port_stats *port)
{
	char name[64], driver[64], mac[18], addr_buf[INET6_ADDRSTRLEN],
		gateway_buf[INET6_ADDRSTRLEN];
	const char *addr = addr_text(addr_buf, &port->addr);
	const char *gateway = addr_text(gateway_buf, &port->gateway);

	mac_text(mac, port->mac);
	printf("%s (%s): link %s",
	       copy_text(name, port->name),
	       copy_text(driver, port->driver),
	       port->is_link_up ? "up" : "DOWN");
	if (port->link_mbps != 0)
		printf(", %" PRIu32 " Mbps", port->link_mbps);
	printf("\n  mac %s, mtu %u, %u queues, address %s, gateway %s%s\n  offloads",
	       mac,
	       port->mtu,
	       port->n_queues,
	       addr == NULL ? "none" : addr,
	       gateway == NULL ? "none" : gateway,
	       port->gateway.family == ABI_FAMILY_NONE || port->is_gateway_resolved
		       ? ""
		       : " (DOES NOT ANSWER ARP)");
	for (size_t i = 0; i < N_OFFLOAD; i++) {
		if (port->offloads & offloads[i].bit)
			printf(" %s", offloads[i].name);
	}
	printf("%s\n", port->offloads == 0 ? " none" : "");
	for (size_t i = 0; i < N_FIELD; i++)
		printf("  %-16s %14" PRIu64 "\n", fields[i].name, read_field(port, i));
}

static int run_port(struct twctl *twctl)
{
	struct twctl_counters counters;
	struct json_writer writer;
	int code = twctl_counters_open(twctl, &counters);

	if (code != 0)
		return code;
	if (!twctl_counters_check(twctl, &counters)) {
		twctl_counters_close(&counters);
		return TWCTL_EXIT_FAILED;
	}
	json_writer_init(&writer);
	json_begin_object(&writer, NULL);
	twctl_counters_put(&writer, &counters);
	json_begin_array(&writer, "ports");
	for (uint32_t i = 0; i < counters.att.n_ports; i++) {
		put_port(&writer, &counters.att.ports[i]);
		if (!twctl->is_json)
			print_port(&counters.att.ports[i]);
	}
	json_end(&writer);
	json_end(&writer);
	if (twctl->is_json)
		code = twctl_print(twctl, &writer);
	else
		json_writer_abort(&writer);
	twctl_counters_close(&counters);
	return code;
}

const struct twctl_command twctl_port_commands[] = {
	{
		.name = "port",
		.run = run_port,
		.positional = "",
		.summary = "links, addresses, offloads and driver counters",
		.description = "Reads what the data plane last wrote about its ports, about once a "
			       "second. "
			       "rx_missed is\nwhat the NIC lost before the data plane saw it.\n\n"
			       "Examples:\n  twctl port\n  twctl port --json | jq "
			       "'.ports[].rx_missed_pkts'\n",
	},
	{.name = NULL},
};
