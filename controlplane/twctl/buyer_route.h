// SPDX-License-Identifier: Apache-2.0
//
// The way beside a tunnel. wg-quick(8) routes everything into the tunnel but packets that carry the
// tunnel's own fwmark: WireGuard's, and those of whoever marks sockets the same.
#pragma once

#include <stdint.h>

#define BUYER_ROUTE_WHY 256

// The fwmark of the tunnel as `wg show NAME fwmark` tells it, for the kernel's WireGuard as for
// wireguard-go; 0: it has none.
//
// Returns: 0; -ENOENT when there is no wg(8), no such tunnel, or it may not be asked; -EBADMSG;
//          another -errno; with a sentence in why.
int buyer_route_fwmark(const char *interface, uint32_t *ret, char why[BUYER_ROUTE_WHY])
	__attribute__((warn_unused_result));
