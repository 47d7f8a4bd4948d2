// SPDX-License-Identifier: Apache-2.0
//
// Keccak-f[1600] with rate 1088, after the Keccak reference (version 3.0, section 1.2): theta, rho,
// pi, chi, iota by name. Written for clarity: the control plane hashes a few kilobytes a second.

#include "evm_keccak.h"

#include <string.h>

#define EVM_KECCAK_ROUNDS 24

static const uint64_t evm_keccak_iota[EVM_KECCAK_ROUNDS] = {
	0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
	0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
	0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
	0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
	0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
	0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
};

// rho's rotation and pi's destination of lane x + 5y, walked from lane 1 along pi's one cycle.
static const uint8_t evm_keccak_rho[24] = {1,  3,  6,  10, 15, 21, 28, 36, 45, 55, 2,  14,
					   27, 41, 56, 8,  25, 43, 62, 18, 39, 61, 20, 44};
static const uint8_t evm_keccak_pi[24] = {10, 7,  11, 17, 18, 3, 5,  16, 8,  21, 24, 4,
					  15, 23, 19, 13, 12, 2, 20, 14, 22, 9,	 6,  1};

static uint64_t evm_keccak_rotl(uint64_t a, unsigned int n)
{
	return a << n | a >> (64 - n);
}

static void evm_keccak_permute(uint64_t a[25])
{
	for (int round = 0; round < EVM_KECCAK_ROUNDS; round++) {
		uint64_t c[5], carried;

		// theta
		for (int x = 0; x < 5; x++)
			c[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
		for (int x = 0; x < 5; x++) {
			uint64_t d = c[(x + 4) % 5] ^ evm_keccak_rotl(c[(x + 1) % 5], 1);

			for (int y = 0; y < 25; y += 5)
				a[x + y] ^= d;
		}
		// rho and pi
		carried = a[1];
		for (int i = 0; i < 24; i++) {
			uint64_t next = a[evm_keccak_pi[i]];

			a[evm_keccak_pi[i]] = evm_keccak_rotl(carried, evm_keccak_rho[i]);
			carried = next;
		}
		// chi
		for (int y = 0; y < 25; y += 5) {
			memcpy(c, a + y, sizeof(c));
			for (int x = 0; x < 5; x++)
				a[y + x] = c[x] ^ (~c[(x + 1) % 5] & c[(x + 2) % 5]);
		}
		// iota
		a[0] ^= evm_keccak_iota[round];
	}
}

static void evm_keccak_xor_byte(struct evm_keccak *k, size_t at, uint8_t byte)
{
	k->lanes[at / 8] ^= (uint64_t)byte << (8 * (at % 8));
}

void evm_keccak_init(struct evm_keccak *k)
{
	memset(k, 0, sizeof(*k));
}

void evm_keccak_update(struct evm_keccak *k, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++) {
		evm_keccak_xor_byte(k, k->fill++, p[i]);
		if (k->fill == EVM_KECCAK_RATE) {
			evm_keccak_permute(k->lanes);
			k->fill = 0;
		}
	}
}

void evm_keccak_final(struct evm_keccak *k, uint8_t digest[EVM_KECCAK_SIZE])
{
	// pad10*1 after the submission's empty domain suffix.
	evm_keccak_xor_byte(k, k->fill, 0x01);
	evm_keccak_xor_byte(k, EVM_KECCAK_RATE - 1, 0x80);
	evm_keccak_permute(k->lanes);
	for (size_t i = 0; i < EVM_KECCAK_SIZE; i++)
		digest[i] = (uint8_t)(k->lanes[i / 8] >> (8 * (i % 8)));
	explicit_bzero(k, sizeof(*k));
}

void evm_keccak_256(const void *data, size_t len, uint8_t digest[EVM_KECCAK_SIZE])
{
	struct evm_keccak k;

	evm_keccak_init(&k);
	evm_keccak_update(&k, data, len);
	evm_keccak_final(&k, digest);
}
