// SPDX-License-Identifier: Apache-2.0
//
// See api_purchase_json.h. Nobody's address is null, absent times are null, amounts are strings.
#include "api_purchase_json.h"

#include "controlplane/chain/evm/evm_json.h"
#include "controlplane/settle/settle_record.h"

// 0 means "none" in the store.
static void put_or_null(struct json_writer *writer, const char *name, uint64_t value)
{
	if (value == 0)
		json_put_null(writer, name);
	else
		json_put_count(writer, name, value);
}

static void put_terms(
	struct json_writer *writer, const struct session *session, const struct purchase *purchase
)
{
	evm_json_put_word(writer, "session_id", session->identity.id);
	json_put_count(writer, "chain_id", session->identity.chain);
	evm_json_put_padded(writer, "escrow", session->identity.contract);
	evm_json_put_padded(writer, "buyer", purchase->buyer);
	evm_json_put_padded(writer, "voucher_signer", purchase->voucher_signer);
	evm_json_put_padded(writer, "attestor", purchase->attestor);
	evm_json_put_padded(writer, "usage_signer", purchase->usage_signer);
	evm_json_put_padded(writer, "asset", purchase->asset);
	evm_json_put_u256(writer, "price_per_gb", purchase->price_per_gb);
	json_put_string(writer, "mode", purchase_mode_name(purchase->mode));
	json_put_count(writer, "bought_bytes", purchase->bought_bytes);
	json_put_count(writer, "expires_unix_sec", purchase->expires_sec);
	json_put_bool(writer, "is_closed", purchase->closed_block != 0);
	json_put_count(writer, "reclaim_from_unix_sec", purchase_reclaim_from(purchase));
}

static void put_voucher(
	struct json_writer *writer,
	const struct config *config,
	const struct session *session,
	const struct purchase *purchase,
	uint64_t used_bytes
)
{
	uint64_t limit_bytes = session_limit_bytes(session);
	uint64_t waiting_sec = purchase->waiting_unix_sec;

	json_put_count(writer, "voucher_bytes", purchase->voucher_bytes);
	put_or_null(writer, "voucher_unix_sec", purchase->voucher_unix_sec);
	json_put_count(writer, "limit_bytes", limit_bytes);
	if (purchase->mode == PURCHASE_VOUCHER) {
		json_put_count(writer, "credit_bytes", lifecycle_credit_bytes(config, session));
		json_put_count(
			writer,
			"credit_left_bytes",
			limit_bytes > used_bytes ? limit_bytes - used_bytes : 0
		);
	} else {
		json_put_null(writer, "credit_bytes");
		json_put_null(writer, "credit_left_bytes");
	}
	put_or_null(writer, "waiting_since_unix_sec", waiting_sec);
	put_or_null(
		writer,
		"waits_until_unix_sec",
		waiting_sec == 0 ? 0 : waiting_sec + config->voucher.patience_sec
	);
}

// What lifecycle_settle.c would do if the usage were final now.
static const char *settles_by(const struct purchase *purchase, uint64_t used_bytes)
{
	if (used_bytes == 0 && purchase_paid_bytes(purchase) == 0)
		return "refund";
	switch ((enum purchase_mode)purchase->mode) {
	case PURCHASE_VOUCHER:
		return "voucher";
	case PURCHASE_ATTESTED:
		if (!purchase_is_attested(purchase) && purchase->voucher_bytes >= used_bytes)
			return "voucher";
		return "attestation";
	case PURCHASE_OPTIMISTIC:
	case PURCHASE_N_MODE:
		break;
	}
	return purchase->voucher_bytes >= used_bytes ? "voucher" : "proposal";
}

static void put_proposal(struct json_writer *writer, const struct purchase *purchase)
{
	if (purchase->proposed_block == 0) {
		json_put_null(writer, "proposal");
		return;
	}
	json_begin_object(writer, "proposal");
	json_put_count(writer, "bytes", purchase->proposed_bytes);
	json_put_count(writer, "block", purchase->proposed_block);
	json_put_count(writer, "window_end_unix_sec", purchase->window_end_sec);
	json_put_bool(writer, "is_disputed", purchase->disputed_block != 0);
	put_or_null(writer, "resolve_until_unix_sec", purchase->resolve_until_sec);
	json_end(writer);
}

// The outbox's item that the outcome depends on.
static void put_item(struct json_writer *writer, const struct settle_item *item)
{
	json_begin_object(writer, "settlement");
	json_put_count(writer, "id", item->id);
	json_put_string(writer, "kind", settle_kind_name(item->kind));
	json_put_string(writer, "state", settle_item_state_name(item->state));
	json_put_count(writer, "bytes", item->call.bytes_used);
	json_put_count(writer, "voucher_bytes", item->call.voucher_bytes);
	json_put_bool(writer, "needs_review", item->is_review);
	json_put_string(writer, "reason", item->reason[0] != '\0' ? item->reason : NULL);
	json_end(writer);
}

// As the contract's event said it; final when the session is settled or refunded.
static void put_outcome(struct json_writer *writer, const struct purchase *purchase)
{
	if (purchase->settled_block == 0) {
		json_put_null(writer, "outcome");
		return;
	}
	json_begin_object(writer, "outcome");
	json_put_count(writer, "bytes", purchase->settled_bytes);
	json_put_count(writer, "block", purchase->settled_block);
	evm_json_put_word(writer, "tx_id", purchase->settled_tx_id);
	evm_json_put_u256(writer, "operator_amount", purchase->settled_operator_amount);
	evm_json_put_u256(writer, "fee_amount", purchase->settled_fee_amount);
	evm_json_put_u256(writer, "refund", purchase->settled_refund);
	json_end(writer);
}

void api_purchase_json_put(
	struct json_writer *writer,
	const char *name,
	struct control *control,
	const struct session *session,
	uint64_t used_bytes
)
{
	const struct session_identity *identity = &session->identity;
	struct purchase purchase;
	struct settle_item item;
	struct db_txn txn;

	if (identity->source != SESSION_SOURCE_CHAIN) {
		json_put_null(writer, name);
		return;
	}
	db_txn_begin_read(&txn, control->db);
	bool is_bought = purchase_load(&txn, session->id, &purchase);
	bool has_item = settle_item_find(&txn, identity->chain, identity->id, &item);
	if (db_txn_commit(&txn) != 0 || !is_bought) {
		json_put_null(writer, name);
		return;
	}
	json_begin_object(writer, name);
	put_terms(writer, session, &purchase);
	put_voucher(writer, control->config, session, &purchase, used_bytes);
	json_put_string(writer, "settles_by", settles_by(&purchase, used_bytes));
	put_proposal(writer, &purchase);
	if (has_item)
		put_item(writer, &item);
	else
		json_put_null(writer, "settlement");
	put_outcome(writer, &purchase);
	json_end(writer);
}
