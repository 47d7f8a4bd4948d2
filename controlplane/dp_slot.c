// SPDX-License-Identifier: Apache-2.0
//
// The state machine of dp_slot.h. Pure.
#include "controlplane/dp_slot.h"

#include "common/abi_names.h"
#include "common/clock.h"

#include <string.h>

void dp_slot_set(struct dp_slot *slot, const struct session *session)
{
	bool is_same = slot->phase != DP_SLOT_EMPTY && slot->session.id == session->id &&
		slot->session.generation == session->generation;

	if (!session->has_slot) {
		if (is_same)
			*slot = (struct dp_slot){0};
		return;
	}
	if (!is_same)
		*slot = (struct dp_slot){.phase = DP_SLOT_UNBOUND};
	slot->session = *session;
	slot->retry_mono_ns = 0;
}

void dp_slot_reset(struct dp_slot *slot)
{
	if (slot->phase == DP_SLOT_EMPTY)
		return;
	const struct session session = slot->session;

	*slot = (struct dp_slot){.phase = DP_SLOT_UNBOUND, .session = session};
}

void dp_slot_found(struct dp_slot *slot)
{
	slot->phase = DP_SLOT_ADDED;
	slot->sent.id = 0;
	slot->in_force.id = 0;
}

bool dp_slot_is_wanted(const struct dp_slot *slot)
{
	const enum session_state state = slot->session.state;

	return !slot->session.is_key_replaced &&
		(state == SESSION_PROVISIONED || state == SESSION_ACTIVE ||
		 state == SESSION_SUSPENDED);
}

static void fill_limits(struct abi_command *command, const struct session *session)
{
	command->slot = session->slot;
	command->generation = session->generation;
	command->limit_bytes = session_limit_bytes(session);
	command->expires_unix_sec = session->expires_unix_sec;
	command->rate_out_kbps = session->rate_out_kbps;
	command->rate_in_kbps = session->rate_in_kbps;
	command->free_rate_kbps = session->free_rate_kbps;
	// At the credit the gate closes in any case: it waits for a voucher, nothing is given away.
	command->is_throttled_on_quota =
		session->is_throttled_on_quota && command->limit_bytes == session->quota_bytes;
	command->gate = session->state == SESSION_SUSPENDED ? ABI_GATE_CLOSED : ABI_GATE_OPEN;
}

static bool has_other_limits(const struct abi_command *a, const struct abi_command *b)
{
	return a->limit_bytes != b->limit_bytes || a->expires_unix_sec != b->expires_unix_sec ||
		a->rate_out_kbps != b->rate_out_kbps || a->rate_in_kbps != b->rate_in_kbps ||
		a->free_rate_kbps != b->free_rate_kbps ||
		a->is_throttled_on_quota != b->is_throttled_on_quota;
}

// Only the fields that the kind has: a repeat must be equal to the byte.
static struct abi_command of_kind(const struct abi_command *all, enum abi_command_kind kind)
{
	struct abi_command command = {
		.kind = kind,
		.slot = all->slot,
		.generation = all->generation,
	};

	if (kind == ABI_COMMAND_GATE || kind == ABI_COMMAND_ADD)
		command.gate = all->gate;
	if (kind == ABI_COMMAND_SET_LIMITS || kind == ABI_COMMAND_ADD) {
		command.limit_bytes = all->limit_bytes;
		command.expires_unix_sec = all->expires_unix_sec;
		command.rate_out_kbps = all->rate_out_kbps;
		command.rate_in_kbps = all->rate_in_kbps;
		command.free_rate_kbps = all->free_rate_kbps;
		command.is_throttled_on_quota = all->is_throttled_on_quota;
	}
	return command;
}

static bool next_of_added(
	const struct dp_slot *slot, const struct abi_command *want, struct abi_command *command
)
{
	if (!dp_slot_is_wanted(slot)) {
		*command = of_kind(want, ABI_COMMAND_REMOVE);
		return true;
	}
	if (slot->in_force.id == 0 || has_other_limits(&slot->in_force, want)) {
		*command = of_kind(want, ABI_COMMAND_SET_LIMITS);
		return true;
	}
	if (slot->in_force.gate != want->gate) {
		*command = of_kind(want, ABI_COMMAND_GATE);
		return true;
	}
	return false;
}

