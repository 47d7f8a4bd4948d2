// SPDX-License-Identifier: Apache-2.0
//
// twctl buyer buy: one session of one node for the exact price. The terms are what the registry shows
// and the buyer allows; the salt is on the disk before the transaction leaves, so that a second run
// finds the session that the first one made.
#include "buyer_asset.h"
#include "buyer_chain.h"
#include "buyer_file.h"
#include "buyer_token.h"
#include "twctl.h"
#include "twctl_units.h"

#include "controlplane/chain/evm/evm_hex.h"
#include "controlplane/session/client_conf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define CALL_CAP 512

static int get_order(
	struct twctl *twctl, const struct twctl_chain *chain, struct evm_purchase_order *order
)
{
	const char *node = twctl_args_get(&twctl->args, "--node");
	const char *duration = twctl_args_get(&twctl->args, "--duration");
	const char *mode = twctl_args_get(&twctl->args, "--mode");
	const char *signer = twctl_args_get(&twctl->args, "--voucher-signer");
	int code;

	if (node == NULL || duration == NULL || twctl_args_get(&twctl->args, "--gb") == NULL)
		return twctl_fail(
			twctl,
			TWCTL_EXIT_USAGE,
			"--node ID, --gb N and --duration TIME are required"
		);
	if (u256_parse_dec(node, &order->node_id) < 0 || u256_is_zero(order->node_id))
		return twctl_fail_value(twctl, "--node", node, "a node's number");
	code = twctl_get_number(twctl, "--gb", 1, UINT32_MAX, 0, &order->data_gb);
	if (code != 0)
		return code;
	if (twctl_units_parse_duration(duration, &order->duration_sec) < 0 ||
	    order->duration_sec == 0 || order->duration_sec > EVM_PURCHASE_DURATION_MAX_SEC)
		return twctl_fail_value(
			twctl, "--duration", duration, "1s to 90d (" TWCTL_UNITS_DURATIONS ")"
		);
	order->mode = EVM_PURCHASE_VOUCHER;
	if (mode != NULL && evm_purchase_mode_parse(mode, &order->mode) < 0)
		return twctl_fail_value(twctl, "--mode", mode, "voucher, attested or optimistic");
	memcpy(order->voucher_signer, chain->account, EVM_ADDRESS_SIZE);
	if (signer != NULL && strcmp(signer, "none") == 0)
		memset(order->voucher_signer, 0, EVM_ADDRESS_SIZE);
	else
		code = twctl_chain_address(twctl, "--voucher-signer", false, order->voucher_signer);
	if (code == 0)
		code = twctl_chain_address(twctl, "--attestor", false, order->attestor);
	if (code == 0 && order->mode == EVM_PURCHASE_VOUCHER &&
	    evm_address_is_zero(order->voucher_signer))
		code = twctl_fail(twctl, TWCTL_EXIT_USAGE, "--mode voucher needs a voucher signer");
	if (code == 0 && order->mode == EVM_PURCHASE_ATTESTED &&
	    evm_address_is_zero(order->attestor))
		code = twctl_fail(
			twctl, TWCTL_EXIT_USAGE, "--mode attested needs --attestor ADDRESS"
		);
	return code;
}

// What the buyer allows. Of an order that is kept it may say so again, or less by now.
static int check_limits(
	struct twctl *twctl,
	const struct evm_escrow_terms *terms,
	const struct buyer_asset *asset,
	bool is_kept
)
{
	bool has_price = twctl_args_get(&twctl->args, "--max-price-per-gb") != NULL;
	char price[BUYER_ASSET_TEXT], most[BUYER_ASSET_TEXT];
	struct u256 max_price = terms->price_per_gb;
	uint64_t max_fee_bps;
	int code = 0;

	if (has_price || !is_kept)
		code = buyer_asset_get(twctl, asset, "--max-price-per-gb", &max_price);
	if (code == 0)
		code = twctl_get_number(twctl, "--max-fee-bps", 0, 10000, 10000, &max_fee_bps);
	if (code != 0)
		return code;
	if (u256_compare(terms->price_per_gb, max_price) > 0) {
		buyer_asset_format(price, asset, terms->price_per_gb);
		buyer_asset_format(most, asset, max_price);
		return twctl_fail(
			twctl,
			TWCTL_EXIT_FAILED,
			"the node asks %s for a GB, --max-price-per-gb is %s; nothing was sent",
			price,
			most
		);
	}
	if (terms->fee_bps > max_fee_bps)
		return twctl_fail(
			twctl,
			TWCTL_EXIT_FAILED,
			"the platform's fee is %" PRIu64 "/10,000, --max-fee-bps is %" PRIu64
			"; nothing was sent",
			terms->fee_bps,
			max_fee_bps
		);
	return 0;
}

