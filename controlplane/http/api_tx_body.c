// SPDX-License-Identifier: Apache-2.0
//
// The bodies of POST /api/v1/tx/… in, the transactions out. Bounds are the contract's. Loop's thread.
#include "api_tx.h"

#include "controlplane/chain/evm/evm_erc20.h"
#include "controlplane/chain/evm/evm_hex.h"
#include "controlplane/chain/evm/evm_json.h"

#include <string.h>
#include <sys/random.h>

// ---- in --------------------------------------------------------------------------------------

// fallback NULL: the member is required.
static void read_address(
	struct json_reader *reader,
	const char *name,
	const uint8_t *fallback,
	uint8_t ret[EVM_ADDRESS_SIZE]
)
{
	const char *text;

	if (fallback != NULL && !json_reader_has(reader, name)) {
		memcpy(ret, fallback, EVM_ADDRESS_SIZE);
		return;
	}
	text = json_reader_string(reader, name, 1, 64);
	if (text != NULL && evm_address_parse(text, ret) < 0)
		json_reader_fail(
			reader,
			name,
			"an address of 40 hex digits with 0x is expected, with a correct check sum "
			"(EIP-55) or none"
		);
}

// Returns: whether it is there.
static bool read_word(struct json_reader *reader, const char *name, uint8_t ret[32])
{
	const char *text = json_reader_string_or(reader, name, 1, 66, NULL);

	if (text != NULL && evm_hex_parse(text, ret, 32) < 0)
		json_reader_fail(reader, name, "32 octets in hex with 0x are expected");
	return text != NULL;
}

static void read_max_cost(struct json_reader *reader, struct api_tx *tx)
{
	const char *text = json_reader_string_or(reader, "max_cost", 1, U256_DEC_SIZE - 1, NULL);

	tx->has_max_cost = text != NULL;
	if (text != NULL && u256_parse_dec(text, &tx->max_cost) < 0)
		json_reader_fail(
			reader, "max_cost", "smallest units, in decimal digits, are expected"
		);
}

static void read_mode(struct json_reader *reader, struct evm_purchase_order *order)
{
	const char *mode = json_reader_string_or(reader, "mode", 1, 16, "voucher");

	if (mode != NULL && evm_purchase_mode_parse(mode, &order->mode) < 0)
		json_reader_fail(reader, "mode", "voucher, attested or optimistic is expected");
	if (order->mode == EVM_PURCHASE_VOUCHER && evm_address_is_zero(order->voucher_signer))
		json_reader_fail(reader, "voucher_signer", "mode voucher needs one");
	if (order->mode == EVM_PURCHASE_ATTESTED && evm_address_is_zero(order->attestor))
		json_reader_fail(
			reader, "attestor", "mode attested needs one that the node accepts"
		);
}

static void read_create(struct json_reader *reader, struct api_tx *tx)
{
	static const uint8_t none[EVM_ADDRESS_SIZE];
	struct evm_purchase_order *order = &tx->order;

	read_address(reader, "buyer", NULL, tx->from);
	if (reader->error == 0 && evm_address_is_zero(tx->from))
		json_reader_fail(reader, "buyer", "the zero address buys nothing");
	tx->has_from = true;
	order->data_gb = json_reader_u64(reader, "data_gb", 1, UINT32_MAX);
	order->duration_sec =
		json_reader_u64(reader, "duration_sec", 1, EVM_PURCHASE_DURATION_MAX_SEC);
	read_address(reader, "voucher_signer", tx->from, order->voucher_signer);
	read_address(reader, "attestor", none, order->attestor);
	read_address(reader, "asset", none, tx->asset);
	if (reader->error == 0)
		read_mode(reader, order);
	if (!read_word(reader, "salt", order->salt) && reader->error == 0 &&
	    getrandom(order->salt, 32, 0) != 32)
		json_reader_fail(reader, "salt", "the node has no randomness: send one");
	tx->has_terms_hash = read_word(reader, "terms_hash", order->terms_hash);
	read_max_cost(reader, tx);
}

static void read_session(struct json_reader *reader, struct api_tx *tx)
{
	if (!read_word(reader, "session_id", tx->session_id))
		json_reader_fail(reader, "session_id", "32 octets in hex with 0x are expected");
	tx->has_from = json_reader_has(reader, "from");
	if (tx->has_from)
		read_address(reader, "from", NULL, tx->from);
	if (tx->kind == API_TX_TOP_UP) {
		tx->order.data_gb = json_reader_u64(reader, "data_gb", 1, UINT32_MAX);
		tx->order.duration_sec = json_reader_u64_or(
			reader, "duration_sec", 0, EVM_PURCHASE_DURATION_MAX_SEC, 0
		);
		read_max_cost(reader, tx);
	}
	if (tx->kind == API_TX_DISPUTE)
		tx->bytes_accepted = json_reader_u64(reader, "bytes_accepted", 0, UINT64_MAX);
}

bool api_tx_read(struct api_tx *tx, const struct http_request *request, struct http_reply *reply)
{
	struct json_reader reader;
	uint64_t chain_id;

	json_reader_init(&reader, request->body);
	chain_id = json_reader_u64_or(&reader, "chain_id", 1, JSON_INTEGER_MAX, 0);
	if (tx->kind == API_TX_CREATE)
		read_create(&reader, tx);
	else
		read_session(&reader, tx);
	if (json_reader_finish(&reader) < 0) {
		http_reply_reader_error(reply, &reader);
		return false;
	}
	return api_chain_find(tx->head.control, chain_id, &tx->chain, reply);
}

// ---- out -------------------------------------------------------------------------------------

