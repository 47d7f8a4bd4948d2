// SPDX-License-Identifier: Apache-2.0
//
// Takes commands from the hostile ring, checks them (command_check), does them, and acknowledges them.
// An acknowledgement that finds its ring full is kept; no command is taken meanwhile, so a control plane
// that does not read its answers holds up only itself. Slow path only.
#pragma once

#include "common/abi_control.h"
#include "dataplane/command_check.h"

#include <stdbool.h>
#include <stdint.h>

struct slowpath;

#define COMMAND_ACKS_HELD 256

struct command {
	struct command_check_conf conf;
	struct abi_ack held[COMMAND_ACKS_HELD]; // found the ring full
	unsigned n_held;
	uint64_t snapshot_id;
	unsigned n_snapshot; // workers that have not answered yet; 0 = none is under way
	uint64_t stop_id;
	bool is_stop_asked;
	char detail[512]; // of the refusal at hand, where there is more to say than its name
	uint64_t logged_ns; // last refusal that was logged
	unsigned n_unlogged; // refusals since: a control plane gone wild must not fill the disk
};

void command_init(struct command *command, const struct command_check_conf *conf);

// Takes and does a bounded number of commands.
//
// Returns: how many.
unsigned command_poll(struct slowpath *sp);

// A removed session's grace period is over: the slot is free, `remove` is acknowledged.
void command_finish_remove(struct slowpath *sp, uint32_t slot);

// A worker has counted all that it transmitted before.
void command_finish_snapshot(struct slowpath *sp);

// The drain is over: acknowledges `stop`, if one asked for it.
void command_finish_stop(struct slowpath *sp);
