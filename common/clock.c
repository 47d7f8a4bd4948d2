// SPDX-License-Identifier: Apache-2.0
//
// The two clocks behind clock.h: the system's, and one that stands still until a test moves it.
// Keeps no state of its own; any thread.
#include "common/clock.h"

#include <stddef.h>
#include <time.h>

static uint64_t system_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

static uint64_t system_mono_ns(void *ctx)
{
	(void)ctx;
	return system_ns(CLOCK_MONOTONIC);
}

static uint64_t system_unix_ns(void *ctx)
{
	(void)ctx;
	return system_ns(CLOCK_REALTIME);
}

const struct clock clock_system = {
	.mono_ns = system_mono_ns,
	.unix_ns = system_unix_ns,
	.ctx = NULL,
};

static uint64_t manual_mono_ns(void *ctx)
{
	return ((const struct clock_manual *)ctx)->mono_ns;
}

static uint64_t manual_unix_ns(void *ctx)
{
	return ((const struct clock_manual *)ctx)->unix_ns;
}

void clock_manual_init(struct clock *clock, struct clock_manual *manual, uint64_t unix_ns)
{
	*manual = (struct clock_manual){.mono_ns = NS_PER_SEC, .unix_ns = unix_ns};
	*clock = (struct clock){
		.mono_ns = manual_mono_ns,
		.unix_ns = manual_unix_ns,
		.ctx = manual,
	};
}

void clock_manual_advance(struct clock_manual *manual, uint64_t ns)
{
	manual->mono_ns += ns;
	manual->unix_ns += ns;
}
