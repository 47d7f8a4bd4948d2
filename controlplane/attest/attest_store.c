// SPDX-License-Identifier: Apache-2.0
//
// Tables ATTEST_QUEUE and ATTEST_SIGNATURES.
#include "controlplane/attest/attest_store.h"

#include "controlplane/attest/attest_merkle.h"
#include "controlplane/purchase.h"
#include "controlplane/session/session_store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void attest_store_domain(
	const struct session_identity *identity, uint8_t separator[EVM_KECCAK_SIZE]
)
{
	uint64_t chain = identity->source == SESSION_SOURCE_CHAIN ? identity->chain : 0;

	// An EVM address stands at the end of the identity's 32 bytes.
	attest_sign_domain(chain, identity->contract + 12, separator);
}

static bool load_checkpoint(
	struct db_txn *txn, const struct db_key *key, struct usage_checkpoint *ret
)
{
	struct db_value value;

	if (!db_get(txn, DB_CHECKPOINTS, key, &value))
		return false;
	if (usage_checkpoint_decode(ret, value.data, value.len) == 0)
		return true;
	db_txn_fail(
		txn, -EBADMSG, "session %" PRIu64 ": a checkpoint is damaged", db_key_first(key)
	);
	return false;
}

// A bought session has the signer that its creation named, whatever is configured since.
static const struct evm_signer *signer_of(
	struct db_txn *txn, const struct attest_keys *keys, const struct session *session
)
{
	struct purchase purchase;

	if (!purchase_load(txn, session->id, &purchase))
		return attest_keys_current(keys);
	return attest_keys_lookup(keys, purchase.usage_signer + 12);
}

// Returns: true when the checkpoint is signed, or cannot be because it is gone.
static bool sign_one(struct db_txn *txn, const struct attest_keys *keys, const struct db_key *key)
{
	uint8_t separator[EVM_KECCAK_SIZE], signature[ATTEST_SIGNATURE_BYTES];
	struct usage_checkpoint checkpoint;
	const struct evm_signer *signer;
	struct session session;

	if (!load_checkpoint(txn, key, &checkpoint) ||
	    !session_store_load(txn, db_key_first(key), &session))
		return true;
	signer = signer_of(txn, keys, &session);
	if (signer == NULL)
		return false;
	attest_store_domain(&session.identity, separator);
	if (attest_sign_checkpoint(signer, separator, &checkpoint, signature) != 0)
		db_txn_fail(txn, -EIO, "session %s: signing failed", session.name);
	db_put(txn, DB_ATTEST_SIGNATURES, key, signature, sizeof(signature));
	return true;
}

// Keys first, writes after: an iterator does not outlive a change of its own table.
static uint32_t collect(
	struct db_txn *txn, const struct db_key *from, struct db_key keys[ATTEST_STORE_ROUND_MAX]
)
{
	struct db_iter iter;
	uint32_t n = 0;

	db_iter_init(&iter, txn, DB_ATTEST_QUEUE, from);
	while (n < ATTEST_STORE_ROUND_MAX && db_iter_next(&iter))
		keys[n++] = iter.key;
	db_iter_fini(&iter);
	return n;
}

static void sign_queued(
	struct db_txn *txn, const struct attest_keys *keys, struct attest_store_round *round
)
{
	struct db_key queued[ATTEST_STORE_ROUND_MAX], from = db_key_pair(0, 0);
	uint32_t n;

	do {
		n = collect(txn, &from, queued);
		for (uint32_t i = 0; i < n && round->n_signed < ATTEST_STORE_ROUND_MAX; i++) {
			uint64_t session_id = db_key_first(&queued[i]);
			from = db_key_pair(session_id, db_key_second(&queued[i]) + 1);
			if (sign_one(txn, keys, &queued[i])) {
				db_delete(txn, DB_ATTEST_QUEUE, &queued[i]);
				round->n_signed++;
				continue;
			}
			if (round->n_waiting++ == 0)
				round->first_waiting = session_id;
		}
	} while (n == ATTEST_STORE_ROUND_MAX && round->n_signed < ATTEST_STORE_ROUND_MAX);
}

static bool is_queue_empty(struct db *db)
{
	struct db_txn txn;

	db_txn_begin_read(&txn, db);
	bool is_empty = db_count(&txn, DB_ATTEST_QUEUE) == 0;
	return db_txn_commit(&txn) == 0 && is_empty;
}

int attest_store_sign(
	struct db *db,
	const struct attest_keys *keys,
	struct attest_store_round *ret,
	char *err,
	size_t err_len
)
{
	struct db_txn txn;
	int rc;

	*ret = (struct attest_store_round){0};
	if (is_queue_empty(db))
		return 0;
	db_txn_begin_write(&txn, db);
	sign_queued(&txn, keys, ret);
	if (ret->n_signed == 0 && txn.error == 0) {
		db_txn_abort(&txn);
		return 0;
	}
	rc = db_txn_commit(&txn);
	if (rc != 0)
		snprintf(err, err_len, "%s", txn.why);
	return rc;
}

bool attest_store_get(
	struct db_txn *txn,
	uint64_t session_id,
	uint64_t sequence,
	uint8_t ret[ATTEST_SIGNATURE_BYTES]
)
{
	const struct db_key key = db_key_pair(session_id, sequence);
	struct db_value value;

	if (!db_get(txn, DB_ATTEST_SIGNATURES, &key, &value))
		return false;
	if (value.len != ATTEST_SIGNATURE_BYTES) {
		db_txn_fail(txn, -EBADMSG, "a checkpoint's signature is damaged");
		return false;
	}
	memcpy(ret, value.data, ATTEST_SIGNATURE_BYTES);
	return true;
}

// Returns: how many leaves; the caller frees ret.
static size_t collect_leaves(struct db_txn *txn, uint64_t session_id, uint8_t (**ret)[32])
{
	const struct db_key from = db_key_pair(session_id, 0);
	uint8_t(*leaves)[32] = NULL;
	struct usage_checkpoint checkpoint;
	size_t n = 0, cap = 0;
	struct db_iter iter;

	db_iter_init(&iter, txn, DB_CHECKPOINTS, &from);
	while (db_iter_next(&iter) && db_key_first(&iter.key) == session_id) {
		if (usage_checkpoint_decode(&checkpoint, iter.value.data, iter.value.len) != 0) {
			db_txn_fail(txn, -EBADMSG, "a checkpoint is damaged");
			break;
		}
		if (n == cap) {
			cap = cap == 0 ? 256 : 2 * cap;
			void *more = realloc(leaves, cap * sizeof(*leaves));
			if (more == NULL) {
				db_txn_fail(txn, -ENOMEM, "no memory for a Merkle tree");
				break;
			}
			leaves = more;
		}
		attest_merkle_leaf(&checkpoint, leaves[n++]);
	}
	db_iter_fini(&iter);
	*ret = leaves;
	return n;
}

bool attest_store_root(struct db_txn *txn, uint64_t session_id, uint8_t ret[32])
{
	struct attest_merkle *tree = NULL;
	uint8_t(*leaves)[32];
	size_t n = collect_leaves(txn, session_id, &leaves);
	int rc = 0;

	memset(ret, 0, 32);
	if (txn->error == 0 && n > 0) {
		rc = attest_merkle_create(&tree, (const uint8_t(*)[32])leaves, n);
		if (rc != 0)
			db_txn_fail(txn, rc, "the Merkle tree of a session cannot be built");
		else
			attest_merkle_root(tree, ret);
	}
	attest_merkle_destroy(tree);
	free(leaves);
	return txn->error == 0;
}
