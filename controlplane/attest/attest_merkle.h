// SPDX-License-Identifier: Apache-2.0
//
// The Merkle tree over a session's checkpoints, in the format of OpenZeppelin's StandardMerkleTree
// ("standard-v1" of the npm package @openzeppelin/merkle-tree), so that others' tools and contracts
// read it. Leaf encoding, one value a checkpoint:
//   ["bytes32","uint256","uint256","uint256","uint256","bytes32"]
//   [sessionId, sequence, outBytes, inBytes, time, previousHash]
//   leaf = keccak256(keccak256(abi.encode(…)))
// Leaves are sorted by their hash and stand at the end of the array in falling order; a node is the
// keccak of its two children, the smaller one first; node i has the children 2i + 1 and 2i + 2. Pure
// but for its memory; any thread.
#pragma once

#include "controlplane/usage/usage_checkpoint.h"

#include <stddef.h>
#include <stdint.h>

#define ATTEST_MERKLE_PROOF_MAX 32 // hashes: trees of up to 2^32 leaves
#define ATTEST_MERKLE_LEAVES_MAX (1u << 24)

struct attest_merkle;

void attest_merkle_leaf(const struct usage_checkpoint *checkpoint, uint8_t ret[32]);

// leaves: in the order of their checkpoints, as the proofs are asked for.
//
// Returns: 0; -EINVAL for none or more than ATTEST_MERKLE_LEAVES_MAX; -ENOMEM.
int attest_merkle_create(struct attest_merkle **ret, const uint8_t (*leaves)[32], size_t n);
void attest_merkle_destroy(struct attest_merkle *tree);

void attest_merkle_root(const struct attest_merkle *tree, uint8_t ret[32]);

// Returns: how many hashes the proof of the idx-th leaf has, from the leaf's sibling upwards.
size_t attest_merkle_proof(
	const struct attest_merkle *tree, size_t idx, uint8_t ret[ATTEST_MERKLE_PROOF_MAX][32]
);

// Returns: 0; -EBADMSG when the proof does not lead from the leaf to the root.
int attest_merkle_verify_proof(
	const uint8_t leaf[32], const uint8_t (*proof)[32], size_t n, const uint8_t root[32]
) __attribute__((warn_unused_result));
