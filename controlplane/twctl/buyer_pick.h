// SPDX-License-Identifier: Apache-2.0
//
// Which nodes of the registry a buyer wants, and in which order. Pure: latency is measured elsewhere.
#pragma once

#include "controlplane/chain/evm/evm_purchase.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUYER_PICK_HOST_MAX 255
#define BUYER_PICK_NO_LATENCY UINT32_MAX

struct buyer_pick_node {
	struct evm_purchase_node node;
	uint32_t latency_us; // to the node's API; BUYER_PICK_NO_LATENCY where it does not answer
};

enum buyer_pick_order { BUYER_PICK_PRICE, BUYER_PICK_LATENCY };

struct buyer_pick {
	const char *region; // as it begins, in any case: "eu" takes "EU-central"; NULL for all
	bool has_max_price;
	struct u256 max_price_per_gb;
	uint64_t min_bandwidth_mbps;
	bool is_all; // also those that do not sell for the native coin now
};

bool buyer_pick_check(const struct buyer_pick *pick, const struct evm_purchase_node *node);

// By price, then latency, or the other way round; then by id. A node that does not answer comes after
// all that do when latency counts.
void buyer_pick_sort(struct buyer_pick_node *nodes, size_t n, enum buyer_pick_order order);

// Host and port of an http or https URL, IPv6 without its brackets. Returns: 0; -EINVAL.
int buyer_pick_url_parse(const char *url, char host[BUYER_PICK_HOST_MAX + 1], uint16_t *ret_port)
	__attribute__((warn_unused_result));