// The escrow's terms, held against the registry's entry and against what the buyer allows.
static int check_terms(
	struct twctl *twctl,
	const struct buyer_file *file,
	const struct evm_purchase_node *node,
	const struct buyer_asset *asset
)
{
	const struct evm_escrow_terms *terms = &file->terms;

	if (!u256_equal(terms->node_id, file->order.node_id) ||
	    memcmp(terms->asset, asset->address, EVM_ADDRESS_SIZE) != 0 ||
	    memcmp(terms->attestor, file->order.attestor, EVM_ADDRESS_SIZE) != 0 ||
	    !u256_equal(terms->price_per_gb, node->price_per_gb) ||
	    memcmp(terms->payout, node->payout, EVM_ADDRESS_SIZE) != 0 ||
	    memcmp(terms->wg_public_key, node->wg_public_key, 32) != 0 ||
	    memcmp(terms->usage_signer, node->usage_signer, EVM_ADDRESS_SIZE) != 0 ||
	    terms->window_sec != node->window_sec || terms->grace_sec != node->grace_sec)
		return twctl_fail(
			twctl,
			TWCTL_EXIT_FAILED,
			"the escrow's terms are not what the registry shows: the node was changed "
			"just now, or "
			"an endpoint lies; nothing was sent"
		);
	return check_limits(twctl, terms, asset, false);
}

static int ask_terms(struct twctl *twctl, const struct twctl_chain *chain, struct buyer_file *file)
{
	uint8_t registry[EVM_ADDRESS_SIZE], call[CALL_CAP], answer[CALL_CAP];
	uint8_t token[EVM_ADDRESS_SIZE] = {0};
	struct evm_purchase_node node;
	struct buyer_asset asset;
	struct evm_abi_writer w;
	size_t len;
	int code;

	code = twctl_chain_address(twctl, "--token", false, token);
	if (code == 0)
		code = buyer_asset_load(twctl, chain, token, &asset);
	if (code == 0)
		code = buyer_chain_registry(twctl, chain, file->escrow, registry);
	if (code == 0)
		code = buyer_chain_node(twctl, chain, registry, file->order.node_id, &node);
	if (code == 0)
		code = buyer_asset_price(twctl, chain, registry, &asset, &node);
	if (code != 0)
		return code;
	evm_abi_writer_init(&w, call, sizeof(call));
	evm_purchase_put_current_terms(&w, file->order.node_id, token, file->order.attestor);
	code = buyer_chain_ask(twctl, chain, file->escrow, &w, answer, sizeof(answer), &len);
	if (code != 0)
		return code;
	if (evm_purchase_get_terms(answer, len, &file->terms, file->order.terms_hash) < 0)
		return twctl_fail(
			twctl,
			TWCTL_EXIT_FAILED,
			"the escrow's terms do not have the hash that it says; nothing was sent"
		);
	snprintf(file->endpoint, sizeof(file->endpoint), "%s", node.endpoint);
	snprintf(file->api_url, sizeof(file->api_url), "%s", node.api_url);
	return check_terms(twctl, file, &node, &asset);
}

