// SPDX-License-Identifier: Apache-2.0
//
// Signatures of checkpoints in the store. Every checkpoint is queued for signing in the transaction
// that stores it; a round signs what is queued, and signature and end of queueing are one
// transaction: a kill in between only means that it is signed in the next round. A session whose
// signer's key is not here keeps its checkpoints queued and counts as waiting. Loop's thread.
#pragma once

#include "controlplane/attest/attest_keys.h"
#include "controlplane/attest/attest_sign.h"
#include "controlplane/session/session.h"
#include "controlplane/store/db.h"

#include <stdbool.h>
#include <stdint.h>

#define ATTEST_STORE_ROUND_MAX 128 // signatures in one transaction: about 10 ms

// The domain of a session's signatures.
void attest_store_domain(
	const struct session_identity *identity, uint8_t separator[EVM_KECCAK_SIZE]
);

struct attest_store_round {
	uint32_t n_signed;
	uint32_t n_waiting; // no key for their signer
	uint64_t first_waiting; // local id of a session; 0: none
};

// Returns: 0; a store error or -EIO, with a sentence in err; nothing is lost.
int attest_store_sign(
	struct db *db,
	const struct attest_keys *keys,
	struct attest_store_round *ret,
	char *err,
	size_t err_len
);

// Returns: true with the signature; false when the checkpoint is not signed yet.
bool attest_store_get(
	struct db_txn *txn,
	uint64_t session_id,
	uint64_t sequence,
	uint8_t ret[ATTEST_SIGNATURE_BYTES]
);

// The Merkle root over all checkpoints of a session; zeros when it has none.
//
// Returns: false when the transaction has failed.
bool attest_store_root(struct db_txn *txn, uint64_t session_id, uint8_t ret[32]);
