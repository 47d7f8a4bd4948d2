// SPDX-License-Identifier: Apache-2.0
//
// See command.h.
#include "dataplane/command.h"

#include "common/counter.h"
#include "common/log.h"
#include "dataplane/key_file.h"
#include "dataplane/session_mail.h"
#include "dataplane/slot_line.h"
#include "dataplane/slowpath.h"
#include "dataplane/wg/wg_primitives.h"

#include <inttypes.h>
#include <string.h>

#define COMMANDS_PER_ROUND 64
#define LOG_INTERVAL_NS NS_PER_SEC // between two refusals that are logged

void command_init(struct command *command, const struct command_check_conf *conf)
{
	memset(command, 0, sizeof(*command));
	command->conf = *conf;
}

static void acknowledge(struct slowpath *sp, const struct abi_ack *ack)
{
	struct command *command = &sp->command;

	if (ack->result != ABI_ACK_OK)
		counter_add(&sp->dp->segment.header->commands_refused, 1);
	if (command->n_held == 0 && shm_ring_push(&sp->dp->segment.acks, ack) == 0)
		return;
	// Beyond that nobody waits: a control plane that comes back reads the slots.
	if (command->n_held < COMMAND_ACKS_HELD)
		command->held[command->n_held++] = *ack;
}

static void flush_held(struct slowpath *sp)
{
	struct command *command = &sp->command;
	unsigned n = 0;

	while (n < command->n_held && shm_ring_push(&sp->dp->segment.acks, &command->held[n]) == 0)
		n++;
	command->n_held -= n;
	memmove(command->held, command->held + n, command->n_held * sizeof(command->held[0]));
}

// The control plane thinks in wall time; a clock that is set later moves no expiry.
static uint64_t expiry_to_mono(const struct slowpath *sp, uint64_t expires_unix_sec)
{
	uint64_t unix_ns = clock_unix_ns(sp->dp->clock);
	uint64_t expires_ns = expires_unix_sec * NS_PER_SEC; // 32 bits of seconds: no overflow

	if (expires_unix_sec == 0)
		return UINT64_MAX;
	return expires_ns <= unix_ns ? sp->now_ns : sp->now_ns + (expires_ns - unix_ns);
}

static void set_limits(struct slowpath *sp, struct peer *peer, const struct abi_command *command)
{
	peer->limits = (struct mail_limits){
		.limit_bytes = command->limit_bytes,
		.expires_ns = expiry_to_mono(sp, command->expires_unix_sec),
		.rate_out_kbps = command->rate_out_kbps,
		.rate_in_kbps = command->rate_in_kbps,
		.free_rate_kbps = command->free_rate_kbps,
		.is_throttled_on_quota = command->is_throttled_on_quota,
	};
	peer->record.limit_bytes = command->limit_bytes;
	peer->record.expires_unix_sec = (uint32_t)command->expires_unix_sec;
	if (sp->now_ns < peer->limits.expires_ns)
		peer->is_expired = false;
}

static enum abi_ack_result load_psk(
	struct slowpath *sp, const struct abi_command *command, const uint8_t **ret_psk
)
{
	*ret_psk = NULL;
	if (!(command->flags & ABI_ADD_HAS_PSK))
		return ABI_ACK_OK;
	if (key_file_load_psk(
		    sp->dp->config->wireguard.psk_dir,
		    command->public_key,
		    sp->psk,
		    sp->command.detail,
		    sizeof(sp->command.detail)
	    ) < 0)
		return ABI_ACK_PSK_FILE;
	*ret_psk = sp->psk;
	return ABI_ACK_OK;
}

static enum abi_ack_result apply_add(struct slowpath *sp, const struct abi_command *command)
{
	struct peer *peer = &sp->peers.peers[command->slot];
	enum abi_ack_result result;
	const uint8_t *psk;
	uint32_t inner_be;

