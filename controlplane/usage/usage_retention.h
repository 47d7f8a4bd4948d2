// SPDX-License-Identifier: Apache-2.0
//
// Forgets what has been kept long enough (YAML section retention): audit records and checkpoints of
// sessions that have ended, are paid and need no review. A session's record, identity and total stay,
// and so does all of a live or unpaid one. Where the client was goes with the session's end already
// (usage_harvest.c). Works in bounded steps, so that the loop never waits for it. Loop's thread.
#pragma once

#include "common/clock.h"
#include "config/config.h"
#include "controlplane/store/db.h"

#include <stddef.h>
#include <stdint.h>

#define USAGE_RETENTION_STEP 256 // records looked at in one transaction
#define USAGE_RETENTION_REST_NS (3600 * NS_PER_SEC) // between two passes

struct usage_retention {
	struct db *db;
	const struct config *config;
	const struct clock *clock;
	uint64_t rest_until_mono_ns;
	uint64_t audit_from; // where the pass stands
	uint64_t session_from;
	uint64_t sequence_from;
	bool is_audit_done; // in this pass
	bool is_usage_done;
	uint64_t n_audit; // forgotten in this pass
	uint64_t n_checkpoints;
};

void usage_retention_init(
	struct usage_retention *retention,
	struct db *db,
	const struct config *config,
	const struct clock *clock
);

// One step of a pass, or nothing while it rests. In: the wall clock is believed.
//
// Returns: how many records it forgot; -errno with a sentence in err, and nothing is changed.
int usage_retention_step(struct usage_retention *retention, char *err, size_t err_len);
