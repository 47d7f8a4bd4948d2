// SPDX-License-Identifier: Apache-2.0
//
// Tables USAGE and CHECKPOINTS. Loop's thread.
#include "controlplane/usage/usage_store.h"

#include "common/cursor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define RECORD_VERSION 1

void usage_store_encode(const struct usage_entry *entry, uint8_t dst[USAGE_ENTRY_BYTES])
{
	const struct usage_ledger *ledger = &entry->ledger;
	struct cursor_out out;

	cursor_out_init(&out, dst, USAGE_ENTRY_BYTES);
	cursor_out_u8(&out, RECORD_VERSION);
	cursor_out_be64(&out, ledger->base.out_bytes);
	cursor_out_be64(&out, ledger->base.in_bytes);
	cursor_out_be64(&out, ledger->boot.out_bytes);
	cursor_out_be64(&out, ledger->boot.in_bytes);
	cursor_out_bytes(&out, ledger->boot_id, 16);
	cursor_out_be32(&out, ledger->slot);
	cursor_out_be32(&out, ledger->generation);
	cursor_out_u8(&out, ledger->is_open);
	uint8_t *checkpoint = cursor_out_take(&out, USAGE_CHECKPOINT_BYTES);
	if (checkpoint != NULL)
		usage_checkpoint_encode(&entry->last, checkpoint);
	cursor_out_u8(&out, entry->last.sequence != 0);
	cursor_out_u8(&out, entry->endpoint.family);
	cursor_out_bytes(&out, entry->endpoint.addr, 16);
	cursor_out_be16(&out, ntohs(entry->endpoint.port_be));
	cursor_out_be64(&out, entry->last_authentic_unix_ns);
}

int usage_store_decode(struct usage_entry *ret, const void *data, size_t len)
{
	struct usage_entry entry = {0};
	struct usage_ledger *ledger = &entry.ledger;
	struct cursor cur;
	uint64_t sum;

	cursor_init(&cur, data, len);
	if (len != USAGE_ENTRY_BYTES || cursor_u8(&cur) != RECORD_VERSION)
		return -EBADMSG;
	ledger->base.out_bytes = cursor_be64(&cur);
	ledger->base.in_bytes = cursor_be64(&cur);
	ledger->boot.out_bytes = cursor_be64(&cur);
	ledger->boot.in_bytes = cursor_be64(&cur);
	cursor_bytes(&cur, ledger->boot_id, 16);
	ledger->slot = cursor_be32(&cur);
	ledger->generation = cursor_be32(&cur);
	ledger->is_open = cursor_u8(&cur) == 1;
	const uint8_t *checkpoint = cursor_take(&cur, USAGE_CHECKPOINT_BYTES);
	bool has_checkpoint = cursor_u8(&cur) == 1;
	entry.endpoint.family = cursor_u8(&cur);
	cursor_bytes(&cur, entry.endpoint.addr, 16);
	entry.endpoint.port_be = htons(cursor_be16(&cur));
	entry.last_authentic_unix_ns = cursor_be64(&cur);
	if (!cursor_ok(&cur) ||
	    (has_checkpoint &&
	     usage_checkpoint_decode(&entry.last, checkpoint, USAGE_CHECKPOINT_BYTES) != 0) ||
	    __builtin_add_overflow(ledger->base.out_bytes, ledger->boot.out_bytes, &sum) ||
	    __builtin_add_overflow(ledger->base.in_bytes, ledger->boot.in_bytes, &sum))
		return -EBADMSG;
	*ret = entry;
	return 0;
}

void usage_store_load(struct db_txn *txn, uint64_t session_id, struct usage_entry *ret)
{
	const struct db_key key = db_key_u64(session_id);
	struct db_value value;

	*ret = (struct usage_entry){0};
	if (db_get(txn, DB_USAGE, &key, &value) &&
	    usage_store_decode(ret, value.data, value.len) != 0)
		db_txn_fail(
			txn,
			-EBADMSG,
			"session %" PRIu64 ": its usage in the store cannot be read",
			session_id
		);
}

void usage_store_save(struct db_txn *txn, uint64_t session_id, const struct usage_entry *entry)
{
	const struct db_key key = db_key_u64(session_id);
	uint8_t record[USAGE_ENTRY_BYTES];

	usage_store_encode(entry, record);
	db_put(txn, DB_USAGE, &key, record, sizeof(record));
}

unsigned usage_store_observe(struct usage_entry *entry, const struct abi_session_reading *reading)
{
	const struct usage_count live = {
		.out_bytes = reading->out_bytes,
		.in_bytes = reading->in_bytes,
	};

	if (reading->endpoint.family != ABI_FAMILY_NONE)
		entry->endpoint = reading->endpoint;
	if (reading->last_authentic_unix_ns != 0)
		entry->last_authentic_unix_ns = reading->last_authentic_unix_ns;
	return usage_delta_observe(&entry->ledger, &live);
}

void usage_store_checkpoint(
	struct db_txn *txn,
	uint64_t session_id,
	const uint8_t identity_id[32],
	struct usage_entry *entry,
	uint64_t now_unix_sec
)
{
	const struct usage_count total = usage_delta_total(&entry->ledger);
	struct usage_checkpoint next = {
		.sequence = entry->last.sequence + 1,
		.out_bytes = total.out_bytes,
		.in_bytes = total.in_bytes,
		.time_unix_sec = now_unix_sec > entry->last.time_unix_sec
			? now_unix_sec
			: entry->last.time_unix_sec,
	};
	uint8_t record[USAGE_CHECKPOINT_BYTES];

	memcpy(next.session_id, identity_id, 32);
	if (total.out_bytes != entry->last.out_bytes || total.in_bytes != entry->last.in_bytes) {
		const struct db_key key = db_key_pair(session_id, next.sequence);
		if (entry->last.sequence != 0)
			usage_checkpoint_hash(&entry->last, next.previous_hash);
		usage_checkpoint_encode(&next, record);
		db_insert(txn, DB_CHECKPOINTS, &key, record, sizeof(record));
		db_put_u64(txn, DB_ATTEST_QUEUE, &key, next.time_unix_sec); // attest_store.h
		entry->last = next;
	}
	usage_store_save(txn, session_id, entry);
}

int usage_store_each_checkpoint(
	struct db *db,
	uint64_t session_id,
	uint64_t from_sequence,
	bool (*visit)(void *ctx, const struct usage_checkpoint *checkpoint),
	void *ctx
)
{
	const struct db_key from = db_key_pair(session_id, from_sequence);
	struct usage_checkpoint checkpoint;
	struct db_iter iter;
	struct db_txn txn;

	db_txn_begin_read(&txn, db);
	db_iter_init(&iter, &txn, DB_CHECKPOINTS, &from);
	while (db_iter_next(&iter) && db_key_first(&iter.key) == session_id) {
		if (usage_checkpoint_decode(&checkpoint, iter.value.data, iter.value.len) < 0) {
			db_txn_fail(&txn, -EBADMSG, "a checkpoint is damaged");
			break;
		}
		if (!visit(ctx, &checkpoint))
			break;
	}
	db_iter_fini(&iter);
	return db_txn_commit(&txn);
}
