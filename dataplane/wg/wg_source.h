// SPDX-License-Identifier: Apache-2.0
//
// The outer source of a handshake message, as cookies and the rate limiter see it. Header only; it
// holds no state and resolves nothing.
#ifndef WG_SOURCE_H
#define WG_SOURCE_H

#include <stdint.h>
#include <string.h>

// Bytes in network order. An IPv4 address stands in the first four bytes, the rest is zero.
struct wg_source {
	uint8_t address[16];
	uint8_t port[2];
	uint8_t is_ipv6;
};

// address_be32 and port_be16 as they stand in the packet's headers.
static inline struct wg_source wg_source_ipv4(uint32_t address_be32, uint16_t port_be16)
{
	struct wg_source source = {0};

	memcpy(source.address, &address_be32, sizeof(address_be32));
	memcpy(source.port, &port_be16, sizeof(port_be16));
	return source;
}

static inline struct wg_source wg_source_ipv6(const uint8_t address[16], uint16_t port_be16)
{
	struct wg_source source = {.is_ipv6 = 1};

	memcpy(source.address, address, sizeof(source.address));
	memcpy(source.port, &port_be16, sizeof(port_be16));
	return source;
}

#endif
