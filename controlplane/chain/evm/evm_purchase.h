// SPDX-License-Identifier: Apache-2.0
//
// The buyer's side of the contracts as bytes: what the registry and the escrow tell a buyer, and the
// calls that buy, end, dispute and reclaim a session. The node's side is evm_escrow.h. What an entry
// of the registry says was written by its operator, in any octets: here they are printable UTF-8, with
// '?' for what is not, so that one entry cannot make the others unreadable. Pure; any thread.

#pragma once

#include "controlplane/chain/evm/evm_abi.h"
#include "controlplane/chain/evm/evm_escrow.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVM_PURCHASE_NAME_MAX 64 // NodeRegistry.MAX_NAME, octets
#define EVM_PURCHASE_REGION_MAX 32
#define EVM_PURCHASE_LOCATOR_MAX 256
#define EVM_PURCHASE_DURATION_MAX_SEC (90ull * 86400)

struct evm_purchase_node {
	struct u256 node_id;
	struct u256 price_per_gb; // native coin; 0 where the node takes none
	uint8_t operator_address[EVM_ADDRESS_SIZE];
	bool is_active;
	uint64_t bandwidth_mbps;
	uint64_t window_sec;
	uint64_t grace_sec;
	uint8_t payout[EVM_ADDRESS_SIZE];
	uint64_t n_sessions;
	uint8_t settler[EVM_ADDRESS_SIZE];
	struct u256 served_bytes;
	uint8_t usage_signer[EVM_ADDRESS_SIZE];
	uint8_t wg_public_key[32];
	uint8_t metadata_hash[32];
	char name[EVM_PURCHASE_NAME_MAX + 1];
	char region[EVM_PURCHASE_REGION_MAX + 1];
	char endpoint[EVM_PURCHASE_LOCATOR_MAX + 1];
	char api_url[EVM_PURCHASE_LOCATOR_MAX + 1];
};

enum evm_purchase_mode {
	EVM_PURCHASE_VOUCHER,
	EVM_PURCHASE_ATTESTED,
	EVM_PURCHASE_OPTIMISTIC,
	EVM_PURCHASE_N_MODE
};

enum evm_purchase_status {
	EVM_PURCHASE_NONE,
	EVM_PURCHASE_OPEN,
	EVM_PURCHASE_CLOSED,
	EVM_PURCHASE_PROPOSED,
	EVM_PURCHASE_DISPUTED,
	EVM_PURCHASE_SETTLED,
	EVM_PURCHASE_N_STATUS
};

struct evm_purchase_order {
	struct u256 node_id;
	uint64_t data_gb; // units of 10^9 bytes, 1 to 2^32 - 1
	uint64_t duration_sec;
	enum evm_purchase_mode mode;
	uint8_t voucher_signer[EVM_ADDRESS_SIZE];
	uint8_t attestor[EVM_ADDRESS_SIZE];
	uint8_t salt[32];
	uint8_t terms_hash[32];
};

struct evm_purchase_session {
	enum evm_purchase_status status;
	enum evm_purchase_mode mode;
	uint8_t buyer[EVM_ADDRESS_SIZE];
	uint8_t voucher_signer[EVM_ADDRESS_SIZE];
	uint64_t bought_bytes;
	uint64_t claimed_bytes;
	uint64_t proposed_bytes;
	uint64_t created_sec;
	uint64_t expiry_sec;
	uint64_t deadline_sec; // see IEscrowPayment.SessionView
	struct u256 deposit;
	struct u256 held;
	struct u256 refundable;
	uint8_t terms_hash[32];
	struct evm_escrow_terms
		terms; // without wg_public_key and usage_signer, which only the hash has
};

// ERC-2612, for the escrow as spender. deadline_sec 0: there is none, the allowance must suffice.
struct evm_purchase_permit {
	struct u256 value;
	uint64_t deadline_sec;
	uint8_t signature[EVM_SIGNER_SIGNATURE_SIZE];
};

const char *evm_purchase_mode_name(enum evm_purchase_mode mode);
const char *evm_purchase_status_name(enum evm_purchase_status status);

/* Returns: 0; -EINVAL for another word. */
int evm_purchase_mode_parse(const char *name, enum evm_purchase_mode *ret)
	__attribute__((warn_unused_result));

/* data_gb × price, what createSession wants as value. Returns: 0; -EOVERFLOW. */
int evm_purchase_cost(uint64_t data_gb, struct u256 price_per_gb, struct u256 *ret)
	__attribute__((warn_unused_result));

/* Call data; 512 octets suffice for each. Tokens are paid by allowance, without a permit. */
void evm_purchase_put_create(struct evm_abi_writer *w, const struct evm_purchase_order *order);
void evm_purchase_put_create_with_token(
	struct evm_abi_writer *w,
	const struct evm_purchase_order *order,
	const uint8_t token[EVM_ADDRESS_SIZE],
	struct u256 max_cost,
	const struct evm_purchase_permit *permit // NULL: none
);
void evm_purchase_put_top_up(
	struct evm_abi_writer *w,
	const uint8_t session_id[32],
	uint64_t data_gb,
	uint64_t duration_sec
);
void evm_purchase_put_top_up_with_token(
	struct evm_abi_writer *w,
	const uint8_t session_id[32],
	uint64_t data_gb,
	uint64_t duration_sec,
	const uint8_t token[EVM_ADDRESS_SIZE],
	struct u256 max_cost
);
void evm_purchase_put_price_of(
	struct evm_abi_writer *w, struct u256 node_id, const uint8_t asset[EVM_ADDRESS_SIZE]
);
void evm_purchase_put_close(struct evm_abi_writer *w, const uint8_t session_id[32]);
void evm_purchase_put_dispute(
	struct evm_abi_writer *w, const uint8_t session_id[32], uint64_t bytes_accepted
);
void evm_purchase_put_reclaim(struct evm_abi_writer *w, const uint8_t session_id[32]);
void evm_purchase_put_withdraw_refund(struct evm_abi_writer *w, const uint8_t session_id[32]);
void evm_purchase_put_get_session(struct evm_abi_writer *w, const uint8_t session_id[32]);
void evm_purchase_put_get_node(struct evm_abi_writer *w, struct u256 node_id);
void evm_purchase_put_list_nodes(struct evm_abi_writer *w, uint64_t offset, uint64_t limit);
void evm_purchase_put_current_terms(
	struct evm_abi_writer *w,
	struct u256 node_id,
	const uint8_t asset[EVM_ADDRESS_SIZE],
	const uint8_t attestor[EVM_ADDRESS_SIZE]
);

/* Answers. Returns: 0; -EBADMSG, ret then undefined. */
int evm_purchase_get_node(const uint8_t *data, size_t len, struct evm_purchase_node *ret)
	__attribute__((warn_unused_result));

/* Up to cap nodes of a page; *ret_total: nodes ever registered. */
int evm_purchase_get_nodes(
	const uint8_t *data,
	size_t len,
	struct evm_purchase_node *ret,
	size_t cap,
	size_t *ret_n,
	uint64_t *ret_total
) __attribute__((warn_unused_result));

int evm_purchase_get_session(const uint8_t *data, size_t len, struct evm_purchase_session *ret)
	__attribute__((warn_unused_result));

/* Also -EBADMSG when the terms do not hash to the hash beside them. */
int evm_purchase_get_terms(
	const uint8_t *data, size_t len, struct evm_escrow_terms *ret, uint8_t ret_hash[32]
) __attribute__((warn_unused_result));
