// SPDX-License-Identifier: Apache-2.0
//
// The states of a session and which may follow which: one table, no behaviour. Beside the state
// stand review flags: each names one matter that a person should look at, raises an alert, stops
// nothing, and is taken away by whatever resolves it. Pure.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// id, name, help. Stored by number: new ones at the end.
#define SESSION_STATE_LIST(X) \
	X(PENDING, "pending", "known, but no public key yet") \
	X(PROVISIONED, "provisioned", "has a slot and an inner address; never connected") \
	X(ACTIVE, "active", "has connected") \
	X(SUSPENDED, "suspended", "gate closed by the operator") \
	X(DRAINING, "draining", "leaving the data plane; counters not final yet") \
	X(SETTLING, "settling", "usage final, payment under way") \
	X(SETTLED, "settled", "over and paid") \
	X(REFUNDED, "refunded", "over, the escrow went back to the buyer") \
	X(DISPUTED, "disputed", "the buyer contests the usage") \
	X(VOID, "void", "its creation was reorganised out of the chain")

#define SESSION_REVIEW_LIST(X) \
	X(COMMAND_REFUSED, "command_refused", "the data plane refused a command for it") \
	X(USAGE_REGRESSED, "usage_regressed", "a counter went down; the higher value was kept") \
	X(USAGE_OVERFLOW, "usage_overflow", "a total would not fit 64 bits; it was kept") \
	X(USAGE_LOST, "usage_lost", "the segment of a boot was gone before it was harvested") \
	X(SETTLEMENT, "settlement", "settlement takes longer than it should")

#define SESSION_STATE_ENUM(id, name, help) SESSION_##id,
#define SESSION_REVIEW_ENUM(id, name, help) SESSION_REVIEW_##id,
enum session_state { SESSION_STATE_LIST(SESSION_STATE_ENUM) SESSION_N_STATE };
enum session_review { SESSION_REVIEW_LIST(SESSION_REVIEW_ENUM) SESSION_N_REVIEW };

// Returns: static text; "unknown" for a number out of range.
const char *session_state_name(unsigned state);
const char *session_state_help(unsigned state);
const char *session_state_review_name(unsigned review);
const char *session_state_review_help(unsigned review);

// Returns: 0, or -EINVAL for a name that no state has.
int session_state_parse(enum session_state *ret, const char *name);

// former: where a void session came from; only that state may follow void.
bool session_state_check_transition(
	enum session_state from, enum session_state to, enum session_state former
);

// Returns: true while the session has (or waits for) a place in the data plane: its name, public key
//          and inner address belong to it alone.
bool session_state_is_live(enum session_state state);
