// SPDX-License-Identifier: Apache-2.0
//
// The tables behind abi_names.h. Pure.
#include "common/abi_names.h"

#define NAME_ROW(id, name, help) name,
#define HELP_ROW(id, name, help) help,

#define LOOKUP(function, ...) \
	const char *function(unsigned idx) \
	{ \
		static const char *const rows[] = {__VA_ARGS__}; \
		return idx < sizeof(rows) / sizeof(rows[0]) ? rows[idx] : "unknown"; \
	}

LOOKUP(abi_drop_name, "none", ABI_DROP_LIST(NAME_ROW))
LOOKUP(abi_drop_help, "not dropped", ABI_DROP_LIST(HELP_ROW))
LOOKUP(abi_consumed_name, ABI_CONSUMED_LIST(NAME_ROW))
LOOKUP(abi_consumed_help, ABI_CONSUMED_LIST(HELP_ROW))
LOOKUP(abi_stage_name, ABI_STAGE_LIST(NAME_ROW))
LOOKUP(abi_stage_help, ABI_STAGE_LIST(HELP_ROW))
LOOKUP(abi_slot_state_name, ABI_SLOT_STATE_LIST(NAME_ROW))
LOOKUP(abi_gate_name, ABI_GATE_LIST(NAME_ROW))
LOOKUP(abi_event_name, ABI_EVENT_LIST(NAME_ROW))
LOOKUP(abi_command_name, ABI_COMMAND_LIST(NAME_ROW))
LOOKUP(abi_ack_name, ABI_ACK_LIST(NAME_ROW))
LOOKUP(abi_ack_help, ABI_ACK_LIST(HELP_ROW))
