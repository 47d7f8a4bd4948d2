// SPDX-License-Identifier: Apache-2.0
//
// The WireGuard configuration that a buyer loads into their app (PRODUCT.md, step 4), as wg-quick(8)
// reads it. Pure: knows no store and no files. The text may hold a private key: who asked for it
// wipes it.
#pragma once

#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIENT_CONF_CAP 2048

// Stands where the private key belongs when the node does not have it. No base64, so that a client
// that still has it refuses to start instead of failing in silence.
#define CLIENT_CONF_KEY_PLACEHOLDER "INSERT-YOUR-PRIVATE-KEY"
#define CLIENT_CONF_PSK_PLACEHOLDER "INSERT-THE-PRESHARED-KEY"

struct client_conf {
	const struct config *config; // endpoint, MTU, DNS, keepalive
	const char *name; // of the session, for a comment
	const uint8_t *client_public_key; // 32 bytes
	const uint8_t *node_public_key; // 32 bytes
	const char *private_key; // base64; NULL when the node does not have it
	uint32_t inner_addr; // host order
	bool has_psk;
	// Also routes IPv6 into the tunnel, from client_conf_inner_ipv6(). The node carries IPv4 and
	// drops it there (inner_ipv6), so that nothing leaks around the tunnel.
	bool is_ipv6_blocked;
};

// Returns: the length of the text; -ENOSPC when it does not fit; dst is then wiped.
int client_conf_build(char *dst, size_t cap, const struct client_conf *conf);

// The client's IPv6 address: fd74:6f6c:6c77::/96 (a unique local prefix, RFC 4193: "tollw") with the
// inner IPv4 address in its last 32 bits.
void client_conf_inner_ipv6(uint8_t ret[16], uint32_t inner_addr);

// 32 bytes in base64 (RFC 4648 section 4), 44 characters and the terminator.
void client_conf_key_text(char ret[45], const uint8_t key[32]);

// Returns: 0; -EINVAL when text is not the one way to write 32 bytes in base64.
int client_conf_key_parse(uint8_t ret[32], const char *text);
