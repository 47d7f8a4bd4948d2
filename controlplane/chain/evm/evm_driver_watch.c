// SPDX-License-Identifier: Apache-2.0
//
// Reading the escrow's logs by ranges of blocks. The cursor remembers the hashes of blocks that it
// stood on; when one of them is no longer the chain's, it goes back to the last that is and says how
// far, before it reads on. Logs are believed when each stands in a block of the chain, in order, and
// a second endpoint (where there is one) shows the same list.

#include "evm_driver_private.h"
#include "evm_hex.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct evm_driver_logs {
	struct evm_log *logs; // CHAIN_EVENTS_MAX
	size_t n_logs;
	uint8_t digest[EVM_KECCAK_SIZE]; // of what and where, for comparing two endpoints
};

static void evm_driver_absorb(struct evm_keccak *k, const struct evm_log *log)
{
	evm_keccak_update(k, log->block_hash, sizeof(log->block_hash));
	evm_keccak_update(k, &log->log_index, sizeof(log->log_index));
	evm_keccak_update(k, log->topics, log->n_topics * sizeof(log->topics[0]));
	evm_keccak_update(k, log->data, log->data_len);
}

// What is wrong with the list as an answer to the range; NULL when nothing is. -EFBIG: too many.
static const char *evm_driver_parse_logs(
	const struct evm_driver *driver,
	const struct json_value *list,
	uint64_t from,
	uint64_t to,
	struct evm_driver_logs *ret
)
{
	const struct evm_log *last = NULL;
	struct evm_keccak k;

	evm_keccak_init(&k);
	ret->n_logs = 0;
	if (!json_is_array(list))
		return "no list";
	for (const struct json_value *v = json_first(list); v != NULL; v = json_next(v)) {
		struct evm_log *log = &ret->logs[ret->n_logs];

		if (ret->n_logs == CHAIN_EVENTS_MAX)
			return "more logs than fit";
		if (evm_reply_log(v, log) < 0)
			return "a malformed log";
		if (log->is_removed)
			return "a removed log";
		if (memcmp(log->address, driver->conf.escrow, EVM_ADDRESS_SIZE) != 0)
			return "a log of another contract";
		if (log->block_number < from || log->block_number > to)
			return "a log outside the range";
		if (last != NULL &&
		    (log->block_number < last->block_number ||
		     (log->block_number == last->block_number && log->log_index <= last->log_index)
		    ))
			return "logs out of order or twice";
		evm_driver_absorb(&k, log);
		last = log;
		ret->n_logs++;
	}
	evm_keccak_final(&k, ret->digest);
	return NULL;
}

static void evm_driver_format_filter(
	const struct evm_driver *driver, uint64_t from, uint64_t to, char *params, size_t cap
)
{
	char address[EVM_ADDRESS_TEXT_SIZE], from_tag[U256_HEX_SIZE], to_tag[U256_HEX_SIZE];

	evm_address_format(driver->conf.escrow, address);
	u256_format_quantity(u256_from_u64(from), from_tag);
	u256_format_quantity(u256_from_u64(to), to_tag);
	snprintf(
		params,
		cap,
		"[{\"address\":\"%s\",\"fromBlock\":\"%s\",\"toBlock\":\"%s\"}]",
		address,
		from_tag,
		to_tag
	);
}

// A range that is too large for the endpoint or for us is halved for the next request.
static int evm_driver_halve_range(struct evm_driver *driver, char why[CHAIN_WHY_SIZE])
{
	if (driver->range_blocks > 1)
		driver->range_blocks /= 2;
	snprintf(
		why, CHAIN_WHY_SIZE, "the range is too large, now %u blocks", driver->range_blocks
	);
	return -EAGAIN;
}

