// SPDX-License-Identifier: Apache-2.0
//
// chain.h for an EVM chain: one escrow contract, one node, one signing account, several endpoints.
// The same for each of several chains; they share nothing. Chain thread.

#pragma once

#include "controlplane/chain/chain.h"
#include "controlplane/chain/evm/evm_address.h"
#include "controlplane/chain/evm/evm_rpc.h"
#include "controlplane/chain/evm/evm_signer.h"

#include <stdint.h>

struct evm_driver_conf {
	struct evm_rpc_conf rpc;
	uint8_t escrow[EVM_ADDRESS_SIZE];
	struct u256 node_id;
	uint64_t deployed_block; // of the escrow: nothing is looked for before it
	uint32_t range_max_blocks; // of one request for logs
	uint32_t clock_skew_max_sec; // head time against the host's; above it is an alert
	const struct clock *clock;
	// Told when the host's clock and the chain's part, and when they meet again (skew_sec within).
	void (*on_clock_skew)(void *ctx, int64_t skew_sec, bool is_alert);
	void *on_clock_skew_ctx;
};

struct evm_driver;

/* The signer stays the caller's and must outlive the driver.
 * Returns: 0; -EINVAL; -ENOMEM. */
int evm_driver_create(
	struct evm_driver **ret, const struct evm_driver_conf *conf, const struct evm_signer *signer
);
void evm_driver_destroy(struct evm_driver *driver);

struct chain_driver evm_driver_chain(struct evm_driver *driver);
struct evm_rpc *evm_driver_rpc(struct evm_driver *driver);

/* Ends a running question and every later one: for chain_thread_lane. Any thread. */
void evm_driver_interrupt(void *driver);

/* Why a call was refused, in a sentence. Returns: -EREMOTEIO with the contract's error by name, where the
 * data says one of ours; -ENOEXEC. */
int evm_driver_explain_call(const struct evm_rpc_call *call, char why[CHAIN_WHY_SIZE]);
