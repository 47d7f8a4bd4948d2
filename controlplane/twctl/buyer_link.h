// SPDX-License-Identifier: Apache-2.0
//
// The last word of an interface: the kernel's message about its removal (rtnetlink(7), RTM_DELLINK) has its
// final counters, so what passed since the last look at sysfs is not lost with it. The calling thread's
// network namespace.
#pragma once

#include "controlplane/twctl/buyer_meter.h"

#include <stdbool.h>

// Returns: a socket, to be closed; -errno.
int buyer_link_open(void);

// The final counters of the interface that last was a sample of; messages about others are passed over.
// Does not wait.
//
// Returns: true with the sample.
bool buyer_link_read_removed(
	int fd, const struct buyer_meter_sample *last, struct buyer_meter_sample *ret
);

// Whether packets of TCP pass the interface merged, with the headers of one (TSO; wireguard-go since 2023):
// its octet counters are then too low.
bool buyer_link_check_merged(const char *name);
