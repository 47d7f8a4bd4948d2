// SPDX-License-Identifier: Apache-2.0
//
// Reading the escrow's logs by ranges of blocks. The cursor remembers the hashes of blocks that it
// stood on; when one of them is no longer the chain's, it goes back to the last that is and says how
// far, before it reads on. Logs are believed when each stands in a block of the chain.

#include "evm_driver_private.h"
#include "evm_hex.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Turns logs into events. Each block is fetched once: its hash must be the log's, its time is wanted.
static int evm_driver_events_of(
	struct evm_driver *driver,
	const struct evm_driver_logs *logs,
	struct chain_step *step,
	char why[CHAIN_WHY_SIZE]
)
{
	struct evm_block block = {.number = UINT64_MAX};
	char tag[U256_HEX_SIZE];
	size_t endpoint;
	int r;

	step->n_events = 0;
	for (size_t i = 0; i < logs->n_logs; i++) {
		const struct evm_log *log = &logs->logs[i];
		struct chain_event *event = &step->events[step->n_events];

		if (log->block_number != block.number) {
			u256_format_quantity(u256_from_u64(log->block_number), tag);
			r = evm_driver_get_block(driver, tag, &block, &endpoint, why);
			if (r < 0)
				return r == -ENOENT ? -EAGAIN : r;
		}
		if (memcmp(block.hash, log->block_hash, sizeof(block.hash)) != 0) {
			snprintf(why, CHAIN_WHY_SIZE, "a log's block is not on the chain");
			return -EAGAIN;
		}
		r = evm_driver_event(log, event);
		// A purchase at another node of the same escrow is not ours.
		if (r == -ENOENT ||
		    (r == 0 && event->kind == CHAIN_EVENT_CREATED &&
		     !u256_equal(event->node_id, driver->conf.node_id)))
			continue;
		if (r < 0) {
			evm_rpc_blame(
				driver->rpc, endpoint, EVM_RPC_LOGS_WRONG, "a malformed event"
			);
			snprintf(why, CHAIN_WHY_SIZE, "a malformed event");
			return -EAGAIN;
		}
		event->block_time_sec = block.timestamp_sec;
		step->n_events++;
	}
	return 0;
}

// Drops remembered blocks that are not the chain's any more. Returns 1 when some were.
static int evm_driver_unwind(
	struct evm_driver *driver, struct chain_step *step, char why[CHAIN_WHY_SIZE]
)
{
	struct chain_cursor *cursor = &step->cursor;
	bool is_gone = false;
	int r;

	while (cursor->n_recent > 0) {
		uint32_t top = cursor->n_recent - 1;

		r = evm_driver_check_block(
			driver, cursor->recent[top].number, cursor->recent[top].hash, why
		);
		if (r < 0 && r != -ENOENT)
			return r;
		if (r == 0)
			break;
		is_gone = true;
		cursor->n_recent--;
	}
	if (!is_gone)
		return 0;
	// Deeper than what is remembered: everything is read again from where the escrow began.
	step->unwound_to = cursor->n_recent > 0	  ? cursor->recent[cursor->n_recent - 1].number
		: driver->conf.deployed_block > 0 ? driver->conf.deployed_block - 1
						  : 0;
	cursor->next_block = step->unwound_to + 1;
	if (cursor->n_recent == 0)
		cursor->next_block = driver->conf.deployed_block;
	cursor->read_time_sec = 0;
	step->is_unwound = true;
	return 1;
}

