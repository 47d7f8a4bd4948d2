// SPDX-License-Identifier: Apache-2.0
//
// Builds the trees that verify.test.mjs asks for. A line on stdin is "N" and N times the six values of
// a leaf; a line on stdout is the root and N proofs, hashes joined by commas, "-" for an empty one. Each
// proof is checked here too, and with one bit flipped must fail.
#include "controlplane/attest/attest_merkle.h"
#include "controlplane/chain/evm/evm_hex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAVES_CAP 1000

static char word[128];

static const char *next(void)
{
	if (scanf("%127s", word) != 1) {
		fprintf(stderr, "merkle_cases: a word is missing\n");
		exit(2);
	}
	return word;
}

static uint64_t number(void)
{
	return strtoull(next(), NULL, 10);
}

static void hash(uint8_t ret[32])
{
	if (evm_hex_parse(next(), ret, 32) != 0)
		exit(2);
}

static void read_leaf(uint8_t ret[32])
{
	struct usage_checkpoint checkpoint;

	hash(checkpoint.session_id);
	checkpoint.sequence = number();
	checkpoint.out_bytes = number();
	checkpoint.in_bytes = number();
	checkpoint.time_unix_sec = number();
	hash(checkpoint.previous_hash);
	attest_merkle_leaf(&checkpoint, ret);
}

static void print_proof(
	const struct attest_merkle *tree, size_t idx, const uint8_t leaf[32], const uint8_t root[32]
)
{
	uint8_t proof[ATTEST_MERKLE_PROOF_MAX][32], wrong[32];
	char text[EVM_HEX_SIZE(32)];
	size_t n = attest_merkle_proof(tree, idx, proof);

	memcpy(wrong, leaf, 32);
	wrong[idx % 32] ^= 1;
	if (attest_merkle_verify_proof(leaf, (const uint8_t(*)[32])proof, n, root) != 0 ||
	    attest_merkle_verify_proof(wrong, (const uint8_t(*)[32])proof, n, root) == 0) {
		fprintf(stderr, "merkle_cases: the proof of leaf %zu is wrong\n", idx);
		exit(1);
	}
	printf(n == 0 ? " -" : " ");
	for (size_t i = 0; i < n; i++) {
		evm_hex_format(proof[i], 32, text);
		printf("%s%s", i == 0 ? "" : ",", text);
	}
}

int main(void)
{
	static uint8_t leaves[LEAVES_CAP][32];
	char text[EVM_HEX_SIZE(32)];
	uint8_t root[32];
	unsigned n;

	while (scanf("%u", &n) == 1 && n <= LEAVES_CAP) {
		struct attest_merkle *tree;
		for (unsigned i = 0; i < n; i++)
			read_leaf(leaves[i]);
		if (attest_merkle_create(&tree, (const uint8_t(*)[32])leaves, n) != 0)
			return 1;
		attest_merkle_root(tree, root);
		evm_hex_format(root, 32, text);
		printf("%s", text);
		for (unsigned i = 0; i < n; i++)
			print_proof(tree, i, leaves[i], root);
		printf("\n");
		attest_merkle_destroy(tree);
	}
	return 0;
}
