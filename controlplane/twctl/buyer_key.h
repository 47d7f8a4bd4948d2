// SPDX-License-Identifier: Apache-2.0
//
// The buyer's WireGuard key: made here, kept in a file of mode 0600 in base64 as wg(8) writes it, sent
// nowhere. A new key that the node has not taken yet stands beside it ("path.new"), so that a
// replacement that breaks off goes on with the same one. Secrets are wiped by whoever asked.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BUYER_KEY_WHY 700

struct buyer_key {
	uint8_t private_key[32];
	uint8_t public_key[32];
	bool is_new; // stands in path.new: buyer_key_accept() when the node has it
};

// The key of path, which is made if there is none. wants_new: one to replace it.
//
// Returns: 0; -errno with a sentence in why.
int buyer_key_open(const char *path, bool wants_new, struct buyer_key *ret, char why[BUYER_KEY_WHY])
	__attribute__((warn_unused_result));

// The node has it: path.new becomes path. Returns: 0; -errno.
int buyer_key_accept(const char *path, struct buyer_key *key) __attribute__((warn_unused_result));
