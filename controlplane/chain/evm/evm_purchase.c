// SPDX-License-Identifier: Apache-2.0
//
// Calls out, answers in. Member by member in the order of IEscrowPayment.sol and NodeRegistry.sol.

#include "evm_purchase.h"

#include "controlplane/json/json.h"

#include <errno.h>
#include <string.h>

// Head words of the tuples: NodeView's, Node's, SessionView's, SessionTerms'.
#define NODE_VIEW_WORDS 3
#define NODE_WORDS 16
#define SESSION_WORDS 23
#define TERMS_WORDS 11
#define PERMIT "(uint256,uint256,uint8,bytes32,bytes32)"
#define PERMIT_WORDS 5

static const char *const mode_names[EVM_PURCHASE_N_MODE] = {"voucher", "attested", "optimistic"};
static const char *const status_names[EVM_PURCHASE_N_STATUS] = {
	"none", "open", "closed", "proposed", "disputed", "settled"};

const char *evm_purchase_mode_name(enum evm_purchase_mode mode)
{
	return mode_names[mode];
}

const char *evm_purchase_status_name(enum evm_purchase_status status)
{
	return status_names[status];
}

int evm_purchase_mode_parse(const char *name, enum evm_purchase_mode *ret)
{
	for (int i = 0; i < EVM_PURCHASE_N_MODE; i++) {
		if (strcmp(name, mode_names[i]) == 0) {
			*ret = (enum evm_purchase_mode)i;
			return 0;
		}
	}
	return -EINVAL;
}

int evm_purchase_cost(uint64_t data_gb, struct u256 price_per_gb, struct u256 *ret)
{
	return u256_mul(u256_from_u64(data_gb), price_per_gb, ret);
}

static void evm_purchase_put_order(struct evm_abi_writer *w, const struct evm_purchase_order *order)
{
	evm_abi_put_u256(w, order->node_id);
	evm_abi_put_u64(w, order->data_gb);
	evm_abi_put_u64(w, order->duration_sec);
	evm_abi_put_u64(w, order->mode);
	evm_abi_put_address(w, order->voucher_signer);
	evm_abi_put_address(w, order->attestor);
	evm_abi_put_word(w, order->salt);
	evm_abi_put_word(w, order->terms_hash);
}

void evm_purchase_put_create(struct evm_abi_writer *w, const struct evm_purchase_order *order)
{
	evm_abi_call(
		w, "createSession(uint256,uint256,uint256,uint8,address,address,bytes32,bytes32)", 8
	);
	evm_purchase_put_order(w, order);
	evm_abi_end(w);
}

// Static as all of the tuples are, it lies in the head word by word. All zero: there is none.
static void evm_purchase_put_permit(
	struct evm_abi_writer *w, const struct evm_purchase_permit *permit
)
{
	static const struct evm_purchase_permit none;

	if (permit == NULL)
		permit = &none;
	evm_abi_put_u256(w, permit->value);
	evm_abi_put_u64(w, permit->deadline_sec);
	evm_abi_put_u64(w, permit->signature[64]);
	evm_abi_put_word(w, permit->signature);
	evm_abi_put_word(w, permit->signature + 32);
}

void evm_purchase_put_create_with_token(
	struct evm_abi_writer *w,
	const struct evm_purchase_order *order,
	const uint8_t token[EVM_ADDRESS_SIZE],
	struct u256 max_cost,
	const struct evm_purchase_permit *permit
)
{
	evm_abi_call(
		w,
		"createSessionWithToken((uint256,uint256,uint256,uint8,address,address,bytes32,"
		"bytes32),address,uint256," PERMIT ")",
		8 + 2 + PERMIT_WORDS
	);
	evm_purchase_put_order(w, order);
	evm_abi_put_address(w, token);
	evm_abi_put_u256(w, max_cost);
	evm_purchase_put_permit(w, permit);
	evm_abi_end(w);
}

void evm_purchase_put_top_up(
	struct evm_abi_writer *w,
	const uint8_t session_id[32],
	uint64_t data_gb,
	uint64_t duration_sec
)
{
	evm_abi_call(w, "topUp(bytes32,uint256,uint256)", 3);
	evm_abi_put_word(w, session_id);
	evm_abi_put_u64(w, data_gb);
	evm_abi_put_u64(w, duration_sec);
	evm_abi_end(w);
}

void evm_purchase_put_top_up_with_token(
	struct evm_abi_writer *w,
	const uint8_t session_id[32],
	uint64_t data_gb,
	uint64_t duration_sec,
	const uint8_t token[EVM_ADDRESS_SIZE],
	struct u256 max_cost
)
{
	evm_abi_call(
		w,
		"topUpWithToken(bytes32,uint256,uint256,address,uint256," PERMIT ")",
		5 + PERMIT_WORDS
	);
	evm_abi_put_word(w, session_id);
	evm_abi_put_u64(w, data_gb);
	evm_abi_put_u64(w, duration_sec);
	evm_abi_put_address(w, token);
	evm_abi_put_u256(w, max_cost);
	evm_purchase_put_permit(w, NULL);
	evm_abi_end(w);
}

