// SPDX-License-Identifier: Apache-2.0
//
// What a buyer signs so that a session takes a WireGuard public key: one text that names chain, escrow,
// node, session, key and time, as wallets show it (EIP-191, "personal message"). The node writes the
// text from what it knows itself: a signature for another chain, escrow, node or session recovers
// another address and is refused. Pure; any thread.
#pragma once

#include "controlplane/chain/evm/evm_address.h"
#include "controlplane/chain/evm/evm_signer.h"

#include <stddef.h>
#include <stdint.h>

#define PEER_PROOF_TEXT_CAP 512
#define PEER_PROOF_MAX_AGE_SEC 300
#define PEER_PROOF_SKEW_SEC 60 // a wallet's clock may be ahead by so much

struct peer_proof {
	uint64_t chain_id;
	uint8_t escrow[EVM_ADDRESS_SIZE];
	uint8_t node_id[32];
	uint8_t session_id[32];
	uint8_t public_key[32];
	uint64_t issued_unix_sec;
};

// Who may sign, and the time of the newest proof that the session has taken (0: none): an older or
// equal one is a replay, which would bring back a key that was replaced.
struct peer_proof_rule {
	uint8_t buyer[EVM_ADDRESS_SIZE];
	uint8_t voucher_signer[EVM_ADDRESS_SIZE]; // zero: none
	uint64_t newest_unix_sec;
	uint64_t now_unix_sec;
};

// Writes the text, without a line end at its end. Returns: its length.
size_t peer_proof_text(const struct peer_proof *proof, char text[PEER_PROOF_TEXT_CAP]);

// Returns: 0; -ETIME when it is too old, or of the future; -EALREADY for a replay; -EBADMSG when
//          neither of the two signed it.
int peer_proof_verify(
	const struct peer_proof *proof,
	const struct peer_proof_rule *rule,
	const uint8_t signature[EVM_SIGNER_SIGNATURE_SIZE]
) __attribute__((warn_unused_result));
