// SPDX-License-Identifier: Apache-2.0
//
// twctl chain status|balance|withdraw, and what options say of amounts and addresses. Talks to the chain
// itself, not to the control plane.
#include "twctl_chain.h"

#include "controlplane/chain/chain_admin.h"
#include "controlplane/chain/evm/evm_escrow.h"
#include "controlplane/chain/evm/evm_reply.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int twctl_chain_address(
	const struct twctl *twctl,
	const char *option,
	bool is_required,
	uint8_t ret[EVM_ADDRESS_SIZE]
)
{
	const char *text = twctl_args_get(&twctl->args, option);
	int r;

	if (text == NULL)
		return is_required
			? twctl_fail(twctl, TWCTL_EXIT_USAGE, "%s ADDRESS is required", option)
			: 0;
	r = evm_address_parse(text, ret);
	if (r == 0)
		return 0;
	return twctl_fail_value(
		twctl,
		option,
		text,
		r == -EBADMSG ? "an address whose check sum (EIP-55) is right"
			      : "0x and 40 hex digits"
	);
}

int twctl_chain_price(
	const struct twctl *twctl, const char *option, unsigned int decimals, struct u256 *ret
)
{
	const char *text = twctl_args_get(&twctl->args, option);
	char allowed[96];
	int r;

	if (text == NULL)
		return twctl_fail(twctl, TWCTL_EXIT_USAGE, "%s AMOUNT is required", option);
	r = u256_parse_units(text, decimals, ret);
	if (r == 0 && !u256_is_zero(*ret) && u256_bit_len(*ret) <= CHAIN_ADMIN_PRICE_BITS)
		return 0;
	if (r == -ERANGE || (r == 0 && !u256_is_zero(*ret)))
		snprintf(
			allowed,
			sizeof(allowed),
			"a price below 2^%d smallest units, of which one has 10^%u",
			CHAIN_ADMIN_PRICE_BITS,
			decimals
		);
	else
		snprintf(
			allowed,
			sizeof(allowed),
			"a price above 0 with up to %u decimals, such as 0.001",
			decimals
		);
	return twctl_fail_value(twctl, option, text, allowed);
}

void twctl_chain_put_coins(
	struct json_writer *writer, const char *name, const char *name_coins, struct u256 wei
)
{
	char text[U256_DEC_SIZE], coins[U256_DEC_SIZE + 2];

	u256_format_dec(wei, text);
	json_put_string(writer, name, text);
	if (name_coins != NULL &&
	    u256_format_units(wei, TWCTL_CHAIN_COIN_DECIMALS, coins, sizeof(coins)) == 0)
		json_put_string(writer, name_coins, coins);
}

static void put_endpoints(struct json_writer *writer, const struct twctl_chain *chain)
{
	struct evm_rpc *rpc = evm_driver_rpc(chain->driver);
	struct evm_rpc_stats stats;

	json_begin_array(writer, "endpoints");
	for (size_t i = 0; i < evm_rpc_n_endpoints(rpc); i++) {
		evm_rpc_get_stats(rpc, i, &stats);
		json_begin_object(writer, NULL);
		json_put_string(writer, "endpoint", stats.endpoint);
		json_put_count(writer, "calls", stats.n_calls);
		json_put_string(writer, "fault", stats.last_why[0] != '\0' ? stats.last_why : NULL);
		json_end(writer);
	}
	json_end(writer);
}

static int ask_status(
	const struct twctl_chain *chain,
	struct chain_head *head,
	struct chain_account *account,
	struct chain_fees *fees,
	char why[CHAIN_WHY_SIZE]
)
{
	const struct chain_driver driver = evm_driver_chain(chain->driver);
	int r;

	r = driver.ops->head(driver.driver, head, why);
	if (r == 0)
		r = driver.ops->account(driver.driver, account, why);
	if (r == 0)
		r = driver.ops->fees(driver.driver, fees, why);
	return r;
}

static void print_status(
	struct twctl_chain *chain,
	const struct chain_head *head,
	const struct chain_account *account,
	const struct chain_fees *fees
)
{
	char address[EVM_ADDRESS_TEXT_SIZE], coins[U256_DEC_SIZE + 2], fee[U256_DEC_SIZE];
	struct evm_rpc *rpc = evm_driver_rpc(chain->driver);
	struct evm_rpc_stats stats;

	evm_address_format(chain->account, address);
	u256_format_dec(fees->max_fee_wei, fee);
	if (u256_format_units(
		    account->balance_wei, TWCTL_CHAIN_COIN_DECIMALS, coins, sizeof(coins)
	    ) < 0)
		coins[0] = '\0';
	printf("chain     %" PRIu64 "\n", chain->admin.chain_id);
	printf("head      block %" PRIu64 ", time %" PRIu64 "\n", head->number, head->timestamp_sec
	);
	printf("gas       up to %s wei a unit\n", fee);
	printf("account   %s, %s coins, account nonce %" PRIu64 "\n",
	       address,
	       coins,
	       account->account_nonce);
	for (size_t i = 0; i < evm_rpc_n_endpoints(rpc); i++) {
		evm_rpc_get_stats(rpc, i, &stats);
		printf("endpoint  %s: %s\n",
		       stats.endpoint,
		       stats.last_why[0] != '\0'   ? stats.last_why
			       : stats.n_calls > 0 ? "answers"
						   : "not needed");
	}
}