// The logs up to block to were read, when its hash was last_hash. A chain that moved meanwhile is read
// anew: what was read before must still be under what was read now, and be looked at after it, or a
// reorganisation in between would never be seen.
static int evm_driver_remember(
	struct evm_driver *driver,
	struct chain_cursor *cursor,
	uint64_t to,
	const uint8_t last_hash[CHAIN_ID_SIZE],
	char why[CHAIN_WHY_SIZE]
)
{
	char tag[U256_HEX_SIZE];
	struct evm_block block;
	size_t endpoint;
	int r;

	u256_format_quantity(u256_from_u64(to), tag);
	r = evm_driver_get_block(driver, tag, &block, &endpoint, why);
	if (r == 0 && memcmp(block.hash, last_hash, CHAIN_ID_SIZE) != 0) {
		snprintf(why, CHAIN_WHY_SIZE, "block %" PRIu64 " was replaced meanwhile", to);
		r = -EAGAIN;
	}
	if (r == 0 && cursor->n_recent > 0)
		r = evm_driver_check_block(
			driver,
			cursor->recent[cursor->n_recent - 1].number,
			cursor->recent[cursor->n_recent - 1].hash,
			why
		);
	if (r < 0)
		return r == -ENOENT ? -EAGAIN : r;
	if (cursor->n_recent == CHAIN_CURSOR_RECENT) {
		memmove(cursor->recent,
			cursor->recent + 1,
			(CHAIN_CURSOR_RECENT - 1) * sizeof(cursor->recent[0]));
		cursor->n_recent--;
	}
	cursor->recent[cursor->n_recent].number = to;
	memcpy(cursor->recent[cursor->n_recent].hash, block.hash, CHAIN_ID_SIZE);
	cursor->n_recent++;
	cursor->next_block = to + 1;
	cursor->read_time_sec = block.timestamp_sec;
	return 0;
}

static int evm_driver_read_on(
	struct evm_driver *driver,
	uint32_t confirmations,
	struct chain_step *step,
	struct evm_driver_logs logs[2],
	char why[CHAIN_WHY_SIZE]
)
{
	// Not the skips of batches: who made a batch has them in its receipt, and anybody can make thousands.
	const unsigned int kinds = ~(1u << CHAIN_EVENT_SKIPPED);
	uint64_t from = step->cursor.next_block, to, safe;
	char topics[EVM_DRIVER_TOPICS_SIZE];
	struct evm_block head;
	size_t endpoint;
	int r;

	r = evm_driver_get_block(driver, "latest", &head, &endpoint, why);
	if (r < 0)
		return r == -ENOENT ? -EIO : r;
	step->head_number = head.number;
	step->head_time_sec = head.timestamp_sec;
	// One confirmation is the block that the event stands in.
	if (head.number + 1 < confirmations)
		return 0;
	safe = head.number + 1 - (confirmations > 0 ? confirmations : 1);
	if (from < driver->conf.deployed_block)
		from = driver->conf.deployed_block;
	if (from > safe)
		return 0;
	to = safe - from < driver->range_blocks ? safe : from + driver->range_blocks - 1;
	evm_driver_format_topics(NULL, kinds, topics);
	r = evm_driver_get_logs(driver, topics, from, to, &logs[0], &logs[1], why);
	if (r == 0)
		r = evm_driver_events_of(driver, &logs[0], step, why);
	if (r == 0)
		r = evm_driver_remember(driver, &step->cursor, to, logs[0].last_hash, why);
	if (r < 0)
		return r;
	step->has_more = to < safe;
	if (driver->range_blocks < driver->conf.range_max_blocks)
		driver->range_blocks++;
	return 0;
}

int evm_driver_watch(
	void *ctx,
	const struct chain_cursor *cursor,
	uint32_t confirmations,
	struct chain_step *ret,
	char why[CHAIN_WHY_SIZE]
)
{
	struct evm_driver *driver = ctx;
	struct chain_step step = {.cursor = *cursor, .events = ret->events};
	struct evm_driver_logs logs[2] = {0};
	int r;

	r = evm_driver_unwind(driver, &step, why);
	if (r == 0) {
		logs[0].logs = calloc(CHAIN_EVENTS_MAX, sizeof(struct evm_log));
		logs[1].logs = calloc(CHAIN_EVENTS_MAX, sizeof(struct evm_log));
		if (logs[0].logs == NULL || logs[1].logs == NULL)
			r = -ENOMEM;
		else
			r = evm_driver_read_on(driver, confirmations, &step, logs, why);
		free(logs[0].logs);
		free(logs[1].logs);
	} else if (r > 0) {
		step.has_more = true;
		r = 0;
	}
	if (r == 0)
		*ret = step;
	return r;
}
