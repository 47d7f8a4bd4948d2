// SPDX-License-Identifier: Apache-2.0
//
// What each session has used: billed bytes of earlier data-plane boots (base) plus what the present
// boot's slot counts, and the chain of checkpoints over it. A total never goes down. Runs on the
// loop's thread. Reads no shared memory (dp_link.c does) and asks nobody for money.
#pragma once

#include "common/abi_attach.h"
#include "common/clock.h"
#include "config/config.h"
#include "controlplane/session/session.h"
#include "controlplane/store/db.h"

#include <stdbool.h>
#include <stdint.h>

// One session's usage as people see it. Bytes are billed bytes but for free_*.
struct usage_view {
	uint64_t out_bytes; // client -> internet, whole life
	uint64_t in_bytes;
	uint64_t out_pkts; // present boot only, as all below
	uint64_t in_pkts;
	uint64_t free_out_bytes;
	uint64_t free_in_bytes;
	uint64_t originated_bytes;
	uint64_t drop_out_pkts;
	uint64_t drop_in_pkts;
	uint64_t out_bits_per_sec; // over the last poll interval
	uint64_t in_bits_per_sec;
	uint64_t last_authentic_unix_ns; // 0 = never; survives boots
	uint64_t last_handshake_unix_ns; // 0 = none in this boot
	struct abi_endpoint endpoint; // where the client is or was; family NONE = unknown
	uint64_t n_checkpoints;
	bool is_in_dataplane; // the rest is zero when not
	uint8_t gate; // enum abi_gate
	uint8_t slot_state; // enum abi_slot_state
	uint16_t owner; // worker, or ABI_OWNER_NONE
};

struct usage_book;

// Out: the view; zero for a session that never was in a data plane.
//
// Returns: 0 or a store error (-errno).
int usage_read(struct usage_book *book, uint64_t session_id, struct usage_view *ret);
