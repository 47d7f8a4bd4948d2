// SPDX-License-Identifier: Apache-2.0
//
// What is hashed, signed and called. Events are evm_escrow_event.c's.

#include "evm_escrow.h"

#include <errno.h>
#include <string.h>

void evm_escrow_domain(
	uint64_t chain_id,
	const uint8_t escrow[EVM_ADDRESS_SIZE],
	uint8_t separator[EVM_KECCAK_SIZE]
)
{
	struct evm_eip712_domain domain = {
		.name = "tollwire EscrowPayment",
		.version = "1",
		.chain_id = u256_from_u64(chain_id),
	};

	memcpy(domain.verifying_contract, escrow, EVM_ADDRESS_SIZE);
	evm_eip712_domain_separator(&domain, separator);
}

void evm_escrow_session_id(
	uint64_t chain_id,
	const uint8_t escrow[EVM_ADDRESS_SIZE],
	const uint8_t buyer[EVM_ADDRESS_SIZE],
	const uint8_t salt[32],
	uint8_t session_id[32]
)
{
	uint8_t buf[4 * EVM_ABI_WORD];
	struct evm_abi_writer w;

	evm_abi_writer_init(&w, buf, sizeof(buf));
	evm_abi_begin(&w, 4);
	evm_abi_put_u64(&w, chain_id);
	evm_abi_put_address(&w, escrow);
	evm_abi_put_address(&w, buyer);
	evm_abi_put_word(&w, salt);
	evm_keccak_256(buf, sizeof(buf), session_id);
}

void evm_escrow_terms_hash(const struct evm_escrow_terms *terms, uint8_t hash[EVM_KECCAK_SIZE])
{
	struct evm_eip712_struct s;

	evm_eip712_begin(
		&s,
		"SessionTerms(uint256 nodeId,address asset,uint256 pricePerGB,address "
		"payout,uint256 "
		"feeBps,address treasury,address attestor,uint256 windowSec,uint256 "
		"graceSec,bytes32 "
		"wgPublicKey,address usageSigner)"
	);
	evm_eip712_put_u256(&s, terms->node_id);
	evm_eip712_put_address(&s, terms->asset);
	evm_eip712_put_u256(&s, terms->price_per_gb);
	evm_eip712_put_address(&s, terms->payout);
	evm_eip712_put_u64(&s, terms->fee_bps);
	evm_eip712_put_address(&s, terms->treasury);
	evm_eip712_put_address(&s, terms->attestor);
	evm_eip712_put_u64(&s, terms->window_sec);
	evm_eip712_put_u64(&s, terms->grace_sec);
	evm_eip712_put_word(&s, terms->wg_public_key);
	evm_eip712_put_address(&s, terms->usage_signer);
	evm_eip712_end(&s, hash);
}

void evm_escrow_voucher_digest(
	const uint8_t separator[EVM_KECCAK_SIZE],
	const uint8_t session_id[32],
	uint64_t cumulative_bytes,
	uint8_t digest[EVM_KECCAK_SIZE]
)
{
	uint8_t hash[EVM_KECCAK_SIZE];
	struct evm_eip712_struct s;

	evm_eip712_begin(&s, "UsageVoucher(bytes32 sessionId,uint256 cumulativeBytes)");
	evm_eip712_put_word(&s, session_id);
	evm_eip712_put_u64(&s, cumulative_bytes);
	evm_eip712_end(&s, hash);
	evm_eip712_digest(separator, hash, digest);
}

int evm_escrow_verify_voucher(
	const uint8_t separator[EVM_KECCAK_SIZE],
	const uint8_t session_id[32],
	const uint8_t signer[EVM_ADDRESS_SIZE],
	const struct evm_escrow_voucher *voucher
)
{
	uint8_t digest[EVM_KECCAK_SIZE], signature[EVM_SIGNER_SIGNATURE_SIZE];

	// Signer 0 in the session's terms means that every voucher is refused.
	if (evm_address_is_zero(signer))
		return -EBADMSG;
	evm_escrow_voucher_digest(separator, session_id, voucher->cumulative_bytes, digest);
	evm_escrow_expand(voucher->r, voucher->vs, signature);
	return evm_signer_verify(signer, digest, signature);
}

void evm_escrow_attestation_digest(
	const uint8_t separator[EVM_KECCAK_SIZE],
	const struct evm_escrow_item *item,
	uint8_t digest[EVM_KECCAK_SIZE]
)
{
	uint8_t hash[EVM_KECCAK_SIZE];
	struct evm_eip712_struct s;

	evm_eip712_begin(
		&s, "UsageAttestation(bytes32 sessionId,uint256 bytesUsed,bytes32 checkpointsRoot)"
	);
	evm_eip712_put_word(&s, item->session_id);
	evm_eip712_put_u64(&s, item->bytes_used);
	evm_eip712_put_word(&s, item->checkpoints_root);
	evm_eip712_end(&s, hash);
	evm_eip712_digest(separator, hash, digest);
}

int evm_escrow_verify_attestation(
	const uint8_t separator[EVM_KECCAK_SIZE],
	const struct evm_escrow_item *item,
	const uint8_t attestor[EVM_ADDRESS_SIZE]
)
{
	uint8_t digest[EVM_KECCAK_SIZE], signature[EVM_SIGNER_SIGNATURE_SIZE];

	// Attestor 0 in the session's terms means that every attestation is refused.
	if (evm_address_is_zero(attestor))
		return -EBADMSG;
	evm_escrow_attestation_digest(separator, item, digest);
	evm_escrow_expand(item->attestation.r, item->attestation.vs, signature);
	return evm_signer_verify(attestor, digest, signature);
}

