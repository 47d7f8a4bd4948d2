// SPDX-License-Identifier: Apache-2.0
//
// See peer_proof.h. Pure.
#include "peer_proof.h"

#include "controlplane/chain/evm/evm_eip712.h"
#include "controlplane/chain/evm/evm_hex.h"
#include "controlplane/session/client_conf.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

size_t peer_proof_text(const struct peer_proof *proof, char text[PEER_PROOF_TEXT_CAP])
{
	char escrow[EVM_ADDRESS_TEXT_SIZE], node[EVM_HEX_SIZE(32)], session[EVM_HEX_SIZE(32)];
	char key[45];

	evm_address_format(proof->escrow, escrow);
	evm_hex_format(proof->node_id, 32, node);
	evm_hex_format(proof->session_id, 32, session);
	client_conf_key_text(key, proof->public_key);
	return (size_t)snprintf(
		text,
		PEER_PROOF_TEXT_CAP,
		"Use this WireGuard key for my tollwire session.\n"
		"\n"
		"Chain ID: %" PRIu64 "\n"
		"Escrow: %s\n"
		"Node: %s\n"
		"Session: %s\n"
		"Public Key: %s\n"
		"Issued At: %" PRIu64,
		proof->chain_id,
		escrow,
		node,
		session,
		key,
		proof->issued_unix_sec
	);
}

int peer_proof_verify(
	const struct peer_proof *proof,
	const struct peer_proof_rule *rule,
	const uint8_t signature[EVM_SIGNER_SIGNATURE_SIZE]
)
{
	uint8_t digest[EVM_KECCAK_SIZE], signer[EVM_ADDRESS_SIZE];
	char text[PEER_PROOF_TEXT_CAP];
	size_t len;

	if (proof->issued_unix_sec > rule->now_unix_sec
		    ? proof->issued_unix_sec - rule->now_unix_sec > PEER_PROOF_SKEW_SEC
		    : rule->now_unix_sec - proof->issued_unix_sec > PEER_PROOF_MAX_AGE_SEC)
		return -ETIME;
	len = peer_proof_text(proof, text);
	evm_eip712_personal_digest(text, len, digest);
	if (evm_signer_recover(digest, signature, signer) < 0)
		return -EBADMSG;
	if (memcmp(signer, rule->buyer, EVM_ADDRESS_SIZE) != 0 &&
	    (evm_address_is_zero(rule->voucher_signer) ||
	     memcmp(signer, rule->voucher_signer, EVM_ADDRESS_SIZE) != 0))
		return -EBADMSG;
	// After the signature: nobody else learns when the key was last changed.
	return proof->issued_unix_sec <= rule->newest_unix_sec ? -EALREADY : 0;
}
