// SPDX-License-Identifier: Apache-2.0
//
// The injectable clock. Whoever needs time takes a `struct clock *` or a now_ns parameter; only
// main() uses clock_system. Monotonic time never jumps and drives every interval; wall time (unix)
// is for what people and other processes read.
#pragma once

#include <stdint.h>

#define NS_PER_SEC 1000000000ull
#define NS_PER_MS 1000000ull
#define NS_PER_US 1000ull

struct clock {
	uint64_t (*mono_ns)(void *ctx);
	uint64_t (*unix_ns)(void *ctx);
	void *ctx;
};

extern const struct clock clock_system;

static inline uint64_t clock_mono_ns(const struct clock *clock)
{
	return clock->mono_ns(clock->ctx);
}

static inline uint64_t clock_unix_ns(const struct clock *clock)
{
	return clock->unix_ns(clock->ctx);
}

// A clock that stands still until it is moved; for tests.
struct clock_manual {
	uint64_t mono_ns;
	uint64_t unix_ns;
};

void clock_manual_init(struct clock *clock, struct clock_manual *manual, uint64_t unix_ns);
void clock_manual_advance(struct clock_manual *manual, uint64_t ns);