static int run_status(struct twctl *twctl)
{
	struct chain_account account;
	struct twctl_chain chain;
	struct json_writer writer;
	struct chain_head head;
	struct chain_fees fees;
	char why[CHAIN_WHY_SIZE] = "";
	int code = twctl_chain_open(twctl, &chain);

	if (code != 0)
		return code;
	if (ask_status(&chain, &head, &account, &fees, why) < 0) {
		code = twctl_fail(twctl, TWCTL_EXIT_FAILED, "%s", why);
	} else if (twctl->is_json) {
		json_writer_init(&writer);
		json_begin_object(&writer, NULL);
		json_put_count(&writer, "chain_id", chain.admin.chain_id);
		json_put_count(&writer, "block", head.number);
		json_put_count(&writer, "block_time_sec", head.timestamp_sec);
		twctl_chain_put_coins(&writer, "max_fee_wei", NULL, fees.max_fee_wei);
		evm_json_put_address(&writer, "account", chain.account);
		json_put_count(&writer, "account_nonce", account.account_nonce);
		twctl_chain_put_coins(&writer, "balance_wei", "balance", account.balance_wei);
		put_endpoints(&writer, &chain);
		json_end(&writer);
		code = twctl_print(twctl, &writer);
	} else {
		print_status(&chain, &head, &account, &fees);
	}
	twctl_chain_close(&chain);
	return code;
}

// What the escrow would pay this account: withdrawable(account, asset).
static int ask_withdrawable(
	const struct twctl_chain *chain,
	const uint8_t escrow[EVM_ADDRESS_SIZE],
	const uint8_t account[EVM_ADDRESS_SIZE],
	const uint8_t asset[EVM_ADDRESS_SIZE],
	struct u256 *ret,
	char why[CHAIN_WHY_SIZE]
)
{
	uint8_t data[4 + 64], word[32];
	struct evm_abi_writer w;
	size_t len;
	int r;

	evm_abi_writer_init(&w, data, sizeof(data));
	evm_abi_call(&w, "withdrawable(address,address)", 2);
	evm_abi_put_address(&w, account);
	evm_abi_put_address(&w, asset);
	r = evm_admin_call(&chain->admin, escrow, data, w.len, word, sizeof(word), &len, why);
	if (r == 0 && len != sizeof(word)) {
		snprintf(why, CHAIN_WHY_SIZE, "there is no escrow contract at that address");
		return -ENOENT;
	}
	if (r == 0)
		*ret = u256_from_be(word);
	return r;
}

static int run_balance(struct twctl *twctl)
{
	uint8_t escrow[EVM_ADDRESS_SIZE], asset[EVM_ADDRESS_SIZE] = {0};
	uint8_t of[EVM_ADDRESS_SIZE];
	struct chain_account account;
	struct twctl_chain chain;
	struct json_writer writer;
	struct u256 withdrawable;
	char why[CHAIN_WHY_SIZE] = "", have[U256_DEC_SIZE], owed[U256_DEC_SIZE];
	int code = twctl_chain_open(twctl, &chain);
	int r;

	if (code != 0)
		return code;
	memcpy(of, chain.account, sizeof(of));
	code = twctl_chain_escrow(twctl, &chain, escrow);
	if (code == 0)
		code = twctl_chain_address(twctl, "--asset", false, asset);
	if (code == 0)
		code = twctl_chain_address(twctl, "--of", false, of);
	if (code != 0)
		goto out;
	r = evm_driver_chain(chain.driver).ops->account(chain.driver, &account, why);
	if (r == 0)
		r = ask_withdrawable(&chain, escrow, of, asset, &withdrawable, why);
	if (r < 0) {
		code = twctl_fail(twctl, TWCTL_EXIT_FAILED, "%s", why);
		goto out;
	}
	u256_format_dec(account.balance_wei, have);
	u256_format_dec(withdrawable, owed);
	if (twctl->is_json) {
		json_writer_init(&writer);
		json_begin_object(&writer, NULL);
		evm_json_put_address(&writer, "account", chain.account);
		json_put_string(&writer, "balance_wei", have);
		evm_json_put_address(&writer, "of", of);
		evm_json_put_address(&writer, "asset", asset);
		json_put_string(&writer, "withdrawable", owed);
		json_end(&writer);
		code = twctl_print(twctl, &writer);
	} else {
		printf("the account holds %s wei\nthe escrow owes %s smallest units of the asset\n",
		       have,
		       owed);
	}
out:
	twctl_chain_close(&chain);
	return code;
}

