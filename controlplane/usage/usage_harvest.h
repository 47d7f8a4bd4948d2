// SPDX-License-Identifier: Apache-2.0
//
// Ends of ledgers: a data-plane boot that is over is harvested as a whole, a session that has left
// the data plane is closed alone. Each is one transaction that also finishes sessions which only
// waited for their last bytes, and doing it again changes nothing. Loop's thread; reads counters only
// through the given function.
#pragma once

#include "controlplane/session/session.h"
#include "controlplane/usage/usage_store.h"

struct usage_harvest {
	struct db *db;
	const struct config *config;
	uint64_t now_unix_ns;
	// Reads a slot of the boot: as abi_attach_read_session(). NULL: the counters are gone, and what
	// the last checkpoints say is all there is.
	int (*read)(void *ctx, uint32_t slot, uint32_t generation, struct abi_session_reading *ret);
	void *ctx;
	// For usage_harvest_session(): the boot lives and may be given the session again, under a
	// generation above this one and above its last.
	uint32_t seen_generation;
};

// Closes every ledger that is bound to boot_id.
//
// Returns: how many; -errno with a sentence in err, and nothing is changed.
int usage_harvest_boot(
	const struct usage_harvest *harvest, const uint8_t boot_id[16], char *err, size_t err_len
);

// Closes one session's ledger, whatever it is bound to, and finishes the session if it is draining. One
// that keeps its slot while the boot lives gets a new generation: what was counted under the old one is
// in its total now and must never be read again.
// Out: ret (may be NULL), the session afterwards.
//
// Returns: 0 or -errno with a sentence in err, and nothing is changed.
int usage_harvest_session(
	const struct usage_harvest *harvest,
	uint64_t session_id,
	struct session *ret,
	char *err,
	size_t err_len
);

// Lists boots that some ledger is bound to.
//
// Returns: how many there are (at most max are written), or -errno.
int usage_harvest_list(struct db *db, uint8_t (*ret_boot_ids)[16], int max);
