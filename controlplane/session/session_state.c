// SPDX-License-Identifier: Apache-2.0
//
// The transition table of sessions. Pure.
#include "controlplane/session/session_state.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define BIT(id) (1u << SESSION_##id)

// Row: from. Void may come after anything that money is not final for; what follows void is the
// session's former state alone and stands in the function. Settled and refunded go back to settling
// when a reorganisation takes their transaction out again.
static const unsigned may_follow[SESSION_N_STATE] = {
	[SESSION_PENDING] = BIT(PROVISIONED) | BIT(SETTLING) | BIT(REFUNDED) | BIT(VOID),
	[SESSION_PROVISIONED] = BIT(ACTIVE) | BIT(SUSPENDED) | BIT(DRAINING) | BIT(VOID),
	[SESSION_ACTIVE] = BIT(SUSPENDED) | BIT(DRAINING) | BIT(VOID),
	[SESSION_SUSPENDED] = BIT(PROVISIONED) | BIT(ACTIVE) | BIT(DRAINING) | BIT(VOID),
	[SESSION_DRAINING] = BIT(SETTLING) | BIT(VOID),
	[SESSION_SETTLING] = BIT(SETTLED) | BIT(REFUNDED) | BIT(DISPUTED) | BIT(VOID),
	[SESSION_SETTLED] = BIT(SETTLING),
	[SESSION_REFUNDED] = BIT(SETTLING),
	[SESSION_DISPUTED] = BIT(SETTLING) | BIT(SETTLED) | BIT(REFUNDED) | BIT(VOID),
	[SESSION_VOID] = 0,
};

bool session_state_check_transition(
	enum session_state from, enum session_state to, enum session_state former
)
{
	if ((unsigned)from >= SESSION_N_STATE || (unsigned)to >= SESSION_N_STATE)
		return false;
	if (from == SESSION_VOID)
		return to == former && to != SESSION_VOID;
	return (may_follow[from] & 1u << to) != 0;
}

bool session_state_is_live(enum session_state state)
{
	switch (state) {
	case SESSION_PENDING:
	case SESSION_PROVISIONED:
	case SESSION_ACTIVE:
	case SESSION_SUSPENDED:
	case SESSION_DRAINING:
		return true;
	case SESSION_SETTLING:
	case SESSION_SETTLED:
	case SESSION_REFUNDED:
	case SESSION_DISPUTED:
	case SESSION_VOID:
	case SESSION_N_STATE:
		return false;
	}
	return false;
}

#define NAME_ROW(id, name, help) name,
#define HELP_ROW(id, name, help) help,

#define LOOKUP(function, list, row) \
	const char *function(unsigned idx) \
	{ \
		static const char *const rows[] = {list(row)}; \
		return idx < sizeof(rows) / sizeof(rows[0]) ? rows[idx] : "unknown"; \
	}

LOOKUP(session_state_name, SESSION_STATE_LIST, NAME_ROW)
LOOKUP(session_state_help, SESSION_STATE_LIST, HELP_ROW)
LOOKUP(session_state_review_name, SESSION_REVIEW_LIST, NAME_ROW)
LOOKUP(session_state_review_help, SESSION_REVIEW_LIST, HELP_ROW)

int session_state_parse(enum session_state *ret, const char *name)
{
	for (unsigned state = 0; state < SESSION_N_STATE; state++) {
		if (strcmp(name, session_state_name(state)) == 0) {
			*ret = (enum session_state)state;
			return 0;
		}
	}
	return -EINVAL;
}