// A purchase from the options, on the disk.
static int begin(
	struct twctl *twctl,
	const char *path,
	const struct twctl_chain *chain,
	const char *urls,
	struct buyer_file *file
)
{
	int code, r;

	memcpy(file->buyer, chain->account, EVM_ADDRESS_SIZE);
	file->chain_id = chain->admin.chain_id;
	snprintf(file->rpc, sizeof(file->rpc), "%s", urls);
	code = twctl_chain_address(twctl, "--escrow", true, file->escrow);
	if (code == 0)
		code = get_order(twctl, chain, &file->order);
	if (code == 0)
		code = ask_terms(twctl, chain, file);
	if (code != 0)
		return code;
	if (getrandom(file->order.salt, 32, 0) != 32)
		return twctl_fail(twctl, TWCTL_EXIT_FAILED, "the system has no random numbers");
	evm_escrow_session_id(
		file->chain_id, file->escrow, file->buyer, file->order.salt, file->session_id
	);
	if (evm_purchase_cost(file->order.data_gb, file->terms.price_per_gb, &file->cost_wei) < 0)
		return twctl_fail(twctl, TWCTL_EXIT_FAILED, "the price is beyond 256 bits");
	r = buyer_file_create(path, file);
	if (r < 0)
		return twctl_fail(
			twctl,
			TWCTL_EXIT_FAILED,
			"%s cannot be written (%s); nothing was sent",
			path,
			strerror(-r)
		);
	return 0;
}

// Options that say something else than the file does are an error, not a second purchase.
static int check_resumed(
	struct twctl *twctl,
	const char *path,
	const struct twctl_chain *chain,
	const struct buyer_file *file
)
{
	static const char *const options[] = {
		"--node",
		"--gb",
		"--duration",
		"--mode",
		"--voucher-signer",
		"--attestor",
		"--token"};
	struct evm_purchase_order order = {0};
	uint8_t escrow[EVM_ADDRESS_SIZE], token[EVM_ADDRESS_SIZE] = {0};
	int code;

	if (memcmp(file->buyer, chain->account, EVM_ADDRESS_SIZE) != 0)
		return twctl_fail(
			twctl,
			TWCTL_EXIT_FAILED,
			"%s is a purchase of another account than the key's",
			path
		);
	memcpy(escrow, file->escrow, sizeof(escrow));
	code = twctl_chain_address(twctl, "--escrow", false, escrow);
	if (code == 0)
		code = twctl_chain_address(twctl, "--token", false, token);
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]) && code == 0; i++) {
		if (twctl_args_get(&twctl->args, options[i]) != NULL) {
			code = get_order(twctl, chain, &order);
			break;
		}
	}
	if (code != 0)
		return code;
	memcpy(order.salt, file->order.salt, 32);
	memcpy(order.terms_hash, file->order.terms_hash, 32);
	if (memcmp(escrow, file->escrow, sizeof(escrow)) != 0 ||
	    chain->admin.chain_id != file->chain_id ||
	    (order.data_gb != 0 &&
	     (memcmp(token, file->terms.asset, EVM_ADDRESS_SIZE) != 0 ||
	      !u256_equal(order.node_id, file->order.node_id) ||
	      order.data_gb != file->order.data_gb ||
	      order.duration_sec != file->order.duration_sec || order.mode != file->order.mode ||
	      memcmp(order.voucher_signer, file->order.voucher_signer, EVM_ADDRESS_SIZE) != 0 ||
	      memcmp(order.attestor, file->order.attestor, EVM_ADDRESS_SIZE) != 0)))
		return twctl_fail(
			twctl,
			TWCTL_EXIT_FAILED,
			"%s holds another order; name another file for a new one",
			path
		);
	return 0;
}

// The call and what goes with it: coins as value, or tokens that the escrow may draw.
static int prepare(
	struct twctl *twctl,
	const struct twctl_chain *chain,
	const struct buyer_file *file,
	struct evm_abi_writer *w,
	struct evm_admin_tx *tx
)
{
	const struct buyer_token_pull pull = {
		.token = file->terms.asset,
		.spender = file->escrow,
		.amount = file->cost_wei,
		.is_permit_wanted = twctl_args_get(&twctl->args, "--permit") != NULL,
	};
	struct evm_purchase_permit permit = {0};
	int code;

	if (evm_address_is_zero(file->terms.asset)) {
		evm_purchase_put_create(w, &file->order);
		tx->value_wei = file->cost_wei;
	} else {
		code = buyer_token_allow(twctl, chain, &pull, &permit);
		if (code != 0)
			return code;
		evm_purchase_put_create_with_token(
			w, &file->order, file->terms.asset, file->cost_wei, &permit
		);
	}
	if (evm_abi_finish(w) < 0)
		return twctl_fail(twctl, TWCTL_EXIT_FAILED, "the order could not be encoded");
	tx->data = w->buf;
	tx->len = w->len;
	return 0;
}

