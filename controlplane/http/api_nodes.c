// SPDX-License-Identifier: Apache-2.0
//
// GET /api/v1/nodes: the nodes that the chains' registries list, by chain and node id; filtered by
// region and price, in pages. Nothing in it changes unless the registry does, so that its entity tag
// holds; only is_stale tells of a chain that is down. Loop's thread.
#include "api.h"

#include "controlplane/chain/evm/evm_json.h"
#include "controlplane/http/api_chain.h"
#include "controlplane/http/api_registry.h"
#include "controlplane/session/client_conf.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LIST_DEFAULT 100
#define LIST_MAX 500
#define RETRY_AFTER_SEC 2

// What is asked for most is built once for each version of the listing.
#define N_KEPT 16
#define KEPT_KEY_CAP (HTTP_QUERY_CAP * 4)

struct kept {
	char key[KEPT_KEY_CAP]; // "" for none
	uint64_t version;
	char *text;
};

struct filter {
	uint64_t chain_id; // 0: any
	const char *region; // a prefix, in any case; NULL: any
	bool has_max_price;
	struct u256 max_price; // of a GB, native coin
	bool is_inactive_wanted;
};

// Returns: true; false, the reply stands.
static bool read_filter(
	const struct http_request *request, struct filter *filter, struct http_reply *reply
)
{
	const char *price = http_request_query(request, "max_price_per_gb");

	*filter = (struct filter){
		.region = http_request_query(request, "region"),
		.has_max_price = price != NULL,
		.is_inactive_wanted = http_request_query(request, "inactive") != NULL,
	};
	if (!api_get_number(request, "chain_id", JSON_INTEGER_MAX, &filter->chain_id, reply))
		return false;
	if (price == NULL || u256_parse_dec(price, &filter->max_price) == 0)
		return true;
	http_reply_problem(
		reply,
		400,
		"max_price_per_gb",
		"max_price_per_gb '%s': smallest units, in decimal digits, are expected",
		price
	);
	return false;
}

static bool is_wanted(const struct filter *filter, const struct evm_purchase_node *node)
{
	if (!node->is_active && !filter->is_inactive_wanted)
		return false;
	if (filter->region != NULL &&
	    strncasecmp(node->region, filter->region, strlen(filter->region)) != 0)
		return false;
	// One that takes no native coin has no price in it.
	return !filter->has_max_price ||
		(!u256_is_zero(node->price_per_gb) &&
		 u256_compare(node->price_per_gb, filter->max_price) <= 0);
}

static void put_node(
	struct json_writer *writer,
	const struct control *control,
	uint64_t chain_id,
	const struct evm_purchase_node *node
)
{
	struct api_chain chain;
	char key[45];

	json_begin_object(writer, NULL);
	json_put_count(writer, "chain_id", chain_id);
	evm_json_put_u256(writer, "node_id", node->node_id);
	json_put_bool(
		writer,
		"is_this_node",
		api_chain_lookup(control, chain_id, &chain) &&
			u256_equal(chain.node_id, node->node_id)
	);
	json_put_string(writer, "name", node->name);
	json_put_string(writer, "region", node->region);
	json_put_bool(writer, "is_active", node->is_active);
	if (u256_is_zero(node->price_per_gb))
		json_put_null(writer, "price_per_gb");
	else
		evm_json_put_u256(writer, "price_per_gb", node->price_per_gb);
	json_put_count(writer, "bandwidth_mbps", node->bandwidth_mbps);
	json_put_count(writer, "sessions", node->n_sessions);
	evm_json_put_u256(writer, "served_bytes", node->served_bytes);
	json_put_string(writer, "endpoint", node->endpoint);
	json_put_string(writer, "api_url", node->api_url);
	client_conf_key_text(key, node->wg_public_key);
	json_put_string(writer, "wg_public_key", key);
	evm_json_put_address(writer, "operator", node->operator_address);
	evm_json_put_address(writer, "usage_signer", node->usage_signer);
	json_put_count(writer, "window_sec", node->window_sec);
	json_put_count(writer, "grace_sec", node->grace_sec);
	json_end(writer);
}

static void put_chains(struct json_writer *writer, const struct api_registry *registry)
{
	struct api_registry_view view;

	json_begin_array(writer, "chains");
	for (size_t i = 0; i < api_registry_n_chains(registry); i++) {
		api_registry_get(registry, i, &view);
		json_begin_object(writer, NULL);
		json_put_count(writer, "chain_id", view.chain_id);
		json_put_bool(writer, "is_stale", view.is_stale);
		json_put_count(writer, "registered", view.n_registered);
		if (view.is_read)
			json_put_count(writer, "changed_unix_sec", view.changed_unix_sec);
		else
			json_put_null(writer, "changed_unix_sec");
		json_end(writer);
	}
	json_end(writer);
}

