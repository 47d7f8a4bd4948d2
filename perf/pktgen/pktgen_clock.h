// SPDX-License-Identifier: Apache-2.0
//
// The generator's two clocks: one that only rises, for intervals, and the wall's, for the timestamps of
// initiations. Header only; it shares nothing with the node's clock, which is part of what is measured.
#pragma once

#include <stdint.h>
#include <time.h>

static inline uint64_t pktgen_clock_read_ns(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static inline uint64_t pktgen_clock_mono_ns(void)
{
	return pktgen_clock_read_ns(CLOCK_MONOTONIC);
}

static inline uint64_t pktgen_clock_unix_ns(void)
{
	return pktgen_clock_read_ns(CLOCK_REALTIME);
}
