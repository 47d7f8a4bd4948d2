// SPDX-License-Identifier: Apache-2.0
//
// twctl chain deploy|register: the contracts, and this node's entry in the registry.
#include "twctl_chain.h"

#include "controlplane/chain/evm/evm_escrow.h"
#include "controlplane/chain/evm/evm_hex.h"
#include "controlplane/chain/evm/evm_reply.h"
#include "controlplane/session/client_conf.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARTIFACT_MAX_BYTES (4 << 20)
#define INIT_CODE_MAX 65536 // EIP-3860 allows 49152
#define TEXT_MAX 256

// The init code of DIR/NAME.json.
static int read_artifact(
	struct twctl *twctl, const char *dir, const char *name, uint8_t *code, size_t *ret_len
)
{
	char *text = malloc(ARTIFACT_MAX_BYTES), path[4096];
	struct json_value *doc = NULL;
	const char *bytecode;
	FILE *file;
	size_t len = 0;
	int r = -EINVAL;

	snprintf(path, sizeof(path), "%s/%s.json", dir, name);
	file = text != NULL ? fopen(path, "r") : NULL;
	if (file != NULL) {
		len = fread(text, 1, ARTIFACT_MAX_BYTES, file);
		fclose(file);
	}
	if (file != NULL && len < ARTIFACT_MAX_BYTES && json_parse(text, len, &doc) == 0) {
		bytecode = json_string(json_member(doc, "bytecode"));
		if (bytecode != NULL)
			r = evm_hex_parse_bytes(bytecode, code, INIT_CODE_MAX, ret_len);
		json_free(doc);
	}
	free(text);
	if (r == 0 && *ret_len > 0)
		return 0;
	return twctl_fail(
		twctl,
		TWCTL_EXIT_FAILED,
		"%s: cannot be read, or is no contract artifact with bytecode; name their folder "
		"with "
		"--artifacts DIR",
		path
	);
}

static int deploy_one(
	struct twctl *twctl,
	const struct twctl_chain *chain,
	const char *name,
	const uint8_t *arguments,
	size_t arguments_len,
	uint8_t address[EVM_ADDRESS_SIZE]
)
{
	const char *dir = twctl_args_get(&twctl->args, "--artifacts");
	struct evm_admin_result result;
	char why[CHAIN_WHY_SIZE] = "", text[EVM_ADDRESS_TEXT_SIZE];
	uint8_t *code = malloc(INIT_CODE_MAX + 1024);
	size_t len;
	int exit_code;

	if (code == NULL)
		return twctl_fail(twctl, TWCTL_EXIT_FAILED, "out of memory");
	exit_code = read_artifact(twctl, dir, name, code, &len);
	if (exit_code == 0) {
		memcpy(code + len, arguments, arguments_len);
		len += arguments_len;
		if (evm_admin_send(&chain->admin, NULL, code, len, &result, why) < 0) {
			exit_code =
				twctl_fail(twctl, TWCTL_EXIT_FAILED, "deploying %s: %s", name, why);
		} else {
			memcpy(address, result.contract, EVM_ADDRESS_SIZE);
			evm_address_format(address, text);
			fprintf(stderr, "twctl: %s is %s\n", name, text);
			evm_admin_result_fini(&result);
		}
	}
	free(code);
	return exit_code;
}

static int bind_escrow(
	struct twctl *twctl,
	const struct twctl_chain *chain,
	const uint8_t registry[EVM_ADDRESS_SIZE],
	const uint8_t escrow[EVM_ADDRESS_SIZE]
)
{
	struct evm_admin_result result;
	char why[CHAIN_WHY_SIZE] = "";
	struct evm_abi_writer w;
	uint8_t data[4 + 32];

	evm_abi_writer_init(&w, data, sizeof(data));
	evm_abi_call(&w, "bindEscrow(address)", 1);
	evm_abi_put_address(&w, escrow);
	if (evm_admin_send(&chain->admin, registry, data, w.len, &result, why) < 0)
		return twctl_fail(twctl, TWCTL_EXIT_FAILED, "binding the escrow: %s", why);
	evm_admin_result_fini(&result);
	return 0;
}

