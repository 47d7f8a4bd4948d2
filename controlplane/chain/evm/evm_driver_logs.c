// SPDX-License-Identifier: Apache-2.0
//
// Asking for the escrow's logs: by ranges that an endpoint takes, believed when they are in order and
// a second endpoint (where there is one) shows the same list. Reading on by a cursor is
// evm_driver_watch.c's; the search for one session's event is here. Chain thread.

#include "evm_driver_private.h"
#include "evm_hex.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
	const struct evm_driver *driver,
	const char *topics,
	uint64_t from,
	uint64_t to,
	char *params,
	size_t cap
)
{
	char address[EVM_ADDRESS_TEXT_SIZE], from_tag[U256_HEX_SIZE], to_tag[U256_HEX_SIZE];

	evm_address_format(driver->conf.escrow, address);
	u256_format_quantity(u256_from_u64(from), from_tag);
	u256_format_quantity(u256_from_u64(to), to_tag);
	snprintf(
		params,
		cap,
		"[{\"address\":\"%s\",\"fromBlock\":\"%s\",\"toBlock\":\"%s\"%s%s}]",
		address,
		from_tag,
		to_tag,
		topics != NULL ? ",\"topics\":" : "",
		topics != NULL ? topics : ""
	);
}

// A range that is too large for the endpoint or for us is halved for the next request.
static int evm_driver_halve_range(struct evm_driver *driver, char why[CHAIN_WHY_SIZE])
{
	if (driver->range_blocks > 1)
		driver->range_blocks /= 2;
	snprintf(why, CHAIN_WHY_SIZE, "the range is too long, now %u blocks", driver->range_blocks);
	return -EAGAIN;
}

// One answer about a range.
struct evm_driver_range {
	uint64_t from;
	uint64_t to;
	const char *params; // of eth_getLogs
};

// The logs, and in the same request the last block of their range: many hosts behind one URL are not all
// equally far, and one that has not got the block knows of no logs in it either. At any endpoint, or at
// the one of *endpoint (is_there).
//
// Returns: 0 with *ret_wrong, which is NULL for a good list; -ESTALE: the endpoint is behind; -E2BIG: it
// refuses the range; else as evm_rpc_ask_batch().
static int evm_driver_ask_logs(
	struct evm_driver *driver,
	const struct evm_driver_range *range,
	bool is_there,
	size_t *endpoint,
	struct evm_driver_logs *ret,
	const char **ret_wrong
)
{
	char tag[U256_HEX_SIZE], block_params[U256_HEX_SIZE + 16];
	struct evm_rpc_call calls[2] = {
		{.method = "eth_getLogs", .params = range->params},
		{.method = "eth_getBlockByNumber", .params = block_params},
	};
	struct evm_block block;
	int r;

	u256_format_quantity(u256_from_u64(range->to), tag);
	snprintf(block_params, sizeof(block_params), "[\"%s\",false]", tag);
	r = is_there ? evm_rpc_ask_batch_at(driver->rpc, *endpoint, calls, 2, driver->why)
		     : evm_rpc_ask_batch(driver->rpc, calls, 2, endpoint, driver->why);
	if (r < 0)
		return r;
	if (calls[0].result == NULL) {
		snprintf(
			driver->why, sizeof(driver->why), "eth_getLogs: %s", calls[0].error.message
		);
		r = -E2BIG;
	} else if (calls[1].result == NULL || evm_reply_block(calls[1].result, &block) != 0) {
		evm_rpc_blame(
			driver->rpc,
			*endpoint,
			EVM_RPC_HEAD_BACK,
			"tells the logs up to block %" PRIu64 ", which it does not have",
			range->to
		);
		snprintf(
			driver->why,
			sizeof(driver->why),
			"an endpoint is behind block %" PRIu64,
			range->to
		);
		r = -ESTALE;
	} else {
		memcpy(ret->last_hash, block.hash, sizeof(ret->last_hash));
		*ret_wrong =
			evm_driver_parse_logs(driver, calls[0].result, range->from, range->to, ret);
	}
	evm_rpc_call_fini(&calls[0]);
	return r;
}

static void evm_driver_blame_logs(
	struct evm_driver *driver,
	size_t endpoint,
	const struct evm_driver_range *range,
	const char *wrong
)
{
	evm_rpc_blame(
		driver->rpc,
		endpoint,
		EVM_RPC_LOGS_WRONG,
		"logs of blocks %" PRIu64 " to %" PRIu64 ": %s",
		range->from,
		range->to,
		wrong
	);
}

