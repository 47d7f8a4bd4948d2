// SPDX-License-Identifier: Apache-2.0
//
// Commands as a hostile control plane may write them, a sequence of records against one slot's state.
// Whatever passes the bounds must be what command.c relies on: a known kind, a slot in range, a
// generation, an inner address in the tunnel network, bases that add up. A command that was applied and
// comes again is a repeat, never applied twice.
#include "dataplane/command_check.h"
#include "dataplane/wg/wg_primitives.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define N_SLOTS 4

static const struct command_check_conf conf = {
	.n_slots = N_SLOTS,
	.tunnel_addr = 0x0a080000,
	.tunnel_mask = 0xffffff00,
	.node_addr = 0x0a080001,
	.node_public_key = {9},
};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool is_true)
{
	if (!is_true)
		abort();
}

static void check_accepted(const struct abi_command *command)
{
	uint64_t base_bytes;
	uint32_t inner_be;

	require(command->kind < ABI_N_COMMAND);
	require(command->gate == ABI_GATE_OPEN || command->gate == ABI_GATE_CLOSED ||
		command->gate == ABI_GATE_THROTTLED);
	require(command->is_throttled_on_quota <= 1);
	if (command_check_names_slot(command->kind))
		require(command->slot < conf.n_slots && command->generation != 0);
	else
		require(command->slot == 0);
	if (command->kind != ABI_COMMAND_ADD)
		return;
	memcpy(&inner_be, command->inner.addr, sizeof(inner_be));
	require((ntohl(inner_be) & conf.tunnel_mask) == conf.tunnel_addr);
	require(ntohl(inner_be) != conf.node_addr);
	require(!__builtin_add_overflow(
		command->base_out_bytes, command->base_in_bytes, &base_bytes
	));
}

static void apply(const struct abi_command *command, struct command_check_slot *slot)
{
	enum abi_ack_result result = ABI_N_ACK;

	switch (command_check_slot(command, slot, &result)) {
	case COMMAND_CHECK_REFUSE:
		require(result < ABI_N_ACK && result != ABI_ACK_OK);
		return;
	case COMMAND_CHECK_REPEAT:
		require(command->generation == slot->generation);
		return;
	case COMMAND_CHECK_APPLY:
		break;
	}
	if (command->kind == ABI_COMMAND_ADD) {
		require(!slot->is_live && command->generation != slot->generation);
		slot->generation = command->generation;
		slot->is_live = true;
		command_check_digest(command, slot->add_digest);
		require(command_check_slot(command, slot, &result) == COMMAND_CHECK_REPEAT);
	} else {
		require(slot->is_live && command->generation == slot->generation);
	}
	if (command->kind == ABI_COMMAND_REMOVE) {
		slot->is_live = false;
		require(command_check_slot(command, slot, &result) == COMMAND_CHECK_REPEAT);
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return wg_primitives_init();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct command_check_slot slots[N_SLOTS] = {0};
	struct abi_command command;

	for (; len >= sizeof(command); data += sizeof(command), len -= sizeof(command)) {
		memcpy(&command, data, sizeof(command));
		if (command_check_bounds(&command, &conf) != ABI_ACK_OK)
			continue;
		check_accepted(&command);
		if (command_check_names_slot(command.kind))
			apply(&command, &slots[command.slot]);
	}
	return 0;
}
