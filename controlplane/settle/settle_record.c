// SPDX-License-Identifier: Apache-2.0
//
// Records to bytes and back: copies, since values in the store are unaligned. A record of another
// length is damage and fails the transaction.

#include "settle_record.h"

#include <errno.h>
#include <string.h>

static const char *const settle_record_kind_names[] = {
#define SETTLE_RECORD_KIND_NAME(id, name, help) name,
	CHAIN_CALL_LIST(SETTLE_RECORD_KIND_NAME)};
static const char *const settle_record_item_names[] = {
#define SETTLE_RECORD_ITEM_NAME(id, name, help) name,
	SETTLE_ITEM_STATE_LIST(SETTLE_RECORD_ITEM_NAME)};
static const char *const settle_record_tx_names[] = {
#define SETTLE_RECORD_TX_NAME(id, name, help) name,
	SETTLE_TX_STATE_LIST(SETTLE_RECORD_TX_NAME)};

const char *settle_kind_name(unsigned int kind)
{
	return kind < CHAIN_N_CALL ? settle_record_kind_names[kind] : "unknown";
}

const char *settle_item_state_name(unsigned int state)
{
	return state < SETTLE_N_ITEM_STATE ? settle_record_item_names[state] : "unknown";
}

const char *settle_tx_state_name(unsigned int state)
{
	return state < SETTLE_N_TX_STATE ? settle_record_tx_names[state] : "unknown";
}

static bool settle_record_get(
	struct db_txn *txn, enum db_table table, uint64_t id, void *ret, size_t len
)
{
	struct db_key key = db_key_u64(id);
	struct db_value value;

	if (!db_get(txn, table, &key, &value))
		return false;
	if (value.len != len) {
		db_txn_fail(txn, -EBADMSG, "a settlement record has a foreign length");
		return false;
	}
	memcpy(ret, value.data, len);
	return true;
}

bool settle_item_get(struct db_txn *txn, uint64_t id, struct settle_item *ret)
{
	return settle_record_get(txn, DB_SETTLE_ITEMS, id, ret, sizeof(*ret));
}

void settle_item_put(struct db_txn *txn, const struct settle_item *item)
{
	struct db_key key = db_key_u64(item->id);

	db_put(txn, DB_SETTLE_ITEMS, &key, item, sizeof(*item));
	if (item->state == SETTLE_ITEM_QUEUED)
		db_put_u64(txn, DB_SETTLE_QUEUED, &key, item->id);
	else
		db_delete(txn, DB_SETTLE_QUEUED, &key);
}

enum settle_phase settle_phase_of(enum chain_call_kind kind)
{
	switch (kind) {
	case CHAIN_CALL_CLAIM:
		return SETTLE_PHASE_CLAIM;
	case CHAIN_CALL_PROPOSE:
		return SETTLE_PHASE_PROPOSAL;
	case CHAIN_CALL_FINALIZE:
	case CHAIN_CALL_EXECUTE:
	case CHAIN_CALL_FINALIZE_ATTESTED:
	case CHAIN_CALL_RESOLVE:
		return SETTLE_PHASE_END;
	}
	return SETTLE_PHASE_END;
}

static struct db_key settle_record_step_key(
	uint64_t chain_id, const uint8_t *session_id, enum settle_phase phase
)
{
	uint8_t bytes[8 + CHAIN_ID_SIZE + 1];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(chain_id >> (56 - 8 * i));
	memcpy(bytes + 8, session_id, CHAIN_ID_SIZE);
	bytes[8 + CHAIN_ID_SIZE] = (uint8_t)phase;
	return db_key_bytes(bytes, sizeof(bytes));
}

bool settle_item_find_phase(
	struct db_txn *txn,
	uint64_t chain_id,
	const uint8_t session_id[CHAIN_ID_SIZE],
	enum settle_phase phase,
	struct settle_item *ret
)
{
	struct db_key key = settle_record_step_key(chain_id, session_id, phase);
	uint64_t id;

	return db_get_u64(txn, DB_SETTLE_SESSIONS, &key, &id) && settle_item_get(txn, id, ret);
}