// A second opinion that is not to be had, or comes from one that is behind, is none.
static int evm_driver_compare_logs(
	struct evm_driver *driver,
	size_t first,
	const struct evm_driver_range *range,
	const struct evm_driver_logs *said,
	struct evm_driver_logs *scratch,
	char why[CHAIN_WHY_SIZE]
)
{
	int other = evm_rpc_other(driver->rpc, first), r;
	size_t second = (size_t)other;
	const char *wrong = NULL;

	if (other < 0)
		return 0;
	r = evm_driver_ask_logs(driver, range, true, &second, scratch, &wrong);
	if (r == -EIO || r == -E2BIG || r == -ESTALE)
		return 0;
	if (r < 0)
		return r;
	if (wrong == NULL && memcmp(scratch->digest, said->digest, sizeof(said->digest)) == 0)
		return 0;
	if (wrong == NULL)
		evm_driver_blame_both(driver, first, second, "about the logs of blocks");
	else
		evm_driver_blame_logs(driver, second, range, wrong);
	snprintf(
		why,
		CHAIN_WHY_SIZE,
		"endpoints disagree about the logs of blocks %" PRIu64 " to %" PRIu64,
		range->from,
		range->to
	);
	return -EAGAIN;
}

// How often an answer was longer than is read, whoever gave it.
static uint64_t evm_driver_count_too_large(const struct evm_driver *driver)
{
	struct evm_rpc_stats stats;
	uint64_t n = 0;

	for (size_t i = 0; i < evm_rpc_n_endpoints(driver->rpc); i++) {
		evm_rpc_get_stats(driver->rpc, i, &stats);
		n += stats.faults[EVM_RPC_TOO_LARGE];
	}
	return n;
}

int evm_driver_get_logs(
	struct evm_driver *driver,
	const char *topics,
	uint64_t from,
	uint64_t to,
	struct evm_driver_logs *ret,
	struct evm_driver_logs *scratch,
	char why[CHAIN_WHY_SIZE]
)
{
	char params[EVM_DRIVER_TOPICS_SIZE + 256];
	const struct evm_driver_range range = {.from = from, .to = to, .params = params};
	uint64_t n_too_large = evm_driver_count_too_large(driver);
	const char *wrong = NULL;
	size_t endpoint;
	int r = -ESTALE;

	evm_driver_format_filter(driver, topics, from, to, params, sizeof(params));
	// One that is behind rests now, so each round asks another.
	for (size_t i = 0; i < evm_rpc_n_endpoints(driver->rpc) && r == -ESTALE; i++)
		r = evm_driver_ask_logs(driver, &range, false, &endpoint, ret, &wrong);
	memcpy(why, driver->why, CHAIN_WHY_SIZE);
	if (r == -EIO && evm_driver_count_too_large(driver) > n_too_large)
		r = -E2BIG;
	// All are behind: a shorter range ends where they are.
	if (to > from &&
	    (r == -E2BIG || r == -ESTALE ||
	     (r == 0 && wrong != NULL && ret->n_logs == CHAIN_EVENTS_MAX)))
		return evm_driver_halve_range(driver, why);
	if (r < 0)
		return r == -E2BIG ? -EIO : r == -ESTALE ? -EAGAIN : r;
	if (wrong != NULL) {
		evm_driver_blame_logs(driver, endpoint, &range, wrong);
		snprintf(why, CHAIN_WHY_SIZE, "an endpoint shows %s", wrong);
		return -EAGAIN;
	}
	return evm_driver_compare_logs(driver, endpoint, &range, ret, scratch, why);
}

