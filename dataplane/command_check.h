// SPDX-License-Identifier: Apache-2.0
//
// Is a command from the hostile ring well-formed, in bounds, and does it fit what its slot holds? It
// works on a private copy, changes nothing and knows neither DPDK nor the slots: command.c acts on
// what it says. Whether a key or an address is taken already, command.c asks its tables. Pure; fuzzed.
#pragma once

#include "common/abi_control.h"
#include "common/abi_names.h"

#include <stdbool.h>
#include <stdint.h>

// Constant after start.
struct command_check_conf {
	uint32_t n_slots;
	uint32_t tunnel_addr; // of the network, host order
	uint32_t tunnel_mask;
	uint32_t node_addr; // the node's own in the tunnel
	uint8_t node_public_key[32];
};

// What a slot holds now; slow path private.
struct command_check_slot {
	uint32_t generation; // of the session it holds or held last; 0 = never used
	bool is_live; // added and not removed
	bool is_removing; // `remove` is under way
	uint8_t add_digest[32]; // command_check_digest() of the `add` that made it
};

enum command_check_verdict {
	COMMAND_CHECK_REFUSE, // acknowledge with ret_result
	COMMAND_CHECK_REPEAT, // done already: acknowledge with OK, change nothing
	COMMAND_CHECK_APPLY,
};

// Checks all that needs no state. Unused fields and reserved bytes must be zero, so that a later
// version may give them a meaning.
//
// Returns: ABI_ACK_OK, or why not.
enum abi_ack_result command_check_bounds(
	const struct abi_command *command, const struct command_check_conf *conf
);

// For a command that passed the bounds and names a slot: compares it with what the slot holds.
//
// Out: ret_result, when the verdict is REFUSE.
enum command_check_verdict command_check_slot(
	const struct abi_command *command,
	const struct command_check_slot *slot,
	enum abi_ack_result *ret_result
);

// What makes two `add` commands equal: everything but the command's id and where and when the client
// was last heard, which change from one reading to the next.
void command_check_digest(const struct abi_command *command, uint8_t ret_digest[32]);

// Whether a command names a slot at all.
bool command_check_names_slot(uint32_t kind);
