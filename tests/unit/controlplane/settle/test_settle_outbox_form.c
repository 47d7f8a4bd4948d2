// SPDX-License-Identifier: Apache-2.0
//
// Forming and forming again on a real store, without a chain: what an unsigned batch carries when
// something better came, and that each item is always either queued or in exactly one transaction.

#include "controlplane/settle/settle_outbox_private.h"
#include "tests/unit/common/temp_dir.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <string.h>

#define CHAIN_ID 5
#define NOW_SEC 1000000
#define FAR_SEC (NOW_SEC + 100000)
#define NEAR_SEC (NOW_SEC + 10)
#define ITEMS_MAX 8
#define NONE 0 // no item has this id

static struct temp_dir dir;
static struct db *db;
static bool is_full; // every commit of a write fails

int __real_db_txn_commit(struct db_txn *txn);
int __wrap_db_txn_commit(struct db_txn *txn);

int __wrap_db_txn_commit(struct db_txn *txn)
{
	if (is_full && txn->is_write)
		db_txn_fail(txn, -ENOSPC, "full");
	return __real_db_txn_commit(txn);
}

struct row {
	const char *name;
	uint32_t count; // of a batch
	struct {
		int kind;
		uint64_t deadline_sec;
		uint64_t chain_id; // 0 = the outbox's
	} items[ITEMS_MAX]; // ids from 1; those from n_first on come once the batch is formed
	size_t n_items;
	size_t n_first;
	uint64_t formed[ITEMS_MAX]; // ids
	uint64_t reformed[ITEMS_MAX];
	uint32_t kind; // of the batch at the end
};

#define F CHAIN_CALL_FINALIZE
#define P CHAIN_CALL_PROPOSE

static const struct row rows[] = {
	{"nothing came", 3, {{F, 0, 0}, {F, 0, 0}}, 2, 2, {1, 2}, {1, 2}, F},
	{"room for one more", 3, {{F, 0, 0}, {F, 0, 0}, {F, 0, 0}}, 3, 2, {1, 2}, {1, 2, 3}, F},
	{"full, and it can wait",
	 2,
	 {{F, 0, 0}, {F, 0, 0}, {F, FAR_SEC, 0}},
	 3,
	 2,
	 {1, 2},
	 {1, 2},
	 F},
	{"full, and it is urgent",
	 2,
	 {{F, 0, 0}, {F, 0, 0}, {F, NEAR_SEC, 0}},
	 3,
	 2,
	 {1, 2},
	 {3, 2},
	 F},
	{"full, and one of them is urgent",
	 2,
	 {{F, NEAR_SEC, 0}, {F, 0, 0}, {F, NEAR_SEC, 0}},
	 3,
	 2,
	 {1, 2},
	 {1, 3},
	 F},
	{"full, and the other is urgent",
	 2,
	 {{F, 0, 0}, {F, NEAR_SEC, 0}, {F, NEAR_SEC, 0}},
	 3,
	 2,
	 {1, 2},
	 {3, 2},
	 F},
	{"full of urgent ones", 1, {{F, NEAR_SEC, 0}, {F, NEAR_SEC, 0}}, 2, 1, {1}, {1}, F},
	{"another call, urgent", 2, {{F, 0, 0}, {F, 0, 0}, {P, NEAR_SEC, 0}}, 3, 2, {1, 2}, {3}, P},
	{"another call, can wait", 2, {{F, 0, 0}, {P, 0, 0}}, 2, 1, {1}, {1}, F},
	{"another chain's", 3, {{F, 0, 0}, {F, NEAR_SEC, 9}}, 2, 1, {1}, {1}, F},
};

static void insert(const struct row *row, size_t from, size_t to)
{
	struct db_txn txn;

	db_txn_begin_write(&txn, db);
	for (size_t i = from; i < to; i++) {
		struct settle_item item = {
			.chain_id = row->items[i].chain_id != 0 ? row->items[i].chain_id : CHAIN_ID,
			.kind = (uint32_t)row->items[i].kind,
			.deadline_sec = row->items[i].deadline_sec,
			.call.session_id = {1, (uint8_t)i},
			.n_skips = 1,
			.batch_max = 0,
		};

		settle_item_insert(&txn, &item);
		assert_int_equal(item.id, i + 1);
	}
	assert_int_equal(db_txn_commit(&txn), 0);
}

