// SPDX-License-Identifier: Apache-2.0
//
// What a buyer reads from the chain: registry and escrow that belong together, nodes, terms, sessions.
// Each returns 0 or an exit code with the message out.
#pragma once

#include "controlplane/chain/evm/evm_purchase.h"
#include "controlplane/twctl/twctl_chain.h"

#define BUYER_CHAIN_KEY_OPTIONS \
	{"--key-file", "FILE", "the key: a geth keystore or 64 hex digits, mode 0600"}, \
	{ \
		"--password-file", "FILE", "password of the keystore, mode 0600" \
	}

#define BUYER_CHAIN_COINS_SIZE (U256_DEC_SIZE + 2)

// Native coins with all their digits. Returns: text.
const char *buyer_chain_coins(char text[BUYER_CHAIN_COINS_SIZE], struct u256 wei);

// The registry of this escrow; both must name each other, so that no node is shown that the escrow
// would not sell.
int buyer_chain_registry(
	struct twctl *twctl,
	const struct twctl_chain *chain,
	const uint8_t escrow[EVM_ADDRESS_SIZE],
	uint8_t registry[EVM_ADDRESS_SIZE]
);

int buyer_chain_node(
	struct twctl *twctl,
	const struct twctl_chain *chain,
	const uint8_t registry[EVM_ADDRESS_SIZE],
	struct u256 node_id,
	struct evm_purchase_node *ret
);

// Returns as the others; *ret_is_there false for a session that the escrow does not know.
int buyer_chain_session(
	struct twctl *twctl,
	const struct twctl_chain *chain,
	const uint8_t escrow[EVM_ADDRESS_SIZE],
	const uint8_t session_id[32],
	struct evm_purchase_session *ret,
	bool *ret_is_there
);

// eth_call of what w holds; up to cap octets.
int buyer_chain_ask(
	struct twctl *twctl,
	const struct twctl_chain *chain,
	const uint8_t to[EVM_ADDRESS_SIZE],
	const struct evm_abi_writer *w,
	uint8_t *answer,
	size_t cap,
	size_t *ret_len
);