bool settle_item_find(
	struct db_txn *txn,
	uint64_t chain_id,
	const uint8_t session_id[CHAIN_ID_SIZE],
	struct settle_item *ret
)
{
	return settle_item_find_phase(txn, chain_id, session_id, SETTLE_PHASE_END, ret) ||
		settle_item_find_phase(txn, chain_id, session_id, SETTLE_PHASE_PROPOSAL, ret);
}

void settle_item_insert(struct db_txn *txn, struct settle_item *item)
{
	enum settle_phase phase = settle_phase_of((enum chain_call_kind)item->kind);
	struct db_key key = settle_record_step_key(item->chain_id, item->call.session_id, phase);
	struct settle_item former;

	if (phase != SETTLE_PHASE_CLAIM &&
	    settle_item_find_phase(txn, item->chain_id, item->call.session_id, phase, &former)) {
		db_txn_fail(txn, -EEXIST, "the session has a settlement already");
		return;
	}
	item->id = db_sequence_next(txn, "settle_items");
	db_put_u64(txn, DB_SETTLE_SESSIONS, &key, item->id);
	settle_item_put(txn, item);
}

void settle_item_turn(struct db_txn *txn, struct settle_item *item, enum chain_call_kind kind)
{
	struct db_key from = settle_record_step_key(
		item->chain_id,
		item->call.session_id,
		settle_phase_of((enum chain_call_kind)item->kind)
	);
	struct db_key to = settle_record_step_key(
		item->chain_id, item->call.session_id, settle_phase_of(kind)
	);

	db_delete(txn, DB_SETTLE_SESSIONS, &from);
	db_put_u64(txn, DB_SETTLE_SESSIONS, &to, item->id);
	item->kind = kind;
}

bool settle_tx_get(struct db_txn *txn, uint64_t id, struct settle_tx *ret)
{
	return settle_record_get(txn, DB_SETTLE_TXS, id, ret, sizeof(*ret));
}

void settle_tx_put(struct db_txn *txn, const struct settle_tx *tx)
{
	struct db_key key = db_key_u64(tx->id);

	db_put(txn, DB_SETTLE_TXS, &key, tx, sizeof(*tx));
	if (tx->state == SETTLE_TX_DROPPED)
		db_delete(txn, DB_SETTLE_LIVE, &key);
	else
		db_put_u64(txn, DB_SETTLE_LIVE, &key, tx->id);
}

void settle_tx_retire(struct db_txn *txn, const struct settle_tx *tx)
{
	struct db_key key = db_key_u64(tx->id);

	db_delete(txn, DB_SETTLE_LIVE, &key);
}

void settle_tx_insert(struct db_txn *txn, struct settle_tx *tx)
{
	tx->id = db_sequence_next(txn, "settle_txs");
	settle_tx_put(txn, tx);
}

void settle_raw_put(
	struct db_txn *txn, uint64_t tx, uint32_t attempt, const uint8_t *raw, size_t len
)
{
	struct db_key key = db_key_pair(tx, attempt);

	db_put(txn, DB_SETTLE_RAW, &key, raw, len);
}

bool settle_raw_get(
	struct db_txn *txn,
	uint64_t tx,
	uint32_t attempt,
	uint8_t raw[CHAIN_TX_SIZE],
	size_t *ret_len
)
{
	struct db_key key = db_key_pair(tx, attempt);
	struct db_value value;

	if (!db_get(txn, DB_SETTLE_RAW, &key, &value))
		return false;
	if (value.len > CHAIN_TX_SIZE) {
		db_txn_fail(txn, -EBADMSG, "a stored transaction is too long");
		return false;
	}
	memcpy(raw, value.data, value.len);
	*ret_len = value.len;
	return true;
}