static int send(struct twctl *twctl, const struct twctl_chain *chain, const struct buyer_file *file)
{
	struct evm_admin_tx tx = {.to = file->escrow};
	struct evm_admin_result result;
	char why[CHAIN_WHY_SIZE] = "out of memory";
	uint8_t call[CALL_CAP];
	struct evm_abi_writer w;
	int r;

	evm_abi_writer_init(&w, call, sizeof(call));
	r = prepare(twctl, chain, file, &w, &tx);
	if (r != 0)
		return r;
	r = evm_admin_send_tx(&chain->admin, &tx, &result, why);
	if (r == 0) {
		evm_admin_result_fini(&result);
		return 0;
	}
	// A second run overtook the first: what counts is what the escrow holds.
	if (r == -EREMOTEIO && strstr(why, "SessionExists") != NULL)
		return 0;
	return twctl_fail(
		twctl,
		TWCTL_EXIT_FAILED,
		"%s; %s",
		why,
		strstr(why, "TermsMismatch") != NULL
			? "the node's terms changed since: remove the file and look at them again"
			: "the order is kept: the same command goes on with it"
	);
}

static int print_bought(
	struct twctl *twctl,
	const struct twctl_chain *chain,
	const struct buyer_file *file,
	const struct evm_purchase_session *session
)
{
	char id[EVM_HEX_SIZE(32)], cost[BUYER_ASSET_TEXT];
	struct buyer_asset asset;
	struct json_writer writer;
	int code = buyer_asset_load(twctl, chain, file->terms.asset, &asset);

	if (code != 0)
		return code;
	if (twctl->is_json) {
		json_writer_init(&writer);
		json_begin_object(&writer, NULL);
		evm_json_put_word(&writer, "session_id", file->session_id);
		buyer_asset_put(&writer, &asset, "cost_wei", "cost", file->cost_wei);
		evm_json_put_address(&writer, "asset", asset.address);
		json_put_count(&writer, "bought_bytes", session->bought_bytes);
		json_put_count(&writer, "expiry_sec", session->expiry_sec);
		json_put_string(&writer, "mode", evm_purchase_mode_name(session->mode));
		evm_json_put_address(&writer, "voucher_signer", session->voucher_signer);
		evm_json_put_word(&writer, "terms_hash", session->terms_hash);
		json_end(&writer);
		return twctl_print(twctl, &writer);
	}
	evm_hex_format(file->session_id, 32, id);
	printf("session %s\nbought %" PRIu64 " GB for %s, mode %s\n",
	       id,
	       file->order.data_gb,
	       buyer_asset_format(cost, &asset, file->cost_wei),
	       evm_purchase_mode_name(session->mode));
	return TWCTL_EXIT_OK;
}

// Sends unless the escrow has the session already, and believes only what the escrow then says.
static int buy(struct twctl *twctl, const struct twctl_chain *chain, const struct buyer_file *file)
{
	struct evm_purchase_session session;
	struct buyer_asset asset;
	bool is_there = false;
	int code;

	code = buyer_chain_session(
		twctl, chain, file->escrow, file->session_id, &session, &is_there
	);
	if (code == 0 && !is_there)
		code = buyer_asset_load(twctl, chain, file->terms.asset, &asset);
	if (code == 0 && !is_there)
		code = check_limits(twctl, &file->terms, &asset, true);
	if (code == 0 && !is_there)
		code = send(twctl, chain, file);
	if (code == 0 && !is_there)
		code = buyer_chain_session(
			twctl, chain, file->escrow, file->session_id, &session, &is_there
		);
	if (code != 0)
		return code;
	if (!is_there || memcmp(session.buyer, file->buyer, EVM_ADDRESS_SIZE) != 0 ||
	    memcmp(session.terms_hash, file->order.terms_hash, 32) != 0 ||
	    memcmp(session.voucher_signer, file->order.voucher_signer, EVM_ADDRESS_SIZE) != 0 ||
	    session.mode != file->order.mode ||
	    session.bought_bytes < file->order.data_gb * 1000000000ull)
		return twctl_fail(
			twctl,
			TWCTL_EXIT_FAILED,
			"the escrow does not hold the session as it was ordered"
		);
	return print_bought(twctl, chain, file, &session);
}