// The nodes from number `from` on of those that are wanted. Returns: the next page's; 0 for none.
static uint64_t put_nodes(
	struct json_writer *writer,
	const struct control *control,
	const struct filter *filter,
	uint64_t from,
	uint64_t n_left
)
{
	struct api_registry_view view;
	uint64_t number = 0;

	for (size_t i = 0; i < api_registry_n_chains(control->registry); i++) {
		api_registry_get(control->registry, i, &view);
		if (filter->chain_id != 0 && filter->chain_id != view.chain_id)
			continue;
		for (size_t k = 0; k < view.n_nodes; k++) {
			if (!is_wanted(filter, &view.nodes[k]) || number++ < from)
				continue;
			if (n_left-- == 0)
				return number - 1;
			put_node(writer, control, view.chain_id, &view.nodes[k]);
		}
	}
	return 0;
}

static bool is_any_read(const struct api_registry *registry)
{
	struct api_registry_view view;

	for (size_t i = 0; i < api_registry_n_chains(registry); i++) {
		api_registry_get(registry, i, &view);
		if (view.is_read)
			return true;
	}
	return api_registry_n_chains(registry) == 0;
}

// Returns: NULL without memory.
static char *build(
	const struct control *control, const struct filter *filter, uint64_t from, uint64_t limit
)
{
	struct json_writer writer;
	uint64_t next;
	char *text;

	json_writer_init(&writer);
	json_begin_object(&writer, NULL);
	put_chains(&writer, control->registry);
	json_begin_array(&writer, "nodes");
	next = put_nodes(&writer, control, filter, from, limit);
	json_end(&writer);
	if (next == 0)
		json_put_null(&writer, "next");
	else
		json_put_count(&writer, "next", next);
	json_end(&writer);
	return json_writer_finish(&writer, false, &text) == 0 ? text : NULL;
}

// Returns: the listing, kept until the next call; NULL without memory.
static const char *build_or_keep(
	const struct control *control, const struct filter *filter, uint64_t from, uint64_t limit
)
{
	static struct kept rows[N_KEPT];
	static unsigned n_built;
	uint64_t version = api_registry_version(control->registry);
	char price[U256_DEC_SIZE], key[KEPT_KEY_CAP];
	struct kept *row = &rows[n_built % N_KEPT];

	u256_format_dec(filter->max_price, price);
	snprintf(
		key,
		sizeof(key),
		"%p %llu %llu %llu %d %d %s %d %s",
		(void *)control->registry,
		(unsigned long long)from,
		(unsigned long long)limit,
		(unsigned long long)filter->chain_id,
		filter->is_inactive_wanted,
		filter->has_max_price,
		price,
		filter->region != NULL,
		filter->region == NULL ? "" : filter->region
	);
	for (size_t i = 0; i < N_KEPT; i++) {
		if (rows[i].version == version && strcmp(rows[i].key, key) == 0)
			return rows[i].text;
	}
	n_built++;
	json_free_text(row->text);
	row->text = build(control, filter, from, limit);
	row->version = version;
	memcpy(row->key, key, sizeof(key));
	if (row->text == NULL)
		row->key[0] = '\0';
	return row->text;
}

// ?from=0&limit=100&chain_id=1&region=eu&max_price_per_gb=…&inactive
static void list_nodes(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	const struct control *control = ctx;
	uint64_t from = 0, limit = LIST_DEFAULT;
	struct filter filter;
	const char *text;

	if (!read_filter(request, &filter, reply) ||
	    !api_get_number(request, "from", JSON_INTEGER_MAX, &from, reply) ||
	    !api_get_number(request, "limit", LIST_MAX, &limit, reply))
		return;
	if (control->registry == NULL || !is_any_read(control->registry)) {
		http_reply_problem(reply, 503, NULL, "the registry has not been read yet");
		reply->retry_after_sec = RETRY_AFTER_SEC;
		return;
	}
	text = build_or_keep(control, &filter, from, limit);
	if (text == NULL)
		http_reply_problem(reply, 503, NULL, "out of memory");
	else
		http_reply_text(reply, 200, "application/json", text);
}

const struct http_route api_nodes_routes[] = {
	{HTTP_GET, "/api/v1/nodes", list_nodes, HTTP_PUBLIC},
};
const size_t api_nodes_n_routes = sizeof(api_nodes_routes) / sizeof(api_nodes_routes[0]);
