// SPDX-License-Identifier: Apache-2.0
//
// Threads, memory, sizes and times that must agree. Pure.
#include "config/config_check.h"

#include "common/abi_session.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ETHERNET_BYTES 18 // header and one VLAN tag
#define MBUF_HEADROOM_BYTES 128 // RTE_PKTMBUF_HEADROOM
#define MBUF_OVERHEAD_BYTES 192 // struct rte_mbuf of two cache lines, and the mempool's header
// Outer IPv4 and UDP headers, WireGuard's header and tag (whitepaper 5.4.6).
#define TUNNEL_OVERHEAD_BYTES (20 + 8 + 16 + 16)

static void report(
	const struct config_check *check,
	bool is_error,
	const char *path,
	const char *value,
	const char *format,
	va_list args
)
{
	char text[CONFIG_REPORT_LINE_CAP];

	vsnprintf(text, sizeof(text), format, args);
	config_report_add(
		check->report,
		is_error,
		config_doc_line(check->doc, path),
		"key '%s': value '%.80s' %s",
		path,
		value,
		text
	);
}

void config_check_refuse(
	const struct config_check *check,
	const char *path,
	const char *value,
	const char *format,
	...
)
{
	va_list args;

	va_start(args, format);
	report(check, true, path, value, format, args);
	va_end(args);
}

void config_check_warn(
	const struct config_check *check,
	const char *path,
	const char *value,
	const char *format,
	...
)
{
	va_list args;

	va_start(args, format);
	report(check, false, path, value, format, args);
	va_end(args);
}

bool config_check_is_sound(const struct config_check *check, const char *path)
{
	size_t len = strlen(path);

	for (uint32_t i = 0; i < check->doc->n_nodes; i++) {
		const struct config_doc_node *node = &check->doc->nodes[i];
		char next = node->path[len < sizeof(node->path) ? len : 0];

		if (node->is_bad && strncmp(node->path, path, len) == 0 &&
		    (next == '\0' || next == '.' || next == '['))
			return false;
	}
	return true;
}

static void refuse_number(
	const struct config_check *check,
	const char *path,
	uint64_t value,
	const char *what,
	const char *relation,
	uint64_t limit
)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	config_check_refuse(check, path, text, "%s; allowed: %s %" PRIu64, what, relation, limit);
}

static void check_core(const struct config_check *check, const char *path, uint32_t core)
{
	if (check->n_cpus > 0 && core >= check->n_cpus)
		refuse_number(
			check,
			path,
			core,
			"is a core that this host lacks",
			"0 to",
			check->n_cpus - 1
		);
}

static void check_cores(const struct config_check *check)
{
	const struct config_worker *worker = &check->config->worker;
	char path[32];

	if (!config_check_is_sound(check, "worker"))
		return;
	check_core(check, "worker.main_core", worker->main_core);
	if (worker->n_cores != worker->count) {
		refuse_number(
			check,
			"worker.cores",
			worker->n_cores,
			"(its number of cores) is not one core a worker",
			"as many as worker.count,",
			worker->count
		);
		return;
	}
	for (uint32_t i = 0; i < worker->n_cores; i++) {
		uint32_t core = worker->cores[i];

		snprintf(path, sizeof(path), "worker.cores[%u]", i);
		check_core(check, path, core);
		if (core == worker->main_core)
			refuse_number(
				check,
				path,
				core,
				"is worker.main_core, which the slow path needs for itself",
				"any core but",
				core
			);
		for (uint32_t j = 0; j < i; j++) {
			if (worker->cores[j] == core)
				refuse_number(
					check, path, core, "stands in the list twice", "once", core
				);
		}
	}
}

static void check_memory(const struct config_check *check)
{
	const struct config *config = check->config;
	const struct config_memory *memory = &config->memory;
	uint64_t n_descriptors = 0;
	uint64_t mbufs_mb =
		((uint64_t)memory->mbufs * (memory->mbuf_bytes + MBUF_OVERHEAD_BYTES) >> 20) + 1;

	if (!config_check_is_sound(check, "memory") || !config_check_is_sound(check, "ports") ||
	    !config_check_is_sound(check, "worker"))
		return;
	for (uint32_t i = 0; i < config->n_ports; i++) {
		const struct config_port *port = &config->ports[i];
		uint32_t frame_bytes = port->mtu + ETHERNET_BYTES + MBUF_HEADROOM_BYTES;

		n_descriptors += (uint64_t)config->worker.count *
			(port->rx_descriptors + port->tx_descriptors);
		if (memory->mbuf_bytes < frame_bytes)
			refuse_number(
				check,
				"memory.mbuf_bytes",
				memory->mbuf_bytes,
				"does not hold a frame of the port's mtu with its headroom",
				"at least",
				frame_bytes
			);
	}
	if (memory->mbufs < n_descriptors + CONFIG_MAX_BURST)
		refuse_number(
			check,
			"memory.mbufs",
			memory->mbufs,
			"does not fill the descriptors of all queues",
			"at least",
			n_descriptors + CONFIG_MAX_BURST
		);
	if (memory->size_mb < mbufs_mb)
		refuse_number(
			check,
			"memory.size_mb",
			memory->size_mb,
			"does not hold memory.mbufs of memory.mbuf_bytes",
			"more than",
			mbufs_mb
		);
}

