// SPDX-License-Identifier: Apache-2.0
//
// See buyer_chain.h.
#include "buyer_chain.h"

#include <errno.h>
#include <string.h>

#define CALL_CAP 512
#define COIN_DECIMALS 18
#define NODE_CAP 4096
#define SESSION_CAP 1024

const char *buyer_chain_coins(char text[BUYER_CHAIN_COINS_SIZE], struct u256 wei)
{
	if (u256_format_units(wei, COIN_DECIMALS, text, BUYER_CHAIN_COINS_SIZE) < 0)
		text[0] = '\0'; // cannot be: the size suffices for every amount
	return text;
}

int buyer_chain_ask(
	struct twctl *twctl,
	const struct twctl_chain *chain,
	const uint8_t to[EVM_ADDRESS_SIZE],
	const struct evm_abi_writer *w,
	uint8_t *answer,
	size_t cap,
	size_t *ret_len
)
{
	char why[CHAIN_WHY_SIZE] = "out of memory";

	if (evm_abi_finish(w) < 0)
		return twctl_fail(twctl, TWCTL_EXIT_FAILED, "a call could not be encoded");
	if (evm_admin_call(&chain->admin, to, w->buf, w->len, answer, cap, ret_len, why) < 0)
		return twctl_fail(twctl, TWCTL_EXIT_FAILED, "%s", why);
	return 0;
}

// One of the two that name each other.
static int ask_address(
	struct twctl *twctl,
	const struct twctl_chain *chain,
	const uint8_t at[EVM_ADDRESS_SIZE],
	const char *signature,
	uint8_t ret[EVM_ADDRESS_SIZE]
)
{
	uint8_t call[EVM_ABI_SELECTOR], answer[EVM_ABI_WORD];
	char text[EVM_ADDRESS_TEXT_SIZE];
	struct evm_abi_writer w;
	struct evm_abi_reader r;
	size_t len;
	int code;

	evm_abi_writer_init(&w, call, sizeof(call));
	evm_abi_call(&w, signature, 0);
	evm_abi_end(&w);
	code = buyer_chain_ask(twctl, chain, at, &w, answer, sizeof(answer), &len);
	if (code != 0)
		return code;
	evm_abi_reader_init(&r, answer, len, 1);
	evm_abi_get_address(&r, ret);
	if (r.error == 0)
		return 0;
	evm_address_format(at, text);
	return twctl_fail(
		twctl, TWCTL_EXIT_FAILED, "%s is not a contract of this kind (%s)", text, signature
	);
}

int buyer_chain_registry(
	struct twctl *twctl,
	const struct twctl_chain *chain,
	const uint8_t escrow[EVM_ADDRESS_SIZE],
	uint8_t registry[EVM_ADDRESS_SIZE]
)
{
	uint8_t back[EVM_ADDRESS_SIZE];
	int code = ask_address(twctl, chain, escrow, "registry()", registry);

	if (code == 0)
		code = ask_address(twctl, chain, registry, "escrow()", back);
	if (code == 0 && memcmp(back, escrow, sizeof(back)) != 0)
		code = twctl_fail(
			twctl,
			TWCTL_EXIT_FAILED,
			"the escrow's registry belongs to another escrow: nothing can be bought "
			"there"
		);
	return code;
}

int buyer_chain_node(
	struct twctl *twctl,
	const struct twctl_chain *chain,
	const uint8_t registry[EVM_ADDRESS_SIZE],
	struct u256 node_id,
	struct evm_purchase_node *ret
)
{
	uint8_t call[CALL_CAP], answer[NODE_CAP];
	struct evm_abi_writer w;
	size_t len;
	int code;

	evm_abi_writer_init(&w, call, sizeof(call));
	evm_purchase_put_get_node(&w, node_id);
	code = buyer_chain_ask(twctl, chain, registry, &w, answer, sizeof(answer), &len);
	if (code != 0)
		return code;
	if (evm_purchase_get_node(answer, len, ret) < 0 || !u256_equal(ret->node_id, node_id))
		return twctl_fail(
			twctl,
			TWCTL_EXIT_FAILED,
			"the registry's answer about the node is malformed"
		);
	return 0;
}

int buyer_chain_session(
	struct twctl *twctl,
	const struct twctl_chain *chain,
	const uint8_t escrow[EVM_ADDRESS_SIZE],
	const uint8_t session_id[32],
	struct evm_purchase_session *ret,
	bool *ret_is_there
)
{
	uint8_t call[CALL_CAP], answer[SESSION_CAP];
	char why[CHAIN_WHY_SIZE] = "out of memory";
	struct evm_abi_writer w;
	size_t len;
	int r;

	evm_abi_writer_init(&w, call, sizeof(call));
	evm_purchase_put_get_session(&w, session_id);
	r = evm_admin_call(&chain->admin, escrow, call, w.len, answer, sizeof(answer), &len, why);
	if (r == -EREMOTEIO && strstr(why, "UnknownSession") != NULL) {
		*ret_is_there = false;
		return 0;
	}
	if (r < 0)
		return twctl_fail(twctl, TWCTL_EXIT_FAILED, "%s", why);
	if (evm_purchase_get_session(answer, len, ret) < 0)
		return twctl_fail(
			twctl,
			TWCTL_EXIT_FAILED,
			"the escrow's answer about the session is malformed"
		);
	*ret_is_there = true;
	return 0;
}
