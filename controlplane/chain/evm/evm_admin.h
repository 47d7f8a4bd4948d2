// SPDX-License-Identifier: Apache-2.0
//
// Single transactions and calls by hand: deploying, registering, withdrawing. Each waits until it is
// mined. Not for settlement, whose transactions go through the outbox; used with the operator's key
// and not the settler's, since two who use one account nonce get in each other's way (the outbox
// notices and recovers). Blocking; command line.

#pragma once

#include "controlplane/chain/chain.h"
#include "controlplane/chain/evm/evm_address.h"
#include "controlplane/chain/evm/evm_driver.h"
#include "controlplane/chain/evm/evm_signer.h"
#include "controlplane/chain/u256.h"
#include "controlplane/json/json.h"

#include <stdint.h>

#define EVM_ADMIN_DATA_MAX 65536

struct evm_admin {
	struct evm_driver *driver;
	const struct evm_signer *signer; // NULL: calls only
	uint64_t chain_id;
	uint32_t wait_sec; // for the receipt
};

struct evm_admin_tx {
	const uint8_t *to; // NULL: data is init code
	const uint8_t *data;
	size_t len;
	struct u256 value_wei;
};

struct evm_admin_result {
	uint8_t tx_id[32];
	uint64_t block_number;
	uint64_t gas_used;
	uint8_t contract[EVM_ADDRESS_SIZE]; // of a deployment
	struct json_value *receipt; // free with evm_admin_result_fini
};

/* Estimates, signs, sends, waits.
 * Returns: 0; -EREMOTEIO when the chain refuses the call or the transaction failed, why names the
 * contract's error where it is one of ours; -EDQUOT (balance); -ETIMEDOUT (not mined in time, why
 * names the transaction: it may still be); else as chain.h says. */
int evm_admin_send_tx(
	const struct evm_admin *admin,
	const struct evm_admin_tx *tx,
	struct evm_admin_result *ret,
	char why[CHAIN_WHY_SIZE]
) __attribute__((warn_unused_result));

/* The same without value. */
int evm_admin_send(
	const struct evm_admin *admin,
	const uint8_t *to,
	const uint8_t *data,
	size_t len,
	struct evm_admin_result *ret,
	char why[CHAIN_WHY_SIZE]
) __attribute__((warn_unused_result));
void evm_admin_result_fini(struct evm_admin_result *result);

/* eth_call at the head. Returns: 0 with up to cap bytes; -ENOSPC; -EREMOTEIO; -ENOEXEC; … */
int evm_admin_call(
	const struct evm_admin *admin,
	const uint8_t to[EVM_ADDRESS_SIZE],
	const uint8_t *data,
	size_t len,
	uint8_t *buf,
	size_t cap,
	size_t *ret_len,
	char why[CHAIN_WHY_SIZE]
) __attribute__((warn_unused_result));

/* Reads one log of the receipt by contract and topic 0. Returns: 0; -ENOENT. */
struct evm_log;
int evm_admin_find_log(
	const struct evm_admin_result *result,
	const uint8_t contract[EVM_ADDRESS_SIZE],
	const char *event_signature,
	struct evm_log *ret
) __attribute__((warn_unused_result));
