// SPDX-License-Identifier: Apache-2.0
//
// See nat_hash.h. SipHash (Aumasson, Bernstein 2012) with one compression and three finalisation
// rounds, over a message of exactly 16 bytes.
#include "nat_hash.h"

#define MESSAGE_BYTES 16
#define DOMAIN_RANDOM 0x72616e646f6d0001ull // no tuple has these high bits in its second word

static inline uint64_t rotl(uint64_t x, int n)
{
	return x << n | x >> (64 - n);
}

static inline void sip_round(uint64_t v[static 4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] = rotl(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] = rotl(v[2], 32);
}

static inline void sip_word(uint64_t v[static 4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
}

uint64_t nat_hash_words(const struct nat_hash *hash, uint64_t a, uint64_t b)
{
	uint64_t v[4] = {
		hash->k0 ^ 0x736f6d6570736575ull,
		hash->k1 ^ 0x646f72616e646f6dull,
		hash->k0 ^ 0x6c7967656e657261ull,
		hash->k1 ^ 0x7465646279746573ull,
	};
	sip_word(v, a);
	sip_word(v, b);
	sip_word(v, (uint64_t)MESSAGE_BYTES << 56);
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t nat_hash_random(struct nat_hash *hash)
{
	return nat_hash_words(hash, hash->n_random++, DOMAIN_RANDOM);
}
