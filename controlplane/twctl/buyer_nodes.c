// SPDX-License-Identifier: Apache-2.0
//
// twctl buyer nodes: the registry's entries that a buyer asks for, the best first.
#include "buyer_asset.h"
#include "buyer_chain.h"
#include "buyer_latency.h"
#include "buyer_pick.h"
#include "twctl.h"

#include "controlplane/session/client_conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 20 // nodes in one call
#define PAGE_CAP (PAGE * 2048)
#define NODES_MAX 1000
#define LATENCY_TIMEOUT_MS 1500

struct listing {
	struct buyer_asset asset; // of the prices
	struct buyer_pick_node *nodes;
	size_t n;
	uint64_t n_registered;
};

static int read_page(
	struct twctl *twctl,
	const struct twctl_chain *chain,
	const uint8_t registry[EVM_ADDRESS_SIZE],
	uint64_t offset,
	struct evm_purchase_node page[PAGE],
	size_t *ret_n,
	uint64_t *ret_total
)
{
	uint8_t call[4 + 64], *answer = malloc(PAGE_CAP);
	struct evm_abi_writer w;
	size_t len;
	int code;

	if (answer == NULL)
		return twctl_fail(twctl, TWCTL_EXIT_FAILED, "out of memory");
	evm_abi_writer_init(&w, call, sizeof(call));
	evm_purchase_put_list_nodes(&w, offset, PAGE);
	code = buyer_chain_ask(twctl, chain, registry, &w, answer, PAGE_CAP, &len);
	if (code == 0 && evm_purchase_get_nodes(answer, len, page, PAGE, ret_n, ret_total) < 0)
		code = twctl_fail(twctl, TWCTL_EXIT_FAILED, "the registry's listing is malformed");
	free(answer);
	return code;
}

// With the price in the asset that is asked for, unless the node is out of the question anyway.
static int take_node(
	struct twctl *twctl,
	const struct twctl_chain *chain,
	const uint8_t registry[EVM_ADDRESS_SIZE],
	const struct buyer_pick *pick,
	struct evm_purchase_node *node,
	struct listing *listing
)
{
	struct buyer_pick rough = *pick;
	int code;

	rough.is_all = true;
	rough.has_max_price = false;
	if (!buyer_pick_check(&rough, node))
		return 0;
	code = buyer_asset_price(twctl, chain, registry, &listing->asset, node);
	if (code == 0 && buyer_pick_check(pick, node))
		listing->nodes[listing->n++] =
			(struct buyer_pick_node){*node, BUYER_PICK_NO_LATENCY};
	return code;
}

static int read_all(
	struct twctl *twctl,
	const struct twctl_chain *chain,
	const uint8_t registry[EVM_ADDRESS_SIZE],
	const struct buyer_pick *pick,
	struct listing *listing
)
{
	static struct evm_purchase_node page[PAGE];
	uint64_t offset = 0;
	size_t n;
	int code;

	do {
		code = read_page(twctl, chain, registry, offset, page, &n, &listing->n_registered);
		if (code != 0)
			return code;
		for (size_t i = 0; i < n && listing->n < NODES_MAX && code == 0; i++)
			code = take_node(twctl, chain, registry, pick, &page[i], listing);
		if (code != 0)
			return code;
		offset += n;
	} while (n > 0 && offset < listing->n_registered && listing->n < NODES_MAX);
	if (listing->n == NODES_MAX)
		fprintf(stderr, "twctl: more than %d nodes fit; showing that many\n", NODES_MAX);
	return 0;
}

static void put_node(
	struct json_writer *writer, const struct buyer_asset *asset, const struct buyer_pick_node *n
)
{
	char text[U256_DEC_SIZE], key[45];

	json_begin_object(writer, NULL);
	u256_format_dec(n->node.node_id, text);
	json_put_string(writer, "node_id", text);
	json_put_string(writer, "name", n->node.name);
	json_put_string(writer, "region", n->node.region);
	json_put_bool(writer, "active", n->node.is_active);
	buyer_asset_put(writer, asset, "price_per_gb_wei", "price_per_gb", n->node.price_per_gb);
	json_put_count(writer, "bandwidth_mbps", n->node.bandwidth_mbps);
	if (n->latency_us == BUYER_PICK_NO_LATENCY)
		json_put_null(writer, "latency_us");
	else
		json_put_count(writer, "latency_us", n->latency_us);
	json_put_count(writer, "sessions", n->node.n_sessions);
	u256_format_dec(n->node.served_bytes, text);
	json_put_string(writer, "served_bytes", text);
	json_put_string(writer, "endpoint", n->node.endpoint);
	json_put_string(writer, "api_url", n->node.api_url);
	client_conf_key_text(key, n->node.wg_public_key);
	json_put_string(writer, "wg_public_key", key);
	evm_json_put_address(writer, "operator", n->node.operator_address);
	json_put_count(writer, "window_sec", n->node.window_sec);
	json_put_count(writer, "grace_sec", n->node.grace_sec);
	json_end(writer);
}

