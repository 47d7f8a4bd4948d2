// SPDX-License-Identifier: Apache-2.0
//
// SipHash-1-3 over two words: the keyed hash of the NAT's tables, so that a client who chooses its
// ports cannot choose its buckets, and the generator of the ports' random start. Not for secrets.
// Pure: no state but the caller's.
#pragma once

#include <stdint.h>

struct nat_hash {
	uint64_t k0;
	uint64_t k1;
	uint64_t n_random; // outputs drawn by nat_hash_random
};

uint64_t nat_hash_words(const struct nat_hash *hash, uint64_t a, uint64_t b);

// The next output of the generator: the hash of a counter, in a domain of its own.
uint64_t nat_hash_random(struct nat_hash *hash);
