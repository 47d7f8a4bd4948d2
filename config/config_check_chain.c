// SPDX-License-Identifier: Apache-2.0
//
// Chains that must not be taken for each other, and what their endpoints can be trusted with. Pure.
// Whether an address has the right check sum and a key can be read is the control plane's to find out.
#include "config/config_check.h"
#include "config/config_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PATH_CAP 64

static const char *format_path(char path[PATH_CAP], uint32_t chain_idx, const char *name)
{
	snprintf(path, PATH_CAP, "chains[%u].%s", chain_idx, name);
	return path;
}

static void check_identity(const struct config_check *check, uint32_t idx)
{
	const struct config_chain *chain = &check->config->chains[idx];
	char path[PATH_CAP], value[24];

	snprintf(value, sizeof(value), "%" PRIu64, chain->id);
	for (uint32_t i = 0; i < idx; i++) {
		const struct config_chain *other = &check->config->chains[i];

		if (strcmp(chain->name, other->name) == 0)
			config_check_refuse(
				check,
				format_path(path, idx, "name"),
				chain->name,
				"is the name of chains[%u]; allowed: any other",
				i
			);
		if (chain->id == other->id)
			config_check_refuse(
				check,
				format_path(path, idx, "id"),
				value,
				"is the id of chains[%u], %s; allowed: one entry a chain",
				i,
				other->name
			);
	}
}

static void format_endpoint(char path[PATH_CAP], uint32_t chain_idx, uint32_t endpoint_idx)
{
	snprintf(path, PATH_CAP, "chains[%u].endpoints[%u]", chain_idx, endpoint_idx);
}

// The same endpoint twice is no second opinion, and one of two chains' would be wrong.
static void check_repeated(const struct config_check *check, uint32_t idx, uint32_t endpoint_idx)
{
	const struct config_chain *chains = check->config->chains;
	const char *url = chains[idx].endpoints[endpoint_idx];
	char path[PATH_CAP], other[PATH_CAP], shown[CONFIG_FORMAT_CAP];

	for (uint32_t i = 0; i <= idx; i++) {
		uint32_t n = i == idx ? endpoint_idx : chains[i].n_endpoints;

		for (uint32_t j = 0; j < n; j++) {
			if (strcmp(chains[i].endpoints[j], url) != 0)
				continue;
			format_endpoint(path, idx, endpoint_idx);
			format_endpoint(other, i, j);
			config_format_url_shown(url, shown, sizeof(shown));
			config_check_refuse(
				check, path, shown, "is %s too; allowed: each endpoint once", other
			);
			return;
		}
	}
}

static bool check_loopback(const char *url)
{
	char shown[CONFIG_FORMAT_CAP], *host;

	config_format_url_shown(url, shown, sizeof(shown));
	host = strstr(shown, "://") + 3;
	if (strncmp(host, "[::1]", 5) == 0)
		return true;
	host[strcspn(host, ":/")] = '\0';
	// 127.example.com is a name.
	return strcmp(host, "localhost") == 0 ||
		(strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == strlen(host));
}

static void check_endpoints(const struct config_check *check, uint32_t idx)
{
	const struct config_chain *chain = &check->config->chains[idx];
	char path[PATH_CAP], shown[CONFIG_FORMAT_CAP];

	if (chain->n_endpoints == 0)
		config_check_refuse(
			check,
			format_path(path, idx, "endpoints"),
			"[]",
			"is empty; allowed: 1 to %u URLs",
			CONFIG_MAX_ENDPOINTS
		);
	for (uint32_t i = 0; i < chain->n_endpoints; i++) {
		const char *url = chain->endpoints[i];

		check_repeated(check, idx, i);
		if (strncmp(url, "https:", 6) == 0 || check_loopback(url))
			continue;
		config_format_url_shown(url, shown, sizeof(shown));
		format_endpoint(path, idx, i);
		config_check_warn(
			check, path, shown, "lets whoever is on the way forge payments; use https"
		);
	}
	if (chain->n_endpoints == 1 && !check_loopback(chain->endpoints[0]))
		config_check_warn(
			check,
			format_path(path, idx, "endpoints"),
			"one URL",
			"leaves nobody to notice when it is wrong; add one of another provider"
		);
}

// Two thresholds of one token contradict each other; upper and lower case are the same address.
static void check_tokens(const struct config_check *check, uint32_t idx)
{
	const struct config_batch *batch = &check->config->chains[idx].batch;
	char path[PATH_CAP];

	for (uint32_t i = 0; i < batch->n_token_payout_thresholds; i++) {
		const char *token = batch->token_payout_thresholds[i].token;

		for (uint32_t j = 0; j < i; j++) {
			if (strcasecmp(batch->token_payout_thresholds[j].token, token) != 0)
				continue;
			snprintf(
				path,
				sizeof(path),
				"chains[%u].batch.token_payout_thresholds[%u]",
				idx,
				i
			);
			config_check_refuse(
				check,
				path,
				token,
				"has a threshold in token_payout_thresholds[%u]; allowed: each "
				"token once",
				j
			);
			break;
		}
	}
}

static void check_depths(const struct config_check *check, uint32_t idx)
{
	const struct config_chain *chain = &check->config->chains[idx];
	const struct config_confirmations *depth = &chain->confirmations;
	char path[PATH_CAP], value[24];

	if (chain->node_id == 0)
		config_check_warn(
			check,
			format_path(path, idx, "node_id"),
			"0",
			"is nobody's: nothing can be bought here; run twctl chain register"
		);
	snprintf(value, sizeof(value), "%u", depth->settle);
	if (depth->settle < depth->provision)
		config_check_warn(
			check,
			format_path(path, idx, "confirmations.settle"),
			value,
			"is below confirmations.provision %u: a settlement would count as done "
			"before a purchase as made",
			depth->provision
		);
}

void config_check_chain(const struct config_check *check)
{
	if (!config_check_is_sound(check, "chains"))
		return;
	for (uint32_t i = 0; i < check->config->n_chains; i++) {
		check_identity(check, i);
		check_endpoints(check, i);
		check_tokens(check, i);
		check_depths(check, i);
	}
}
