// SPDX-License-Identifier: Apache-2.0
//
// A worker's side of the mailbox: state that is handed down is taken before the packets of a round,
// answers go up after its transmit call.
#pragma once

#include "dataplane/worker.h"

#include <stdbool.h>

// Takes what the slow path handed down, a bounded number.
//
// Returns: how many messages.
unsigned worker_mail_take(struct worker *worker);

// Answers what can only be answered after the transmit call, and sends again what found the ring full.
void worker_mail_finish(struct worker *worker);

// Whether this round may receive packets: what they can cause to be sent up finds room.
bool worker_mail_has_room(const struct worker *worker);

// Tells the slow path something about a session that it may miss (a hint: the slot says it too).
void worker_mail_hint(struct worker *worker, enum mail_kind kind, uint32_t slot);

// Sends what a full ring kept back, if it can; with the session's next authentic packet.
void worker_mail_hints_flush(struct worker *worker, uint32_t slot);

// Hands keypairs back to the slow path, which frees their indices and wipes them. Never lost.
void worker_mail_retire(
	struct worker *worker, uint32_t slot, const struct wg_keypair_retired *retired
);
