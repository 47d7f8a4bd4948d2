// SPDX-License-Identifier: Apache-2.0
//
// twctl chain activate|deactivate|price|attestor: on what terms the node sells.
#include "twctl_chain_desk.h"

#include <string.h>

static const uint8_t native[32];

static int switch_active(struct twctl *twctl, bool is_active)
{
	struct chain_admin_result result;
	char why[CHAIN_WHY_SIZE] = "";
	struct twctl_chain_desk desk;
	int code = twctl_chain_desk_open_node(twctl, &desk);

	if (code != 0)
		return code;
	if (desk.admin.ops->set_active(desk.admin.ctx, desk.node_id, is_active, &result, why) < 0)
		code = twctl_fail(twctl, TWCTL_EXIT_FAILED, "%s", why);
	else
		code = twctl_chain_desk_print(
			twctl, &result, is_active ? "sells" : "sells no more"
		);
	twctl_chain_close(&desk.chain);
	return code;
}

static int run_activate(struct twctl *twctl)
{
	return switch_active(twctl, true);
}

static int run_deactivate(struct twctl *twctl)
{
	return switch_active(twctl, false);
}

static int get_price(
	struct twctl *twctl,
	const struct twctl_chain_desk *desk,
	uint8_t asset[32],
	struct u256 *ret
)
{
	const char *text = twctl_args_get(&twctl->args, "--price-per-gb");
	unsigned int decimals = TWCTL_CHAIN_COIN_DECIMALS;
	char why[CHAIN_WHY_SIZE] = "";
	int code = twctl_chain_desk_account(twctl, "--asset", asset);

	if (code != 0)
		return code;
	*ret = U256_ZERO;
	if (text != NULL && strcmp(text, "none") == 0)
		return 0;
	if (memcmp(asset, native, 32) != 0 &&
	    desk->admin.ops->decimals(desk->admin.ctx, asset, &decimals, why) < 0)
		return twctl_fail(
			twctl,
			TWCTL_EXIT_FAILED,
			"--asset %s: %s",
			twctl_args_get(&twctl->args, "--asset"),
			why
		);
	return twctl_chain_price(twctl, "--price-per-gb", decimals, ret);
}

static int run_price(struct twctl *twctl)
{
	struct chain_admin_result result;
	char why[CHAIN_WHY_SIZE] = "";
	uint8_t asset[32] = {0};
	struct u256 price;
	struct twctl_chain_desk desk;
	int code = twctl_chain_desk_open_node(twctl, &desk);

	if (code != 0)
		return code;
	code = get_price(twctl, &desk, asset, &price);
	if (code == 0 &&
	    desk.admin.ops->set_price(desk.admin.ctx, desk.node_id, asset, price, &result, why) < 0)
		code = twctl_fail(twctl, TWCTL_EXIT_FAILED, "%s", why);
	else if (code == 0)
		code = twctl_chain_desk_print(
			twctl, &result, u256_is_zero(price) ? "not sold for it" : "priced"
		);
	twctl_chain_close(&desk.chain);
	return code;
}

static int run_attestor(struct twctl *twctl)
{
	const bool is_refused = twctl_args_get(&twctl->args, "--refuse") != NULL;
	struct chain_admin_result result;
	char why[CHAIN_WHY_SIZE] = "";
	uint8_t attestor[32] = {0};
	struct twctl_chain_desk desk;
	int code = twctl_chain_desk_open_node(twctl, &desk);

	if (code != 0)
		return code;
	code = twctl_chain_address(twctl, "--attestor", true, attestor + TWCTL_CHAIN_DESK_PAD);
	if (code == 0 &&
	    desk.admin.ops->set_attestor(
		    desk.admin.ctx, desk.node_id, attestor, !is_refused, &result, why
	    ) < 0)
		code = twctl_fail(twctl, TWCTL_EXIT_FAILED, "%s", why);
	else if (code == 0)
		code = twctl_chain_desk_print(
			twctl, &result, is_refused ? "refuses it" : "accepts it"
		);
	twctl_chain_close(&desk.chain);
	return code;
}

static const struct twctl_option node_options[] = {
	TWCTL_CHAIN_OPTIONS,
	TWCTL_CHAIN_DESK_OPTIONS,
	TWCTL_CHAIN_DESK_NODE_OPTION,
	{NULL, NULL, NULL},
};
static const struct twctl_option price_options[] = {
	TWCTL_CHAIN_OPTIONS,
	TWCTL_CHAIN_DESK_OPTIONS,
	TWCTL_CHAIN_DESK_NODE_OPTION,
	{"--asset", "ADDRESS", "a token (ERC-20); default the native coin"},
	{"--price-per-gb",
	 "AMOUNT",
	 "coins or tokens for 10^9 bytes, such as 0.5; none = not sold for it"},
	{NULL, NULL, NULL},
};
static const struct twctl_option attestor_options[] = {
	TWCTL_CHAIN_OPTIONS,
	TWCTL_CHAIN_DESK_OPTIONS,
	TWCTL_CHAIN_DESK_NODE_OPTION,
	{"--attestor", "ADDRESS", "who attests usage"},
	{"--refuse", NULL, "buyers may not name it any more"},
	{NULL, NULL, NULL},
};

const struct twctl_command twctl_chain_offer_commands[] = {
	{
		.name = "chain activate",
		.run = run_activate,
		.positional = "",
		.summary = "sell (again)",
		.description = "Buyers may create sessions from the next block on.\n",
		.options = node_options,
	},
	{
		.name = "chain deactivate",
		.run = run_deactivate,
		.positional = "",
		.summary = "sell no more",
		.description =
			"Sessions that exist are served and settled; they cannot be topped up.\n",
		.options = node_options,
	},
	{
		.name = "chain price",
		.run = run_price,
		.positional = "",
		.summary = "set the price per GB in the native coin or a token",
		.description =
			"For sessions bought from the next block on. An asset without a price "
			"is refused by the\nescrow.\n",
		.options = price_options,
	},
	{
		.name = "chain attestor",
		.run = run_attestor,
		.positional = "",
		.summary = "let buyers name an attestor, or no longer",
		.description = "For sessions bought from the next block on.\n",
		.options = attestor_options,
	},
	{.name = NULL},
};
