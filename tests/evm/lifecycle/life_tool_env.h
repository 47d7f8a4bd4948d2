// SPDX-License-Identifier: Apache-2.0
//
// life_tool's options and what it opens by them. Store, chain driver and options of the outbox are
// settle_tool's (../driver/settle_tool_env.h).
#pragma once

#include "controlplane/attest/attest_keys.h"
#include "controlplane/dp_link.h"
#include "controlplane/lifecycle_private.h"
#include "tests/evm/driver/settle_tool_env.h"

#define LIFE_TOOL_OPTION_LIST(X) \
	X(dir, "") \
	X(patience_sec, "600") \
	X(credit, "1000000") \
	X(checkpoint, "1000000") \
	X(depth, "1") \
	X(quarantine_sec, "3600") \
	X(is_throttled, "0")

struct life_tool_options {
	LIFE_TOOL_OPTION_LIST(SETTLE_TOOL_OPTION_FIELD)
};

extern struct life_tool_options life_options;

struct life_tool {
	struct config config;
	struct clock clock; // the host's; its wall clock may be made to jump
	int64_t jump_sec;
	uint8_t contract[32];
	struct health health;
	struct session_book *sessions;
	struct usage_book *usage;
	struct dp_link *link;
	struct attest_keys *keys;
	struct settle_outbox *outbox;
	struct lifecycle *life;
};

/* NAME=VALUE of this list or of settle_tool's. false: the word is no option. */
bool life_tool_set_option(char *word);
void life_tool_open(struct life_tool *tool);
void life_tool_close(struct life_tool *tool);
