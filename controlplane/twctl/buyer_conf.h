// SPDX-License-Identifier: Apache-2.0
//
// A node's WireGuard configuration, taken apart and written anew for wg-quick(8). Nothing that the node
// wrote is passed on as it is: PostUp and the like are shell commands that wg-quick runs as root, and a
// public key other than the registry's is somebody else's node. Pure; who asked wipes the text.
#pragma once

#include "controlplane/twctl/buyer_pick.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUYER_CONF_CAP 2048
#define BUYER_CONF_DNS_MAX 4
#define BUYER_CONF_WHY 256

struct buyer_conf {
	struct in_addr address; // inner, /32
	bool has_address6; // the node drops IPv6: routed there so that nothing leaks
	struct in6_addr address6; // /128
	struct in_addr dns[BUYER_CONF_DNS_MAX];
	size_t n_dns;
	uint16_t mtu; // 0: none given
	uint8_t node_public_key[32];
	char host[BUYER_PICK_HOST_MAX + 1]; // endpoint, IPv6 without brackets
	uint16_t port;
	uint16_t keepalive_sec; // 0: none
};

// Reads what client_conf_build writes. PrivateKey may be the placeholder, never a key: a node that
// hands out a private key that nobody asked for knows it. Comments are dropped.
//
// Returns: 0; -EBADMSG with why naming the line, also for a key or section that is not known.
int buyer_conf_parse(struct buyer_conf *ret, const char *text, size_t len, char why[BUYER_CONF_WHY])
	__attribute__((warn_unused_result));

// node_public_key: the one that the session's terms name, from the chain. Returns: 0; -EBADMSG.
int buyer_conf_verify_node(const struct buyer_conf *conf, const uint8_t node_public_key[32])
	__attribute__((warn_unused_result));

// Returns: the length of the text; -ENOSPC, dst is then wiped.
int buyer_conf_build(
	char *dst, size_t cap, const struct buyer_conf *conf, const uint8_t private_key[32]
) __attribute__((warn_unused_result));
