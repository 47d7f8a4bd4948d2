// SPDX-License-Identifier: Apache-2.0
//
// Calls of NodeRegistry.sol as bytes, and what comes back.
#include "controlplane/chain/evm/evm_registry.h"

#include "controlplane/chain/evm/evm_purchase.h"
#include "controlplane/chain/evm/evm_reply.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define EVM_REGISTRY_CALL_CAP 4096
#define EVM_REGISTRY_NODE_CAP 4096
#define EVM_REGISTRY_DECIMALS_MAX 77 // 10^77 < 2^256

static const char evm_registry_event[] = "NodeRegistered(uint256,address,string,string,uint256,"
					 "uint32,string,string,(address,address,"
					 "address,bytes32,bytes32,uint32,uint32))";

// A call in the making.
struct evm_registry_call {
	uint8_t data[EVM_REGISTRY_CALL_CAP];
	struct evm_abi_writer w;
};

static void evm_registry_begin(
	struct evm_registry_call *call, const char *signature, size_t n_words
)
{
	evm_abi_writer_init(&call->w, call->data, sizeof(call->data));
	evm_abi_call(&call->w, signature, n_words);
}

static int evm_registry_send(
	const struct evm_registry *registry,
	struct evm_registry_call *call,
	struct evm_admin_result *ret,
	char why[CHAIN_WHY_SIZE]
)
{
	evm_abi_end(&call->w);
	if (evm_abi_finish(&call->w) < 0) {
		snprintf(why, CHAIN_WHY_SIZE, "the call could not be encoded");
		return -EINVAL;
	}
	return evm_admin_send(
		&registry->admin, registry->address, call->data, call->w.len, ret, why
	);
}

static void evm_registry_put_result(
	struct chain_admin_result *ret, struct u256 node_id, const struct evm_admin_result *result
)
{
	ret->node_id = node_id;
	memcpy(ret->tx_id, result->tx_id, sizeof(ret->tx_id));
	ret->block_number = result->block_number;
}

// A change of one node, whose id is the call's first word.
static int evm_registry_change(
	const struct evm_registry *registry,
	struct evm_registry_call *call,
	struct u256 node_id,
	struct chain_admin_result *ret,
	char why[CHAIN_WHY_SIZE]
)
{
	struct evm_admin_result result;
	int r = evm_registry_send(registry, call, &result, why);

	if (r < 0)
		return r;
	evm_registry_put_result(ret, node_id, &result);
	evm_admin_result_fini(&result);
	return 0;
}

static void evm_registry_put_text(struct evm_abi_writer *w, const char *text)
{
	evm_abi_put_bytes(w, text, strlen(text));
}

static int evm_registry_register(
	void *ctx,
	const struct chain_admin_node *node,
	struct chain_admin_result *ret,
	char why[CHAIN_WHY_SIZE]
)
{
	const struct evm_registry *registry = ctx;
	struct evm_registry_call call;
	struct evm_admin_result result;
	struct evm_log log;
	int r;

	evm_registry_begin(
		&call,
		"registerNode(string,string,uint256,uint32,string,string,(address,address,address,"
		"bytes32,bytes32,uint32,uint32))",
		13
	);
	evm_registry_put_text(&call.w, node->name);
	evm_registry_put_text(&call.w, node->region);
	evm_abi_put_u256(&call.w, node->price_per_gb);
	evm_abi_put_u64(&call.w, node->bandwidth_mbps);
	evm_registry_put_text(&call.w, node->endpoint);
	evm_registry_put_text(&call.w, node->api_url);
	evm_abi_put_word(&call.w, node->payout);
	evm_abi_put_word(&call.w, node->usage_signer);
	evm_abi_put_word(&call.w, node->settler);
	evm_abi_put_word(&call.w, node->wg_public_key);
	evm_abi_put_word(&call.w, node->metadata_hash);
	evm_abi_put_u64(&call.w, node->window_sec);
	evm_abi_put_u64(&call.w, node->grace_sec);
	r = evm_registry_send(registry, &call, &result, why);
	if (r < 0)
		return r;
	if (evm_admin_find_log(&result, registry->address, evm_registry_event, &log) == 0 &&
	    log.n_topics == 3) {
		evm_registry_put_result(ret, u256_from_be(log.topics[1]), &result);
	} else {
		snprintf(
			why,
			CHAIN_WHY_SIZE,
			"the transaction was mined but registered nothing: there is no registry "
			"at that address"
		);
		r = -EREMOTEIO;
	}
	evm_admin_result_fini(&result);
	return r;
}