	memcpy(&inner_be, command->inner.addr, sizeof(inner_be));
	if (peer_table_lookup_key(&sp->peers, command->public_key) != NULL)
		return ABI_ACK_KEY_IN_USE;
	if (peer_table_lookup_addr(&sp->peers, inner_be) != NULL)
		return ABI_ACK_ADDRESS_IN_USE;
	result = load_psk(sp, command, &psk);
	if (result == ABI_ACK_OK && peer_table_insert(&sp->peers, command, sp->local, psk) < 0)
		result = ABI_ACK_KEY_INVALID;
	wg_primitives_zero(sp->psk, WG_KEY_BYTES);
	if (result != ABI_ACK_OK)
		return result;
	set_limits(sp, peer, command);
	peer->record.base_out_bytes = command->base_out_bytes;
	peer->record.base_in_bytes = command->base_in_bytes;
	memcpy(peer->record.endpoint_addr, command->endpoint.addr, sizeof(command->endpoint.addr));
	peer->record.endpoint_port_be = command->endpoint.port_be;
	peer->record.endpoint_family = command->endpoint.family;
	slot_line_allot(
		&sp->dp->segment.slots[command->slot], peer, command->last_authentic_unix_ns
	);
	return ABI_ACK_OK;
}

static void show_change(struct slowpath *sp, const struct peer *peer)
{
	struct abi_session_slot *slot = &sp->dp->segment.slots[peer_table_slot(&sp->peers, peer)];

	slot_line_limits(slot, peer);
	if (peer->owner == ABI_OWNER_NONE)
		slot_line_unowned(slot, peer);
}

static void apply_set_limits(
	struct slowpath *sp, struct peer *peer, const struct abi_command *command
)
{
	set_limits(sp, peer, command);
	session_mail_send(sp, peer, (struct mail){.kind = MAIL_LIMITS, .limits = peer->limits});
	show_change(sp, peer);
}

static void apply_gate(struct slowpath *sp, struct peer *peer, uint8_t gate)
{
	peer->gate = gate;
	session_mail_send(sp, peer, (struct mail){.kind = MAIL_GATE, .gate = gate});
	show_change(sp, peer);
}

// Two phases: no handshake finds the session from here on; the owner gives it up, and after a grace
// period it is acknowledged. A session that no worker ever owned ends at once.
//
// Returns: true when it has ended.
static bool apply_remove(struct slowpath *sp, struct peer *peer, uint64_t id)
{
	peer_table_unlink(&sp->peers, peer);
	peer->remove_id = id;
	if (session_mail_send(sp, peer, (struct mail){.kind = MAIL_REMOVE}))
		return false;
	slot_line_removed(&sp->dp->segment.slots[peer_table_slot(&sp->peers, peer)], peer);
	peer_table_remove(&sp->peers, peer);
	return true;
}

void command_finish_remove(struct slowpath *sp, uint32_t slot)
{
	struct peer *peer = &sp->peers.peers[slot];
	const struct abi_ack ack = {
		.id = peer->remove_id,
		.kind = ABI_COMMAND_REMOVE,
		.slot = slot,
		.generation = peer->slot.generation,
		.result = ABI_ACK_OK,
		.slot_generation = peer->slot.generation,
	};

	peer->owner = ABI_OWNER_NONE;
	slot_line_removed(&sp->dp->segment.slots[slot], peer);
	peer_table_remove(&sp->peers, peer);
	acknowledge(sp, &ack);
}

static enum abi_ack_result apply_snapshot(struct slowpath *sp, uint64_t id)
{
	struct dp *dp = sp->dp;

	if (sp->command.n_snapshot != 0)
		return ABI_ACK_BUSY;
	for (unsigned i = 0; i < dp->n_workers; i++)
		if (mail_room_down(&dp->mailboxes[i]) == 0)
			return ABI_ACK_BUSY;
	for (unsigned i = 0; i < dp->n_workers; i++)
		mail_send_down(&dp->mailboxes[i], &(struct mail){.kind = MAIL_SNAPSHOT});
	sp->command.snapshot_id = id;
	sp->command.n_snapshot = dp->n_workers;
	counter_set(&dp->segment.header->is_snapshot_pending, 1);
	return ABI_ACK_OK;
}

void command_finish_snapshot(struct slowpath *sp)
{
	if (sp->command.n_snapshot == 0 || --sp->command.n_snapshot != 0)
		return;
	counter_set(&sp->dp->segment.header->is_snapshot_pending, 0);
	acknowledge(
		sp,
		&(struct abi_ack){
			.id = sp->command.snapshot_id,
			.kind = ABI_COMMAND_SNAPSHOT,
			.result = ABI_ACK_OK,
		}
	);
}

