// SPDX-License-Identifier: Apache-2.0
//
// JSON-RPC 2.0 requests and replies as text. Pure but for allocation; any thread.

#pragma once

#include "controlplane/chain/evm/evm_rpc.h"

#define EVM_RPC_WIRE_WHY_SIZE 160

/* The request's text, an object for one call and an array for more; ids count up from first_id.
 * Returns: memory to free, or NULL. */
char *evm_rpc_wire_build(const struct evm_rpc_call *calls, size_t n, uint64_t first_id);

/* Fills in the calls. Every id must be answered exactly once, by a result or an error.
 * Returns: 0, calls[0].reply owns the document; -EIO with the fault and a sentence; -ENOMEM. */
int evm_rpc_wire_parse(
	struct evm_rpc_call *calls,
	size_t n,
	uint64_t first_id,
	const char *text,
	size_t len,
	enum evm_rpc_fault *ret_fault,
	char why[EVM_RPC_WIRE_WHY_SIZE]
) __attribute__((warn_unused_result));