static void evm_registry_pad(uint8_t word[32], const uint8_t address[EVM_ADDRESS_SIZE])
{
	memset(word, 0, 32 - EVM_ADDRESS_SIZE);
	memcpy(word + 32 - EVM_ADDRESS_SIZE, address, EVM_ADDRESS_SIZE);
}

static int evm_registry_get_node(
	void *ctx, struct u256 node_id, struct chain_admin_node *ret, char why[CHAIN_WHY_SIZE]
)
{
	const struct evm_registry *registry = ctx;
	uint8_t data[64], answer[EVM_REGISTRY_NODE_CAP];
	struct evm_purchase_node node;
	struct evm_abi_writer w;
	size_t len;
	int r;

	evm_abi_writer_init(&w, data, sizeof(data));
	evm_purchase_put_get_node(&w, node_id);
	r = evm_admin_call(
		&registry->admin, registry->address, data, w.len, answer, sizeof(answer), &len, why
	);
	if (r < 0)
		return r;
	if (evm_purchase_get_node(answer, len, &node) < 0 || !u256_equal(node.node_id, node_id)) {
		snprintf(why, CHAIN_WHY_SIZE, "the registry's answer about the node is malformed");
		return -EIO;
	}
	*ret = (struct chain_admin_node){
		.node_id = node.node_id,
		.is_active = node.is_active,
		.bandwidth_mbps = node.bandwidth_mbps,
		.price_per_gb = node.price_per_gb,
		.window_sec = node.window_sec,
		.grace_sec = node.grace_sec,
	};
	memcpy(ret->name, node.name, sizeof(ret->name));
	memcpy(ret->region, node.region, sizeof(ret->region));
	memcpy(ret->endpoint, node.endpoint, sizeof(ret->endpoint));
	memcpy(ret->api_url, node.api_url, sizeof(ret->api_url));
	evm_registry_pad(ret->payout, node.payout);
	evm_registry_pad(ret->usage_signer, node.usage_signer);
	evm_registry_pad(ret->settler, node.settler);
	memcpy(ret->wg_public_key, node.wg_public_key, sizeof(ret->wg_public_key));
	memcpy(ret->metadata_hash, node.metadata_hash, sizeof(ret->metadata_hash));
	return 0;
}

static int evm_registry_update(
	void *ctx,
	const struct chain_admin_node *node,
	struct chain_admin_result *ret,
	char why[CHAIN_WHY_SIZE]
)
{
	struct evm_registry_call call;

	evm_registry_begin(
		&call, "updateNode(uint256,string,string,uint32,string,string,bytes32)", 7
	);
	evm_abi_put_u256(&call.w, node->node_id);
	evm_registry_put_text(&call.w, node->name);
	evm_registry_put_text(&call.w, node->region);
	evm_abi_put_u64(&call.w, node->bandwidth_mbps);
	evm_registry_put_text(&call.w, node->endpoint);
	evm_registry_put_text(&call.w, node->api_url);
	evm_abi_put_word(&call.w, node->metadata_hash);
	return evm_registry_change(ctx, &call, node->node_id, ret, why);
}

static int evm_registry_set_active(
	void *ctx,
	struct u256 node_id,
	bool is_active,
	struct chain_admin_result *ret,
	char why[CHAIN_WHY_SIZE]
)
{
	struct evm_registry_call call;

	evm_registry_begin(&call, "setActive(uint256,bool)", 2);
	evm_abi_put_u256(&call.w, node_id);
	evm_abi_put_bool(&call.w, is_active);
	return evm_registry_change(ctx, &call, node_id, ret, why);
}

