// SPDX-License-Identifier: Apache-2.0
//
// See buyer_token.h.
#include "buyer_token.h"

#include "buyer_asset.h"

#include "controlplane/chain/evm/evm_eip712.h"
#include "controlplane/chain/evm/evm_erc20.h"

#include <string.h>

#define CALL_CAP 128
#define PERMIT_LIFE_SEC 3600

struct call {
	uint8_t data[CALL_CAP];
	struct evm_abi_writer w;
};

static void begin(struct call *call, const char *signature, size_t n_words)
{
	evm_abi_writer_init(&call->w, call->data, sizeof(call->data));
	evm_abi_call(&call->w, signature, n_words);
}

// A view of the token that answers with one word.
static int ask_word(
	struct twctl *twctl,
	const struct twctl_chain *chain,
	const uint8_t *token,
	struct call *call,
	struct u256 *ret
)
{
	uint8_t answer[EVM_ABI_WORD];
	size_t len;
	int code;

	code = buyer_chain_ask(twctl, chain, token, &call->w, answer, sizeof(answer), &len);
	if (code == 0 && len != sizeof(answer))
		code = twctl_fail(twctl, TWCTL_EXIT_FAILED, "the token's answer is malformed");
	if (code == 0)
		*ret = u256_from_be(answer);
	return code;
}

static int check_balance(
	struct twctl *twctl, const struct twctl_chain *chain, const struct buyer_token_pull *pull
)
{
	char have[BUYER_ASSET_TEXT], need[BUYER_ASSET_TEXT];
	struct buyer_asset asset;
	struct u256 balance;
	struct call call;
	int code;

	begin(&call, "balanceOf(address)", 1);
	evm_abi_put_address(&call.w, chain->account);
	evm_abi_end(&call.w);
	code = ask_word(twctl, chain, pull->token, &call, &balance);
	if (code != 0 || u256_compare(balance, pull->amount) >= 0)
		return code;
	code = buyer_asset_load(twctl, chain, pull->token, &asset);
	if (code != 0)
		return code;
	return twctl_fail(
		twctl,
		TWCTL_EXIT_FAILED,
		"the account has %s, the session costs %s; the order is kept: the same command "
		"goes on with it",
		buyer_asset_format(have, &asset, balance),
		buyer_asset_format(need, &asset, pull->amount)
	);
}

static int approve(
	struct twctl *twctl,
	const struct twctl_chain *chain,
	const struct buyer_token_pull *pull,
	struct u256 amount
)
{
	struct evm_admin_result result;
	char why[CHAIN_WHY_SIZE] = "out of memory";
	struct call call;

	evm_abi_writer_init(&call.w, call.data, sizeof(call.data));
	evm_erc20_put_approve(&call.w, pull->spender, amount);
	if (evm_abi_finish(&call.w) < 0 ||
	    evm_admin_send(&chain->admin, pull->token, call.data, call.w.len, &result, why) < 0)
		return twctl_fail(
			twctl, TWCTL_EXIT_FAILED, "allowing the escrow to draw the cost: %s", why
		);
	evm_admin_result_fini(&result);
	return 0;
}

// The token says its own domain. One that lies, or an endpoint, can at most have the escrow allowed to
// draw as much of another token, which it does only when this account buys with that one.
static int sign_permit(
	struct twctl *twctl,
	const struct twctl_chain *chain,
	const struct buyer_token_pull *pull,
	struct evm_purchase_permit *ret
)
{
	const struct chain_driver driver = evm_driver_chain(chain->driver);
	uint8_t separator[32], struct_hash[EVM_KECCAK_SIZE], digest[EVM_KECCAK_SIZE];
	struct evm_purchase_permit permit = {.value = pull->amount};
	char why[CHAIN_WHY_SIZE] = "";
	struct u256 account_nonce, word;
	struct evm_eip712_struct s;
	struct chain_head head;
	struct call call;
	int code;

	begin(&call, "nonces(address)", 1);
	evm_abi_put_address(&call.w, chain->account);
	evm_abi_end(&call.w);
	code = ask_word(twctl, chain, pull->token, &call, &account_nonce);
	if (code == 0) {
		begin(&call, "DOMAIN_SEPARATOR()", 0);
		evm_abi_end(&call.w);
		code = ask_word(twctl, chain, pull->token, &call, &word);
	}
	if (code != 0)
		return code;
	if (driver.ops->head(driver.driver, &head, why) < 0)
		return twctl_fail(twctl, TWCTL_EXIT_FAILED, "%s", why);
	permit.deadline_sec = head.timestamp_sec + PERMIT_LIFE_SEC;
	u256_to_be(word, separator);
	evm_eip712_begin(
		&s,
		"Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 "
		"deadline)"
	);
	evm_eip712_put_address(&s, chain->account);
	evm_eip712_put_address(&s, pull->spender);
	evm_eip712_put_u256(&s, pull->amount);
	evm_eip712_put_u256(&s, account_nonce);
	evm_eip712_put_u64(&s, permit.deadline_sec);
	evm_eip712_end(&s, struct_hash);
	evm_eip712_digest(separator, struct_hash, digest);
	if (evm_signer_sign(chain->signer, digest, permit.signature) < 0)
		return twctl_fail(twctl, TWCTL_EXIT_FAILED, "the permit could not be signed");
	*ret = permit;
	return 0;
}

int buyer_token_allow(
	struct twctl *twctl,
	const struct twctl_chain *chain,
	const struct buyer_token_pull *pull,
	struct evm_purchase_permit *ret
)
{
	struct u256 allowed;
	struct call call;
	int code = check_balance(twctl, chain, pull);

	*ret = (struct evm_purchase_permit){0};
	if (code != 0)
		return code;
	evm_abi_writer_init(&call.w, call.data, sizeof(call.data));
	evm_erc20_put_allowance(&call.w, chain->account, pull->spender);
	code = ask_word(twctl, chain, pull->token, &call, &allowed);
	if (code != 0 || u256_compare(allowed, pull->amount) >= 0)
		return code;
	if (pull->is_permit_wanted)
		return sign_permit(twctl, chain, pull, ret);
	// Tokens like USDT take a new allowance only from nothing.
	if (!u256_is_zero(allowed))
		code = approve(twctl, chain, pull, U256_ZERO);
	return code == 0 ? approve(twctl, chain, pull, pull->amount) : code;
}
