// SPDX-License-Identifier: Apache-2.0
//
// Which chain a command is about, and as whom: by --chain out of the YAML, or by options alone, which
// also override what the YAML says. See twctl_chain.h.
#include "twctl_chain.h"

#include "common/clock.h"
#include "controlplane/chain/evm/evm_account.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define URLS_CAP (EVM_RPC_ENDPOINTS_MAX * EVM_RPC_URL_SIZE)

static int split_urls(struct twctl *twctl, char *text, struct evm_rpc_conf *conf)
{
	for (char *url = strtok(text, ","); url != NULL; url = strtok(NULL, ",")) {
		if (conf->n_urls == EVM_RPC_ENDPOINTS_MAX ||
		    (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0))
			return twctl_fail_value(
				twctl,
				"--rpc",
				url,
				"1 to 8 http or https URLs, with commas between"
			);
		conf->urls[conf->n_urls++] = url;
	}
	return conf->n_urls > 0 ? 0 : twctl_fail_value(twctl, "--rpc", "", "a URL");
}

static int open_signer(
	struct twctl *twctl, struct twctl_chain *chain, const char *key, const char *password
)
{
	struct secret_file_why why;

	if (key == NULL)
		return twctl_fail(twctl, TWCTL_EXIT_USAGE, "--key-file FILE is required");
	if (evm_account_open(&chain->signer, key, password, &why) < 0)
		return twctl_fail(twctl, TWCTL_EXIT_FAILED, "%s", why.text);
	evm_signer_address(chain->signer, chain->account);
	return 0;
}

// The driver, once the signer is there or not wanted. Closes ret when it fails.
static int open_driver(
	struct twctl *twctl,
	const char *urls,
	uint64_t chain_id,
	const struct twctl_chain_way *way,
	struct twctl_chain *ret
)
{
	struct evm_driver_conf conf = {
		.rpc =
			{
				.chain_id = chain_id,
				.connect_timeout_ms = 5000,
				.timeout_ms = 15000,
				.backoff_min_ms = 1000,
				.backoff_max_ms = 1000,
				.response_max_bytes = 4 << 20,
				.clock = &clock_system,
			},
		.range_max_blocks = 1000,
		.clock_skew_max_sec = UINT32_MAX,
		.clock = &clock_system,
	};
	char text[URLS_CAP];
	int code = 0;

	if (strlen(urls) >= sizeof(text))
		code = twctl_fail_value(twctl, "--rpc", "", "less than 4096 characters");
	else
		strcpy(text, urls);
	if (way != NULL) {
		conf.rpc.mark = way->mark;
		conf.rpc.device = way->device;
	}
	if (code == 0)
		code = split_urls(twctl, text, &conf.rpc);
	if (code == 0 && evm_driver_create(&ret->driver, &conf, ret->signer) < 0)
		code = twctl_fail_value(twctl, "--rpc", urls, "URLs of less than 512 characters");
	if (code != 0) {
		twctl_chain_close(ret);
		return code;
	}
	ret->admin = (struct evm_admin){
		.driver = ret->driver,
		.signer = ret->signer,
		.chain_id = chain_id,
		.wait_sec = 180,
	};
	return 0;
}

int twctl_chain_connect_by(
	struct twctl *twctl,
	const char *urls,
	uint64_t chain_id,
	bool is_signing,
	const struct twctl_chain_way *way,
	struct twctl_chain *ret
)
{
	int code = 0;

	*ret = (struct twctl_chain){0};
	if (is_signing)
		code = open_signer(
			twctl,
			ret,
			twctl_args_get(&twctl->args, "--key-file"),
			twctl_args_get(&twctl->args, "--password-file")
		);
	return code != 0 ? code : open_driver(twctl, urls, chain_id, way, ret);
}