void command_finish_stop(struct slowpath *sp)
{
	if (!sp->command.is_stop_asked)
		return;
	acknowledge(
		sp,
		&(struct abi_ack){
			.id = sp->command.stop_id,
			.kind = ABI_COMMAND_STOP,
			.result = ABI_ACK_OK,
		}
	);
}

// Returns: true when the command is done and ret_result says how; false when it is acknowledged later.
static bool apply(
	struct slowpath *sp, const struct abi_command *command, enum abi_ack_result *ret_result
)
{
	struct peer *peer = &sp->peers.peers[command->slot];

	*ret_result = ABI_ACK_OK;
	switch ((enum abi_command_kind)command->kind) {
	case ABI_COMMAND_ADD:
		*ret_result = apply_add(sp, command);
		break;
	case ABI_COMMAND_SET_LIMITS:
		apply_set_limits(sp, peer, command);
		break;
	case ABI_COMMAND_GATE:
		apply_gate(sp, peer, command->gate);
		break;
	case ABI_COMMAND_REMOVE:
		return apply_remove(sp, peer, command->id);
	case ABI_COMMAND_SNAPSHOT:
		*ret_result = apply_snapshot(sp, command->id);
		return *ret_result != ABI_ACK_OK;
	case ABI_COMMAND_STOP:
		sp->command.stop_id = command->id;
		sp->command.is_stop_asked = true;
		return false;
	case ABI_N_COMMAND:
		*ret_result = ABI_ACK_MALFORMED;
		break;
	}
	return true;
}

static bool handle(
	struct slowpath *sp, const struct abi_command *command, enum abi_ack_result *ret_result
)
{
	const struct peer *peer;

	*ret_result = command_check_bounds(command, &sp->command.conf);
	if (*ret_result != ABI_ACK_OK)
		return true;
	if (!command_check_names_slot(command->kind))
		return apply(sp, command, ret_result);
	peer = &sp->peers.peers[command->slot];
	switch (command_check_slot(command, &peer->slot, ret_result)) {
	case COMMAND_CHECK_REFUSE:
		return true;
	case COMMAND_CHECK_REPEAT:
		*ret_result = ABI_ACK_OK;
		return true;
	case COMMAND_CHECK_APPLY:
		break;
	}
	if (!session_mail_has_room(sp, peer)) {
		*ret_result = ABI_ACK_BUSY;
		return true;
	}
	return apply(sp, command, ret_result);
}

static void log_refusal(
	struct slowpath *sp, const struct abi_command *command, enum abi_ack_result result
)
{
	struct command *self = &sp->command;

	if (self->logged_ns != 0 && sp->now_ns - self->logged_ns < LOG_INTERVAL_NS) {
		self->n_unlogged++;
		return;
	}
	log_info(
		"command",
		"%s for slot %u generation %u (command %" PRIu64
		") refused: %s; %u others refused before it were not logged",
		abi_command_name(command->kind),
		command->slot,
		command->generation,
		command->id,
		self->detail[0] == '\0' ? abi_ack_help(result) : self->detail,
		self->n_unlogged
	);
	self->logged_ns = sp->now_ns;
	self->n_unlogged = 0;
}

static void take(struct slowpath *sp, const struct abi_command *command)
{
	bool has_slot = command->slot < sp->peers.n_slots;
	enum abi_ack_result result;

	sp->command.detail[0] = '\0';
	if (!handle(sp, command, &result))
		return;
	acknowledge(
		sp,
		&(struct abi_ack){
			.id = command->id,
			.kind = command->kind,
			.slot = command->slot,
			.generation = command->generation,
			.result = result,
			.slot_generation =
				has_slot ? sp->peers.peers[command->slot].slot.generation : 0,
		}
	);
	if (result != ABI_ACK_OK)
		log_refusal(sp, command, result);
}

unsigned command_poll(struct slowpath *sp)
{
	struct abi_command command;
	unsigned n = 0;

	flush_held(sp);
	while (n < COMMANDS_PER_ROUND && sp->command.n_held == 0 && sp->phase == SLOWPATH_RUNNING &&
	       !sp->command.is_stop_asked &&
	       shm_ring_pop(&sp->dp->segment.commands, &command) == 1) {
		take(sp, &command);
		n++;
	}
	return n;
}