static void put_create(struct evm_abi_writer *w, const struct api_tx *tx, struct u256 max_cost)
{
	if (evm_address_is_zero(tx->asset))
		evm_purchase_put_create(w, &tx->order);
	else
		evm_purchase_put_create_with_token(w, &tx->order, tx->asset, max_cost, NULL);
}

static void put_top_up(struct evm_abi_writer *w, const struct api_tx *tx, struct u256 max_cost)
{
	uint64_t gb = tx->order.data_gb, sec = tx->order.duration_sec;

	if (evm_address_is_zero(tx->asset))
		evm_purchase_put_top_up(w, tx->session_id, gb, sec);
	else
		evm_purchase_put_top_up_with_token(w, tx->session_id, gb, sec, tx->asset, max_cost);
}

int api_tx_encode(struct api_tx *tx)
{
	struct u256 max_cost = tx->has_max_cost ? tx->max_cost : tx->cost;
	struct evm_abi_writer w;
	int r;

	evm_abi_writer_init(&w, tx->data, sizeof(tx->data));
	switch (tx->kind) {
	case API_TX_CREATE:
		put_create(&w, tx, max_cost);
		break;
	case API_TX_TOP_UP:
		put_top_up(&w, tx, max_cost);
		break;
	case API_TX_CLOSE:
		evm_purchase_put_close(&w, tx->session_id);
		break;
	case API_TX_DISPUTE:
		evm_purchase_put_dispute(&w, tx->session_id, tx->bytes_accepted);
		break;
	case API_TX_RECLAIM:
	case API_TX_N_KIND:
		evm_purchase_put_reclaim(&w, tx->session_id);
		break;
	}
	r = evm_abi_finish(&w);
	tx->len = w.len;
	return r;
}

struct call {
	const char *name;
	const uint8_t *to;
	const uint8_t *data;
	size_t len;
	struct u256 value;
};

static void put_transaction(
	struct json_writer *writer, const struct api_tx *tx, const struct call *call
)
{
	char data[EVM_HEX_SIZE(API_TX_DATA_CAP)];

	evm_hex_format(call->data, call->len, data);
	json_begin_object(writer, NULL);
	json_put_string(writer, "name", call->name);
	json_put_count(writer, "chain_id", tx->chain.chain_id);
	evm_json_put_address(writer, "from", tx->from);
	evm_json_put_address(writer, "to", call->to);
	json_put_string(writer, "data", data);
	evm_json_put_u256(writer, "value", call->value);
	json_end(writer);
}

static void put_approval(struct json_writer *writer, const struct api_tx *tx, struct u256 amount)
{
	uint8_t data[128];
	struct evm_abi_writer w;

	evm_abi_writer_init(&w, data, sizeof(data));
	evm_erc20_put_approve(&w, tx->chain.escrow, amount);
	put_transaction(writer, tx, &(struct call){"approve", tx->asset, data, w.len, U256_ZERO});
}

static void put_transactions(struct json_writer *writer, const struct api_tx *tx)
{
	static const char *const names[API_TX_N_KIND] = {
		"create-session", "top-up", "close", "dispute", "reclaim"};
	struct call call = {names[tx->kind], tx->chain.escrow, tx->data, tx->len, U256_ZERO};

	json_begin_array(writer, "transactions");
	// Tokens like USDT take a new allowance only from nothing.
	if (tx->is_approval_needed && tx->has_allowance)
		put_approval(writer, tx, U256_ZERO);
	if (tx->is_approval_needed)
		put_approval(writer, tx, tx->cost);
	if (tx->kind <= API_TX_TOP_UP && evm_address_is_zero(tx->asset))
		call.value = tx->cost;
	put_transaction(writer, tx, &call);
	json_end(writer);
}

// What the order's terms_hash commits to, for the wallet's owner to look at.
static void put_terms(struct json_writer *writer, const struct evm_escrow_terms *terms)
{
	json_begin_object(writer, "terms");
	evm_json_put_u256(writer, "node_id", terms->node_id);
	evm_json_put_address(writer, "asset", terms->asset);
	evm_json_put_u256(writer, "price_per_gb", terms->price_per_gb);
	evm_json_put_address(writer, "payout", terms->payout);
	json_put_count(writer, "fee_bps", terms->fee_bps);
	evm_json_put_address(writer, "treasury", terms->treasury);
	evm_json_put_address(writer, "attestor", terms->attestor);
	json_put_count(writer, "window_sec", terms->window_sec);
	json_put_count(writer, "grace_sec", terms->grace_sec);
	evm_json_put_word(writer, "wg_public_key", terms->wg_public_key);
	evm_json_put_address(writer, "usage_signer", terms->usage_signer);
	json_end(writer);
}

void api_tx_reply(const struct api_tx *tx, struct http_reply *reply)
{
	struct json_writer writer;

	json_writer_init(&writer);
	json_begin_object(&writer, NULL);
	json_put_count(&writer, "chain_id", tx->chain.chain_id);
	evm_json_put_address(&writer, "escrow", tx->chain.escrow);
	evm_json_put_word(&writer, "session_id", tx->session_id);
	if (tx->kind <= API_TX_TOP_UP) {
		evm_json_put_address(&writer, "asset", tx->asset);
		evm_json_put_u256(&writer, "cost", tx->cost);
	}
	if (tx->kind == API_TX_CREATE) {
		evm_json_put_word(&writer, "salt", tx->order.salt);
		evm_json_put_word(&writer, "terms_hash", tx->order.terms_hash);
		put_terms(&writer, &tx->terms);
	}
	json_put_string(&writer, "warning", tx->warning[0] == '\0' ? NULL : tx->warning);
	put_transactions(&writer, tx);
	json_end(&writer);
	http_reply_json(reply, 200, &writer);
}