static int print_json(struct twctl *twctl, const struct listing *listing)
{
	struct json_writer writer;

	json_writer_init(&writer);
	json_begin_object(&writer, NULL);
	json_put_count(&writer, "registered", listing->n_registered);
	evm_json_put_address(&writer, "asset", listing->asset.address);
	json_begin_array(&writer, "nodes");
	for (size_t i = 0; i < listing->n; i++)
		put_node(&writer, &listing->asset, &listing->nodes[i]);
	json_end(&writer);
	json_end(&writer);
	return twctl_print(twctl, &writer);
}

// Operators wrote these texts: they must not drive the terminal.
static void print_table(const struct listing *listing)
{
	char id[U256_DEC_SIZE], price[BUYER_ASSET_TEXT], latency[24];
	char name[EVM_PURCHASE_NAME_MAX + 1], region[EVM_PURCHASE_REGION_MAX + 1];
	char api[EVM_PURCHASE_LOCATOR_MAX + 1];

	printf("%6s  %-20s  %-14s  %18s  %8s  %9s  %s\n",
	       "NODE",
	       "NAME",
	       "REGION",
	       "PRICE PER GB",
	       "MBIT/S",
	       "LATENCY",
	       "API");
	for (size_t i = 0; i < listing->n; i++) {
		const struct evm_purchase_node *node = &listing->nodes[i].node;
		uint32_t us = listing->nodes[i].latency_us;

		u256_format_dec(node->node_id, id);
		json_quote(name, sizeof(name), node->name);
		json_quote(region, sizeof(region), node->region);
		json_quote(api, sizeof(api), node->api_url);
		buyer_asset_format(price, &listing->asset, node->price_per_gb);
		if (us == BUYER_PICK_NO_LATENCY)
			strcpy(latency, "-");
		else
			snprintf(latency, sizeof(latency), "%u.%u ms", us / 1000, us / 100 % 10);
		printf("%6s  %-20s  %-14s  %18s  %8" PRIu64 "  %9s  %s%s\n",
		       id,
		       name,
		       region,
		       price,
		       node->bandwidth_mbps,
		       latency,
		       api,
		       node->is_active ? "" : "  (not selling)");
	}
}

static int get_wishes(
	struct twctl *twctl, struct buyer_pick *pick, enum buyer_pick_order *ret_order
)
{
	const char *sort = twctl_args_get(&twctl->args, "--sort");
	int code;

	*pick = (struct buyer_pick){
		.region = twctl_args_get(&twctl->args, "--region"),
		.has_max_price = twctl_args_get(&twctl->args, "--max-price-per-gb") != NULL,
		.is_all = twctl_args_get(&twctl->args, "--all") != NULL,
	};
	if (sort != NULL && strcmp(sort, "price") != 0 && strcmp(sort, "latency") != 0)
		return twctl_fail_value(twctl, "--sort", sort, "price or latency");
	*ret_order = sort != NULL && strcmp(sort, "latency") == 0 ? BUYER_PICK_LATENCY
								  : BUYER_PICK_PRICE;
	if (*ret_order == BUYER_PICK_LATENCY &&
	    twctl_args_get(&twctl->args, "--no-latency") != NULL)
		return twctl_fail(
			twctl,
			TWCTL_EXIT_USAGE,
			"--sort latency and --no-latency exclude each other"
		);
	code = twctl_get_number(twctl, "--min-mbps", 0, UINT32_MAX, 0, &pick->min_bandwidth_mbps);
	return code;
}

