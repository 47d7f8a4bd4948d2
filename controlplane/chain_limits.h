// SPDX-License-Identifier: Apache-2.0
//
// What the configuration says about the batches of a chain, in the outbox's terms: amounts in the
// smallest unit of the native coin and of each token. Pure; any thread.
#pragma once

#include "config/config.h"
#include "controlplane/settle/settle_batch.h"

#define CHAIN_LIMITS_WHY_SIZE 256

struct u256 chain_limits_wei(uint64_t gwei);

/* In: why: CHAIN_LIMITS_WHY_SIZE bytes.
 * Returns: 0; -EINVAL with a sentence in why, from the key within the chain on: a token's address
 * with a wrong check sum (EIP-55). */
int chain_limits_read(const struct config_batch *batch, struct settle_batch_limits *ret, char *why)
	__attribute__((warn_unused_result));
