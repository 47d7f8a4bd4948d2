// SPDX-License-Identifier: Apache-2.0
//
// Padding of inner packets before they are sealed (paper, section 5.4.6): zeros up to a multiple of
// 16 bytes, but never beyond the tunnel MTU, so that padding cannot make an outer packet too big.
// Pure; the caller writes the zeros.
#ifndef WG_PADDING_H
#define WG_PADDING_H

#include "dataplane/wg/wg_messages.h"

#include <stdint.h>

// Length after padding of an inner packet of inner_bytes. A packet of the MTU or more stays as it
// is.
static inline uint32_t wg_padding_padded_bytes(uint32_t inner_bytes, uint32_t mtu_bytes)
{
	uint32_t padded_bytes =
		(inner_bytes + WG_PADDING_MULTIPLE - 1) & ~(uint32_t)(WG_PADDING_MULTIPLE - 1);

	if (inner_bytes >= mtu_bytes)
		return inner_bytes;
	return padded_bytes < mtu_bytes ? padded_bytes : mtu_bytes;
}

#endif