void evm_purchase_put_price_of(
	struct evm_abi_writer *w, struct u256 node_id, const uint8_t asset[EVM_ADDRESS_SIZE]
)
{
	evm_abi_call(w, "priceOf(uint256,address)", 2);
	evm_abi_put_u256(w, node_id);
	evm_abi_put_address(w, asset);
	evm_abi_end(w);
}

static void evm_purchase_put_by_session(
	struct evm_abi_writer *w, const char *signature, const uint8_t session_id[32]
)
{
	evm_abi_call(w, signature, 1);
	evm_abi_put_word(w, session_id);
	evm_abi_end(w);
}

void evm_purchase_put_close(struct evm_abi_writer *w, const uint8_t session_id[32])
{
	evm_purchase_put_by_session(w, "closeSession(bytes32)", session_id);
}

void evm_purchase_put_reclaim(struct evm_abi_writer *w, const uint8_t session_id[32])
{
	evm_purchase_put_by_session(w, "reclaim(bytes32)", session_id);
}

void evm_purchase_put_withdraw_refund(struct evm_abi_writer *w, const uint8_t session_id[32])
{
	evm_purchase_put_by_session(w, "withdrawRefund(bytes32)", session_id);
}

void evm_purchase_put_get_session(struct evm_abi_writer *w, const uint8_t session_id[32])
{
	evm_purchase_put_by_session(w, "getSession(bytes32)", session_id);
}

void evm_purchase_put_dispute(
	struct evm_abi_writer *w, const uint8_t session_id[32], uint64_t bytes_accepted
)
{
	evm_abi_call(w, "dispute(bytes32,uint256)", 2);
	evm_abi_put_word(w, session_id);
	evm_abi_put_u64(w, bytes_accepted);
	evm_abi_end(w);
}

void evm_purchase_put_get_node(struct evm_abi_writer *w, struct u256 node_id)
{
	evm_abi_call(w, "getNode(uint256)", 1);
	evm_abi_put_u256(w, node_id);
	evm_abi_end(w);
}

void evm_purchase_put_list_nodes(struct evm_abi_writer *w, uint64_t offset, uint64_t limit)
{
	evm_abi_call(w, "listNodes(uint256,uint256)", 2);
	evm_abi_put_u64(w, offset);
	evm_abi_put_u64(w, limit);
	evm_abi_end(w);
}

void evm_purchase_put_current_terms(
	struct evm_abi_writer *w,
	struct u256 node_id,
	const uint8_t asset[EVM_ADDRESS_SIZE],
	const uint8_t attestor[EVM_ADDRESS_SIZE]
)
{
	evm_abi_call(w, "currentTerms(uint256,address,address)", 3);
	evm_abi_put_u256(w, node_id);
	evm_abi_put_address(w, asset);
	evm_abi_put_address(w, attestor);
	evm_abi_end(w);
}

// A text of the contract's bounded length, made printable. A NUL inside would hide what follows it.
static void evm_purchase_get_text(struct evm_abi_reader *r, char *dst, size_t max)
{
	char raw[EVM_PURCHASE_LOCATOR_MAX + 1];
	const uint8_t *text;
	size_t len;

	dst[0] = '\0';
	evm_abi_get_bytes(r, &text, &len);
	if (r->error == 0 && len > max)
		r->error = -EBADMSG;
	if (r->error < 0)
		return;
	for (size_t i = 0; i < len; i++)
		raw[i] = text[i] == '\0' ? '?' : (char)text[i];
	raw[len] = '\0';
	json_quote(dst, max + 1, raw);
}

static void evm_purchase_get_view(struct evm_abi_reader *outer, struct evm_purchase_node *ret)
{
	struct evm_abi_reader view = evm_abi_enter_tuple(outer, NODE_VIEW_WORDS);
	struct evm_abi_reader node;

	ret->node_id = evm_abi_get_u256(&view);
	ret->price_per_gb = evm_abi_get_u256(&view);
	node = evm_abi_enter_tuple(&view, NODE_WORDS);
	evm_abi_get_address(&node, ret->operator_address);
	ret->is_active = evm_abi_get_bool(&node);
	ret->bandwidth_mbps = evm_abi_get_u64(&node);
	ret->window_sec = evm_abi_get_u64(&node);
	ret->grace_sec = evm_abi_get_u64(&node);
	evm_abi_get_address(&node, ret->payout);
	ret->n_sessions = evm_abi_get_u64(&node);
	evm_abi_get_address(&node, ret->settler);
	ret->served_bytes = evm_abi_get_u256(&node);
	evm_abi_get_address(&node, ret->usage_signer);
	evm_abi_get_word(&node, ret->wg_public_key);
	evm_abi_get_word(&node, ret->metadata_hash);
	evm_purchase_get_text(&node, ret->name, EVM_PURCHASE_NAME_MAX);
	evm_purchase_get_text(&node, ret->region, EVM_PURCHASE_REGION_MAX);
	evm_purchase_get_text(&node, ret->endpoint, EVM_PURCHASE_LOCATOR_MAX);
	evm_purchase_get_text(&node, ret->api_url, EVM_PURCHASE_LOCATOR_MAX);
	evm_abi_leave(&view, &node);
	evm_abi_leave(outer, &view);
}