static void check_mtu(const struct config_check *check)
{
	const struct config *config = check->config;
	uint32_t mtu = config->tunnel.mtu;
	uint32_t tunnel_port_mtu = config->ports[config->tunnel_port_idx].mtu;
	uint32_t internet_port_mtu = config->ports[config->internet_port_idx].mtu;

	if (!check->has_roles || !config_check_is_sound(check, "ports") ||
	    !config_check_is_sound(check, "tunnel.mtu"))
		return;
	if (mtu + TUNNEL_OVERHEAD_BYTES > tunnel_port_mtu)
		refuse_number(
			check,
			"tunnel.mtu",
			mtu,
			"leaves no room for the 60 bytes of WireGuard in the tunnel port's mtu",
			"at most",
			tunnel_port_mtu - TUNNEL_OVERHEAD_BYTES
		);
	if (mtu > internet_port_mtu)
		refuse_number(
			check,
			"tunnel.mtu",
			mtu,
			"is larger than the internet port's mtu",
			"at most",
			internet_port_mtu
		);
}

// The pool counts each protocol's ports; a session's limit counts all protocols, so the worst case is
// that all of them are one protocol's.
static void check_nat_pool(const struct config_check *check)
{
	const struct config *config = check->config;
	const struct config_nat *nat = &config->nat;
	uint64_t n_ports = (uint64_t)nat->port_max - nat->port_min + 1;
	uint64_t pool = n_ports * nat->n_external_addresses;
	uint64_t wanted = (uint64_t)config->sessions.max * nat->ports_per_session;
	char text[24];

	if (!config_check_is_sound(check, "nat") || !config_check_is_sound(check, "sessions.max") ||
	    !config_check_is_sound(check, "worker.count"))
		return;
	if (nat->port_max < nat->port_min) {
		refuse_number(
			check,
			"nat.port_max",
			nat->port_max,
			"is below nat.port_min",
			"at least",
			nat->port_min
		);
		return;
	}
	if (n_ports / config->worker.count < nat->ports_per_session) {
		refuse_number(
			check,
			"nat.ports_per_session",
			nat->ports_per_session,
			"is more than one worker's share of nat.port_min to nat.port_max",
			"at most",
			n_ports / config->worker.count
		);
		return;
	}
	if (wanted <= pool)
		return;
	snprintf(text, sizeof(text), "%u", config->sessions.max);
	config_check_warn(
		check,
		"sessions.max",
		text,
		"times nat.ports_per_session %u is %" PRIu64
		" external ports, and the pool has %" PRIu64 ": sessions beyond %" PRIu64
		" may find no port; add nat.external_addresses",
		nat->ports_per_session,
		wanted,
		pool,
		pool / nat->ports_per_session
	);
}

static void check_times(const struct config_check *check)
{
	const struct config_usage *usage = &check->config->usage;

	if (config_check_is_sound(check, "usage") &&
	    usage->poll_interval_ms > usage->checkpoint_interval_sec * 1000ull)
		refuse_number(
			check,
			"usage.poll_interval_ms",
			usage->poll_interval_ms,
			"is longer than usage.checkpoint_interval_sec",
			"at most",
			usage->checkpoint_interval_sec * 1000ull
		);
	if (config_check_is_sound(check, "arp") &&
	    check->config->arp.retry_ms >= check->config->arp.timeout_sec * 1000ull)
		refuse_number(
			check,
			"arp.retry_ms",
			check->config->arp.retry_ms,
			"is not shorter than arp.timeout_sec",
			"below",
			check->config->arp.timeout_sec * 1000ull
		);
}

// Tokens and keys would pass in the clear.
static void check_api(const struct config_check *check)
{
	const struct config_api *api = &check->config->api;
	static const uint8_t loopback6[16] = {[15] = 1};
	bool is_loopback = api->listen.family == ABI_FAMILY_IPV6
		? memcmp(api->listen.addr, loopback6, 16) == 0
		: api->listen.addr[0] == 127;

	if (!config_check_is_sound(check, "api"))
		return;
	if (api->listen.family != ABI_FAMILY_NONE && !is_loopback && !api->tls)
		config_check_warn(
			check,
			"api.tls",
			"false",
			"leaves tokens readable on the way to api.listen; set it, or listen on "
			"127.0.0.1 behind a proxy that speaks TLS"
		);
}

static void check_roles(const struct config_check *check)
{
	const struct config *config = check->config;

	if (check->has_roles || config->n_ports == 0 || !config_check_is_sound(check, "ports"))
		return;
	config_check_refuse(
		check,
		"ports",
		config->n_ports == 1 ? "one port" : "two ports",
		"does not have one port for each side; allowed: one port with role both, or one "
		"with "
		"role tunnel and one with role internet"
	);
}

static void check_port_names(const struct config_check *check)
{
	const struct config_port *ports = check->config->ports;

	if (check->config->n_ports < 2 || !config_check_is_sound(check, "ports"))
		return;
	if (strcmp(ports[0].name, ports[1].name) == 0)
		config_check_refuse(
			check,
			"ports[1].name",
			ports[1].name,
			"is the other port's name; allowed: any other"
		);
	if (strcmp(ports[0].devargs, ports[1].devargs) == 0)
		config_check_refuse(
			check,
			"ports[1].devargs",
			ports[1].devargs,
			"is the other port's device; allowed: any other"
		);
}

void config_check_all(const struct config_check *check)
{
	check_cores(check);
	check_roles(check);
	check_port_names(check);
	check_memory(check);
	check_mtu(check);
	check_nat_pool(check);
	check_times(check);
	check_api(check);
	config_check_addr(check);
	config_check_chain(check);
}
