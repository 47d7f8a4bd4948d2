// SPDX-License-Identifier: Apache-2.0
//
// See twctl_chain_desk.h.
#include "twctl_chain_desk.h"

#include "controlplane/twctl/buyer_chain.h"

#include <inttypes.h>
#include <stdio.h>

// --registry, or the one that the escrow names.
static int find_registry(struct twctl *twctl, struct twctl_chain_desk *desk)
{
	uint8_t escrow[EVM_ADDRESS_SIZE];
	int code;

	desk->registry.admin = desk->chain.admin;
	desk->admin = evm_registry_admin(&desk->registry);
	if (twctl_args_get(&twctl->args, "--registry") != NULL)
		return twctl_chain_address(twctl, "--registry", true, desk->registry.address);
	if (desk->chain.conf == NULL && twctl_args_get(&twctl->args, "--escrow") == NULL)
		return twctl_fail(
			twctl,
			TWCTL_EXIT_USAGE,
			"--registry ADDRESS or --escrow ADDRESS is required, or --chain NAME out "
			"of "
			"the configuration"
		);
	code = twctl_chain_escrow(twctl, &desk->chain, escrow);
	return code != 0
		? code
		: buyer_chain_registry(twctl, &desk->chain, escrow, desk->registry.address);
}

int twctl_chain_desk_open(struct twctl *twctl, struct twctl_chain_desk *desk)
{
	int code = twctl_chain_open(twctl, &desk->chain);

	if (code != 0)
		return code;
	code = find_registry(twctl, desk);
	if (code != 0)
		twctl_chain_close(&desk->chain);
	return code;
}

// The same with --node, or the configured one.
int twctl_chain_desk_open_node(struct twctl *twctl, struct twctl_chain_desk *desk)
{
	const char *text = twctl_args_get(&twctl->args, "--node");
	int code = twctl_chain_desk_open(twctl, desk);

	if (code != 0)
		return code;
	desk->node_id = u256_from_u64(desk->chain.conf != NULL ? desk->chain.conf->node_id : 0);
	if (text != NULL &&
	    (u256_parse_dec(text, &desk->node_id) < 0 || u256_is_zero(desk->node_id)))
		code = twctl_fail_value(
			twctl, "--node", text, "a node's id, as chain register prints it"
		);
	else if (u256_is_zero(desk->node_id))
		code = twctl_fail(twctl, TWCTL_EXIT_USAGE, "--node ID is required");
	if (code != 0)
		twctl_chain_close(&desk->chain);
	return code;
}

int twctl_chain_desk_print(
	struct twctl *twctl, const struct chain_admin_result *result, const char *what
)
{
	struct json_writer writer;
	char node[U256_DEC_SIZE];

	u256_format_dec(result->node_id, node);
	if (!twctl->is_json) {
		printf("node %s, %s in block %" PRIu64 "\n", node, what, result->block_number);
		return TWCTL_EXIT_OK;
	}
	json_writer_init(&writer);
	json_begin_object(&writer, NULL);
	json_put_string(&writer, "node_id", node);
	evm_json_put_word(&writer, "tx_id", result->tx_id);
	json_put_count(&writer, "block", result->block_number);
	json_end(&writer);
	return twctl_print(twctl, &writer);
}

int twctl_chain_desk_account(const struct twctl *twctl, const char *option, uint8_t ret[32])
{
	return twctl_chain_address(twctl, option, false, ret + TWCTL_CHAIN_DESK_PAD);
}
