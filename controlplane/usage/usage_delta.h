// SPDX-License-Identifier: Apache-2.0
//
// The arithmetic of usage: a total is what earlier data-plane boots billed (base) plus the highest
// value that the present boot's counters have shown. Nothing here wraps, and nothing goes down: what
// does not fit is reported and the old value kept. Pure.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct usage_count {
	uint64_t out_bytes;
	uint64_t in_bytes;
};

// What is known of one session. `boot` counts only while is_open.
struct usage_ledger {
	struct usage_count base;
	struct usage_count boot;
	uint8_t boot_id[16]; // of the data plane that the session was given to
	uint32_t slot; // and where
	uint32_t generation;
	bool is_open;
};

#define USAGE_DELTA_REGRESSED 0x1u // a counter was below what it had been
#define USAGE_DELTA_OVERFLOW 0x2u // a total would not fit 64 bits

// Binds a closed ledger to a boot. Returns: false (and no change) when it is open already.
bool usage_delta_open(
	struct usage_ledger *ledger, const uint8_t boot_id[16], uint32_t slot, uint32_t generation
);

// Takes a reading of the boot's counters. Returns: USAGE_DELTA_* found; 0 when all is well.
unsigned usage_delta_observe(struct usage_ledger *ledger, const struct usage_count *live);

// The boot is over: what it billed becomes base. A closed ledger is left as it is, so that closing
// twice adds nothing.
void usage_delta_close(struct usage_ledger *ledger);

// Returns: both totals; they always fit, because observe keeps out what does not.
struct usage_count usage_delta_total(const struct usage_ledger *ledger);

// Out + in. Returns: UINT64_MAX when the sum does not fit.
uint64_t usage_delta_sum(const struct usage_count *count);

// Bits per second between two totals; 0 without elapsed time or with a total below.
uint64_t usage_delta_rate(uint64_t before_bytes, uint64_t now_bytes, uint64_t elapsed_ns);
