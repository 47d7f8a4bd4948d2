// SPDX-License-Identifier: Apache-2.0
//
// The table of conditions. Logs a condition when it comes, changes its reason, and goes. Loop's thread.
#include "controlplane/health.h"

#include "common/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NAME_ROW(id, name, help) name,
#define HELP_ROW(id, name, help) help,

static const char *const names[] = {HEALTH_LIST(NAME_ROW)};
static const char *const helps[] = {HEALTH_LIST(HELP_ROW)};

void health_init(struct health *health)
{
	*health = (struct health){0};
}

void health_set(
	struct health *health,
	enum health_condition condition,
	uint64_t now_unix_ns,
	const char *format,
	...
)
{
	char reason[HEALTH_REASON_CAP];
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	if (health->conditions[condition].is_set &&
	    strcmp(reason, health->conditions[condition].reason) == 0)
		return;
	if (!health->conditions[condition].is_set)
		health->conditions[condition].since_unix_ns = now_unix_ns;
	health->conditions[condition].is_set = true;
	memcpy(health->conditions[condition].reason, reason, sizeof(reason));
	log_warn("health", "%s: %s", names[condition], reason);
}

void health_clear(struct health *health, enum health_condition condition)
{
	if (!health->conditions[condition].is_set)
		return;
	health->conditions[condition].is_set = false;
	health->conditions[condition].reason[0] = '\0';
	log_info("health", "%s: resolved", names[condition]);
}

bool health_is_degraded(const struct health *health)
{
	for (unsigned i = 0; i < HEALTH_N; i++) {
		if (health->conditions[i].is_set)
			return true;
	}
	return false;
}

const char *health_name(unsigned condition)
{
	return condition < HEALTH_N ? names[condition] : "unknown";
}

const char *health_help(unsigned condition)
{
	return condition < HEALTH_N ? helps[condition] : "unknown";
}
