// SPDX-License-Identifier: Apache-2.0
//
// The parts of a data plane, each with its start and its stop. main() has the table that says in which
// order; nothing here calls the next. A start that fails leaves nothing of itself behind and a sentence
// in err that names the thing, the value and the way out. Main lcore only.
#pragma once

#include "config/config.h"
#include "dataplane/dp.h"
#include "dataplane/secret_arena.h"
#include "dataplane/slowpath.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bringup {
	struct config config; // loaded by main() before the first start
	struct dp dp;
	struct clock clock;
	struct secret_arena arena;
	uint8_t *private_key; // in the arena
	uint8_t public_key[WG_KEY_BYTES];
	void *index_memory;
	struct slowpath slowpath;
	bool is_started; // main() sets it: all parts run
	bool is_drained; // main() sets it: the counters are final
};

// Refuses a second instance before it takes memory or ports from the first; nothing to stop.
int bringup_instance_start(struct bringup *bringup, char *err, size_t err_len);

// Locked memory, and the node's private key in it.
int bringup_secrets_start(struct bringup *bringup, char *err, size_t err_len);
void bringup_secrets_stop(struct bringup *bringup);

// DPDK, and the clock that workers and slow path share.
int bringup_eal_start(struct bringup *bringup, char *err, size_t err_len);
void bringup_eal_stop(struct bringup *bringup);

// The segment in shared memory, and the lock that makes this the only instance.
int bringup_segment_start(struct bringup *bringup, char *err, size_t err_len);
void bringup_segment_stop(struct bringup *bringup);

// Packet buffers.
int bringup_pool_start(struct bringup *bringup, char *err, size_t err_len);
void bringup_pool_stop(struct bringup *bringup);

int bringup_ports_start(struct bringup *bringup, char *err, size_t err_len);
void bringup_ports_stop(struct bringup *bringup);

// Where buyers may not go; nothing to stop.
int bringup_martians_start(struct bringup *bringup, char *err, size_t err_len);

// Receiver indices, sessions, the grace periods' state.
int bringup_tables_start(struct bringup *bringup, char *err, size_t err_len);
void bringup_tables_stop(struct bringup *bringup);

int bringup_mailboxes_start(struct bringup *bringup, char *err, size_t err_len);
void bringup_mailboxes_stop(struct bringup *bringup);

int bringup_slowpath_start(struct bringup *bringup, char *err, size_t err_len);
void bringup_slowpath_stop(struct bringup *bringup);

// Builds and launches the workers; stop ends and joins them.
int bringup_workers_start(struct bringup *bringup, char *err, size_t err_len);
void bringup_workers_stop(struct bringup *bringup);