static int deploy_all(
	struct twctl *twctl,
	const struct twctl_chain *chain,
	uint8_t registry[EVM_ADDRESS_SIZE],
	uint8_t escrow[EVM_ADDRESS_SIZE]
)
{
	uint8_t owner[EVM_ADDRESS_SIZE], treasury[EVM_ADDRESS_SIZE], arguments[4 * 32];
	struct evm_abi_writer w;
	uint64_t cap_bps;
	int code;

	memcpy(owner, chain->account, sizeof(owner));
	code = twctl_chain_address(twctl, "--owner", false, owner);
	if (code == 0)
		code = twctl_chain_address(twctl, "--treasury", true, treasury);
	if (code == 0)
		code = twctl_get_number(twctl, "--fee-cap-bps", 0, 10000, 500, &cap_bps);
	if (code == 0 && twctl_args_get(&twctl->args, "--artifacts") == NULL)
		code = twctl_fail(twctl, TWCTL_EXIT_USAGE, "--artifacts DIR is required");
	if (code == 0)
		code = twctl_chain_address(twctl, "--registry", false, registry);
	if (code == 0 && evm_address_is_zero(registry))
		code = deploy_one(twctl, chain, "NodeRegistry", NULL, 0, registry);
	if (code != 0)
		return code;
	evm_abi_writer_init(&w, arguments, sizeof(arguments));
	evm_abi_begin(&w, 4);
	evm_abi_put_address(&w, registry);
	evm_abi_put_address(&w, owner);
	evm_abi_put_address(&w, treasury);
	evm_abi_put_u64(&w, cap_bps);
	code = deploy_one(twctl, chain, "EscrowPayment", arguments, w.len, escrow);
	return code == 0 ? bind_escrow(twctl, chain, registry, escrow) : code;
}

static int run_deploy(struct twctl *twctl)
{
	uint8_t registry[EVM_ADDRESS_SIZE] = {0}, escrow[EVM_ADDRESS_SIZE];
	char registry_text[EVM_ADDRESS_TEXT_SIZE], escrow_text[EVM_ADDRESS_TEXT_SIZE];
	struct twctl_chain chain;
	struct json_writer writer;
	int code = twctl_chain_open(twctl, &chain);

	if (code != 0)
		return code;
	code = deploy_all(twctl, &chain, registry, escrow);
	if (code == 0 && twctl->is_json) {
		json_writer_init(&writer);
		json_begin_object(&writer, NULL);
		json_put_count(&writer, "chain_id", chain.admin.chain_id);
		twctl_chain_put_address(&writer, "registry", registry);
		twctl_chain_put_address(&writer, "escrow", escrow);
		json_end(&writer);
		code = twctl_print(twctl, &writer);
	} else if (code == 0) {
		evm_address_format(registry, registry_text);
		evm_address_format(escrow, escrow_text);
		printf("registry  %s\nescrow    %s\n", registry_text, escrow_text);
	}
	twctl_chain_close(&chain);
	return code;
}

struct registration {
	const char *name, *region, *endpoint, *api_url;
	struct u256 price_wei;
	uint64_t bandwidth_mbps;
	uint8_t payout[EVM_ADDRESS_SIZE], usage_signer[EVM_ADDRESS_SIZE], settler[EVM_ADDRESS_SIZE];
	uint8_t wg_public_key[32];
};

static int get_text(
	struct twctl *twctl, const char *option, size_t max, const char *fallback, const char **ret
)
{
	const char *text = twctl_args_get(&twctl->args, option);
	char allowed[64];

	if (text == NULL)
		text = fallback;
	if (text == NULL)
		return twctl_fail(twctl, TWCTL_EXIT_USAGE, "%s is required", option);
	*ret = text;
	if ((text[0] != '\0' || fallback != NULL) && strlen(text) <= max)
		return 0;
	snprintf(allowed, sizeof(allowed), "1 to %zu bytes of text", max);
	return twctl_fail_value(twctl, option, text, allowed);
}

