// SPDX-License-Identifier: Apache-2.0
//
// See buyer_pick.h. Pure.
#include "buyer_pick.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool buyer_pick_check(const struct buyer_pick *pick, const struct evm_purchase_node *node)
{
	if (pick->region != NULL &&
	    strncasecmp(pick->region, node->region, strlen(pick->region)) != 0)
		return false;
	if (!pick->is_all && (!node->is_active || u256_is_zero(node->price_per_gb)))
		return false;
	if (pick->has_max_price && u256_compare(node->price_per_gb, pick->max_price_per_gb) > 0)
		return false;
	return node->bandwidth_mbps >= pick->min_bandwidth_mbps;
}

static int compare_latency(const struct buyer_pick_node *a, const struct buyer_pick_node *b)
{
	return (a->latency_us > b->latency_us) - (a->latency_us < b->latency_us);
}

// One that takes no coin has no price: it comes last, not first.
static int compare_price(const struct buyer_pick_node *a, const struct buyer_pick_node *b)
{
	bool is_a_sold = !u256_is_zero(a->node.price_per_gb);
	bool is_b_sold = !u256_is_zero(b->node.price_per_gb);

	if (is_a_sold != is_b_sold)
		return is_a_sold ? -1 : 1;
	return u256_compare(a->node.price_per_gb, b->node.price_per_gb);
}

static int compare_by_price(const void *a, const void *b)
{
	const struct buyer_pick_node *x = a, *y = b;
	int r = compare_price(x, y);

	if (r == 0)
		r = compare_latency(x, y);
	return r != 0 ? r : u256_compare(x->node.node_id, y->node.node_id);
}

static int compare_by_latency(const void *a, const void *b)
{
	const struct buyer_pick_node *x = a, *y = b;
	int r = compare_latency(x, y);

	if (r == 0)
		r = compare_price(x, y);
	return r != 0 ? r : u256_compare(x->node.node_id, y->node.node_id);
}

void buyer_pick_sort(struct buyer_pick_node *nodes, size_t n, enum buyer_pick_order order)
{
	qsort(nodes,
	      n,
	      sizeof(*nodes),
	      order == BUYER_PICK_PRICE ? compare_by_price : compare_by_latency);
}

static int parse_port(const char *text, size_t len, uint16_t *ret)
{
	unsigned long port = 0;

	if (len == 0 || len > 5)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		port = 10 * port + (unsigned long)(text[i] - '0');
	}
	if (port == 0 || port > UINT16_MAX)
		return -EINVAL;
	*ret = (uint16_t)port;
	return 0;
}

int buyer_pick_url_parse(const char *url, char host[BUYER_PICK_HOST_MAX + 1], uint16_t *ret_port)
{
	bool is_https = strncasecmp(url, "https://", 8) == 0;
	uint16_t port = is_https ? 443 : 80;
	const char *at, *end, *rest;
	size_t len;

	if (!is_https && strncasecmp(url, "http://", 7) != 0)
		return -EINVAL;
	at = url + (is_https ? 8 : 7);
	end = at + strcspn(at, "/?#");
	if (memchr(at, '@', (size_t)(end - at)) != NULL)
		return -EINVAL; // a user's name has no business in a public registry
	if (*at == '[') {
		rest = memchr(at, ']', (size_t)(end - at));
		if (rest == NULL)
			return -EINVAL;
		len = (size_t)(rest - ++at);
		rest++;
	} else {
		len = strcspn(at, ":/?#");
		rest = at + len;
	}
	if (len == 0 || len > BUYER_PICK_HOST_MAX ||
	    (rest != end &&
	     (*rest != ':' || parse_port(rest + 1, (size_t)(end - rest - 1), &port) < 0)))
		return -EINVAL;
	memcpy(host, at, len);
	host[len] = '\0';
	*ret_port = port;
	return 0;
}