int evm_purchase_get_node(const uint8_t *data, size_t len, struct evm_purchase_node *ret)
{
	struct evm_abi_reader r;

	evm_abi_reader_init(&r, data, len, 1);
	evm_purchase_get_view(&r, ret);
	return r.error;
}

int evm_purchase_get_nodes(
	const uint8_t *data,
	size_t len,
	struct evm_purchase_node *ret,
	size_t cap,
	size_t *ret_n,
	uint64_t *ret_total
)
{
	struct evm_abi_reader r, page;
	uint64_t total;
	size_t n;

	evm_abi_reader_init(&r, data, len, 2);
	page = evm_abi_enter_array(&r, 1, &n);
	if (page.error == 0 && n > cap)
		return -EBADMSG;
	for (size_t i = 0; i < n && page.error == 0; i++)
		evm_purchase_get_view(&page, &ret[i]);
	evm_abi_leave(&r, &page);
	total = evm_abi_get_u64(&r);
	if (r.error < 0)
		return r.error;
	*ret_n = n;
	*ret_total = total;
	return 0;
}

int evm_purchase_get_session(const uint8_t *data, size_t len, struct evm_purchase_session *ret)
{
	struct evm_abi_reader r;
	uint64_t status, mode;

	memset(ret, 0, sizeof(*ret));
	evm_abi_reader_init(&r, data, len, SESSION_WORDS);
	status = evm_abi_get_u64(&r);
	mode = evm_abi_get_u64(&r);
	evm_abi_get_address(&r, ret->buyer);
	evm_abi_get_address(&r, ret->voucher_signer);
	ret->bought_bytes = evm_abi_get_u64(&r);
	ret->claimed_bytes = evm_abi_get_u64(&r);
	ret->proposed_bytes = evm_abi_get_u64(&r);
	ret->created_sec = evm_abi_get_u64(&r);
	ret->expiry_sec = evm_abi_get_u64(&r);
	ret->deadline_sec = evm_abi_get_u64(&r);
	ret->deposit = evm_abi_get_u256(&r);
	ret->held = evm_abi_get_u256(&r);
	ret->refundable = evm_abi_get_u256(&r);
	evm_abi_get_word(&r, ret->terms_hash);
	ret->terms.node_id = evm_abi_get_u256(&r);
	evm_abi_get_address(&r, ret->terms.asset);
	ret->terms.price_per_gb = evm_abi_get_u256(&r);
	evm_abi_get_address(&r, ret->terms.payout);
	ret->terms.fee_bps = evm_abi_get_u64(&r);
	evm_abi_get_address(&r, ret->terms.treasury);
	evm_abi_get_address(&r, ret->terms.attestor);
	ret->terms.window_sec = evm_abi_get_u64(&r);
	ret->terms.grace_sec = evm_abi_get_u64(&r);
	if (r.error == 0 && (status >= EVM_PURCHASE_N_STATUS || mode >= EVM_PURCHASE_N_MODE))
		r.error = -EBADMSG;
	if (r.error < 0)
		return r.error;
	ret->status = (enum evm_purchase_status)status;
	ret->mode = (enum evm_purchase_mode)mode;
	return 0;
}

int evm_purchase_get_terms(
	const uint8_t *data, size_t len, struct evm_escrow_terms *ret, uint8_t ret_hash[32]
)
{
	uint8_t hash[EVM_KECCAK_SIZE];
	struct evm_abi_reader r;

	evm_abi_reader_init(&r, data, len, TERMS_WORDS + 1);
	ret->node_id = evm_abi_get_u256(&r);
	evm_abi_get_address(&r, ret->asset);
	ret->price_per_gb = evm_abi_get_u256(&r);
	evm_abi_get_address(&r, ret->payout);
	ret->fee_bps = evm_abi_get_u64(&r);
	evm_abi_get_address(&r, ret->treasury);
	evm_abi_get_address(&r, ret->attestor);
	ret->window_sec = evm_abi_get_u64(&r);
	ret->grace_sec = evm_abi_get_u64(&r);
	evm_abi_get_word(&r, ret->wg_public_key);
	evm_abi_get_address(&r, ret->usage_signer);
	evm_abi_get_word(&r, ret_hash);
	if (r.error < 0)
		return r.error;
	evm_escrow_terms_hash(ret, hash);
	return memcmp(hash, ret_hash, sizeof(hash)) == 0 ? 0 : -EBADMSG;
}