static int evm_registry_set_price(
	void *ctx,
	struct u256 node_id,
	const uint8_t asset[32],
	struct u256 price_per_gb,
	struct chain_admin_result *ret,
	char why[CHAIN_WHY_SIZE]
)
{
	struct evm_registry_call call;

	evm_registry_begin(&call, "setPrice(uint256,address,uint256)", 3);
	evm_abi_put_u256(&call.w, node_id);
	evm_abi_put_word(&call.w, asset);
	evm_abi_put_u256(&call.w, price_per_gb);
	return evm_registry_change(ctx, &call, node_id, ret, why);
}

static int evm_registry_set_account(
	void *ctx,
	struct u256 node_id,
	enum chain_admin_account which,
	const uint8_t account[32],
	struct chain_admin_result *ret,
	char why[CHAIN_WHY_SIZE]
)
{
	static const char *const signatures[] = {
		[CHAIN_ADMIN_PAYOUT] = "setPayout(uint256,address)",
		[CHAIN_ADMIN_SETTLER] = "setSettler(uint256,address)",
		[CHAIN_ADMIN_USAGE_SIGNER] = "setUsageSigner(uint256,address)",
	};
	struct evm_registry_call call;

	evm_registry_begin(&call, signatures[which], 2);
	evm_abi_put_u256(&call.w, node_id);
	evm_abi_put_word(&call.w, account);
	return evm_registry_change(ctx, &call, node_id, ret, why);
}

static int evm_registry_set_wg_key(
	void *ctx,
	struct u256 node_id,
	const uint8_t wg_public_key[32],
	struct chain_admin_result *ret,
	char why[CHAIN_WHY_SIZE]
)
{
	struct evm_registry_call call;

	evm_registry_begin(&call, "setWireGuardKey(uint256,bytes32)", 2);
	evm_abi_put_u256(&call.w, node_id);
	evm_abi_put_word(&call.w, wg_public_key);
	return evm_registry_change(ctx, &call, node_id, ret, why);
}

static int evm_registry_set_attestor(
	void *ctx,
	struct u256 node_id,
	const uint8_t attestor[32],
	bool is_accepted,
	struct chain_admin_result *ret,
	char why[CHAIN_WHY_SIZE]
)
{
	struct evm_registry_call call;

	evm_registry_begin(&call, "setAttestor(uint256,address,bool)", 3);
	evm_abi_put_u256(&call.w, node_id);
	evm_abi_put_word(&call.w, attestor);
	evm_abi_put_bool(&call.w, is_accepted);
	return evm_registry_change(ctx, &call, node_id, ret, why);
}

static int evm_registry_decimals(
	void *ctx, const uint8_t asset[32], unsigned int *ret, char why[CHAIN_WHY_SIZE]
)
{
	const struct evm_registry *registry = ctx;
	uint8_t selector[EVM_ABI_SELECTOR], answer[EVM_ABI_WORD];
	uint64_t decimals;
	size_t len;
	int r;

	evm_abi_selector("decimals()", selector);
	r = evm_admin_call(
		&registry->admin,
		asset + 32 - EVM_ADDRESS_SIZE,
		selector,
		sizeof(selector),
		answer,
		sizeof(answer),
		&len,
		why
	);
	// -ENOEXEC: the contract there reverts without a reason, as one does that is no token.
	if (r < 0 && r != -EREMOTEIO && r != -ENOEXEC && r != -ENOSPC)
		return r;
	if (r < 0 || len != sizeof(answer) || u256_to_u64(u256_from_be(answer), &decimals) < 0 ||
	    decimals > EVM_REGISTRY_DECIMALS_MAX) {
		snprintf(why, CHAIN_WHY_SIZE, "there is no token (ERC-20) at that address");
		return -ENOENT;
	}
	*ret = (unsigned int)decimals;
	return 0;
}

static const struct chain_admin_ops evm_registry_ops = {
	.register_node = evm_registry_register,
	.get_node = evm_registry_get_node,
	.update_node = evm_registry_update,
	.set_active = evm_registry_set_active,
	.set_price = evm_registry_set_price,
	.set_account = evm_registry_set_account,
	.set_wg_key = evm_registry_set_wg_key,
	.set_attestor = evm_registry_set_attestor,
	.decimals = evm_registry_decimals,
};

struct chain_admin evm_registry_admin(struct evm_registry *registry)
{
	return (struct chain_admin){&evm_registry_ops, registry};
}
