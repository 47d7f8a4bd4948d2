// SPDX-License-Identifier: Apache-2.0
//
// What the registries of the configured chains list, read through chain_ask every
// api.registry_refresh_sec and kept in memory: who asks the API never waits for a chain, and a chain
// that is down leaves the last listing, marked stale. A listing is replaced as a whole, when all its
// pages are there. Loop's thread.
#pragma once

#include "common/clock.h"
#include "config/config.h"
#include "controlplane/chain/evm/evm_purchase.h"
#include "controlplane/settle/chain_ask.h"

#define API_REGISTRY_NODES_MAX 2000 // of one chain; those registered first

struct api_registry_view {
	uint64_t chain_id;
	const struct evm_purchase_node *nodes; // by node id, upwards; until the next tick or answer
	size_t n_nodes;
	uint64_t n_registered; // more than n_nodes beyond API_REGISTRY_NODES_MAX
	bool is_read; // at least once
	bool is_stale; // never read, or the last reading failed
	uint64_t changed_unix_sec; // when the listing was last another than before
};

struct api_registry;

// ask NULL: no chains. Keeps config, ask and clock. Returns: 0 or -ENOMEM.
int api_registry_create(
	struct api_registry **ret,
	const struct config *config,
	struct chain_ask *ask,
	const struct clock *clock
);

// After chain_ask_cancel(). NULL is a no-op.
void api_registry_destroy(struct api_registry *registry);

// Begins to read what is due. Call every second.
void api_registry_tick(struct api_registry *registry);

// Another number whenever what api_registry_get() says may be another.
uint64_t api_registry_version(const struct api_registry *registry);

size_t api_registry_n_chains(const struct api_registry *registry);
void api_registry_get(
	const struct api_registry *registry, size_t idx, struct api_registry_view *ret
);
