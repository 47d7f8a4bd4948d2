// SPDX-License-Identifier: Apache-2.0
//
// What an operator does at a chain's registry, whatever chain it is: list a node, change what buyers
// see of it, its prices and its keys. The sibling of chain.h's driver, which settles; here a person
// waits at the command line. Each call that changes something is one transaction and returns when it
// is mined. Blocking; amounts are in smallest units of their asset, addresses left-padded.
//
// All functions return 0 or a negative errno with a sentence in why:
//   -EREMOTEIO  the chain refuses; why names the contract's reason
//   -EDQUOT     the account's balance does not cover it
//   -ETIMEDOUT  not mined in time; it may still be
//   -EIO, -EAGAIN, -ENOMEM as in chain.h
#pragma once

#include "controlplane/chain/chain.h"

#include <stdbool.h>
#include <stdint.h>

#define CHAIN_ADMIN_NAME_MAX 64 // octets, as the contracts bound them
#define CHAIN_ADMIN_REGION_MAX 32
#define CHAIN_ADMIN_LOCATOR_MAX 256
#define CHAIN_ADMIN_PRICE_BITS 96 // the escrow keeps a price in so many

struct chain_admin_node {
	struct u256 node_id; // not read by register_node
	bool is_active; // the same
	char name[CHAIN_ADMIN_NAME_MAX + 1];
	char region[CHAIN_ADMIN_REGION_MAX + 1];
	char endpoint[CHAIN_ADMIN_LOCATOR_MAX + 1];
	char api_url[CHAIN_ADMIN_LOCATOR_MAX + 1];
	uint64_t bandwidth_mbps;
	struct u256 price_per_gb; // in the native coin; 0 = not sold for it
	uint8_t payout[32];
	uint8_t usage_signer[32];
	uint8_t settler[32]; // zero: the operator alone settles
	uint8_t wg_public_key[32];
	uint8_t metadata_hash[32]; // of the document that says where the node stands; zero: none
	uint64_t window_sec; // 0 = the contract's default
	uint64_t grace_sec;
};

struct chain_admin_result {
	struct u256 node_id;
	uint8_t tx_id[CHAIN_ID_SIZE];
	uint64_t block_number;
};

enum chain_admin_account {
	CHAIN_ADMIN_PAYOUT,
	CHAIN_ADMIN_SETTLER,
	CHAIN_ADMIN_USAGE_SIGNER,
};

struct chain_admin_ops {
	int (*register_node
	)(void *ctx,
	  const struct chain_admin_node *node,
	  struct chain_admin_result *ret,
	  char why[CHAIN_WHY_SIZE]);
	int (*get_node
	)(void *ctx, struct u256 node_id, struct chain_admin_node *ret, char why[CHAIN_WHY_SIZE]);

	/* Texts, bandwidth and metadata hash of node->node_id. */
	int (*update_node
	)(void *ctx,
	  const struct chain_admin_node *node,
	  struct chain_admin_result *ret,
	  char why[CHAIN_WHY_SIZE]);
	int (*set_active
	)(void *ctx,
	  struct u256 node_id,
	  bool is_active,
	  struct chain_admin_result *ret,
	  char why[CHAIN_WHY_SIZE]);

	/* asset zero: the native coin; price 0: not sold for it any more. */
	int (*set_price
	)(void *ctx,
	  struct u256 node_id,
	  const uint8_t asset[32],
	  struct u256 price_per_gb,
	  struct chain_admin_result *ret,
	  char why[CHAIN_WHY_SIZE]);

	/* For sessions that are bought from now on. */
	int (*set_account
	)(void *ctx,
	  struct u256 node_id,
	  enum chain_admin_account which,
	  const uint8_t account[32],
	  struct chain_admin_result *ret,
	  char why[CHAIN_WHY_SIZE]);
	int (*set_wg_key
	)(void *ctx,
	  struct u256 node_id,
	  const uint8_t wg_public_key[32],
	  struct chain_admin_result *ret,
	  char why[CHAIN_WHY_SIZE]);

	/* Whether buyers may name this attestor. */
	int (*set_attestor
	)(void *ctx,
	  struct u256 node_id,
	  const uint8_t attestor[32],
	  bool is_accepted,
	  struct chain_admin_result *ret,
	  char why[CHAIN_WHY_SIZE]);

	/* Decimals of a token. -ENOENT: there is no token at that address. */
	int (*decimals
	)(void *ctx, const uint8_t asset[32], unsigned int *ret, char why[CHAIN_WHY_SIZE]);
};

struct chain_admin {
	const struct chain_admin_ops *ops;
	void *ctx;
};
