// SPDX-License-Identifier: Apache-2.0
//
// Where everything stands in the two mappings. Sizes decide all offsets, so the creator writes what
// this file computes and a reader accepts nothing else. Pure.
#pragma once

#include "common/abi_segment.h"

#include <stdbool.h>

struct abi_layout {
	uint64_t slots_offset;
	uint64_t threads_offset;
	uint64_t ports_offset;
	uint64_t total_bytes;
};

struct abi_layout_control {
	uint64_t command_offset;
	uint64_t ack_offset;
	uint64_t event_offset;
	uint64_t total_bytes;
};

// FNV-1a over every offset, size and name list of the ABI: two builds with an equal hash agree.
uint64_t abi_layout_hash(void);

// Returns: true when the counts are within the ABI's limits.
bool abi_layout_check_counts(uint32_t n_slots, uint32_t n_threads, uint32_t n_ports);

// In: counts that abi_layout_check_counts() accepts.
struct abi_layout abi_layout_counters(uint32_t n_slots, uint32_t n_threads, uint32_t n_ports);
struct abi_layout_control abi_layout_control(void);
