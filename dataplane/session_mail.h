// SPDX-License-Identifier: Apache-2.0
//
// What passes between the slow path and the owner of a session: mail down that changes it, mail up that
// tells of it. The first handshake chooses the owner; until then the slow path is the owner. Slow path
// only.
#pragma once

#include "dataplane/peer_table.h"

#include <stdbool.h>

struct slowpath;
struct wg_keypair;

// Makes sure that the session has an owner (`worker`, if it has none yet) and that its ring has room
// for a keypair.
//
// Returns: false when the ring is full; nothing has happened then.
bool session_mail_adopt(struct slowpath *sp, struct peer *peer, unsigned worker);

// Hands a finished keypair to the owner. In: session_mail_adopt() returned true just before.
void session_mail_install(
	struct slowpath *sp,
	struct peer *peer,
	struct wg_keypair *keypair,
	const struct mail_endpoint *endpoint
);

// Returns: true when the session's owner can be sent one message now, or it has no owner.
bool session_mail_has_room(const struct slowpath *sp, const struct peer *peer);

// One message about the session to its owner, generation and slot filled in.
//
// Returns: false when it has no owner or the ring is full.
bool session_mail_send(struct slowpath *sp, const struct peer *peer, struct mail mail);

// Takes what the workers tell, a bounded number of messages.
//
// Returns: how many.
unsigned session_mail_take(struct slowpath *sp);
