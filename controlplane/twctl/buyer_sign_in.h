// SPDX-License-Identifier: Apache-2.0
//
// Signs in at a node with the buyer's key (EIP-4361). Signs only for the host that it talks to: a node
// cannot have a message signed that opens another node.
#pragma once

#include "controlplane/chain/evm/evm_signer.h"
#include "controlplane/twctl/buyer_api.h"

// Later requests of api carry the token, which is good for an hour. Returns: as buyer_api_exchange().
int buyer_sign_in(
	struct buyer_api *api,
	const struct evm_signer *signer,
	uint64_t chain_id,
	char why[BUYER_API_WHY]
) __attribute__((warn_unused_result));
