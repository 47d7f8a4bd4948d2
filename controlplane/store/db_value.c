// SPDX-License-Identifier: Apache-2.0
//
// Numbers and sequences on top of db_get and db_put. Knows nothing of LMDB.
#include "common/cursor.h"
#include "controlplane/store/db.h"

#include <errno.h>

void db_put_u64(struct db_txn *txn, enum db_table table, const struct db_key *key, uint64_t value)
{
	uint8_t data[8];
	struct cursor_out out;

	cursor_out_init(&out, data, sizeof(data));
	cursor_out_be64(&out, value);
	db_put(txn, table, key, data, sizeof(data));
}

bool db_get_u64(struct db_txn *txn, enum db_table table, const struct db_key *key, uint64_t *ret)
{
	struct db_value value;
	struct cursor cur;

	if (!db_get(txn, table, key, &value))
		return false;
	cursor_init(&cur, value.data, value.len);
	uint64_t number = cursor_be64(&cur);
	if (!cursor_is_done(&cur)) {
		db_txn_fail(
			txn,
			-EBADMSG,
			"store: %zu bytes are no number in table %u",
			value.len,
			(unsigned)table
		);
		return false;
	}
	*ret = number;
	return true;
}

uint64_t db_sequence_next(struct db_txn *txn, const char *name)
{
	const struct db_key key = db_key_text(name);
	uint64_t last = 0;

	db_get_u64(txn, DB_SEQUENCES, &key, &last);
	if (last == UINT64_MAX)
		db_txn_fail(txn, -EOVERFLOW, "store: sequence %s is used up", name);
	db_put_u64(txn, DB_SEQUENCES, &key, last + 1);
	return txn->error == 0 ? last + 1 : 0;
}
