// SPDX-License-Identifier: Apache-2.0
//
// EscrowPayment as bytes: the calls that a node makes, the events that it reads, and what is signed
// (contracts/README.md, "What is hashed and signed"). Pure; any thread.

#pragma once

#include "controlplane/chain/evm/evm_abi.h"
#include "controlplane/chain/evm/evm_eip712.h"
#include "controlplane/chain/evm/evm_reply.h"
#include "controlplane/chain/evm/evm_signer.h"
#include "controlplane/chain/u256.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct evm_escrow_terms {
	struct u256 node_id;
	uint8_t asset[EVM_ADDRESS_SIZE]; // zero for the native coin
	struct u256 price_per_gb;
	uint8_t payout[EVM_ADDRESS_SIZE];
	uint64_t fee_bps;
	uint8_t treasury[EVM_ADDRESS_SIZE];
	uint8_t attestor[EVM_ADDRESS_SIZE];
	uint64_t window_sec;
	uint64_t grace_sec;
	uint8_t wg_public_key[32];
	uint8_t usage_signer[EVM_ADDRESS_SIZE];
};

// A buyer's voucher, signature as in EIP-2098. All zero: there is none.
struct evm_escrow_voucher {
	uint64_t cumulative_bytes;
	uint8_t r[32];
	uint8_t vs[32];
};

// The attestor's word on bytes and root of a session, signature as in EIP-2098.
struct evm_escrow_attestation {
	uint8_t r[32];
	uint8_t vs[32];
};

struct evm_escrow_item {
	uint8_t session_id[32];
	uint64_t bytes_used;
	uint8_t checkpoints_root[32];
	struct evm_escrow_voucher voucher;
	struct evm_escrow_attestation attestation;
};

void evm_escrow_domain(
	uint64_t chain_id,
	const uint8_t escrow[EVM_ADDRESS_SIZE],
	uint8_t separator[EVM_KECCAK_SIZE]
);
void evm_escrow_session_id(
	uint64_t chain_id,
	const uint8_t escrow[EVM_ADDRESS_SIZE],
	const uint8_t buyer[EVM_ADDRESS_SIZE],
	const uint8_t salt[32],
	uint8_t session_id[32]
);
void evm_escrow_terms_hash(const struct evm_escrow_terms *terms, uint8_t hash[EVM_KECCAK_SIZE]);

void evm_escrow_voucher_digest(
	const uint8_t separator[EVM_KECCAK_SIZE],
	const uint8_t session_id[32],
	uint64_t cumulative_bytes,
	uint8_t digest[EVM_KECCAK_SIZE]
);

/* That this signer signed for this very session, chain and contract.
 * Returns: 0; -EBADMSG, also for a malleable signature and for signer 0. */
int evm_escrow_verify_voucher(
	const uint8_t separator[EVM_KECCAK_SIZE],
	const uint8_t session_id[32],
	const uint8_t signer[EVM_ADDRESS_SIZE],
	const struct evm_escrow_voucher *voucher
) __attribute__((warn_unused_result));

void evm_escrow_attestation_digest(
	const uint8_t separator[EVM_KECCAK_SIZE],
	const struct evm_escrow_item *item,
	uint8_t digest[EVM_KECCAK_SIZE]
);

/* That this attestor signed the item's bytes and root for this very session, chain and contract.
 * Returns: 0; -EBADMSG, also for a malleable signature and for attestor 0. */
int evm_escrow_verify_attestation(
	const uint8_t separator[EVM_KECCAK_SIZE],
	const struct evm_escrow_item *item,
	const uint8_t attestor[EVM_ADDRESS_SIZE]
) __attribute__((warn_unused_result));

/* 65 bytes r, s, v to EIP-2098 and back. */
void evm_escrow_compact(
	const uint8_t signature[EVM_SIGNER_SIGNATURE_SIZE], uint8_t r[32], uint8_t vs[32]
);
void evm_escrow_expand(
	const uint8_t r[32], const uint8_t vs[32], uint8_t signature[EVM_SIGNER_SIGNATURE_SIZE]
);

/* Call data. Capacity 256 + 192 * n suffices. */
void evm_escrow_put_finalize_batch(
	struct evm_abi_writer *w, struct u256 node_id, const struct evm_escrow_item *items, size_t n
);
// One session; these push the refund to the buyer, batches leave it to be drawn.
void evm_escrow_put_finalize(struct evm_abi_writer *w, const struct evm_escrow_item *item);
void evm_escrow_put_execute(struct evm_abi_writer *w, const uint8_t session_id[32]);
void evm_escrow_put_propose_batch(
	struct evm_abi_writer *w, struct u256 node_id, const struct evm_escrow_item *items, size_t n
);
void evm_escrow_put_execute_batch(
	struct evm_abi_writer *w, struct u256 node_id, const struct evm_escrow_item *items, size_t n
);