static int evm_driver_compare_logs(
	struct evm_driver *driver,
	size_t first,
	const char *params,
	uint64_t from,
	uint64_t to,
	const struct evm_driver_logs *said,
	struct evm_driver_logs *scratch,
	char why[CHAIN_WHY_SIZE]
)
{
	struct evm_rpc_call call = {.method = "eth_getLogs", .params = params};
	int second = evm_rpc_other(driver->rpc, first), r;
	const char *wrong;

	if (second < 0)
		return 0;
	r = evm_rpc_ask_at(driver->rpc, (size_t)second, &call, why);
	if (r == -EIO || r == -EREMOTEIO) {
		evm_rpc_call_fini(&call);
		return 0; // no second opinion to be had
	}
	if (r < 0)
		return r;
	wrong = evm_driver_parse_logs(driver, call.result, from, to, scratch);
	evm_rpc_call_fini(&call);
	if (wrong == NULL && memcmp(scratch->digest, said->digest, sizeof(said->digest)) == 0)
		return 0;
	if (wrong == NULL)
		evm_driver_blame_both(driver, first, (size_t)second, "about the logs of blocks");
	else
		evm_rpc_blame(
			driver->rpc,
			(size_t)second,
			EVM_RPC_LOGS_WRONG,
			"logs of blocks %" PRIu64 " to %" PRIu64 ": %s",
			from,
			to,
			wrong
		);
	snprintf(
		why,
		CHAIN_WHY_SIZE,
		"endpoints disagree about the logs of blocks %" PRIu64 " to %" PRIu64,
		from,
		to
	);
	return -EAGAIN;
}

