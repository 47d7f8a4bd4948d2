// SPDX-License-Identifier: Apache-2.0
//
// twctl chain register|update: this node's entry in the registry. What the configuration knows need not
// be said again.
#include "twctl_chain_desk.h"

#include "controlplane/chain/evm/evm_account.h"
#include "controlplane/session/client_conf.h"
#include "controlplane/twctl/twctl_chain_metadata.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const uint8_t zero_word[32];

// ---- options ---------------------------------------------------------------------------------

// A text of 1 to max octets into dst; without the option the fallback, or what dst has.
static int get_text(
	struct twctl *twctl, const char *option, size_t max, const char *fallback, char *dst
)
{
	const char *text = twctl_args_get(&twctl->args, option);
	char allowed[64];

	if (text == NULL && fallback == NULL && dst[0] == '\0')
		return twctl_fail(twctl, TWCTL_EXIT_USAGE, "%s is required", option);
	if (text == NULL && fallback == NULL)
		return 0;
	text = text != NULL ? text : fallback;
	if (strlen(text) <= max && (text[0] != '\0' || text == fallback)) {
		memmove(dst, text, strlen(text) + 1); // the fallback may be dst
		return 0;
	}
	snprintf(allowed, sizeof(allowed), "1 to %zu bytes of text", max);
	return twctl_fail_value(twctl, option, text, allowed);
}

// The usage signer is the key that the configuration names, if it can be read here.
static int get_usage_signer(struct twctl *twctl, uint8_t ret[32])
{
	const char *path = twctl->config != NULL ? twctl->config->usage.signer_key_file : NULL;
	bool is_given = twctl_args_get(&twctl->args, "--usage-signer") != NULL;
	struct evm_signer *signer;
	struct secret_file_why why;

	if (is_given || path == NULL || access(path, R_OK) != 0)
		return twctl_chain_address(
			twctl, "--usage-signer", true, ret + TWCTL_CHAIN_DESK_PAD
		);
	if (evm_account_open(&signer, path, NULL, &why) < 0)
		return twctl_fail(
			twctl,
			TWCTL_EXIT_FAILED,
			"%s; or name its address with --usage-signer",
			why.text
		);
	evm_signer_address(signer, ret + TWCTL_CHAIN_DESK_PAD);
	evm_signer_destroy(signer);
	return 0;
}

static int get_wg_key(const struct twctl *twctl, bool is_required, uint8_t ret[32])
{
	const char *key = twctl_args_get(&twctl->args, "--wg-public-key");

	if (key == NULL)
		return is_required
			? twctl_fail(twctl, TWCTL_EXIT_USAGE, "--wg-public-key KEY is required")
			: 0;
	if (client_conf_key_parse(ret, key) < 0 || memcmp(ret, zero_word, 32) == 0)
		return twctl_fail_value(
			twctl, "--wg-public-key", key, "a WireGuard public key, 44 characters"
		);
	return 0;
}

// Texts, bandwidth and metadata; node holds what is not given, or nothing.
static int get_description(struct twctl *twctl, struct chain_admin_node *node)
{
	int code = get_text(twctl, "--name", CHAIN_ADMIN_NAME_MAX, NULL, node->name);

	if (code == 0)
		code = get_text(twctl, "--region", CHAIN_ADMIN_REGION_MAX, NULL, node->region);
	if (code == 0)
		code = get_text(twctl, "--endpoint", CHAIN_ADMIN_LOCATOR_MAX, NULL, node->endpoint);
	if (code == 0)
		code = get_text(
			twctl, "--api-url", CHAIN_ADMIN_LOCATOR_MAX, node->api_url, node->api_url
		);
	if (code == 0)
		code = twctl_get_number(
			twctl,
			"--bandwidth-mbps",
			1,
			UINT32_MAX,
			node->bandwidth_mbps,
			&node->bandwidth_mbps
		);
	return code == 0 ? twctl_chain_metadata_hash(twctl, "--metadata", node->metadata_hash)
			 : code;
}

// ---- register --------------------------------------------------------------------------------

static void take_config(const struct config *config, struct chain_admin_node *node)
{
	const struct config_host_port *endpoint = &config->node.endpoint;

	snprintf(node->name, sizeof(node->name), "%s", config->node.name);
	snprintf(node->region, sizeof(node->region), "%s", config->node.region);
	snprintf(
		node->endpoint, sizeof(node->endpoint), "%.250s:%u", endpoint->host, endpoint->port
	);
}