static int print_withdrawn(
	struct twctl *twctl,
	const struct evm_admin_result *result,
	const uint8_t escrow[EVM_ADDRESS_SIZE]
)
{
	struct u256 amount = U256_ZERO;
	struct json_writer writer;
	char text[U256_DEC_SIZE];
	struct evm_log log;

	// Withdrawn(address indexed account, address indexed asset, address to, uint256 amount)
	if (evm_admin_find_log(
		    result, escrow, "Withdrawn(address,address,address,uint256)", &log
	    ) == 0 &&
	    log.data_len == 64)
		amount = u256_from_be(log.data + 32);
	u256_format_dec(amount, text);
	if (!twctl->is_json) {
		printf("withdrew %s smallest units in block %" PRIu64 "\n",
		       text,
		       result->block_number);
		return TWCTL_EXIT_OK;
	}
	json_writer_init(&writer);
	json_begin_object(&writer, NULL);
	json_put_string(&writer, "amount", text);
	evm_json_put_word(&writer, "tx_id", result->tx_id);
	json_put_count(&writer, "block", result->block_number);
	json_end(&writer);
	return twctl_print(twctl, &writer);
}

static int run_withdraw(struct twctl *twctl)
{
	uint8_t escrow[EVM_ADDRESS_SIZE], asset[EVM_ADDRESS_SIZE] = {0}, to[EVM_ADDRESS_SIZE];
	struct evm_admin_result result;
	struct twctl_chain chain;
	struct evm_abi_writer w;
	uint8_t data[4 + 64];
	char why[CHAIN_WHY_SIZE] = "";
	int code = twctl_chain_open(twctl, &chain);

	if (code != 0)
		return code;
	memcpy(to, chain.account, sizeof(to));
	code = twctl_chain_escrow(twctl, &chain, escrow);
	if (code == 0)
		code = twctl_chain_address(twctl, "--asset", false, asset);
	if (code == 0)
		code = twctl_chain_address(twctl, "--to", false, to);
	if (code == 0) {
		evm_abi_writer_init(&w, data, sizeof(data));
		evm_abi_call(&w, "withdrawTo(address,address)", 2);
		evm_abi_put_address(&w, asset);
		evm_abi_put_address(&w, to);
		if (evm_admin_send(&chain.admin, escrow, data, w.len, &result, why) < 0) {
			code = twctl_fail(twctl, TWCTL_EXIT_FAILED, "%s", why);
		} else {
			code = print_withdrawn(twctl, &result, escrow);
			evm_admin_result_fini(&result);
		}
	}
	twctl_chain_close(&chain);
	return code;
}

static const struct twctl_option status_options[] = {
	TWCTL_CHAIN_OPTIONS,
	{NULL, NULL, NULL},
};
static const struct twctl_option balance_options[] = {
	TWCTL_CHAIN_OPTIONS,
	{"--escrow", "ADDRESS", "the escrow contract; default the configured chain's"},
	{"--asset", "ADDRESS", "a token; default the native coin"},
	{"--of", "ADDRESS", "whose credits; default the key's own account"},
	{NULL, NULL, NULL},
};
static const struct twctl_option withdraw_options[] = {
	TWCTL_CHAIN_OPTIONS,
	{"--escrow", "ADDRESS", "the escrow contract; default the configured chain's"},
	{"--asset", "ADDRESS", "a token; default the native coin"},
	{"--to", "ADDRESS", "who gets it; default the key's own account"},
	{NULL, NULL, NULL},
};

const struct twctl_command twctl_chain_commands[] = {
	{
		.name = "chain status",
		.run = run_status,
		.positional = "",
		.summary = "show a chain's head, the account and the endpoints",
		.description = "Asks the chain itself; the control plane need not run.\n",
		.options = status_options,
	},
	{
		.name = "chain balance",
		.run = run_balance,
		.positional = "",
		.summary = "show what the account holds and what the escrow owes it",
		.description = "Amounts are in wei, or in the smallest unit of the token.\n",
		.options = balance_options,
	},
	{
		.name = "chain withdraw",
		.run = run_withdraw,
		.positional = "",
		.summary = "have the escrow pay what it owes",
		.description = "Pays all credits of the key's account in one asset, and waits "
			       "until it is mined.\n"
			       "The key is the payout account's.\n",
		.options = withdraw_options,
	},
	{.name = NULL},
};