static int evm_driver_get_logs(
	struct evm_driver *driver,
	uint64_t from,
	uint64_t to,
	struct evm_driver_logs *ret,
	struct evm_driver_logs *scratch,
	char why[CHAIN_WHY_SIZE]
)
{
	char params[256];
	struct evm_rpc_call call = {.method = "eth_getLogs", .params = params};
	const char *wrong;
	size_t endpoint;
	int r;

	evm_driver_format_filter(driver, from, to, params, sizeof(params));
	r = evm_rpc_ask(driver->rpc, &call, &endpoint, why);
	if (r == -EREMOTEIO && to > from) {
		evm_rpc_call_fini(&call);
		return evm_driver_halve_range(driver, why);
	}
	if (r < 0) {
		evm_rpc_call_fini(&call);
		return r == -EREMOTEIO ? -EIO : r;
	}
	wrong = evm_driver_parse_logs(driver, call.result, from, to, ret);
	evm_rpc_call_fini(&call);
	if (wrong != NULL && ret->n_logs == CHAIN_EVENTS_MAX && to > from)
		return evm_driver_halve_range(driver, why);
	if (wrong != NULL) {
		evm_rpc_blame(
			driver->rpc,
			endpoint,
			EVM_RPC_LOGS_WRONG,
			"blocks %" PRIu64 " to %" PRIu64 ": %s",
			from,
			to,
			wrong
		);
		snprintf(why, CHAIN_WHY_SIZE, "an endpoint shows %s", wrong);
		return -EAGAIN;
	}
	return evm_driver_compare_logs(driver, endpoint, params, from, to, ret, scratch, why);
}

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
	char tag[U256_HEX_SIZE];
	struct evm_block block;
	bool is_gone = false;
	size_t endpoint;
	int r;

	while (cursor->n_recent > 0) {
		uint32_t top = cursor->n_recent - 1;

		u256_format_quantity(u256_from_u64(cursor->recent[top].number), tag);
		r = evm_driver_get_block(driver, tag, &block, &endpoint, why);
		if (r < 0 && r != -ENOENT)
			return r;
		if (r == 0 && memcmp(block.hash, cursor->recent[top].hash, 32) == 0)
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

static int evm_driver_remember(
	struct evm_driver *driver,
	struct chain_cursor *cursor,
	uint64_t to,
	char why[CHAIN_WHY_SIZE]
)
{
	char tag[U256_HEX_SIZE];
	struct evm_block block;
	size_t endpoint;
	int r;

	u256_format_quantity(u256_from_u64(to), tag);
	r = evm_driver_get_block(driver, tag, &block, &endpoint, why);
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
	uint64_t from = step->cursor.next_block, to, safe;
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
	r = evm_driver_get_logs(driver, from, to, &logs[0], &logs[1], why);
	if (r == 0)
		r = evm_driver_events_of(driver, &logs[0], step, why);
	if (r == 0)
		r = evm_driver_remember(driver, &step->cursor, to, why);
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

static void evm_driver_format_settled_filter(
	const struct evm_driver *driver,
	const uint8_t session_id[CHAIN_ID_SIZE],
	uint64_t from,
	uint64_t to,
	char *params,
	size_t cap
)
{
	char address[EVM_ADDRESS_TEXT_SIZE], from_tag[U256_HEX_SIZE], to_tag[U256_HEX_SIZE];
	char topic_hex[EVM_HEX_SIZE(32)], id_hex[EVM_HEX_SIZE(32)];
	uint8_t topic[32];

	evm_escrow_topic(EVM_ESCROW_SETTLED, topic);
	evm_hex_format(topic, 32, topic_hex);
	evm_hex_format(session_id, 32, id_hex);
	evm_address_format(driver->conf.escrow, address);
	u256_format_quantity(u256_from_u64(from), from_tag);
	u256_format_quantity(u256_from_u64(to), to_tag);
	snprintf(
		params,
		cap,
		"[{\"address\":\"%s\",\"fromBlock\":\"%s\",\"toBlock\":\"%s\","
		"\"topics\":[\"%s\",\"%s\"]}]",
		address,
		from_tag,
		to_tag,
		topic_hex,
		id_hex
	);
}

// One range. -ENOENT: not in it; -EREMOTEIO: the endpoint refuses the range.
static int evm_driver_find_settled_in(
	struct evm_driver *driver,
	const uint8_t session_id[CHAIN_ID_SIZE],
	uint64_t from,
	uint64_t to,
	struct evm_driver_logs *logs,
	struct chain_event *ret,
	char why[CHAIN_WHY_SIZE]
)
{
	char params[512];
	struct evm_rpc_call call = {.method = "eth_getLogs", .params = params};
	const char *wrong;
	size_t endpoint;
	int r;

	evm_driver_format_settled_filter(driver, session_id, from, to, params, sizeof(params));
	r = evm_rpc_ask(driver->rpc, &call, &endpoint, why);
	if (r < 0) {
		evm_rpc_call_fini(&call);
		return r;
	}
	wrong = evm_driver_parse_logs(driver, call.result, from, to, logs);
	evm_rpc_call_fini(&call);
	if (wrong == NULL && logs->n_logs == 0) {
		snprintf(why, CHAIN_WHY_SIZE, "no event of that session");
		return -ENOENT;
	}
	if (wrong == NULL && logs->n_logs == 1 && evm_driver_event(&logs->logs[0], ret) == 0 &&
	    ret->kind == CHAIN_EVENT_SETTLED && memcmp(ret->session_id, session_id, 32) == 0)
		return 0;
	evm_rpc_blame(
		driver->rpc,
		endpoint,
		EVM_RPC_LOGS_WRONG,
		"the one log by which a session was settled: %s",
		wrong != NULL ? wrong : "not one"
	);
	snprintf(why, CHAIN_WHY_SIZE, "no valid event of that session");
	return -EAGAIN;
}

// Backwards, by ranges that the endpoint takes: what is looked for is young as a rule.
int evm_driver_find_settled(
	void *ctx,
	const uint8_t session_id[CHAIN_ID_SIZE],
	uint64_t up_to_block,
	struct chain_event *ret,
	char why[CHAIN_WHY_SIZE]
)
{
	struct evm_driver *driver = ctx;
	uint64_t first = driver->conf.deployed_block, to = up_to_block, from;
	struct evm_driver_logs logs = {0};
	int r = -ENOENT;

	logs.logs = calloc(CHAIN_EVENTS_MAX, sizeof(struct evm_log));
	if (logs.logs == NULL)
		return -ENOMEM;
	while (r == -ENOENT && to >= first) {
		from = to - first < driver->range_blocks ? first : to - driver->range_blocks + 1;
		r = evm_driver_find_settled_in(driver, session_id, from, to, &logs, ret, why);
		if (r == -EREMOTEIO && driver->range_blocks > 1) {
			driver->range_blocks /= 2;
			r = -ENOENT;
			continue;
		}
		if (from == 0)
			break;
		to = from - 1;
	}
	free(logs.logs);
	return r == -EREMOTEIO ? -EIO : r;
}
