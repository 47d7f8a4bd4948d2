// SPDX-License-Identifier: Apache-2.0
//
// Records and cursors in the store, native layout (settle_record.h says why that is enough).

#include "chain_inbox.h"

#include <errno.h>
#include <string.h>

static struct db_key chain_inbox_cursor_key(uint64_t chain_id, const uint8_t contract[32])
{
	uint8_t bytes[8 + 32];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(chain_id >> (56 - 8 * i));
	memcpy(bytes + 8, contract, 32);
	return db_key_bytes(bytes, sizeof(bytes));
}

bool chain_inbox_get_cursor(
	struct db_txn *txn, uint64_t chain_id, const uint8_t contract[32], struct chain_cursor *ret
)
{
	struct db_key key = chain_inbox_cursor_key(chain_id, contract);
	struct db_value value;

	memset(ret, 0, sizeof(*ret));
	if (!db_get(txn, DB_CHAIN_CURSORS, &key, &value))
		return false;
	if (value.len != sizeof(*ret)) {
		db_txn_fail(txn, -EBADMSG, "a chain cursor has a foreign length");
		return false;
	}
	memcpy(ret, value.data, sizeof(*ret));
	if (ret->n_recent <= CHAIN_CURSOR_RECENT)
		return true;
	db_txn_fail(txn, -EBADMSG, "a chain cursor is damaged");
	return false;
}

static void chain_inbox_put(struct db_txn *txn, struct chain_inbox_record *record)
{
	struct db_key key;

	record->sequence = db_sequence_next(txn, "chain_inbox");
	key = db_key_u64(record->sequence);
	db_put(txn, DB_CHAIN_INBOX, &key, record, sizeof(*record));
}

void chain_inbox_put_step(
	struct db_txn *txn,
	uint64_t chain_id,
	const uint8_t contract[32],
	const struct chain_step *step
)
{
	struct db_key key = chain_inbox_cursor_key(chain_id, contract);
	struct chain_inbox_record record;

	memset(&record, 0, sizeof(record));
	record.chain_id = chain_id;
	memcpy(record.contract, contract, 32);
	if (step->is_unwound) {
		record.is_unwound = true;
		record.unwound_to = step->unwound_to;
		chain_inbox_put(txn, &record);
		record.is_unwound = false;
		record.unwound_to = 0;
	}
	for (size_t i = 0; i < step->n_events; i++) {
		record.event = step->events[i];
		record.event.reason = NULL;
		chain_inbox_put(txn, &record);
	}
	db_put(txn, DB_CHAIN_CURSORS, &key, &step->cursor, sizeof(step->cursor));
}

bool chain_inbox_next(struct db_txn *txn, struct chain_inbox_record *ret)
{
	struct db_iter iter;
	bool is_found;

	db_iter_init(&iter, txn, DB_CHAIN_INBOX, NULL);
	is_found = db_iter_next(&iter);
	if (is_found && iter.value.len != sizeof(*ret)) {
		db_txn_fail(txn, -EBADMSG, "a chain event has a foreign length");
		is_found = false;
	}
	if (is_found)
		memcpy(ret, iter.value.data, sizeof(*ret));
	db_iter_fini(&iter);
	return is_found;
}

void chain_inbox_remove(struct db_txn *txn, uint64_t sequence)
{
	struct db_key key = db_key_u64(sequence);

	db_delete(txn, DB_CHAIN_INBOX, &key);
}
