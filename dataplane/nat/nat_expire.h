// SPDX-License-Identifier: Apache-2.0
//
// Which mappings and filter entries are too old, and the sweep that removes them. No timer per packet
// and none per mapping: the owner worker calls the sweep when it has time, each call looks at a few
// entries and goes on where the last one stopped. Lookups judge age themselves, so a late sweep wastes
// memory and permits nothing.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct nat;
struct nat_filter_entry;
struct nat_mapping;

// Looks at up to n mappings, n filter entries and n waiting ports, and removes no more than n filter
// entries along with mappings. Returns: mappings removed.
uint32_t nat_expire_sweep(struct nat *nat, uint32_t n, uint64_t now_ns);

// The idle time after which the mapping ends. TCP: established while one of its connections is.
uint64_t nat_expire_mapping_timeout_ns(const struct nat *nat, const struct nat_mapping *mapping);

bool nat_expire_check_mapping_live(
	const struct nat *nat, const struct nat_mapping *mapping, uint64_t now_ns
);

// In: an entry in use.
bool nat_expire_check_filter_live(
	const struct nat *nat, const struct nat_filter_entry *entry, uint64_t now_ns
);
