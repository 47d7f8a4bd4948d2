// SPDX-License-Identifier: Apache-2.0
//
// See buyer_asset.h.
#include "buyer_asset.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define COIN_DECIMALS 18
#define DECIMALS_MAX 36
#define ANSWER_CAP 512

// Returns: 0; -errno with a sentence in why.
static int ask(
	const struct twctl_chain *chain,
	const uint8_t token[EVM_ADDRESS_SIZE],
	const char *signature,
	uint8_t answer[ANSWER_CAP],
	size_t *ret_len,
	char why[CHAIN_WHY_SIZE]
)
{
	uint8_t call[EVM_ABI_SELECTOR];

	evm_abi_selector(signature, call);
	return evm_admin_call(
		&chain->admin, token, call, sizeof(call), answer, ANSWER_CAP, ret_len, why
	);
}

// A string, or 32 octets as some early tokens have it. What is no plain name is "tokens".
static void take_symbol(const uint8_t *answer, size_t len, char symbol[BUYER_ASSET_SYMBOL_MAX + 1])
{
	const uint8_t *text = answer;
	struct evm_abi_reader r;
	size_t n = len == EVM_ABI_WORD ? strnlen((const char *)answer, len) : 0;

	if (len != EVM_ABI_WORD) {
		evm_abi_reader_init(&r, answer, len, 1);
		evm_abi_get_bytes(&r, &text, &n);
		if (r.error != 0)
			n = 0;
	}
	strcpy(symbol, "tokens");
	if (n == 0 || n > BUYER_ASSET_SYMBOL_MAX)
		return;
	for (size_t i = 0; i < n; i++) {
		if (!isalnum(text[i]) && text[i] != '.' && text[i] != '-')
			return;
	}
	memcpy(symbol, text, n);
	symbol[n] = '\0';
}

int buyer_asset_load(
	struct twctl *twctl,
	const struct twctl_chain *chain,
	const uint8_t address[EVM_ADDRESS_SIZE],
	struct buyer_asset *ret
)
{
	char text[EVM_ADDRESS_TEXT_SIZE];
	uint8_t answer[ANSWER_CAP];
	struct evm_abi_reader r;
	char why[CHAIN_WHY_SIZE] = "out of memory";
	uint64_t decimals;
	size_t len;

	*ret = (struct buyer_asset){.decimals = COIN_DECIMALS, .symbol = "coins"};
	if (evm_address_is_zero(address))
		return 0;
	memcpy(ret->address, address, EVM_ADDRESS_SIZE);
	if (ask(chain, address, "decimals()", answer, &len, why) < 0)
		return twctl_fail(twctl, TWCTL_EXIT_FAILED, "%s", why);
	evm_abi_reader_init(&r, answer, len, 1);
	decimals = evm_abi_get_u64(&r);
	if (r.error != 0 || decimals > DECIMALS_MAX) {
		evm_address_format(address, text);
		return twctl_fail(
			twctl, TWCTL_EXIT_FAILED, "%s is no token: it has no decimals", text
		);
	}
	ret->decimals = (uint32_t)decimals;
	// ERC-20 leaves it to the token whether it has one.
	if (ask(chain, address, "symbol()", answer, &len, why) < 0)
		len = 0;
	take_symbol(answer, len, ret->symbol);
	return 0;
}

const char *buyer_asset_format(
	char text[BUYER_ASSET_TEXT], const struct buyer_asset *asset, struct u256 amount
)
{
	char number[BUYER_CHAIN_COINS_SIZE];

	if (u256_format_units(amount, asset->decimals, number, sizeof(number)) < 0)
		number[0] = '\0'; // cannot be: the size suffices for every amount
	snprintf(text, BUYER_ASSET_TEXT, "%s %s", number, asset->symbol);
	return text;
}

int buyer_asset_get(
	struct twctl *twctl, const struct buyer_asset *asset, const char *option, struct u256 *ret
)
{
	const char *text = twctl_args_get(&twctl->args, option);
	char allowed[96];

	if (text == NULL)
		return twctl_fail(twctl, TWCTL_EXIT_USAGE, "%s AMOUNT is required", option);
	if (u256_parse_units(text, asset->decimals, ret) == 0 && !u256_is_zero(*ret))
		return 0;
	snprintf(
		allowed,
		sizeof(allowed),
		"%s above 0 with up to %u decimals, such as 0.001",
		asset->symbol,
		asset->decimals
	);
	return twctl_fail_value(twctl, option, text, allowed);
}

void buyer_asset_put(
	struct json_writer *writer,
	const struct buyer_asset *asset,
	const char *name,
	const char *name_decimal,
	struct u256 amount
)
{
	char text[BUYER_CHAIN_COINS_SIZE];

	u256_format_dec(amount, text);
	json_put_string(writer, name, text);
	if (u256_format_units(amount, asset->decimals, text, sizeof(text)) == 0)
		json_put_string(writer, name_decimal, text);
}

int buyer_asset_price(
	struct twctl *twctl,
	const struct twctl_chain *chain,
	const uint8_t registry[EVM_ADDRESS_SIZE],
	const struct buyer_asset *asset,
	struct evm_purchase_node *node
)
{
	uint8_t call[128], answer[EVM_ABI_WORD];
	struct evm_abi_writer w;
	struct evm_abi_reader r;
	size_t len;
	int code;

	if (evm_address_is_zero(asset->address))
		return 0; // the listing has it
	evm_abi_writer_init(&w, call, sizeof(call));
	evm_purchase_put_price_of(&w, node->node_id, asset->address);
	code = buyer_chain_ask(twctl, chain, registry, &w, answer, sizeof(answer), &len);
	if (code != 0)
		return code;
	evm_abi_reader_init(&r, answer, len, 1);
	node->price_per_gb = evm_abi_get_u256(&r);
	return r.error == 0
		? 0
		: twctl_fail(twctl, TWCTL_EXIT_FAILED, "the registry's price is malformed");
}