void evm_escrow_compact(
	const uint8_t signature[EVM_SIGNER_SIGNATURE_SIZE], uint8_t r[32], uint8_t vs[32]
)
{
	memcpy(r, signature, 32);
	memcpy(vs, signature + 32, 32);
	vs[0] |= (uint8_t)((signature[64] - 27) << 7);
}

void evm_escrow_expand(
	const uint8_t r[32], const uint8_t vs[32], uint8_t signature[EVM_SIGNER_SIGNATURE_SIZE]
)
{
	memcpy(signature, r, 32);
	memcpy(signature + 32, vs, 32);
	signature[32] &= 0x7f;
	signature[64] = (uint8_t)(27 + (vs[0] >> 7));
}

void evm_escrow_put_finalize_batch(
	struct evm_abi_writer *w, struct u256 node_id, const struct evm_escrow_item *items, size_t n
)
{
	evm_abi_call(
		w, "finalizeBatch(uint256,(bytes32,uint256,bytes32,(uint256,bytes32,bytes32))[])", 2
	);
	evm_abi_put_u256(w, node_id);
	evm_abi_array_begin(w, n, 6 * n);
	for (size_t i = 0; i < n; i++) {
		evm_abi_put_word(w, items[i].session_id);
		evm_abi_put_u64(w, items[i].bytes_used);
		evm_abi_put_word(w, items[i].checkpoints_root);
		evm_abi_put_u64(w, items[i].voucher.cumulative_bytes);
		evm_abi_put_word(w, items[i].voucher.r);
		evm_abi_put_word(w, items[i].voucher.vs);
	}
	evm_abi_end(w);
	evm_abi_end(w);
}

void evm_escrow_put_finalize(struct evm_abi_writer *w, const struct evm_escrow_item *item)
{
	evm_abi_call(w, "finalizeSession(bytes32,uint256,bytes32,(uint256,bytes32,bytes32))", 6);
	evm_abi_put_word(w, item->session_id);
	evm_abi_put_u64(w, item->bytes_used);
	evm_abi_put_word(w, item->checkpoints_root);
	evm_abi_put_u64(w, item->voucher.cumulative_bytes);
	evm_abi_put_word(w, item->voucher.r);
	evm_abi_put_word(w, item->voucher.vs);
	evm_abi_end(w);
}

void evm_escrow_put_execute(struct evm_abi_writer *w, const uint8_t session_id[32])
{
	evm_abi_call(w, "execute(bytes32)", 1);
	evm_abi_put_word(w, session_id);
	evm_abi_end(w);
}

void evm_escrow_put_propose_batch(
	struct evm_abi_writer *w, struct u256 node_id, const struct evm_escrow_item *items, size_t n
)
{
	evm_abi_call(w, "proposeBatch(uint256,(bytes32,uint256,bytes32)[])", 2);
	evm_abi_put_u256(w, node_id);
	evm_abi_array_begin(w, n, 3 * n);
	for (size_t i = 0; i < n; i++) {
		evm_abi_put_word(w, items[i].session_id);
		evm_abi_put_u64(w, items[i].bytes_used);
		evm_abi_put_word(w, items[i].checkpoints_root);
	}
	evm_abi_end(w);
	evm_abi_end(w);
}

void evm_escrow_put_execute_batch(
	struct evm_abi_writer *w, struct u256 node_id, const struct evm_escrow_item *items, size_t n
)
{
	evm_abi_call(w, "executeBatch(uint256,bytes32[])", 2);
	evm_abi_put_u256(w, node_id);
	evm_abi_array_begin(w, n, n);
	for (size_t i = 0; i < n; i++)
		evm_abi_put_word(w, items[i].session_id);
	evm_abi_end(w);
	evm_abi_end(w);
}

void evm_escrow_put_claim(struct evm_abi_writer *w, const struct evm_escrow_item *item)
{
	evm_abi_call(w, "claim(bytes32,(uint256,bytes32,bytes32))", 4);
	evm_abi_put_word(w, item->session_id);
	evm_abi_put_u64(w, item->voucher.cumulative_bytes);
	evm_abi_put_word(w, item->voucher.r);
	evm_abi_put_word(w, item->voucher.vs);
	evm_abi_end(w);
}

// finalizeAttested and resolve take the same.
static void evm_escrow_put_attested(
	struct evm_abi_writer *w, const char *signature, const struct evm_escrow_item *item
)
{
	evm_abi_call(w, signature, 5);
	evm_abi_put_word(w, item->session_id);
	evm_abi_put_u64(w, item->bytes_used);
	evm_abi_put_word(w, item->checkpoints_root);
	evm_abi_put_word(w, item->attestation.r);
	evm_abi_put_word(w, item->attestation.vs);
	evm_abi_end(w);
}

void evm_escrow_put_finalize_attested(struct evm_abi_writer *w, const struct evm_escrow_item *item)
{
	evm_escrow_put_attested(
		w, "finalizeAttested(bytes32,uint256,bytes32,(bytes32,bytes32))", item
	);
}

void evm_escrow_put_resolve(struct evm_abi_writer *w, const struct evm_escrow_item *item)
{
	evm_escrow_put_attested(w, "resolve(bytes32,uint256,bytes32,(bytes32,bytes32))", item);
}
