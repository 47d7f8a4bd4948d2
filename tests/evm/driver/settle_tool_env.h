// SPDX-License-Identifier: Apache-2.0
//
// settle_tool's options, and what it opens by them: signer, driver, store and clock.

#pragma once

#include "common/clock.h"
#include "controlplane/chain/evm/evm_driver.h"
#include "controlplane/settle/settle_outbox.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SETTLE_TOOL_OPTION_LIST(X) \
	X(db, "") \
	X(rpc, "") \
	X(chain_id, "31337") \
	X(escrow, "") \
	X(node, "1") \
	X(key, "") \
	X(confirmations, "2") \
	X(count, "100") \
	X(age_sec, "0") \
	X(value, "0") \
	X(threshold, "0") \
	X(token, "0x0000000000000000000000000000000000000001") \
	X(token_threshold, "0") \
	X(margin_sec, "0") \
	X(resend_ms, "500") \
	X(reprice_ms, "60000") \
	X(ceiling, "1000000000000") \
	X(alarm, "0") \
	X(review_polls, "60") \
	X(skips_max, "2") \
	X(skip_wait_sec, "0") \
	X(watch_blocks, "256") \
	X(poll_ms, "20") \
	X(max_ms, "120000") \
	X(linger_ms, "0") \
	X(hold, "0") \
	X(timeout_ms, "30000") \
	X(backoff_ms, "100") \
	X(clock_jump_sec, "0") \
	X(map_mb, "64")

#define SETTLE_TOOL_OPTION_FIELD(name, value) const char *name;
struct settle_tool_options {
	SETTLE_TOOL_OPTION_LIST(SETTLE_TOOL_OPTION_FIELD)
};

extern struct settle_tool_options options;
extern struct chain_driver chain;
extern struct db *db;
extern const struct clock tool_clock;

__attribute__((noreturn)) void die(const char *what, const char *why);
uint64_t number(const char *text);
struct u256 amount(const char *text);
void hex(const char *text, uint8_t *dst, size_t len);

/* NAME=VALUE. false: the word is no option. */
bool set_option(char *word);
void print_alert(void *ctx, enum settle_alert alert, bool is_set, const char *text);
void open_chain(void);
void open_db(void);
void close_all(void);
