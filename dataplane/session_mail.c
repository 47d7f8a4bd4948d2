// SPDX-License-Identifier: Apache-2.0
//
// See session_mail.h.
#include "dataplane/session_mail.h"

#include "common/counter.h"
#include "dataplane/slot_line.h"
#include "dataplane/slowpath.h"

#include <string.h>

#define TAKE_PER_ROUND 256 // messages of one worker

static struct abi_session_slot *slot_of(struct slowpath *sp, const struct peer *peer)
{
	return &sp->dp->segment.slots[peer_table_slot(&sp->peers, peer)];
}

bool session_mail_has_room(const struct slowpath *sp, const struct peer *peer)
{
	return peer->owner == ABI_OWNER_NONE || mail_room_down(&sp->dp->mailboxes[peer->owner]) > 0;
}

bool session_mail_send(struct slowpath *sp, const struct peer *peer, struct mail mail)
{
	if (peer->owner == ABI_OWNER_NONE)
		return false;
	mail.slot = peer_table_slot(&sp->peers, peer);
	mail.generation = peer->slot.generation;
	return mail_send_down(&sp->dp->mailboxes[peer->owner], &mail);
}

bool session_mail_adopt(struct slowpath *sp, struct peer *peer, unsigned worker)
{
	bool is_new = peer->owner == ABI_OWNER_NONE;
	unsigned owner = is_new ? worker : peer->owner;

	if (mail_room_down(&sp->dp->mailboxes[owner]) < 2) // the session and its keypair
		return false;
	if (!is_new)
		return true;
	peer->owner = (uint16_t)owner;
	slot_line_limits(slot_of(sp, peer), peer);
	return session_mail_send(
		sp,
		peer,
		(struct mail){
			.kind = MAIL_ADOPT,
			.gate = peer->gate,
			.session =
				{
					.limits = peer->limits,
					.base_bytes = peer->record.base_out_bytes +
						peer->record.base_in_bytes,
					.inner_addr_be = peer->inner_addr_be,
				},
		}
	);
}

// Shows a client's endpoint; an event if it is a new one.
static void note_endpoint(
	struct slowpath *sp, struct peer *peer, const struct mail_endpoint *endpoint
)
{
	struct peer_limits_record *record = &peer->record;

	if (record->endpoint_family == ABI_FAMILY_IPV4 &&
	    memcmp(record->endpoint_addr, &endpoint->addr_be, sizeof(endpoint->addr_be)) == 0 &&
	    record->endpoint_port_be == endpoint->port_be)
		return;
	record->endpoint_family = ABI_FAMILY_IPV4;
	memset(record->endpoint_addr, 0, sizeof(record->endpoint_addr));
	memcpy(record->endpoint_addr, &endpoint->addr_be, sizeof(endpoint->addr_be));
	record->endpoint_port_be = endpoint->port_be;
	slot_line_limits(slot_of(sp, peer), peer);
	slowpath_event(sp, ABI_EVENT_ENDPOINT, peer);
}

void session_mail_install(
	struct slowpath *sp,
	struct peer *peer,
	struct wg_keypair *keypair,
	const struct mail_endpoint *endpoint
)
{
	session_mail_send(
		sp,
		peer,
		(struct mail){
			.kind = MAIL_INSTALL,
			.install = {.keypair = keypair, .endpoint = *endpoint},
		}
	);
	note_endpoint(sp, peer, endpoint);
}

static void take_confirmed(struct slowpath *sp, struct peer *peer)
{
	counter_add(&sp->stats->handshakes_completed, 1);
	peer->record.last_handshake_unix_ns = clock_unix_ns(sp->dp->clock);
	slot_line_limits(slot_of(sp, peer), peer);
	slowpath_event(sp, ABI_EVENT_HANDSHAKE, peer);
}

static void take_gate_closed(struct slowpath *sp, struct peer *peer, uint8_t gate)
{
	if (gate != ABI_GATE_EXPIRED) {
		slowpath_event(sp, ABI_EVENT_GATE_CLOSED, peer);
	} else if (!peer->is_expired) {
		peer->is_expired = true;
		slowpath_event(sp, ABI_EVENT_EXPIRED, peer);
	}
}

static void take_about_session(struct slowpath *sp, struct peer *peer, const struct mail *mail)
{
	switch ((enum mail_kind)mail->kind) {
	case MAIL_CONFIRMED:
		take_confirmed(sp, peer);
		break;
	case MAIL_ENDPOINT:
		note_endpoint(sp, peer, &mail->endpoint);
		break;
	case MAIL_GATE_CLOSED:
		take_gate_closed(sp, peer, mail->gate);
		break;
	case MAIL_QUOTA_90:
		slowpath_event(sp, ABI_EVENT_QUOTA_90, peer);
		break;
	case MAIL_PORTS_EXHAUSTED:
		slowpath_event(sp, ABI_EVENT_PORTS_EXHAUSTED, peer);
		break;
	case MAIL_REMOVED:
		reclaim_session(sp, mail->slot);
		break;
	case MAIL_KEYPAIR_FREE:
	case MAIL_SNAPSHOT_DONE:
	case MAIL_DRAINED:
	case MAIL_ADOPT:
	case MAIL_LIMITS:
	case MAIL_GATE:
	case MAIL_INSTALL:
	case MAIL_KEEPALIVE:
	case MAIL_ERASE:
	case MAIL_REMOVE:
	case MAIL_SNAPSHOT:
	case MAIL_DRAIN:
		break; // taken by take(), or going down
	}
}

static void take(struct slowpath *sp, const struct mail *mail)
{
	struct peer *peer = &sp->peers.peers[mail->slot];

	if (mail->kind == MAIL_KEYPAIR_FREE)
		reclaim_keypair(sp, mail->keypair);
	else if (mail->kind == MAIL_SNAPSHOT_DONE)
		command_finish_snapshot(sp);
	else if (mail->kind == MAIL_DRAINED)
		sp->n_drained++;
	else if (peer->slot.generation == mail->generation && (peer->slot.is_live || mail->kind == MAIL_REMOVED))
		take_about_session(sp, peer, mail);
}

unsigned session_mail_take(struct slowpath *sp)
{
	unsigned n = 0;

	for (unsigned i = 0; i < sp->dp->n_workers; i++) {
		struct mail mail;

		for (unsigned j = 0; j < TAKE_PER_ROUND; j++) {
			if (!mail_recv_up(&sp->dp->mailboxes[i], &mail))
				break;
			take(sp, &mail);
			n++;
		}
	}
	return n;
}
