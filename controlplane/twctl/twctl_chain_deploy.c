// SPDX-License-Identifier: Apache-2.0
//
// twctl chain deploy: the contracts.
#include "twctl_chain.h"

#include "controlplane/chain/evm/evm_escrow.h"
#include "controlplane/chain/evm/evm_hex.h"
#include "controlplane/chain/evm/evm_reply.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARTIFACT_MAX_BYTES (4 << 20)
#define INIT_CODE_MAX 65536 // EIP-3860 allows 49152

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
		if (arguments_len > 0) // memcpy takes no NULL, even for nothing
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
		evm_json_put_address(&writer, "registry", registry);
		evm_json_put_address(&writer, "escrow", escrow);
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
	{.name = NULL},
};
