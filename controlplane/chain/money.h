// SPDX-License-Identifier: Apache-2.0
//
// Money is {asset, 256-bit integer}. Sums across assets do not exist: adding two different assets
// is an error, not a conversion. Pure; any thread.

#pragma once

#include "controlplane/chain/u256.h"

#include <stdbool.h>
#include <stdint.h>

#define MONEY_TOKEN_SIZE 32

// An asset is a chain and a token on it. The native coin is the token of zeros; an EVM token's
// 20 bytes stand at the end, as in an EVM word, so that 32-byte mints of other chains fit too.
struct money_asset {
	uint64_t chain_id;
	uint8_t token[MONEY_TOKEN_SIZE];
};

struct money {
	struct money_asset asset;
	struct u256 amount; // in the asset's smallest unit
};

bool money_asset_equal(const struct money_asset *a, const struct money_asset *b);
bool money_asset_is_native(const struct money_asset *asset);

/* Returns: 0; -EXDEV when the assets differ; -EOVERFLOW. ret may alias a or b. */
int money_add(const struct money *a, const struct money *b, struct money *ret)
	__attribute__((warn_unused_result));

/* Returns: 0; -EXDEV when the assets differ; -EOVERFLOW when b > a. ret may alias a or b. */
int money_sub(const struct money *a, const struct money *b, struct money *ret)
	__attribute__((warn_unused_result));
