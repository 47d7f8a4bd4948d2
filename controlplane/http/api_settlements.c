// SPDX-License-Identifier: Apache-2.0
//
// /api/v1/settlements: what is owed to the chain and how far it is; retrying what a person looked at.
// Reads the outbox's records; the outbox itself runs on the chain thread. Loop's thread.
#include "api.h"

#include "controlplane/chain/evm/evm_json.h"
#include "controlplane/settle/settle_outbox.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define LIST_DEFAULT 100
#define LIST_MAX 1000

static void put_outcome(struct json_writer *writer, const struct settle_item *item)
{
	evm_json_put_word(writer, "tx_id", item->tx_id);
	json_put_count(writer, "block", item->block_number);
	json_put_count(writer, "settled_bytes", item->bytes);
	evm_json_put_u256(writer, "operator_amount", item->operator_amount);
	evm_json_put_u256(writer, "fee_amount", item->fee_amount);
	evm_json_put_u256(writer, "refund", item->refund);
}

static void put_item(struct json_writer *writer, const char *name, const struct settle_item *item)
{
	json_begin_object(writer, name);
	json_put_count(writer, "id", item->id);
	json_put_count(writer, "chain_id", item->chain_id);
	evm_json_put_word(writer, "session_id", item->call.session_id);
	json_put_string(writer, "kind", settle_kind_name(item->kind));
	json_put_string(writer, "state", settle_item_state_name(item->state));
	json_put_count(writer, "bytes", item->call.bytes_used);
	json_put_count(writer, "voucher_bytes", item->call.voucher_bytes);
	evm_json_put_u256(writer, "value", item->value);
	json_put_u64(writer, "skips", item->n_skips);
	json_put_bool(writer, "needs_review", item->is_review);
	json_put_string(writer, "reason", item->reason[0] != '\0' ? item->reason : NULL);
	if (item->tx != 0)
		json_put_count(writer, "transaction", item->tx);
	else
		json_put_null(writer, "transaction");
	if (item->state == SETTLE_ITEM_DONE)
		put_outcome(writer, item);
	json_end(writer);
}

static void put_tx(struct json_writer *writer, const struct settle_tx *tx)
{
	json_begin_object(writer, "transaction_detail");
	json_put_string(writer, "state", settle_tx_state_name(tx->state));
	json_put_count(writer, "account_nonce", tx->account_nonce);
	json_put_u64(writer, "sessions", tx->n_items);
	json_put_u64(writer, "polls", tx->n_polls);
	json_put_bool(writer, "needs_review", tx->is_review);
	json_begin_array(writer, "attempts");
	for (uint32_t i = 0; i < tx->n_attempts && i < SETTLE_ATTEMPTS_MAX; i++) {
		json_begin_object(writer, NULL);
		evm_json_put_word(writer, "tx_id", tx->attempts[i].tx_id);
		evm_json_put_u256(writer, "max_fee_wei", tx->attempts[i].fees.max_fee_wei);
		json_end(writer);
	}
	json_end(writer);
	json_end(writer);
}

static void reply_store_error(struct http_reply *reply, const struct db_txn *txn)
{
	http_reply_problem(reply, txn->error == -ENOSPC ? 507 : 500, "store", "%s", txn->why);
}

static int parse_state(const char *text, unsigned int *ret)
{
	for (unsigned int i = 0; i < SETTLE_N_ITEM_STATE; i++) {
		if (strcmp(text, settle_item_state_name(i)) == 0) {
			*ret = i;
			return 0;
		}
	}
	return -EINVAL;
}