void evm_driver_format_topics(
	const uint8_t *session_id, unsigned int kinds, char topics[EVM_DRIVER_TOPICS_SIZE]
)
{
	static const struct {
		enum chain_event_kind kind;
		enum evm_escrow_event_kind topic;
	} rows[] = {
		{CHAIN_EVENT_CREATED, EVM_ESCROW_CREATED},
		{CHAIN_EVENT_TOPPED_UP, EVM_ESCROW_TOPPED_UP},
		{CHAIN_EVENT_CLOSED, EVM_ESCROW_CLOSED},
		{CHAIN_EVENT_CLAIMED, EVM_ESCROW_CLAIMED},
		{CHAIN_EVENT_PROPOSED, EVM_ESCROW_PROPOSED},
		{CHAIN_EVENT_DISPUTED, EVM_ESCROW_DISPUTED},
		{CHAIN_EVENT_SETTLED, EVM_ESCROW_SETTLED},
		{CHAIN_EVENT_SKIPPED, EVM_ESCROW_SKIPPED},
	};
	char hex[EVM_HEX_SIZE(32)];
	const char *comma = "";
	uint8_t topic[32];
	char *at = topics;

	at += sprintf(at, "[[");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if ((kinds & (1u << rows[i].kind)) == 0)
			continue;
		evm_escrow_topic(rows[i].topic, topic);
		evm_hex_format(topic, sizeof(topic), hex);
		at += sprintf(at, "%s\"%s\"", comma, hex);
		comma = ",";
	}
	at += sprintf(at, "]");
	if (session_id != NULL) {
		evm_hex_format(session_id, CHAIN_ID_SIZE, hex);
		at += sprintf(at, ",\"%s\"", hex);
	}
	sprintf(at, "]");
}

// A log as the event that was looked for; its block must be the chain's.
static int evm_driver_take_event(
	struct evm_driver *driver,
	const struct evm_log *log,
	const uint8_t session_id[CHAIN_ID_SIZE],
	unsigned int kinds,
	struct chain_event *ret,
	char why[CHAIN_WHY_SIZE]
)
{
	char tag[U256_HEX_SIZE];
	struct evm_block block;
	size_t endpoint;
	int r;

	u256_format_quantity(u256_from_u64(log->block_number), tag);
	r = evm_driver_get_block(driver, tag, &block, &endpoint, why);
	if (r < 0)
		return r == -ENOENT ? -EAGAIN : r;
	if (memcmp(block.hash, log->block_hash, sizeof(block.hash)) != 0) {
		snprintf(why, CHAIN_WHY_SIZE, "a log's block is not on the chain");
		return -EAGAIN;
	}
	if (evm_driver_event(log, ret) < 0 || (kinds & (1u << ret->kind)) == 0 ||
	    memcmp(ret->session_id, session_id, CHAIN_ID_SIZE) != 0) {
		evm_rpc_blame(
			driver->rpc, endpoint, EVM_RPC_LOGS_WRONG, "a log that was not asked for"
		);
		snprintf(why, CHAIN_WHY_SIZE, "no valid event of that session");
		return -EAGAIN;
	}
	ret->block_time_sec = block.timestamp_sec;
	return 0;
}

// Backwards, by ranges that the endpoint takes: what is looked for is young as a rule.
static int evm_driver_find_back(
	struct evm_driver *driver,
	const char *topics,
	uint64_t up_to_block,
	struct evm_driver_logs logs[2],
	char why[CHAIN_WHY_SIZE]
)
{
	uint64_t first = driver->conf.deployed_block, to = up_to_block, from;
	uint32_t range;
	int r;

	while (to >= first) {
		range = driver->range_blocks;
		from = to - first < range ? first : to - range + 1;
		r = evm_driver_get_logs(driver, topics, from, to, &logs[0], &logs[1], why);
		if (r == -EAGAIN && driver->range_blocks < range)
			continue;
		if (r < 0)
			return r;
		if (logs[0].n_logs > 0)
			return 0;
		if (from == 0)
			break;
		to = from - 1;
	}
	snprintf(why, CHAIN_WHY_SIZE, "no event of that session");
	return -ENOENT;
}

int evm_driver_find_event(
	void *ctx,
	const uint8_t session_id[CHAIN_ID_SIZE],
	unsigned int kinds,
	uint64_t up_to_block,
	struct chain_event *ret,
	char why[CHAIN_WHY_SIZE]
)
{
	struct evm_driver *driver = ctx;
	struct evm_driver_logs logs[2] = {0};
	char topics[EVM_DRIVER_TOPICS_SIZE];
	struct chain_event event;
	int r = -ENOMEM;

	logs[0].logs = calloc(CHAIN_EVENTS_MAX, sizeof(struct evm_log));
	logs[1].logs = calloc(CHAIN_EVENTS_MAX, sizeof(struct evm_log));
	if (logs[0].logs != NULL && logs[1].logs != NULL) {
		evm_driver_format_topics(session_id, kinds, topics);
		r = evm_driver_find_back(driver, topics, up_to_block, logs, why);
	}
	if (r == 0)
		r = evm_driver_take_event(
			driver, &logs[0].logs[logs[0].n_logs - 1], session_id, kinds, &event, why
		);
	if (r == 0)
		*ret = event;
	free(logs[0].logs);
	free(logs[1].logs);
	return r;
}
