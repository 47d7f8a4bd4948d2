// SPDX-License-Identifier: Apache-2.0
//
// A whole node but for its program and its NICs: the worker rig with the real slow path behind the real
// mailbox and a real segment in a folder of its own. The caller says which thread polls which half, and
// plays the control plane through the command ring.
#pragma once

#include "common/abi_attach.h"
#include "dataplane/slowpath.h"
#include "tests/rig/worker_rig.h"

struct node_rig {
	struct worker_rig *worker_rig;
	struct slowpath sp;
	struct secret_arena arena;
	struct abi_attach control; // the control plane's side
	uint8_t public_key[32];
	struct abi_session_slot *own_slots; // the worker rig's, out of use
	struct abi_thread_stats *own_threads;
	uint64_t last_command_id;
	char dir[64];
};

// Builds the node. time_factor > 1 lets its clocks, monotonic and wall, run that much faster than the
// machine's, so that a test sees many seconds of protocol in one of its own. Exits on failure.
struct node_rig *node_rig_create(unsigned time_factor, void (*adjust)(struct config *));
void node_rig_destroy(struct node_rig *rig);

// Sends a command (its id is set here) as the control plane would. Exits when the ring is full.
void node_rig_command(struct node_rig *rig, struct abi_command command);

// Takes the next acknowledgement. Returns: false when there is none.
bool node_rig_ack(struct node_rig *rig, struct abi_ack *ret);

// Receive + originate = transmit + drops + consumed over both threads, once nothing is held.
bool node_rig_check_conservation(const struct node_rig *rig);