/* Calls for one session. Capacity 256 suffices. */
void evm_escrow_put_claim(struct evm_abi_writer *w, const struct evm_escrow_item *item);
void evm_escrow_put_finalize_attested(struct evm_abi_writer *w, const struct evm_escrow_item *item);
void evm_escrow_put_resolve(struct evm_abi_writer *w, const struct evm_escrow_item *item);

// id, Solidity signature
#define EVM_ESCROW_EVENT_LIST(X) \
	X(CREATED, \
	  "SessionCreated(bytes32,uint256,address,bytes32,(uint256,address,uint256,address," \
	  "uint256," \
	  "address,address,uint256,uint256,bytes32,address),uint256,uint256,uint8,address," \
	  "uint256)") \
	X(TOPPED_UP, "SessionToppedUp(bytes32,uint256,uint256,uint256)") \
	X(CLOSED, "SessionClosed(bytes32,uint256)") \
	X(CLAIMED, "SessionClaimed(bytes32,uint256,uint256,uint256)") \
	X(PROPOSED, "SettlementProposed(bytes32,uint256,bytes32,uint256)") \
	X(DISPUTED, "SettlementDisputed(bytes32,address,uint256,uint256,uint256)") \
	X(SETTLED, "SessionSettled(bytes32,uint8,uint256,bytes32,uint256,uint256,uint256)") \
	X(SKIPPED, "BatchItemSkipped(bytes32,bytes4)")

#define EVM_ESCROW_EVENT_ENUM(id, signature) EVM_ESCROW_##id,
enum evm_escrow_event_kind { EVM_ESCROW_EVENT_LIST(EVM_ESCROW_EVENT_ENUM) EVM_ESCROW_N_EVENT };

// By which call a session was settled; IEscrowPayment.sol's Path.
enum evm_escrow_path {
	EVM_ESCROW_FINALIZED,
	EVM_ESCROW_ATTESTED,
	EVM_ESCROW_EXECUTED,
	EVM_ESCROW_RESOLVED,
	EVM_ESCROW_RECLAIMED,
};

struct evm_escrow_event {
	enum evm_escrow_event_kind kind;
	uint8_t session_id[32];
	union {
		struct {
			struct u256 node_id;
			uint8_t buyer[EVM_ADDRESS_SIZE];
			uint8_t terms_hash[32];
			struct evm_escrow_terms terms;
			uint64_t bought_bytes;
			uint64_t expiry_sec;
			uint8_t mode;
			uint8_t voucher_signer[EVM_ADDRESS_SIZE];
			struct u256 deposit;
		} created;
		struct {
			uint64_t bought_bytes;
			uint64_t expiry_sec;
			struct u256 paid;
		} topped_up;
		struct {
			uint64_t reclaim_from_sec;
		} closed;
		struct {
			uint64_t claimed_bytes;
			struct u256 operator_amount;
			struct u256 fee_amount;
		} claimed;
		struct {
			uint64_t bytes_used;
			uint8_t checkpoints_root[32];
			uint64_t window_end_sec;
		} proposed;
		struct {
			uint8_t disputer[EVM_ADDRESS_SIZE];
			uint64_t bytes_accepted;
			uint64_t proposed_bytes;
			uint64_t resolve_until_sec;
		} disputed;
		struct {
			uint8_t path; // enum evm_escrow_path
			uint64_t bytes_used;
			uint8_t checkpoints_root[32];
			struct u256 operator_amount;
			struct u256 fee_amount;
			struct u256 refund;
		} settled;
		struct {
			uint8_t reason[EVM_ABI_SELECTOR];
		} skipped;
	} u;
};

void evm_escrow_topic(enum evm_escrow_event_kind kind, uint8_t topic[32]);

/* Returns: 0; -ENOENT when it is none of these events; -EBADMSG when it is one and malformed, its
 * terms do not hash to its terms hash, or a number is beyond 64 bits where bytes and times stand. */
int evm_escrow_decode(const struct evm_log *log, struct evm_escrow_event *ret)
	__attribute__((warn_unused_result));

/* The name of a custom error by its selector; "unknown error" for another's. */
const char *evm_escrow_error_name(const uint8_t selector[EVM_ABI_SELECTOR]);
