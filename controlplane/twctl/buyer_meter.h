// SPDX-License-Identifier: Apache-2.0
//
// The buyer's own count of a session: a sum of an interface's counters that outlives restarts of the
// tool, of the interface and of the host. Where octets could have been missed (the counters were reset
// between two samples) they are not in the sum: it may be too low, never too high. One interface
// serves one session at a time. Pure; whoever calls keeps the struct on the disk.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BUYER_METER_BOOT_SIZE 37 // /proc/sys/kernel/random/boot_id with its terminator

// The interface as it is now, counters since it was made. extra_bytes is what they hold beyond IP packets;
// it stands apart because only raw counters tell a reset from a sample taken in mid-packet.
struct buyer_meter_sample {
	char boot_id[BUYER_METER_BOOT_SIZE];
	uint32_t ifindex;
	uint64_t out_bytes;
	uint64_t in_bytes;
	uint64_t extra_bytes; // of both
};

struct buyer_meter {
	uint64_t out_bytes; // of the session
	uint64_t in_bytes;
	uint64_t extra_bytes; // in both, not the session's
	bool has_last;
	struct buyer_meter_sample last;
};

// Takes a sample. is_new_interface: this first sample is of an interface that came up while the tool
// waited for it, so all that it counted is the session's; otherwise the first sample is only the mark
// to count from.
//
// Returns: 0; -EOVERFLOW with meter unchanged.
int buyer_meter_add(
	struct buyer_meter *meter, const struct buyer_meter_sample *sample, bool is_new_interface
) __attribute__((warn_unused_result));

// Inner octets out and in together, what a voucher is about. Returns: 0; -EOVERFLOW.
int buyer_meter_sum(const struct buyer_meter *meter, uint64_t *ret_bytes)
	__attribute__((warn_unused_result));