static int get_keys(struct twctl *twctl, struct registration *reg)
{
	const char *key = twctl_args_get(&twctl->args, "--wg-public-key");

	if (key == NULL)
		return twctl_fail(twctl, TWCTL_EXIT_USAGE, "--wg-public-key KEY is required");
	if (client_conf_key_parse(reg->wg_public_key, key) < 0)
		return twctl_fail_value(
			twctl, "--wg-public-key", key, "a WireGuard public key, 44 characters"
		);
	return 0;
}

static int get_registration(
	struct twctl *twctl, const struct twctl_chain *chain, struct registration *reg
)
{
	int code;

	memset(reg, 0, sizeof(*reg));
	memcpy(reg->payout, chain->account, EVM_ADDRESS_SIZE);
	memcpy(reg->settler, chain->account, EVM_ADDRESS_SIZE);
	code = get_text(twctl, "--name", 64, NULL, &reg->name);
	if (code == 0)
		code = get_text(twctl, "--region", 32, NULL, &reg->region);
	if (code == 0)
		code = get_text(twctl, "--endpoint", TEXT_MAX, NULL, &reg->endpoint);
	if (code == 0)
		code = get_text(twctl, "--api-url", TEXT_MAX, "", &reg->api_url);
	if (code == 0)
		code = twctl_chain_coins(twctl, "--price-per-gb", &reg->price_wei);
	if (code == 0)
		code = twctl_get_number(
			twctl, "--bandwidth-mbps", 1, UINT32_MAX, 1000, &reg->bandwidth_mbps
		);
	if (code == 0)
		code = twctl_chain_address(twctl, "--payout", false, reg->payout);
	if (code == 0)
		code = twctl_chain_address(twctl, "--settler", false, reg->settler);
	if (code == 0)
		code = twctl_chain_address(twctl, "--usage-signer", true, reg->usage_signer);
	return code == 0 ? get_keys(twctl, reg) : code;
}

static void put_registration(struct evm_abi_writer *w, const struct registration *reg)
{
	evm_abi_call(
		w,
		"registerNode(string,string,uint256,uint32,string,string,(address,address,address,"
		"bytes32,bytes32,uint32,uint32))",
		13
	);
	evm_abi_put_bytes(w, reg->name, strlen(reg->name));
	evm_abi_put_bytes(w, reg->region, strlen(reg->region));
	evm_abi_put_u256(w, reg->price_wei);
	evm_abi_put_u64(w, reg->bandwidth_mbps);
	evm_abi_put_bytes(w, reg->endpoint, strlen(reg->endpoint));
	evm_abi_put_bytes(w, reg->api_url, strlen(reg->api_url));
	evm_abi_put_address(w, reg->payout);
	evm_abi_put_address(w, reg->usage_signer);
	evm_abi_put_address(w, reg->settler);
	evm_abi_put_word(w, reg->wg_public_key);
	evm_abi_put_u64(w, 0); // metadataHash: set by updateNode, with what stands behind it
	evm_abi_put_u64(w, 0); // windowSec: the contract's default
	evm_abi_put_u64(w, 0); // graceSec: the same
	evm_abi_end(w);
}

static int print_node(
	struct twctl *twctl,
	const struct evm_admin_result *result,
	const uint8_t registry[EVM_ADDRESS_SIZE]
)
{
	static const char event[] = "NodeRegistered(uint256,address,string,string,uint256,uint32,"
				    "string,string,(address,"
				    "address,address,bytes32,bytes32,uint32,uint32))";
	struct json_writer writer;
	char node[U256_DEC_SIZE];
	struct evm_log log;

	if (evm_admin_find_log(result, registry, event, &log) < 0 || log.n_topics != 3)
		return twctl_fail(
			twctl,
			TWCTL_EXIT_FAILED,
			"the transaction was mined but registered nothing; is --registry right?"
		);
	u256_format_dec(u256_from_be(log.topics[1]), node);
	if (!twctl->is_json) {
		printf("node %s, registered in block %" PRIu64 "\n", node, result->block_number);
		return TWCTL_EXIT_OK;
	}
	json_writer_init(&writer);
	json_begin_object(&writer, NULL);
	json_put_string(&writer, "node_id", node);
	twctl_chain_put_hash(&writer, "tx_id", result->tx_id);
	json_put_count(&writer, "block", result->block_number);
	json_end(&writer);
	return twctl_print(twctl, &writer);
}

