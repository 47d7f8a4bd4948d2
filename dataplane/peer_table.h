// SPDX-License-Identifier: Apache-2.0
//
// What the slow path knows of each session: the peer's secrets, limits and gate as commanded, who owns
// it, how many of its keypairs are out. Found by slot, by static public key and by inner address. Both
// hash tables are keyed with random bytes, so that a buyer who chooses keys cannot choose a chain.
// Slow path only; no DPDK.
#pragma once

#include "common/abi_session.h"
#include "dataplane/command_check.h"
#include "dataplane/mail.h"
#include "dataplane/secret_arena.h"
#include "dataplane/wg/wg_noise.h"

#include <stdbool.h>
#include <stdint.h>

// The bytes of a slot's limits line that stand under its sequence count.
struct peer_limits_record {
	uint64_t base_out_bytes;
	uint64_t base_in_bytes;
	uint64_t limit_bytes;
	uint64_t last_handshake_unix_ns;
	uint8_t endpoint_addr[16];
	uint16_t endpoint_port_be;
	uint8_t endpoint_family;
	uint8_t reserved;
	uint32_t expires_unix_sec;
};

struct peer {
	struct command_check_slot slot; // generation, live, removing, digest
	uint16_t owner; // worker, or ABI_OWNER_NONE
	uint8_t gate; // as commanded: OPEN, CLOSED or THROTTLED
	bool is_expired; // told to owner and control plane
	bool is_idle_told;
	uint32_t inner_addr_be;
	struct mail_limits limits; // as commanded; expiry on the monotonic clock
	struct peer_limits_record record; // what the limits line shows
	struct wg_peer *wg; // in the secret arena; NULL when the slot is empty
	uint64_t remove_id; // of the `remove` command under way
	uint64_t asked_ns; // last keepalive or erasure that the owner was asked for
	uint8_t public_key[WG_KEY_BYTES];
};

struct peer_hash {
	uint32_t *cells; // slot + 1, 0 = free; linear probing
	uint32_t mask;
	uint8_t siphash_key[16];
};

struct peer_table {
	struct peer *peers; // n_slots
	uint32_t n_slots;
	uint32_t n_used_slots; // greatest slot ever used, plus one: how far a scan goes
	struct secret_pool wg_pool;
	struct peer_hash by_key;
	struct peer_hash by_addr;
};

// Returns: bytes of the arena that a table takes.
size_t peer_table_secret_bytes(uint32_t n_slots);

// Returns: 0 or -ENOMEM.
__attribute__((warn_unused_result)) int peer_table_init(
	struct peer_table *table, uint32_t n_slots, struct secret_arena *arena
);
void peer_table_fini(struct peer_table *table);

// Returns: the live session with this key or address (removing ones are not found), or NULL.
struct peer *peer_table_lookup_key(
	struct peer_table *table, const uint8_t public_key[WG_KEY_BYTES]
);
struct peer *peer_table_lookup_addr(struct peer_table *table, uint32_t inner_addr_be);

// Enters a session into an empty slot, and into both hashes. In: neither key nor address is there.
//
// Returns: 0; -EINVAL for a public key of low order. psk may be NULL.
__attribute__((warn_unused_result)) int peer_table_insert(
	struct peer_table *table,
	const struct abi_command *add,
	const struct wg_local *local,
	const uint8_t *psk
);

// Takes a session out of both hashes and wipes its secrets: no handshake finds it any more. The slot's
// entry stays, removing, until peer_table_remove().
void peer_table_unlink(struct peer_table *table, struct peer *peer);

// Ends it: the slot may be allotted again under another generation.
void peer_table_remove(struct peer_table *table, struct peer *peer);

static inline uint32_t peer_table_slot(const struct peer_table *table, const struct peer *peer)
{
	return (uint32_t)(peer - table->peers);
}
