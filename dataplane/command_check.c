// SPDX-License-Identifier: Apache-2.0
//
// See command_check.h.
#include "dataplane/command_check.h"

#include "dataplane/wg/wg_primitives.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>

static bool check_zero(const void *data, size_t len)
{
	const uint8_t *bytes = data;
	uint8_t any = 0;

	for (size_t i = 0; i < len; i++)
		any |= bytes[i];
	return any == 0;
}

bool command_check_names_slot(uint32_t kind)
{
	return kind != ABI_COMMAND_SNAPSHOT && kind != ABI_COMMAND_STOP;
}

// An IPv4 address with or without a port, or nothing at all.
static bool check_endpoint(const struct abi_endpoint *endpoint, bool needs_port)
{
	if (endpoint->family == ABI_FAMILY_NONE)
		return check_zero(endpoint, sizeof(*endpoint));
	return endpoint->family == ABI_FAMILY_IPV4 && (endpoint->port_be != 0) == needs_port &&
		check_zero(endpoint->addr + 4, sizeof(endpoint->addr) - 4) &&
		check_zero(endpoint->reserved, sizeof(endpoint->reserved));
}

static bool check_limits(const struct abi_command *command)
{
	return command->is_throttled_on_quota <= 1 &&
		command->expires_unix_sec <= UINT32_MAX; // the slot shows 32 bits of it
}

static bool check_gate(uint8_t gate)
{
	return gate == ABI_GATE_OPEN || gate == ABI_GATE_CLOSED || gate == ABI_GATE_THROTTLED;
}

static enum abi_ack_result check_add(
	const struct abi_command *command, const struct command_check_conf *conf
)
{
	uint64_t base_bytes;
	uint32_t inner_be, inner;

	if ((command->flags & ~ABI_ADD_HAS_PSK) != 0 || !check_limits(command) ||
	    !check_gate(command->gate) || !check_endpoint(&command->endpoint, true) ||
	    !check_endpoint(&command->inner, false) ||
	    __builtin_add_overflow(command->base_out_bytes, command->base_in_bytes, &base_bytes))
		return ABI_ACK_MALFORMED;
	if (command->inner.family != ABI_FAMILY_IPV4)
		return ABI_ACK_ADDRESS_RANGE;
	memcpy(&inner_be, command->inner.addr, sizeof(inner_be));
	inner = ntohl(inner_be);
	if ((inner & conf->tunnel_mask) != conf->tunnel_addr || inner == conf->node_addr)
		return ABI_ACK_ADDRESS_RANGE;
	// The network's own and its broadcast address name no host (RFC 1122 section 3.2.1.3).
	if (~conf->tunnel_mask > 1 &&
	    (inner == conf->tunnel_addr || inner == (conf->tunnel_addr | ~conf->tunnel_mask)))
		return ABI_ACK_ADDRESS_RANGE;
	if (memcmp(command->public_key, conf->node_public_key, sizeof(command->public_key)) == 0)
		return ABI_ACK_KEY_INVALID;
	return ABI_ACK_OK;
}

// Of a command that is no `add`: what only an `add` may fill in.
static bool check_add_fields_zero(const struct abi_command *command)
{
	return command->flags == 0 &&
		check_zero(command->public_key, sizeof(command->public_key)) &&
		check_zero(&command->inner, sizeof(command->inner)) &&
		check_zero(&command->endpoint, sizeof(command->endpoint)) &&
		command->last_authentic_unix_ns == 0 && command->base_out_bytes == 0 &&
		command->base_in_bytes == 0;
}

static bool check_limit_fields_zero(const struct abi_command *command)
{
	return command->limit_bytes == 0 && command->expires_unix_sec == 0 &&
		command->rate_out_kbps == 0 && command->rate_in_kbps == 0 &&
		command->free_rate_kbps == 0 && command->is_throttled_on_quota == 0;
}

static enum abi_ack_result check_other(const struct abi_command *command)
{
	bool is_good = check_add_fields_zero(command);

	switch ((enum abi_command_kind)command->kind) {
	case ABI_COMMAND_SET_LIMITS:
		is_good = is_good && check_limits(command) && command->gate == 0;
		break;
	case ABI_COMMAND_GATE:
		is_good = is_good && check_limit_fields_zero(command) && check_gate(command->gate);
		break;
	case ABI_COMMAND_SNAPSHOT:
	case ABI_COMMAND_STOP:
		is_good = is_good && command->slot == 0 && command->generation == 0;
		// fall through
	case ABI_COMMAND_REMOVE:
		is_good = is_good && check_limit_fields_zero(command) && command->gate == 0;
		break;
	case ABI_COMMAND_ADD:
	case ABI_N_COMMAND:
		return ABI_ACK_MALFORMED;
	}
	return is_good ? ABI_ACK_OK : ABI_ACK_MALFORMED;
}

enum abi_ack_result command_check_bounds(
	const struct abi_command *command, const struct command_check_conf *conf
)
{
	if (command->kind >= ABI_N_COMMAND ||
	    !check_zero(command->reserved, sizeof(command->reserved)))
		return ABI_ACK_MALFORMED;
	if (command_check_names_slot(command->kind)) {
		if (command->slot >= conf->n_slots)
			return ABI_ACK_SLOT_RANGE;
		if (command->generation == 0)
			return ABI_ACK_MALFORMED;
	}
	return command->kind == ABI_COMMAND_ADD ? check_add(command, conf) : check_other(command);
}

static enum command_check_verdict refuse(
	enum abi_ack_result result, enum abi_ack_result *ret_result
)
{
	*ret_result = result;
	return COMMAND_CHECK_REFUSE;
}

static enum command_check_verdict check_slot_add(
	const struct abi_command *command,
	const struct command_check_slot *slot,
	enum abi_ack_result *ret_result
)
{
	uint8_t digest[32];

	if (slot->is_removing)
		return refuse(ABI_ACK_BUSY, ret_result);
	// A generation lives once, and they rise: what is read under an older one is never another
	// session's.
	if (!slot->is_live)
		return command->generation <= slot->generation ? refuse(ABI_ACK_STALE, ret_result)
							       : COMMAND_CHECK_APPLY;
	if (command->generation != slot->generation)
		return refuse(ABI_ACK_STALE, ret_result);
	command_check_digest(command, digest);
	return memcmp(digest, slot->add_digest, sizeof(digest)) == 0
		? COMMAND_CHECK_REPEAT
		: refuse(ABI_ACK_CONFLICT, ret_result);
}

enum command_check_verdict command_check_slot(
	const struct abi_command *command,
	const struct command_check_slot *slot,
	enum abi_ack_result *ret_result
)
{
	if (command->kind == ABI_COMMAND_ADD)
		return check_slot_add(command, slot, ret_result);
	if (command->generation != slot->generation)
		return refuse(ABI_ACK_STALE, ret_result);
	if (slot->is_removing)
		return refuse(ABI_ACK_BUSY, ret_result);
	if (slot->is_live)
		return COMMAND_CHECK_APPLY;
	return command->kind == ABI_COMMAND_REMOVE ? COMMAND_CHECK_REPEAT
						   : refuse(ABI_ACK_STALE, ret_result);
}

void command_check_digest(const struct abi_command *command, uint8_t ret_digest[32])
{
	struct abi_command copy = *command;

	copy.id = 0;
	copy.last_authentic_unix_ns = 0;
	memset(&copy.endpoint, 0, sizeof(copy.endpoint));
	wg_primitives_hash(&copy, sizeof(copy), ret_digest);
}
