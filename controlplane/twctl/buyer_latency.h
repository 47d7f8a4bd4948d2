// SPDX-License-Identifier: Apache-2.0
//
// How far away nodes are: the time that a TCP connection to each one's API takes, all at the same time.
// Sends no octet; whoever is in the registry learns the caller's address.
#pragma once

#include "controlplane/twctl/buyer_pick.h"

#include <stddef.h>
#include <stdint.h>

// Sets latency_us of each: the best of three tries, all within timeout_ms each.
void buyer_latency_measure(struct buyer_pick_node *nodes, size_t n, uint32_t timeout_ms);
