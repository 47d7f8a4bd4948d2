// SPDX-License-Identifier: Apache-2.0
//
// The judgement over a file of checkpoints. Pure but for memory.
#include "controlplane/attest/attest_file.h"
#include "controlplane/attest/attest_merkle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAULT_NAME(id, name, help) name,

const char *attest_fault_name(unsigned int fault)
{
	static const char *const names[] = {ATTEST_FAULT_LIST(FAULT_NAME)};

	return fault < ATTEST_N_FAULT ? names[fault] : "unknown";
}

static enum attest_fault verify_chain(const struct attest_file *file, char why[ATTEST_FILE_WHY_CAP])
{
	const struct usage_checkpoint *last = NULL;
	uint8_t hash[32];

	for (size_t i = 0; i < file->n_items; i++) {
		const struct attest_item *item = &file->items[i];
		usage_checkpoint_hash(&item->checkpoint, hash);
		if (usage_checkpoint_verify_next(last, &item->checkpoint) != 0 ||
		    (item->has_hash && memcmp(item->hash, hash, 32) != 0)) {
			snprintf(
				why,
				ATTEST_FILE_WHY_CAP,
				"checkpoint %zu of the file (sequence %" PRIu64
				") does not follow the one before it",
				i + 1,
				item->checkpoint.sequence
			);
			return ATTEST_FAULT_CHAIN;
		}
		last = &item->checkpoint;
	}
	return ATTEST_FAULT_NONE;
}

static enum attest_fault verify_signatures(
	const struct attest_file *file,
	const struct attest_trust *trust,
	char why[ATTEST_FILE_WHY_CAP]
)
{
	uint8_t separator[EVM_KECCAK_SIZE];

	attest_sign_domain(file->chain_id, file->escrow, separator);
	for (size_t i = 0; i < file->n_items; i++) {
		const struct attest_item *item = &file->items[i];
		if (attest_sign_verify(
			    trust->signer, separator, &item->checkpoint, item->signature
		    ) == 0)
			continue;
		snprintf(
			why,
			ATTEST_FILE_WHY_CAP,
			"checkpoint %" PRIu64 " is not signed by the usage signer",
			item->checkpoint.sequence
		);
		return ATTEST_FAULT_SIGNATURE;
	}
	return ATTEST_FAULT_NONE;
}

static enum attest_fault verify_sums(const struct attest_file *file, char why[ATTEST_FILE_WHY_CAP])
{
	const struct usage_checkpoint *last = &file->items[file->n_items - 1].checkpoint;
	uint64_t sum;

	// A page that says more follow is not the whole, whatever its totals are.
	if (file->next_sequence == 0 && last->out_bytes == file->total_out_bytes &&
	    last->in_bytes == file->total_in_bytes &&
	    !__builtin_add_overflow(last->out_bytes, last->in_bytes, &sum))
		return ATTEST_FAULT_NONE;
	snprintf(
		why,
		ATTEST_FILE_WHY_CAP,
		"the last checkpoint says %" PRIu64 " out and %" PRIu64 " in, the totals %" PRIu64
		" and %" PRIu64,
		last->out_bytes,
		last->in_bytes,
		file->total_out_bytes,
		file->total_in_bytes
	);
	return ATTEST_FAULT_SUM;
}

static enum attest_fault verify_inclusion(
	const struct attest_file *file,
	const struct attest_trust *trust,
	const uint8_t (*leaves)[32],
	const uint8_t root[32],
	char why[ATTEST_FILE_WHY_CAP]
)
{
	for (size_t i = 0; i < file->n_items; i++) {
		const struct attest_item *item = &file->items[i];
		if (!item->has_proof ||
		    attest_merkle_verify_proof(
			    leaves[i], (const uint8_t(*)[32])item->proof, item->n_proof, root
		    ) == 0)
			continue;
		snprintf(
			why,
			ATTEST_FILE_WHY_CAP,
			"the proof of checkpoint %" PRIu64 " does not lead to the root",
			item->checkpoint.sequence
		);
		return ATTEST_FAULT_PROOF;
	}
	if (!trust->has_root || memcmp(trust->root, root, 32) == 0)
		return ATTEST_FAULT_NONE;
	snprintf(why, ATTEST_FILE_WHY_CAP, "the root on chain is of other checkpoints than these");
	return ATTEST_FAULT_ROOT;
}

static enum attest_fault verify_tree(
	const struct attest_file *file,
	const struct attest_trust *trust,
	uint8_t ret_root[32],
	char why[ATTEST_FILE_WHY_CAP]
)
{
	uint8_t(*leaves)[32] = malloc(file->n_items * sizeof(*leaves));
	enum attest_fault fault = ATTEST_FAULT_FORMAT;
	struct attest_merkle *tree = NULL;

	snprintf(why, ATTEST_FILE_WHY_CAP, "out of memory");
	if (leaves == NULL)
		return fault;
	for (size_t i = 0; i < file->n_items; i++)
		attest_merkle_leaf(&file->items[i].checkpoint, leaves[i]);
	if (attest_merkle_create(&tree, (const uint8_t(*)[32])leaves, file->n_items) == 0) {
		attest_merkle_root(tree, ret_root);
		fault = verify_inclusion(file, trust, (const uint8_t(*)[32])leaves, ret_root, why);
	}
	attest_merkle_destroy(tree);
	free(leaves);
	return fault;
}

enum attest_fault attest_file_verify(
	const struct attest_file *file,
	const struct attest_trust *trust,
	uint8_t ret_root[32],
	char why[ATTEST_FILE_WHY_CAP]
)
{
	enum attest_fault fault;

	if (file->n_items == 0) {
		snprintf(why, ATTEST_FILE_WHY_CAP, "there is no checkpoint");
		return ATTEST_FAULT_EMPTY;
	}
	fault = verify_chain(file, why);
	if (fault == ATTEST_FAULT_NONE)
		fault = verify_signatures(file, trust, why);
	if (fault == ATTEST_FAULT_NONE)
		fault = verify_sums(file, why);
	if (fault == ATTEST_FAULT_NONE)
		fault = verify_tree(file, trust, ret_root, why);
	return fault;
}