static int get_registration(
	struct twctl *twctl, const struct twctl_chain_desk *desk, struct chain_admin_node *node
)
{
	int code;

	*node = (struct chain_admin_node){.bandwidth_mbps = 1000};
	memcpy(node->payout + TWCTL_CHAIN_DESK_PAD, desk->chain.account, EVM_ADDRESS_SIZE);
	memcpy(node->settler + TWCTL_CHAIN_DESK_PAD, desk->chain.account, EVM_ADDRESS_SIZE);
	if (desk->chain.conf != NULL)
		take_config(twctl->config, node);
	code = get_description(twctl, node);
	if (code == 0)
		code = twctl_chain_price(
			twctl, "--price-per-gb", TWCTL_CHAIN_COIN_DECIMALS, &node->price_per_gb
		);
	if (code == 0)
		code = twctl_chain_desk_account(twctl, "--payout", node->payout);
	if (code == 0)
		code = twctl_chain_desk_account(twctl, "--settler", node->settler);
	if (code == 0)
		code = get_usage_signer(twctl, node->usage_signer);
	return code == 0 ? get_wg_key(twctl, true, node->wg_public_key) : code;
}

static int run_register(struct twctl *twctl)
{
	struct chain_admin_result result;
	struct chain_admin_node node;
	char why[CHAIN_WHY_SIZE] = "";
	struct twctl_chain_desk desk;
	int code = twctl_chain_desk_open(twctl, &desk);

	if (code != 0)
		return code;
	code = get_registration(twctl, &desk, &node);
	if (code == 0 && desk.admin.ops->register_node(desk.admin.ctx, &node, &result, why) < 0)
		code = twctl_fail(twctl, TWCTL_EXIT_FAILED, "registering: %s", why);
	else if (code == 0)
		code = twctl_chain_desk_print(twctl, &result, "registered");
	twctl_chain_close(&desk.chain);
	return code;
}

// ---- changes ---------------------------------------------------------------------------------

// One transaction for the description, and one for each account and the key, where they change.
struct update {
	struct twctl *twctl;
	struct twctl_chain_desk *desk;
	struct chain_admin_node before, after;
	struct chain_admin_result result;
	unsigned int n_sent;
};

static bool check_described(const struct chain_admin_node *a, const struct chain_admin_node *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->region, b->region) == 0 &&
		strcmp(a->endpoint, b->endpoint) == 0 && strcmp(a->api_url, b->api_url) == 0 &&
		a->bandwidth_mbps == b->bandwidth_mbps &&
		memcmp(a->metadata_hash, b->metadata_hash, 32) == 0;
}

static int tell_sent(struct update *update, int r, const char *what, const char *why)
{
	if (r < 0)
		return twctl_fail(
			update->twctl,
			TWCTL_EXIT_FAILED,
			"%s: %s%s",
			what,
			why,
			update->n_sent > 0 ? "; what was told before is done" : ""
		);
	update->n_sent++;
	fprintf(stderr, "twctl: %s is changed\n", what);
	return 0;
}

static int send_account(
	struct update *update,
	enum chain_admin_account which,
	const char *what,
	const uint8_t before[32],
	const uint8_t after[32]
)
{
	const struct chain_admin *admin = &update->desk->admin;
	char why[CHAIN_WHY_SIZE] = "";

	if (memcmp(before, after, 32) == 0)
		return 0;
	return tell_sent(
		update,
		admin->ops->set_account(
			admin->ctx, update->after.node_id, which, after, &update->result, why
		),
		what,
		why
	);
}

static int send_update(struct update *u)
{
	const struct chain_admin *admin = &u->desk->admin;
	const struct chain_admin_node *a = &u->before, *b = &u->after;
	char why[CHAIN_WHY_SIZE] = "";
	int code = 0;

	if (!check_described(a, b))
		code = tell_sent(
			u,
			admin->ops->update_node(admin->ctx, b, &u->result, why),
			"the description",
			why
		);
	if (code == 0)
		code = send_account(
			u, CHAIN_ADMIN_PAYOUT, "the payout address", a->payout, b->payout
		);
	if (code == 0)
		code = send_account(u, CHAIN_ADMIN_SETTLER, "the settler", a->settler, b->settler);
	if (code == 0)
		code = send_account(
			u,
			CHAIN_ADMIN_USAGE_SIGNER,
			"the usage signer",
			a->usage_signer,
			b->usage_signer
		);
	if (code == 0 && memcmp(a->wg_public_key, b->wg_public_key, 32) != 0)
		code = tell_sent(
			u,
			admin->ops->set_wg_key(
				admin->ctx, b->node_id, b->wg_public_key, &u->result, why
			),
			"the WireGuard key",
			why
		);
	return code;
}

