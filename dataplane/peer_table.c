// SPDX-License-Identifier: Apache-2.0
//
// See peer_table.h.
#include "dataplane/peer_table.h"

#include "dataplane/wg/wg_primitives.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static_assert(
	sizeof(struct peer_limits_record) ==
		sizeof(struct abi_session_limits) -
			offsetof(struct abi_session_limits, base_out_bytes),
	"the record is what stands under the sequence count"
);
static_assert(
	offsetof(struct peer_limits_record, expires_unix_sec) ==
		offsetof(struct abi_session_limits, expires_unix_sec) -
			offsetof(struct abi_session_limits, base_out_bytes),
	"the record has the line's layout"
);

size_t peer_table_secret_bytes(uint32_t n_slots)
{
	return (size_t)n_slots * secret_arena_round(sizeof(struct wg_peer));
}

// At most half full, so that chains stay short.
static int hash_init(struct peer_hash *hash, uint32_t n_slots)
{
	uint32_t n_cells = 16;

	while (n_cells < 2 * n_slots)
		n_cells *= 2;
	hash->cells = calloc(n_cells, sizeof(*hash->cells));
	hash->mask = n_cells - 1;
	wg_primitives_random(hash->siphash_key, sizeof(hash->siphash_key));
	return hash->cells == NULL ? -ENOMEM : 0;
}

int peer_table_init(struct peer_table *table, uint32_t n_slots, struct secret_arena *arena)
{
	memset(table, 0, sizeof(*table));
	table->n_slots = n_slots;
	table->peers = calloc(n_slots, sizeof(*table->peers));
	if (table->peers == NULL || hash_init(&table->by_key, n_slots) < 0 ||
	    hash_init(&table->by_addr, n_slots) < 0 ||
	    secret_pool_init(&table->wg_pool, arena, sizeof(struct wg_peer), n_slots) < 0) {
		peer_table_fini(table);
		return -ENOMEM;
	}
	return 0;
}

void peer_table_fini(struct peer_table *table)
{
	for (uint32_t i = 0; table->peers != NULL && i < table->n_used_slots; i++)
		if (table->peers[i].wg != NULL)
			wg_peer_fini(table->peers[i].wg);
	secret_pool_fini(&table->wg_pool);
	free(table->by_key.cells);
	free(table->by_addr.cells);
	free(table->peers);
	memset(table, 0, sizeof(*table));
}

static uint32_t key_cell(const struct peer_hash *hash, const uint8_t *public_key)
{
	return (uint32_t)wg_primitives_shorthash(hash->siphash_key, public_key, WG_KEY_BYTES) &
		hash->mask;
}

static uint32_t addr_cell(const struct peer_hash *hash, uint32_t addr_be)
{
	return (uint32_t)wg_primitives_shorthash(hash->siphash_key, &addr_be, sizeof(addr_be)) &
		hash->mask;
}

struct peer *peer_table_lookup_key(struct peer_table *table, const uint8_t public_key[WG_KEY_BYTES])
{
	const struct peer_hash *hash = &table->by_key;

	for (uint32_t at = key_cell(hash, public_key); hash->cells[at] != 0;
	     at = (at + 1) & hash->mask) {
		struct peer *peer = &table->peers[hash->cells[at] - 1];

		if (memcmp(peer->public_key, public_key, WG_KEY_BYTES) == 0)
			return peer;
	}
	return NULL;
}

struct peer *peer_table_lookup_addr(struct peer_table *table, uint32_t inner_addr_be)
{
	const struct peer_hash *hash = &table->by_addr;

	for (uint32_t at = addr_cell(hash, inner_addr_be); hash->cells[at] != 0;
	     at = (at + 1) & hash->mask) {
		struct peer *peer = &table->peers[hash->cells[at] - 1];

		if (peer->inner_addr_be == inner_addr_be)
			return peer;
	}
	return NULL;
}

static uint32_t home_cell(
	const struct peer_table *table, const struct peer_hash *hash, uint32_t cell_value
)
{
	const struct peer *peer = &table->peers[cell_value - 1];

	return hash == &table->by_key ? key_cell(hash, peer->public_key)
				      : addr_cell(hash, peer->inner_addr_be);
}

static void hash_insert(struct peer_table *table, struct peer_hash *hash, uint32_t slot)
{
	uint32_t at = home_cell(table, hash, slot + 1);

	while (hash->cells[at] != 0)
		at = (at + 1) & hash->mask;
	hash->cells[at] = slot + 1;
}

// Linear probing without tombstones: what stands behind the hole in the same chain moves up.
static void hash_remove(struct peer_table *table, struct peer_hash *hash, uint32_t slot)
{
	uint32_t hole = home_cell(table, hash, slot + 1);

	while (hash->cells[hole] != slot + 1)
		hole = (hole + 1) & hash->mask;
	for (uint32_t at = (hole + 1) & hash->mask; hash->cells[at] != 0;
	     at = (at + 1) & hash->mask) {
		uint32_t home = home_cell(table, hash, hash->cells[at]);

		if (((at - home) & hash->mask) < ((at - hole) & hash->mask))
			continue; // its home lies behind the hole
		hash->cells[hole] = hash->cells[at];
		hole = at;
	}
	hash->cells[hole] = 0;
}

int peer_table_insert(
	struct peer_table *table,
	const struct abi_command *add,
	const struct wg_local *local,
	const uint8_t *psk
)
{
	struct peer *peer = &table->peers[add->slot];
	struct wg_peer *wg = secret_pool_take(&table->wg_pool);

	if (wg == NULL)
		return -ENOMEM; // cannot be: there is one for each slot
	if (wg_peer_init(wg, local, add->public_key, psk) < 0) {
		secret_pool_give(&table->wg_pool, wg);
		return -EINVAL;
	}
	memset(peer, 0, sizeof(*peer));
	peer->slot.generation = add->generation;
	peer->slot.is_live = true;
	command_check_digest(add, peer->slot.add_digest);
	peer->owner = ABI_OWNER_NONE;
	peer->gate = add->gate;
	peer->wg = wg;
	memcpy(&peer->inner_addr_be, add->inner.addr, sizeof(peer->inner_addr_be));
	memcpy(peer->public_key, add->public_key, sizeof(peer->public_key));
	hash_insert(table, &table->by_key, add->slot);
	hash_insert(table, &table->by_addr, add->slot);
	if (table->n_used_slots <= add->slot)
		table->n_used_slots = add->slot + 1;
	return 0;
}

void peer_table_unlink(struct peer_table *table, struct peer *peer)
{
	uint32_t slot = peer_table_slot(table, peer);

	hash_remove(table, &table->by_key, slot);
	hash_remove(table, &table->by_addr, slot);
	wg_peer_fini(peer->wg);
	secret_pool_give(&table->wg_pool, peer->wg);
	peer->wg = NULL;
	peer->slot.is_live = false;
	peer->slot.is_removing = true;
}

void peer_table_remove(struct peer_table *table, struct peer *peer)
{
	uint32_t generation = peer->slot.generation;

	(void)table;
	memset(peer, 0, sizeof(*peer));
	peer->slot.generation = generation;
	peer->owner = ABI_OWNER_NONE;
}
