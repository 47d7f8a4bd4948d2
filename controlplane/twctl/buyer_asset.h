// SPDX-License-Identifier: Apache-2.0
//
// What a buyer pays with: the chain's coin, or a token by its address. Amounts are in smallest units;
// people write and read them with the asset's own decimals, as the token's contract says them.
#pragma once

#include "controlplane/twctl/buyer_chain.h"

#define BUYER_ASSET_SYMBOL_MAX 16
#define BUYER_ASSET_TEXT (BUYER_CHAIN_COINS_SIZE + BUYER_ASSET_SYMBOL_MAX + 1)

struct buyer_asset {
	uint8_t address[EVM_ADDRESS_SIZE]; // zero: the native coin
	uint32_t decimals;
	char symbol[BUYER_ASSET_SYMBOL_MAX + 1]; // letters, digits, "." and "-"
};

// Returns: 0; an exit code with the message out, also when address is no token.
int buyer_asset_load(
	struct twctl *twctl,
	const struct twctl_chain *chain,
	const uint8_t address[EVM_ADDRESS_SIZE],
	struct buyer_asset *ret
);

// "12.5 USDC". Returns: text.
const char *buyer_asset_format(
	char text[BUYER_ASSET_TEXT], const struct buyer_asset *asset, struct u256 amount
);

// A required option, an amount above 0. Returns: 0, or TWCTL_EXIT_USAGE with the message out.
int buyer_asset_get(
	struct twctl *twctl, const struct buyer_asset *asset, const char *option, struct u256 *ret
);

// Smallest units under name, and with decimals under name_decimal.
void buyer_asset_put(
	struct json_writer *writer,
	const struct buyer_asset *asset,
	const char *name,
	const char *name_decimal,
	struct u256 amount
);

// Sets the node's price_per_gb to the one in this asset; 0: it takes none.
int buyer_asset_price(
	struct twctl *twctl,
	const struct twctl_chain *chain,
	const uint8_t registry[EVM_ADDRESS_SIZE],
	const struct buyer_asset *asset,
	struct evm_purchase_node *node
);