static int run_register(struct twctl *twctl)
{
	uint8_t registry[EVM_ADDRESS_SIZE], data[4096];
	struct evm_admin_result result;
	struct registration reg;
	struct twctl_chain chain;
	struct evm_abi_writer w;
	char why[CHAIN_WHY_SIZE] = "";
	int code = twctl_chain_open(twctl, &chain);

	if (code != 0)
		return code;
	code = twctl_chain_address(twctl, "--registry", true, registry);
	if (code == 0)
		code = get_registration(twctl, &chain, &reg);
	if (code == 0) {
		evm_abi_writer_init(&w, data, sizeof(data));
		put_registration(&w, &reg);
		if (evm_abi_finish(&w) < 0 ||
		    evm_admin_send(&chain.admin, registry, data, w.len, &result, why) < 0) {
			code = twctl_fail(twctl, TWCTL_EXIT_FAILED, "registering: %s", why);
		} else {
			code = print_node(twctl, &result, registry);
			evm_admin_result_fini(&result);
		}
	}
	twctl_chain_close(&chain);
	return code;
}

static const struct twctl_option deploy_options[] = {
	TWCTL_CHAIN_OPTIONS,
	{"--artifacts", "DIR", "folder with NodeRegistry.json and EscrowPayment.json"},
	{"--treasury", "ADDRESS", "who gets the platform's fee"},
	{"--owner", "ADDRESS", "who may set fee and treasury; default the key's own account"},
	{"--fee-cap-bps", "N", "highest fee ever, in 1/10,000 (0 to 10000, default 500)"},
	{"--registry",
	 "ADDRESS",
	 "a NodeRegistry of yours without an escrow, to go on after a break"},
	{NULL, NULL, NULL},
};
static const struct twctl_option register_options[] = {
	TWCTL_CHAIN_OPTIONS,
	{"--registry", "ADDRESS", "the NodeRegistry"},
	{"--name", "TEXT", "of the node, up to 64 bytes"},
	{"--region", "TEXT", "up to 32 bytes"},
	{"--price-per-gb", "AMOUNT", "native coins for 10^9 bytes, such as 0.001"},
	{"--bandwidth-mbps", "N", "what the node offers (default 1000)"},
	{"--endpoint", "HOST:PORT", "WireGuard's"},
	{"--api-url", "URL", "where buyers bring their public key"},
	{"--wg-public-key", "KEY", "the node's WireGuard public key"},
	{"--usage-signer", "ADDRESS", "signs usage checkpoints"},
	{"--settler", "ADDRESS", "may settle; default the key's own account"},
	{"--payout", "ADDRESS", "is credited; default the key's own account"},
	{NULL, NULL, NULL},
};

const struct twctl_command twctl_chain_deploy_commands[] = {
	{
		.name = "chain deploy",
		.run = run_deploy,
		.positional = "",
		.summary = "deploy registry and escrow",
		.description = "Three transactions: NodeRegistry, EscrowPayment, and binding them "
			       "for ever. Each\n"
			       "address is told as soon as it exists; if a later step fails, go on "
			       "with --registry.\n",
		.options = deploy_options,
	},
	{
		.name = "chain register",
		.run = run_register,
		.positional = "",
		.summary = "list this node in the registry",
		.description =
			"Prints the node's id. Windows and grace are the contract's defaults.\n",
		.options = register_options,
	},
	{.name = NULL},
};
