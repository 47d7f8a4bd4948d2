// SPDX-License-Identifier: Apache-2.0
//
// A buyer's session as a file of the buyer's own: what was ordered, under which terms, with which salt.
// It is written before anything is sent, so that a purchase that breaks off is resumed and not made
// twice. Mode 0600: the endpoints' URLs may hold access keys. It holds no private key.
#pragma once

#include "controlplane/chain/evm/evm_purchase.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUYER_FILE_RPC_MAX 2047
#define BUYER_FILE_WHY 512

struct buyer_file {
	char rpc[BUYER_FILE_RPC_MAX + 1]; // URLs, commas between
	uint64_t chain_id;
	uint8_t escrow[EVM_ADDRESS_SIZE];
	uint8_t buyer[EVM_ADDRESS_SIZE];
	struct evm_purchase_order order;
	struct evm_escrow_terms terms; // hash to order.terms_hash
	struct u256 cost_wei;
	uint8_t session_id[32];
	char endpoint[EVM_PURCHASE_LOCATOR_MAX + 1];
	char api_url[EVM_PURCHASE_LOCATOR_MAX + 1];
};

// Reads and checks: session id, terms hash and cost must follow from the rest.
//
// Returns: 0; -ENOENT; another -errno; why is set.
int buyer_file_load(const char *path, struct buyer_file *ret, char why[BUYER_FILE_WHY]);

// Creates it; an existing file is left alone (-EEXIST). On the disk when this returns 0.
int buyer_file_create(const char *path, const struct buyer_file *file);

// Writes text as path, mode 0600, all or nothing, on the disk when this returns. is_new: an existing
// file is left alone.
//
// Returns: 0; -EEXIST; another -errno.
int buyer_file_put(const char *path, const char *text, bool is_new);