// ?from=1&limit=100&state=held
static void list_settlements(
	void *ctx, const struct http_request *request, struct http_reply *reply
)
{
	struct control *control = ctx;
	const char *state_text = http_request_query(request, "state");
	uint64_t from = 0, n_left = LIST_DEFAULT, next = 0;
	unsigned int state = SETTLE_N_ITEM_STATE;
	struct json_writer writer;
	struct settle_item item;
	struct db_txn txn;
	struct db_iter iter;
	struct db_key start;

	if (!api_get_number(request, "from", UINT64_MAX - 1, &from, reply) ||
	    !api_get_number(request, "limit", LIST_MAX, &n_left, reply))
		return;
	if (state_text != NULL && parse_state(state_text, &state) < 0) {
		http_reply_problem(
			reply,
			400,
			"state",
			"state '%s': queued, batched, done, held or withdrawn",
			state_text
		);
		return;
	}
	json_writer_init(&writer);
	json_begin_object(&writer, NULL);
	json_begin_array(&writer, "settlements");
	start = db_key_u64(from);
	db_txn_begin_read(&txn, control->db);
	db_iter_init(&iter, &txn, DB_SETTLE_ITEMS, &start);
	while (next == 0 && db_iter_next(&iter)) {
		if (!settle_item_get(&txn, db_key_first(&iter.key), &item) ||
		    (state != SETTLE_N_ITEM_STATE && item.state != state))
			continue;
		if (n_left-- == 0)
			next = item.id;
		else
			put_item(&writer, NULL, &item);
	}
	db_iter_fini(&iter);
	json_end(&writer);
	if (next == 0)
		json_put_null(&writer, "next");
	else
		json_put_count(&writer, "next", next);
	json_end(&writer);
	if (db_txn_commit(&txn) < 0) {
		json_writer_abort(&writer);
		reply_store_error(reply, &txn);
		return;
	}
	http_reply_json(reply, 200, &writer);
}

// The id in the path; false when the reply stands.
static bool get_id(const struct http_request *request, uint64_t *ret, struct http_reply *reply)
{
	struct u256 id;

	if (u256_parse_dec(request->params[0], &id) == 0 && u256_to_u64(id, ret) == 0 && *ret > 0)
		return true;
	http_reply_problem(
		reply, 400, "id", "settlement '%s': a number from 1 is expected", request->params[0]
	);
	return false;
}

static void reply_one(struct control *control, uint64_t id, struct http_reply *reply)
{
	struct json_writer writer;
	struct settle_item item;
	struct settle_tx tx;
	struct db_txn txn;
	bool has_item, has_tx;

	db_txn_begin_read(&txn, control->db);
	has_item = settle_item_get(&txn, id, &item);
	has_tx = has_item && item.tx != 0 && settle_tx_get(&txn, item.tx, &tx);
	if (db_txn_commit(&txn) < 0) {
		reply_store_error(reply, &txn);
		return;
	}
	if (!has_item) {
		http_reply_problem(reply, 404, "id", "there is no settlement %" PRIu64, id);
		return;
	}
	json_writer_init(&writer);
	json_begin_object(&writer, NULL);
	put_item(&writer, "settlement", &item);
	if (has_tx)
		put_tx(&writer, &tx);
	json_end(&writer);
	http_reply_json(reply, 200, &writer);
}

static void show_settlement(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	uint64_t id;

	if (get_id(request, &id, reply))
		reply_one(ctx, id, reply);
}

static void retry_settlement(
	void *ctx, const struct http_request *request, struct http_reply *reply
)
{
	struct control *control = ctx;
	struct db_txn txn;
	uint64_t id;
	int r;

	if (!get_id(request, &id, reply))
		return;
	db_txn_begin_write(&txn, control->db);
	r = settle_retry(&txn, id);
	if (db_txn_commit(&txn) == 0)
		reply_one(control, id, reply);
	else if (r == -ENOENT || r == -EPERM)
		http_reply_problem(reply, r == -ENOENT ? 404 : 409, "id", "%s", txn.why);
	else
		reply_store_error(reply, &txn);
}

const struct http_route api_settlements_routes[] = {
	{HTTP_GET, "/api/v1/settlements", list_settlements, HTTP_OPERATOR},
	{HTTP_GET, "/api/v1/settlements/{id}", show_settlement, HTTP_OPERATOR},
	{HTTP_POST, "/api/v1/settlements/{id}/retry", retry_settlement, HTTP_OPERATOR},
};
const size_t api_settlements_n_routes =
	sizeof(api_settlements_routes) / sizeof(api_settlements_routes[0]);