static int get_update(struct twctl *twctl, struct chain_admin_node *node)
{
	int code = get_description(twctl, node);

	if (code == 0)
		code = twctl_chain_desk_account(twctl, "--payout", node->payout);
	if (code == 0)
		code = twctl_chain_desk_account(twctl, "--settler", node->settler);
	if (code == 0)
		code = twctl_chain_desk_account(twctl, "--usage-signer", node->usage_signer);
	return code == 0 ? get_wg_key(twctl, false, node->wg_public_key) : code;
}

static int run_update(struct twctl *twctl)
{
	char why[CHAIN_WHY_SIZE] = "";
	struct update update;
	struct twctl_chain_desk desk;
	int code = twctl_chain_desk_open_node(twctl, &desk);

	if (code != 0)
		return code;
	update = (struct update){.twctl = twctl, .desk = &desk};
	if (desk.admin.ops->get_node(desk.admin.ctx, desk.node_id, &update.before, why) < 0)
		code = twctl_fail(twctl, TWCTL_EXIT_FAILED, "%s", why);
	update.after = update.before;
	if (code == 0)
		code = get_update(twctl, &update.after);
	if (code == 0)
		code = send_update(&update);
	if (code == 0 && update.n_sent == 0)
		code = twctl_fail(twctl, TWCTL_EXIT_FAILED, "the entry says all of that already");
	else if (code == 0)
		code = twctl_chain_desk_print(twctl, &update.result, "changed");
	twctl_chain_close(&desk.chain);
	return code;
}

// ---- the table -------------------------------------------------------------------------------

static const struct twctl_option register_options[] = {
	TWCTL_CHAIN_OPTIONS,
	TWCTL_CHAIN_DESK_OPTIONS,
	{"--name", "TEXT", "of the node, up to 64 bytes; default node.name with --chain"},
	{"--region", "TEXT", "up to 32 bytes; default node.region with --chain"},
	{"--price-per-gb", "AMOUNT", "native coins for 10^9 bytes, such as 0.001"},
	{"--bandwidth-mbps", "N", "what the node offers (default 1000)"},
	{"--endpoint", "HOST:PORT", "WireGuard's; default node.endpoint with --chain"},
	{"--api-url", "URL", "where buyers bring their public key"},
	{"--metadata", "FILE", "where the node stands (chain metadata); its hash is registered"},
	{"--wg-public-key", "KEY", "the node's WireGuard public key"},
	{"--usage-signer", "ADDRESS", "signs usage checkpoints; default usage.signer_key_file's"},
	{"--settler", "ADDRESS", "may settle; default the key's own account"},
	{"--payout", "ADDRESS", "is credited; default the key's own account"},
	{NULL, NULL, NULL},
};
static const struct twctl_option update_options[] = {
	TWCTL_CHAIN_OPTIONS,
	TWCTL_CHAIN_DESK_OPTIONS,
	TWCTL_CHAIN_DESK_NODE_OPTION,
	{"--name", "TEXT", "up to 64 bytes"},
	{"--region", "TEXT", "up to 32 bytes"},
	{"--bandwidth-mbps", "N", "what the node offers"},
	{"--endpoint", "HOST:PORT", "WireGuard's"},
	{"--api-url", "URL", "where buyers bring their public key"},
	{"--metadata", "FILE", "where the node stands (chain metadata); its hash is registered"},
	{"--wg-public-key", "KEY", "of sessions bought from now on, like all below"},
	{"--usage-signer", "ADDRESS", "signs usage checkpoints"},
	{"--settler", "ADDRESS", "may settle, at once and for all sessions"},
	{"--payout", "ADDRESS", "is credited"},
	{NULL, NULL, NULL},
};
const struct twctl_command twctl_chain_node_commands[] = {
	{
		.name = "chain register",
		.run = run_register,
		.positional = "",
		.summary = "list this node in the registry",
		.description = "Prints the node's id, which belongs into the configuration "
			       "(chains[].node_id). "
			       "Windows and\ngrace are the contract's defaults.\n",
		.options = register_options,
	},
	{
		.name = "chain update",
		.run = run_update,
		.positional = "",
		.summary = "change what the registry says of the node",
		.description = "What is not named stays. One transaction for texts, bandwidth and "
			       "metadata, one more for\neach account and the key; each is told "
			       "when it is done.\n",
		.options = update_options,
	},
	{.name = NULL},
};