// The command that would bring the data plane nearer to the store, sent or not.
static bool wanted_command(const struct dp_slot *slot, struct abi_command *command)
{
	struct abi_command want = {0};

	fill_limits(&want, &slot->session);
	switch (slot->phase) {
	case DP_SLOT_BOUND:
		// An `add` from before may still be on its way, also from before a restart: what
		// follows it in the ring undoes it.
		if (!dp_slot_is_wanted(slot)) {
			*command = of_kind(&want, ABI_COMMAND_REMOVE);
			return true;
		}
		*command = of_kind(&want, ABI_COMMAND_ADD);
		command->flags = slot->session.has_psk ? ABI_ADD_HAS_PSK : 0;
		command->inner = slot->session.inner;
		memcpy(command->public_key, slot->session.public_key, 32);
		return true;
	case DP_SLOT_ADDED:
		return next_of_added(slot, &want, command);
	case DP_SLOT_EMPTY:
	case DP_SLOT_UNBOUND:
	case DP_SLOT_REMOVED:
		return false;
	}
	return false;
}

bool dp_slot_next(const struct dp_slot *slot, uint64_t now_mono_ns, struct abi_command *command)
{
	struct abi_command wanted;

	if (!wanted_command(slot, &wanted) || now_mono_ns < slot->retry_mono_ns)
		return false;
	if (slot->sent.id != 0 && now_mono_ns - slot->sent_mono_ns < DP_SLOT_ACK_TIMEOUT_NS)
		return false;
	*command = wanted;
	return true;
}

void dp_slot_sent(struct dp_slot *slot, const struct abi_command *command, uint64_t now_mono_ns)
{
	slot->sent = *command;
	slot->sent_mono_ns = now_mono_ns;
}

static void accept(struct dp_slot *slot, const struct abi_command *sent)
{
	switch ((enum abi_command_kind)sent->kind) {
	case ABI_COMMAND_ADD:
		slot->phase = DP_SLOT_ADDED;
		slot->in_force = *sent;
		break;
	case ABI_COMMAND_SET_LIMITS: {
		uint8_t gate = slot->in_force.gate;
		bool was_known = slot->in_force.id != 0;
		slot->in_force = *sent;
		// After a reattach the gate is unknown: one that no session has makes it be sent.
		slot->in_force.gate = was_known ? gate : ABI_N_GATE;
		break;
	}
	case ABI_COMMAND_GATE:
		slot->in_force.gate = sent->gate;
		break;
	case ABI_COMMAND_REMOVE:
		slot->phase = DP_SLOT_REMOVED;
		break;
	case ABI_COMMAND_SNAPSHOT:
	case ABI_COMMAND_STOP:
	case ABI_N_COMMAND:
		break;
	}
}

enum dp_slot_verdict dp_slot_ack(
	struct dp_slot *slot, const struct abi_ack *ack, uint64_t now_mono_ns
)
{
	if (slot->sent.id == 0 || ack->id != slot->sent.id || ack->kind != slot->sent.kind ||
	    ack->generation != slot->sent.generation)
		return DP_SLOT_IGNORED;
	const struct abi_command sent = slot->sent;

	slot->sent.id = 0;
	switch (ack->result) {
	case ABI_ACK_OK:
		slot->is_refused = false;
		slot->retry_mono_ns = 0;
		accept(slot, &sent);
		return DP_SLOT_ACCEPTED;
	case ABI_ACK_BUSY:
		slot->retry_mono_ns = now_mono_ns + DP_SLOT_BUSY_RETRY_NS;
		return DP_SLOT_IGNORED;
	case ABI_ACK_CONFLICT:
		// An `add` of our own from before a restart, with older limits: it is there.
		if (sent.kind == ABI_COMMAND_ADD && ack->slot_generation == sent.generation) {
			dp_slot_found(slot);
			return DP_SLOT_ACCEPTED;
		}
		break;
	case ABI_ACK_STALE:
		// An `add` below what the slot has had: the store is an older copy.
		if (sent.kind != ABI_COMMAND_ADD ||
		    (ack->slot_generation >= sent.generation && ack->slot_generation != UINT32_MAX))
			return DP_SLOT_LOST;
		break;
	default: // a refusal by name, or a result that a later release knows
		break;
	}
	slot->is_refused = true;
	slot->retry_mono_ns = now_mono_ns + DP_SLOT_REFUSED_RETRY_NS;
	return DP_SLOT_REFUSED;
}

bool dp_slot_is_waiting(const struct dp_slot *slot)
{
	struct abi_command command;

	return slot->phase != DP_SLOT_EMPTY &&
		(slot->sent.id != 0 || wanted_command(slot, &command));
}
