// SPDX-License-Identifier: Apache-2.0
//
// Compiled into test programs only.

#include "settle_failpoint.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const settle_failpoint_names[] = {
#define SETTLE_FAILPOINT_NAME(id, name, help) name,
	SETTLE_STEP_LIST(SETTLE_FAILPOINT_NAME)};

const char *settle_failpoint_name(enum settle_step step)
{
	return settle_failpoint_names[step];
}

void settle_failpoint_hit(const char *step_name)
{
	const char *name = getenv("TOLLWIRE_FAILPOINT");

	if (name != NULL && strcmp(name, step_name) == 0)
		kill(getpid(), SIGKILL);
}

void settle_failpoint(enum settle_step step)
{
	settle_failpoint_hit(settle_failpoint_names[step]);
}
