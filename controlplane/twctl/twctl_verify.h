// SPDX-License-Identifier: Apache-2.0
//
// What a chain says about a session, for `twctl verify`: asked of an endpoint, never of a file.
#pragma once

#include "twctl.h"

#include "controlplane/chain/evm/evm_escrow.h"

struct twctl_verify_chain {
	bool is_created; // else the rest is nothing
	uint8_t usage_signer[EVM_ADDRESS_SIZE];
	uint64_t bought_bytes; // with what was topped up
	bool is_settled;
	uint64_t settled_bytes;
	uint8_t root[32]; // of the settlement, or of a proposal that stands
	bool has_root;
};

// All events of the session in the escrow's log.
//
// Returns: 0; an exit code with the message out.
int twctl_verify_ask_chain(
	struct twctl *twctl,
	uint64_t chain_id,
	const uint8_t escrow[EVM_ADDRESS_SIZE],
	const uint8_t session_id[32],
	struct twctl_verify_chain *ret
);