static int run_buy(struct twctl *twctl)
{
	const char *path = twctl->args.positional[0];
	const char *urls = twctl_args_get(&twctl->args, "--rpc");
	struct buyer_file file = {0};
	struct twctl_chain chain;
	char why[BUYER_FILE_WHY];
	bool is_resumed;
	int code, r;

	r = buyer_file_load(path, &file, why);
	if (r < 0 && r != -ENOENT)
		return twctl_fail(twctl, TWCTL_EXIT_FAILED, "%s", why);
	is_resumed = r == 0;
	if (!is_resumed && (urls == NULL || twctl_args_get(&twctl->args, "--chain-id") == NULL))
		return twctl_fail(
			twctl, TWCTL_EXIT_USAGE, "--rpc URL and --chain-id N are required"
		);
	if (urls != NULL && strlen(urls) > BUYER_FILE_RPC_MAX)
		return twctl_fail_value(twctl, "--rpc", "", "less than 2048 characters");
	code = twctl_get_number(
		twctl, "--chain-id", 1, JSON_INTEGER_MAX, file.chain_id, &file.chain_id
	);
	if (code == 0)
		code = twctl_chain_connect(
			twctl, urls != NULL ? urls : file.rpc, file.chain_id, true, &chain
		);
	if (code != 0)
		return code;
	code = is_resumed ? check_resumed(twctl, path, &chain, &file)
			  : begin(twctl, path, &chain, urls, &file);
	if (code == 0)
		code = buy(twctl, &chain, &file);
	twctl_chain_close(&chain);
	return code;
}

static const struct twctl_option buy_options[] = {
	{"--rpc", "URL[,URL...]", "JSON-RPC endpoints, http or https; kept in FILE"},
	{"--chain-id", "N", "id of the chain; an endpoint of another chain is refused"},
	{"--escrow", "ADDRESS", "the escrow contract"},
	BUYER_CHAIN_KEY_OPTIONS,
	{"--node", "ID", "the node, as twctl buyer nodes shows it"},
	{"--gb", "N", "units of 10^9 bytes, both directions together"},
	{"--duration", "TIME", "until the session expires, 1s to 90d"},
	{"--token", "ADDRESS", "pay with this token (default the native coin)"},
	{"--permit", NULL, "allow the token by a signature (ERC-2612) instead of a transaction"},
	{"--max-price-per-gb", "AMOUNT", "coins or tokens you agree to; a higher price is refused"},
	{"--max-fee-bps", "N", "highest platform fee you agree to, in 1/10,000 of the price"},
	{"--mode", "MODE", "voucher (default), attested or optimistic"},
	{"--voucher-signer",
	 "ADDRESS",
	 "who signs vouchers (default the key's own account), or none"},
	{"--attestor", "ADDRESS", "who attests usage; one that the node accepts"},
	{NULL, NULL, NULL},
};

const struct twctl_command buyer_buy_commands[] = {
	{
		.name = "buyer buy",
		.run = run_buy,
		.positional = "FILE",
		.summary = "buy a session",
		.description =
			"Pays the exact price into the escrow. The order goes to FILE (mode 0600) "
			"before it is\n"
			"sent; the same command, or only FILE and the key, goes on where it broke "
			"off and never\n"
			"buys twice. The other buyer commands take FILE. With --token the escrow "
			"is "
			"allowed exactly\n"
			"the cost.\n\n"
			"Example:\n"
			"  twctl buyer buy home.session --rpc https://rpc.example --chain-id 1 "
			"--escrow 0x... \\\n"
			"    --key-file key --node 7 --gb 10 --duration 30d --max-price-per-gb "
			"0.001\n",
		.options = buy_options,
		.min_positional = 1,
		.max_positional = 1,
	},
	{.name = NULL},
};