// The store and the record in memory say the same; each item is where it belongs, once.
static void assert_carries(
	const struct row *row,
	const struct settle_tx *tx,
	const uint64_t ids[ITEMS_MAX],
	size_t n_there
)
{
	struct settle_tx stored = {0};
	struct settle_item item;
	struct db_txn txn;
	size_t n = 0;

	while (n < ITEMS_MAX && ids[n] != NONE)
		n++;
	db_txn_begin_read(&txn, db);
	assert_true(settle_tx_get(&txn, tx->id, &stored));
	assert_int_equal(stored.state, SETTLE_TX_INTENT);
	assert_int_equal(stored.kind, tx->kind);
	assert_int_equal(stored.n_items, tx->n_items);
	assert_memory_equal(stored.items, tx->items, sizeof(stored.items));
	assert_int_equal(stored.n_items, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(stored.items[i], ids[i]);
	for (uint64_t id = 1; id <= n_there; id++) {
		bool is_in = false;

		for (size_t i = 0; i < n; i++)
			is_in |= ids[i] == id;
		assert_true(settle_item_get(&txn, id, &item));
		if ((item.state == SETTLE_ITEM_BATCHED) != is_in)
			fail_msg(
				"%s: item %d is %s",
				row->name,
				(int)id,
				settle_item_state_name(item.state)
			);
		assert_int_equal(item.state, is_in ? SETTLE_ITEM_BATCHED : SETTLE_ITEM_QUEUED);
		assert_int_equal(item.n_skips, 1);
		if (is_in)
			assert_int_equal(item.tx, tx->id);
	}
	assert_int_equal(db_count(&txn, DB_SETTLE_QUEUED), n_there - n);
	assert_int_equal(db_count(&txn, DB_SETTLE_LIVE), 1);
	assert_int_equal(db_count(&txn, DB_SETTLE_TXS), 1);
	assert_int_equal(db_txn_commit(&txn), 0);
}

static struct settle_outbox *create(uint32_t count)
{
	struct db_conf store = {.map_size_mb = 16};
	struct settle_outbox_conf conf = {
		.chain.chain_id = CHAIN_ID,
		.batch = {.count = count, .deadline_margin_sec = 60},
		.confirmations = 1,
		.skips_max = 1,
	};
	struct settle_outbox *outbox = NULL;
	char err[640];

	temp_dir_create(&dir);
	store.path = dir.path;
	assert_int_equal(db_open(&db, &store, err, sizeof(err)), 0);
	conf.db = db;
	assert_int_equal(settle_outbox_create(&outbox, &conf), 0);
	outbox->head.timestamp_sec = NOW_SEC;
	return outbox;
}

static void destroy(struct settle_outbox *outbox)
{
	settle_outbox_destroy(outbox);
	db_close(db);
	temp_dir_remove(&dir);
}

// A batch of the row's first items, then the rest is queued.
static struct settle_outbox *form(const struct row *row, struct settle_tx *tx)
{
	struct settle_outbox *outbox = create(row->count);
	bool is_new;

	insert(row, 0, row->n_first);
	assert_int_equal(settle_outbox_form(outbox, tx, &is_new), 0);
	assert_true(is_new);
	assert_carries(row, tx, row->formed, row->n_first);
	insert(row, row->n_first, row->n_items);
	return outbox;
}

static void test_reform(void **state)
{
	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		struct settle_tx tx;
		struct settle_outbox *outbox = form(&rows[i], &tx);

		// The second time nothing is new.
		for (int j = 0; j < 2; j++) {
			assert_int_equal(settle_outbox_reform(outbox, &tx), 0);
			assert_carries(&rows[i], &tx, rows[i].reformed, rows[i].n_items);
			assert_int_equal(tx.kind, rows[i].kind);
		}
		destroy(outbox);
	}
}

static void test_store_is_full(void **state)
{
	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		struct settle_tx tx;
		struct settle_outbox *outbox = form(&rows[i], &tx);
		bool is_better =
			memcmp(rows[i].formed, rows[i].reformed, sizeof(rows[i].formed)) != 0;

		is_full = true;
		assert_int_equal(settle_outbox_reform(outbox, &tx), is_better ? -ENOSPC : 0);
		is_full = false;
		assert_carries(&rows[i], &tx, rows[i].formed, rows[i].n_items);
		destroy(outbox);
	}
}

// A threshold that was raised, or a head that went back: what was chosen stands.
static void test_none_is_due(void **state)
{
	(void)state;
	struct settle_tx tx;
	struct settle_outbox *outbox = form(&rows[1], &tx);

	outbox->conf.batch.payout_threshold = u256_from_u64(1);
	assert_int_equal(settle_outbox_reform(outbox, &tx), 0);
	assert_carries(&rows[1], &tx, rows[1].formed, rows[1].n_items);
	destroy(outbox);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reform),
		cmocka_unit_test(test_store_is_full),
		cmocka_unit_test(test_none_is_due),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
