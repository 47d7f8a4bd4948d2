// SPDX-License-Identifier: Apache-2.0
//
// A voucher on its way out and the node's answer to it: what the node claims that the session used, and how
// far it serves. Pure.
#pragma once

#include "controlplane/chain/evm/evm_signer.h"
#include "controlplane/json/json.h"

#include <stdbool.h>
#include <stdint.h>

#define BUYER_CLAIM_WHY 160

struct buyer_claim {
	char state[16]; // of the session, as the node names it
	uint64_t used_bytes; // what it bills
	uint64_t voucher_bytes; // newest that it holds
	uint64_t limit_bytes; // it serves up to here
	bool is_waiting; // gate closed at the credit
};

// JSON text of POST .../vouchers, to be freed with json_free_text. separator: the escrow's domain.
//
// Returns: 0; -EIO; -ENOMEM.
int buyer_claim_write(
	const struct evm_signer *signer,
	const uint8_t separator[32],
	const uint8_t session_id[32],
	uint64_t cumulative_bytes,
	char **ret
) __attribute__((warn_unused_result));

// Members that are not known are passed over. Returns: 0; -EBADMSG with why naming the member.
int buyer_claim_read(
	const struct json_value *reply, struct buyer_claim *ret, char why[BUYER_CLAIM_WHY]
) __attribute__((warn_unused_result));

// Nothing more will be billed and what was billed is final, or the session is settled.
bool buyer_claim_check_final(const struct buyer_claim *claim);