// The entry that --chain names; without --chain and --rpc the only one there is. NULL: by options.
static int pick(struct twctl *twctl, const struct config_chain **ret)
{
	const char *name = twctl_args_get(&twctl->args, "--chain");
	const struct config *config = twctl->config;
	char names[CONFIG_MAX_CHAINS * (CONFIG_NAME_CAP + 2)] = "";
	size_t used = 0;

	*ret = NULL;
	if (name == NULL) {
		if (twctl_args_get(&twctl->args, "--rpc") == NULL && config != NULL &&
		    config->n_chains == 1)
			*ret = &config->chains[0];
		return 0;
	}
	for (uint32_t i = 0; config != NULL && i < config->n_chains; i++) {
		if (strcmp(config->chains[i].name, name) == 0) {
			*ret = &config->chains[i];
			return 0;
		}
		used += (size_t)snprintf(
			names + used,
			sizeof(names) - used,
			"%s%s",
			used > 0 ? ", " : "",
			config->chains[i].name
		);
	}
	if (used > 0)
		return twctl_fail_value(twctl, "--chain", name, names);
	return twctl_fail(
		twctl,
		TWCTL_EXIT_USAGE,
		"--chain '%.80s': the configuration has no chains; name its file with --config "
		"FILE, or "
		"the chain with --rpc and --chain-id",
		name
	);
}

static void join_urls(const struct config_chain *chain, char urls[URLS_CAP])
{
	size_t used = 0;

	for (uint32_t i = 0; i < chain->n_endpoints; i++)
		used += (size_t)snprintf(
			urls + used, URLS_CAP - used, "%s%s", i > 0 ? "," : "", chain->endpoints[i]
		);
}

int twctl_chain_open(struct twctl *twctl, struct twctl_chain *ret)
{
	const char *urls = twctl_args_get(&twctl->args, "--rpc");
	const char *key = twctl_args_get(&twctl->args, "--key-file");
	const char *password = twctl_args_get(&twctl->args, "--password-file");
	const struct config_chain *conf;
	char conf_urls[URLS_CAP];
	uint64_t chain_id;
	int code = pick(twctl, &conf);

	*ret = (struct twctl_chain){.conf = conf};
	if (code != 0)
		return code;
	if (conf != NULL) {
		join_urls(conf, conf_urls);
		urls = urls != NULL ? urls : conf_urls;
	}
	// Its password belongs to the file of the configuration alone.
	if (conf != NULL && key == NULL) {
		key = conf->key_file;
		if (password == NULL && access(conf->password_file, F_OK) == 0)
			password = conf->password_file;
	}
	if (urls == NULL || (conf == NULL && twctl_args_get(&twctl->args, "--chain-id") == NULL))
		return twctl_fail(
			twctl,
			TWCTL_EXIT_USAGE,
			"--rpc URL and --chain-id N are required, or --chain NAME out of the "
			"configuration"
		);
	code = twctl_get_number(
		twctl, "--chain-id", 1, UINT64_MAX, conf != NULL ? conf->id : 0, &chain_id
	);
	if (code == 0)
		code = open_signer(twctl, ret, key, password);
	return code != 0 ? code : open_driver(twctl, urls, chain_id, NULL, ret);
}

void twctl_chain_close(struct twctl_chain *chain)
{
	evm_driver_destroy(chain->driver);
	evm_signer_destroy(chain->signer);
	chain->driver = NULL;
	chain->signer = NULL;
}

int twctl_chain_escrow(
	struct twctl *twctl, const struct twctl_chain *chain, uint8_t ret[EVM_ADDRESS_SIZE]
)
{
	if (chain->conf == NULL || twctl_args_get(&twctl->args, "--escrow") != NULL)
		return twctl_chain_address(twctl, "--escrow", true, ret);
	if (evm_address_parse(chain->conf->escrow, ret) == 0)
		return 0;
	return twctl_fail(
		twctl,
		TWCTL_EXIT_FAILED,
		"chain %s: escrow '%s' has a wrong check sum (EIP-55), so a digit is wrong",
		chain->conf->name,
		chain->conf->escrow
	);
}