static int list(
	struct twctl *twctl,
	const struct twctl_chain *chain,
	struct buyer_pick *pick,
	enum buyer_pick_order order
)
{
	uint8_t escrow[EVM_ADDRESS_SIZE], registry[EVM_ADDRESS_SIZE];
	uint8_t token[EVM_ADDRESS_SIZE] = {0};
	struct listing listing = {.nodes = calloc(NODES_MAX, sizeof(*listing.nodes))};
	int code;

	if (listing.nodes == NULL)
		return twctl_fail(twctl, TWCTL_EXIT_FAILED, "out of memory");
	code = twctl_chain_address(twctl, "--escrow", true, escrow);
	if (code == 0)
		code = twctl_chain_address(twctl, "--token", false, token);
	if (code == 0)
		code = buyer_asset_load(twctl, chain, token, &listing.asset);
	if (code == 0 && pick->has_max_price)
		code = buyer_asset_get(
			twctl, &listing.asset, "--max-price-per-gb", &pick->max_price_per_gb
		);
	if (code == 0)
		code = buyer_chain_registry(twctl, chain, escrow, registry);
	if (code == 0)
		code = read_all(twctl, chain, registry, pick, &listing);
	if (code == 0) {
		if (twctl_args_get(&twctl->args, "--no-latency") == NULL)
			buyer_latency_measure(listing.nodes, listing.n, LATENCY_TIMEOUT_MS);
		buyer_pick_sort(listing.nodes, listing.n, order);
		if (twctl_args_get(&twctl->args, "--best") != NULL) {
			if (listing.n == 0)
				code = twctl_fail(
					twctl,
					TWCTL_EXIT_FAILED,
					"none of %" PRIu64 " nodes is what you ask for",
					listing.n_registered
				);
			else
				listing.n = 1;
		}
	}
	if (code == 0 && twctl->is_json)
		code = print_json(twctl, &listing);
	else if (code == 0)
		print_table(&listing);
	free(listing.nodes);
	return code;
}

static int run_nodes(struct twctl *twctl)
{
	const char *urls = twctl_args_get(&twctl->args, "--rpc");
	enum buyer_pick_order order = BUYER_PICK_PRICE;
	struct twctl_chain chain;
	struct buyer_pick pick;
	uint64_t chain_id;
	int code;

	if (urls == NULL || twctl_args_get(&twctl->args, "--chain-id") == NULL)
		return twctl_fail(
			twctl, TWCTL_EXIT_USAGE, "--rpc URL and --chain-id N are required"
		);
	code = twctl_get_number(twctl, "--chain-id", 1, UINT64_MAX, 0, &chain_id);
	if (code == 0)
		code = get_wishes(twctl, &pick, &order);
	if (code == 0)
		code = twctl_chain_connect(twctl, urls, chain_id, false, &chain);
	if (code != 0)
		return code;
	code = list(twctl, &chain, &pick, order);
	twctl_chain_close(&chain);
	return code;
}

static const struct twctl_option nodes_options[] = {
	{"--rpc",
	 "URL[,URL...]",
	 "JSON-RPC endpoints, http or https; the first that works is used"},
	{"--chain-id", "N", "id of the chain; an endpoint of another chain is refused"},
	{"--escrow", "ADDRESS", "the escrow contract; the registry is the one it is bound to"},
	{"--token", "ADDRESS", "prices in this token (default the native coin)"},
	{"--region", "TEXT", "only regions that begin so"},
	{"--max-price-per-gb", "AMOUNT", "only nodes that cost no more, coins or tokens"},
	{"--min-mbps", "N", "only nodes that offer this bandwidth"},
	{"--sort", "price|latency", "what comes first (default price)"},
	{"--best", NULL, "only the first; none is a failure"},
	{"--no-latency", NULL, "do not connect to the nodes"},
	{"--all", NULL, "also nodes that do not sell now"},
	{NULL, NULL, NULL},
};

const struct twctl_command buyer_nodes_commands[] = {
	{
		.name = "buyer nodes",
		.run = run_nodes,
		.positional = "",
		.summary = "list the nodes that sell",
		.description = "Reads the registry on the chain. Latency is the best of three TCP "
			       "connections to each\n"
			       "node's API; each node that is shown sees your address.\n",
		.options = nodes_options,
	},
	{.name = NULL},
};
