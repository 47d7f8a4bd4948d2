// SPDX-License-Identifier: Apache-2.0
//
// What an operator signs of a client's WireGuard configuration (EIP-191, "personal message"), so that a
// buyer, or a file that is found later, can be held against the operator's account on the chain: the
// session's names, and every line of the configuration that says something but the private key, which
// is not the operator's. Comments and empty lines are not covered. Pure; any thread.
#pragma once

#include "controlplane/chain/evm/evm_address.h"

#include <stddef.h>
#include <stdint.h>

#define CONFIG_PROOF_TEXT_CAP 3072

struct config_proof {
	uint64_t chain_id;
	uint8_t escrow[EVM_ADDRESS_SIZE];
	uint8_t node_id[32];
	uint8_t session_id[32];
	const char *config; // the file's text, with or without a private key
};

// Writes the text that is signed:
//
//	This WireGuard configuration belongs to a tollwire session.
//
//	Chain ID: 31337
//	Escrow: 0x…                     (EIP-55)
//	Node: 0x…                       (64 digits)
//	Session: 0x…                    (64 digits)
//
//	[Interface]                     each line of the file that is not empty, does not begin with #,
//	Address = 10.8.0.2/32           and does not begin with "PrivateKey"
//	…
//
// Each line ends with a line feed, the last one too.
//
// Returns: its length; -ENOSPC when it does not fit.
int config_proof_text(const struct config_proof *proof, char *dst, size_t cap);
