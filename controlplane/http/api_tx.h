// SPDX-License-Identifier: Apache-2.0
//
// What the api_tx*.c files share: a transaction that is being built for a buyer's wallet. Loop's thread.
#pragma once

#include "controlplane/chain/evm/evm_purchase.h"
#include "controlplane/http/api_chain.h"

enum api_tx_kind {
	API_TX_CREATE,
	API_TX_TOP_UP,
	API_TX_CLOSE,
	API_TX_DISPUTE,
	API_TX_RECLAIM,
	API_TX_N_KIND
};

#define API_TX_DATA_CAP 1024

struct api_tx {
	struct api_chain_job head;
	enum api_tx_kind kind;
	struct api_chain chain;
	bool has_from;
	uint8_t from[EVM_ADDRESS_SIZE]; // who will send it
	uint8_t session_id[32];
	uint8_t asset[EVM_ADDRESS_SIZE]; // zero: the native coin
	struct evm_purchase_order order; // of CREATE; TOP_UP uses data_gb and duration_sec
	uint64_t bytes_accepted; // of DISPUTE
	bool has_max_cost, has_terms_hash; // the caller named them
	struct u256 max_cost;
	struct evm_escrow_terms terms; // of CREATE
	struct u256 cost; // of CREATE and TOP_UP
	bool is_approval_needed;
	bool has_allowance; // not 0, but too low where an approval is needed
	uint8_t data[API_TX_DATA_CAP];
	size_t len;
	char warning[CHAIN_WHY_SIZE];
};

// Reads the body of a kind into tx (kind and head are set). Returns: true; false, the reply stands.
bool api_tx_read(struct api_tx *tx, const struct http_request *request, struct http_reply *reply);

// The call of the escrow. Returns: 0 or -EINVAL.
int api_tx_encode(struct api_tx *tx);

// The transactions, in the order in which they must be sent.
void api_tx_reply(const struct api_tx *tx, struct http_reply *reply);
