// SPDX-License-Identifier: Apache-2.0
//
// The sweep that removes what has been idle too long. No timer per packet and none per mapping: the
// owner worker calls it when it has time, each call looks at a few entries and goes on where the last
// one stopped. Lookups judge age themselves, so a late sweep wastes memory and permits nothing.
#pragma once

#include <stdint.h>

struct nat;

// Looks at up to n mappings, n filter entries and n waiting ports. Returns: mappings removed.
uint32_t nat_expire_sweep(struct nat *nat, uint32_t n, uint64_t now_ns);
