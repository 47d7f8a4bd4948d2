// SPDX-License-Identifier: Apache-2.0
//
// See attest_merkle.h.
#include "controlplane/attest/attest_merkle.h"

#include "controlplane/chain/evm/evm_keccak.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct attest_merkle {
	size_t n_leaves;
	uint8_t (*nodes)[32]; // 2 * n_leaves - 1
	uint32_t *places; // of each leaf in nodes
};

struct sorted {
	uint8_t hash[32];
	uint32_t idx;
};

static void put_u64(uint8_t word[32], uint64_t value)
{
	memset(word, 0, 24);
	for (unsigned i = 0; i < 8; i++)
		word[31 - i] = (uint8_t)(value >> 8 * i);
}

void attest_merkle_leaf(const struct usage_checkpoint *checkpoint, uint8_t ret[32])
{
	uint8_t words[6][32];

	memcpy(words[0], checkpoint->session_id, 32);
	put_u64(words[1], checkpoint->sequence);
	put_u64(words[2], checkpoint->out_bytes);
	put_u64(words[3], checkpoint->in_bytes);
	put_u64(words[4], checkpoint->time_unix_sec);
	memcpy(words[5], checkpoint->previous_hash, 32);
	evm_keccak_256(words, sizeof(words), ret);
	// Twice, so that no inner node (64 octets in) can be taken for a leaf.
	evm_keccak_256(ret, 32, ret);
}

static void hash_pair(const uint8_t a[32], const uint8_t b[32], uint8_t ret[32])
{
	bool is_ordered = memcmp(a, b, 32) <= 0;
	uint8_t pair[64];

	memcpy(pair, is_ordered ? a : b, 32);
	memcpy(pair + 32, is_ordered ? b : a, 32);
	evm_keccak_256(pair, sizeof(pair), ret);
}

static int compare_hashes(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;
	int order = memcmp(x->hash, y->hash, 32);

	if (order != 0)
		return order;
	return x->idx < y->idx ? -1 : 1;
}

static int fill(struct attest_merkle *tree, const uint8_t (*leaves)[32])
{
	size_t n = tree->n_leaves, n_nodes = 2 * n - 1;
	struct sorted *sorted = malloc(n * sizeof(*sorted));

	if (sorted == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		memcpy(sorted[i].hash, leaves[i], 32);
		sorted[i].idx = (uint32_t)i;
	}
	qsort(sorted, n, sizeof(*sorted), compare_hashes);
	for (size_t i = 0; i < n; i++) {
		memcpy(tree->nodes[n_nodes - 1 - i], sorted[i].hash, 32);
		tree->places[sorted[i].idx] = (uint32_t)(n_nodes - 1 - i);
	}
	free(sorted);
	for (size_t i = n_nodes - n; i-- > 0;)
		hash_pair(tree->nodes[2 * i + 1], tree->nodes[2 * i + 2], tree->nodes[i]);
	return 0;
}

int attest_merkle_create(struct attest_merkle **ret, const uint8_t (*leaves)[32], size_t n)
{
	struct attest_merkle *tree;
	int rc = -ENOMEM;

	if (n == 0 || n > ATTEST_MERKLE_LEAVES_MAX)
		return -EINVAL;
	tree = calloc(1, sizeof(*tree));
	if (tree == NULL)
		return -ENOMEM;
	tree->n_leaves = n;
	tree->nodes = malloc((2 * n - 1) * sizeof(*tree->nodes));
	tree->places = malloc(n * sizeof(*tree->places));
	if (tree->nodes != NULL && tree->places != NULL)
		rc = fill(tree, leaves);
	if (rc != 0) {
		attest_merkle_destroy(tree);
		return rc;
	}
	*ret = tree;
	return 0;
}

void attest_merkle_destroy(struct attest_merkle *tree)
{
	if (tree == NULL)
		return;
	free(tree->nodes);
	free(tree->places);
	free(tree);
}

void attest_merkle_root(const struct attest_merkle *tree, uint8_t ret[32])
{
	memcpy(ret, tree->nodes[0], 32);
}

size_t attest_merkle_proof(
	const struct attest_merkle *tree, size_t idx, uint8_t ret[ATTEST_MERKLE_PROOF_MAX][32]
)
{
	size_t n = 0;

	for (size_t i = tree->places[idx]; i > 0; i = (i - 1) / 2)
		memcpy(ret[n++], tree->nodes[i % 2 == 1 ? i + 1 : i - 1], 32);
	return n;
}

int attest_merkle_verify_proof(
	const uint8_t leaf[32], const uint8_t (*proof)[32], size_t n, const uint8_t root[32]
)
{
	uint8_t hash[32];

	memcpy(hash, leaf, 32);
	for (size_t i = 0; i < n; i++)
		hash_pair(hash, proof[i], hash);
	return memcmp(hash, root, 32) == 0 ? 0 : -EBADMSG;
}
