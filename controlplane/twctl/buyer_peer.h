// SPDX-License-Identifier: Apache-2.0
//
// Gives a node the public key of a session and takes the configuration for it, with a proof that the
// buyer or the voucher signer signs (peer_proof.h). Waits while the node has not seen the purchase.
#pragma once

#include "controlplane/chain/evm/evm_signer.h"
#include "controlplane/twctl/buyer_api.h"
#include "controlplane/twctl/buyer_conf.h"
#include "controlplane/twctl/buyer_file.h"

#include <stdint.h>

#define BUYER_PEER_WHY 900

struct buyer_peer {
	struct buyer_api *api;
	const struct buyer_file *file;
	const struct evm_signer *signer;
	const uint8_t *public_key; // 32 octets
	// Who may have signed the configuration, as the registry names them.
	const uint8_t *operator_address;
	const uint8_t *settler;
	uint64_t wait_sec;
	// Called once when there is something to wait for; NULL: not told.
	void (*waiting)(const char *why);
};

// The configuration is signed by the operator or its settler and names the node key that the session's
// terms name, or it is refused: whoever sits between can change nothing in it.
//
// Returns: 0; -EBADMSG for a configuration that must not be used; as buyer_api_exchange(); why is set.
int buyer_peer_bring(
	const struct buyer_peer *peer, struct buyer_conf *ret, char why[BUYER_PEER_WHY]
) __attribute__((warn_unused_result));
