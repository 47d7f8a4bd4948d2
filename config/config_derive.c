// SPDX-License-Identifier: Apache-2.0
//
// Defaults from other keys, as config_keys.c describes them in <...>. Pure.
#include "config/config_derive.h"

#include "config/config_format.h"
#include "config/config_keys.h"

#include <stdio.h>
#include <string.h>

bool config_derive_roles(struct config *config)
{
	uint32_t n_tunnel = 0;
	uint32_t n_internet = 0;

	for (uint32_t i = 0; i < config->n_ports; i++) {
		enum config_role role = config->ports[i].role;

		if (role != CONFIG_ROLE_INTERNET) {
			config->tunnel_port_idx = i;
			n_tunnel++;
		}
		if (role != CONFIG_ROLE_TUNNEL) {
			config->internet_port_idx = i;
			n_internet++;
		}
	}
	return n_tunnel == 1 && n_internet == 1;
}

static void derive_cores(struct config_worker *worker)
{
	uint32_t core = 1;

	if (worker->n_cores > 0)
		return;
	while (worker->n_cores < worker->count) {
		if (core != worker->main_core)
			worker->cores[worker->n_cores++] = core;
		core++;
	}
}

static void derive_endpoint(struct config *config)
{
	struct config_host_port *endpoint = &config->node.endpoint;

	if (endpoint->host[0] == '\0')
		config_format_ipv4(
			config->ports[config->tunnel_port_idx].address.addr,
			endpoint->host,
			sizeof(endpoint->host)
		);
	if (endpoint->port == 0)
		endpoint->port = config->wireguard.listen_port;
}

static bool make_absolute(char *path, size_t cap, const char *dir)
{
	char absolute[2 * CONFIG_TEXT_CAP];

	if (path[0] == '/')
		return true;
	snprintf(absolute, sizeof(absolute), "%s/%s", dir, path);
	if (strlen(absolute) >= cap)
		return false;
	memcpy(path, absolute, strlen(absolute) + 1);
	return true;
}

const char *config_derive_defaults(struct config *config)
{
	const char *too_long = NULL;

	derive_cores(&config->worker);
	derive_endpoint(config);
	if (config->nat.n_external_addresses == 0) {
		config->nat.external_addresses[0] =
			config->ports[config->internet_port_idx].address.addr;
		config->nat.n_external_addresses = 1;
	}
	if (config->api.n_auth_domains == 0) {
		memcpy(config->api.auth_domains[0],
		       config->node.endpoint.host,
		       sizeof(config->node.endpoint.host));
		config->api.n_auth_domains = 1;
	}
	for (uint32_t i = 0; i < config_keys_n; i++) {
		const struct config_key *key = &config_keys[i];
		const char *dir = key->kind == CONFIG_STATE_PATH ? config->node.state_dir
								 : config->node.runtime_dir;

		if (key->kind != CONFIG_STATE_PATH && key->kind != CONFIG_RUNTIME_PATH)
			continue;
		for (uint32_t j = 0; j < config_keys_n_items(config, key); j++) {
			if (!make_absolute(config_keys_field(config, key, j), key->size, dir))
				too_long = key->path;
		}
	}
	return too_long;
}
