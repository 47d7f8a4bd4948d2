// SPDX-License-Identifier: Apache-2.0
//
// Tables PURCHASES, PURCHASES_OPEN, and PURCHASE_BUYERS {buyer, local id}, which keeps what was ever bought.
#include "controlplane/purchase.h"

#include "common/cursor.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

const char *purchase_mode_name(unsigned int mode)
{
	static const char *const names[PURCHASE_N_MODE] = {"voucher", "attested", "optimistic"};

	return mode < PURCHASE_N_MODE ? names[mode] : "unknown";
}

bool purchase_is_attested(const struct purchase *purchase)
{
	static const uint8_t none[32];

	return memcmp(purchase->attestation_r, none, 32) != 0 ||
		memcmp(purchase->attestation_vs, none, 32) != 0;
}

uint64_t purchase_paid_bytes(const struct purchase *purchase)
{
	return purchase->claimed_bytes > purchase->accepted_bytes ? purchase->claimed_bytes
								  : purchase->accepted_bytes;
}

uint64_t purchase_reclaim_from(const struct purchase *purchase)
{
	uint64_t grace_sec = purchase->grace_sec > PURCHASE_GRACE_MIN_SEC ? purchase->grace_sec
									  : PURCHASE_GRACE_MIN_SEC;
	uint64_t from;

	if (purchase->closed_block != 0)
		return purchase->reclaim_from_sec;
	return __builtin_add_overflow(purchase->expires_sec, grace_sec, &from) ? UINT64_MAX : from;
}

bool purchase_load(struct db_txn *txn, uint64_t session_id, struct purchase *ret)
{
	const struct db_key key = db_key_u64(session_id);
	struct db_value value;

	if (!db_get(txn, DB_PURCHASES, &key, &value))
		return false;
	if (value.len != sizeof(*ret)) {
		db_txn_fail(
			txn,
			-EBADMSG,
			"session %" PRIu64 ": its purchase in the store cannot be read",
			session_id
		);
		return false;
	}
	memcpy(ret, value.data, sizeof(*ret));
	return true;
}

static struct db_key buyer_dbkey(const uint8_t buyer[32], uint64_t session_id)
{
	uint8_t bytes[32 + 8];
	struct cursor_out out;

	cursor_out_init(&out, bytes, sizeof(bytes));
	cursor_out_bytes(&out, buyer, 32);
	cursor_out_be64(&out, session_id);
	return db_key_bytes(bytes, sizeof(bytes));
}

uint32_t purchase_list_buyer(
	struct db_txn *txn, const uint8_t buyer[32], uint64_t from, uint64_t *ret_ids, uint32_t max
)
{
	const struct db_key key = buyer_dbkey(buyer, from);
	struct db_iter iter;
	uint32_t n = 0;

	db_iter_init(&iter, txn, DB_PURCHASE_BUYERS, &key);
	while (n < max && db_iter_next(&iter)) {
		struct cursor cur;

		cursor_init(&cur, iter.key.bytes, iter.key.len);
		const uint8_t *owner = cursor_take(&cur, 32);
		if (owner == NULL || memcmp(owner, buyer, 32) != 0)
			break;
		ret_ids[n++] = cursor_be64(&cur);
	}
	db_iter_fini(&iter);
	return n;
}

void purchase_save(struct db_txn *txn, const struct purchase *purchase)
{
	const struct db_key key = db_key_u64(purchase->session_id);

	db_put(txn, DB_PURCHASES, &key, purchase, sizeof(*purchase));
	db_put_u64(txn, DB_PURCHASES_OPEN, &key, 1);
	const struct db_key buyer = buyer_dbkey(purchase->buyer, purchase->session_id);
	uint64_t is_known;
	if (!db_get_u64(txn, DB_PURCHASE_BUYERS, &buyer, &is_known))
		db_put_u64(txn, DB_PURCHASE_BUYERS, &buyer, 1);
}

void purchase_retire(struct db_txn *txn, uint64_t session_id)
{
	const struct db_key key = db_key_u64(session_id);

	db_delete(txn, DB_PURCHASES_OPEN, &key);
}

uint32_t purchase_list_open(struct db_txn *txn, uint64_t from, uint64_t *ret_ids, uint32_t max)
{
	const struct db_key key = db_key_u64(from);
	struct db_iter iter;
	uint32_t n = 0;

	db_iter_init(&iter, txn, DB_PURCHASES_OPEN, &key);
	while (n < max && db_iter_next(&iter))
		ret_ids[n++] = db_key_first(&iter.key);
	db_iter_fini(&iter);
	return n;
}
