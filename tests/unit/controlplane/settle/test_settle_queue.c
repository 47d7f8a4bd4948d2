// SPDX-License-Identifier: Apache-2.0
//
// settle_queue on a real store: what may follow what, for every pair of what a session has queued and
// what is asked for. Signatures are taken for good here; bad ones are tests/evm/driver's.

#include "controlplane/settle/settle_outbox.h"
#include "tests/unit/common/temp_dir.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <string.h>

#define CHAIN_ID 5
#define NONE -1

static struct temp_dir dir;
static struct db *db;

static int take(void *driver, const struct chain_item *item, const uint8_t signer[32], char *why)
{
	(void)driver;
	(void)item;
	(void)signer;
	(void)why;
	return 0;
}

static const struct chain_driver_ops ops = {.verify_voucher = take, .verify_attestation = take};
static const struct chain_driver chain = {.ops = &ops, .chain_id = CHAIN_ID};

static struct settle_request request(int row, int kind, uint64_t bytes)
{
	struct settle_request ret = {.kind = (enum chain_call_kind)kind, .item.bytes_used = bytes};

	ret.item.session_id[0] = 1;
	ret.item.session_id[30] = (uint8_t)(row >> 8);
	ret.item.session_id[31] = (uint8_t)row;
	ret.item.voucher_bytes = bytes;
	ret.item.voucher_r[0] = 1;
	ret.item.attestation_r[0] = (uint8_t)bytes;
	return ret;
}

static int queue(const struct settle_request *req, uint64_t *ret_id)
{
	struct db_txn txn;
	int r;

	db_txn_begin_write(&txn, db);
	(void)!settle_queue(&txn, &chain, req, ret_id);
	r = db_txn_commit(&txn);
	assert_true(r <= 0);
	return r;
}

// An item as it is after a while, put there by hand.
static void put(int row, int kind, int state)
{
	struct settle_request req = request(row, kind, 10);
	struct settle_item item = {
		.chain_id = CHAIN_ID,
		.kind = (uint32_t)kind,
		.state = (uint32_t)state,
		.call = req.item,
		.n_skips = 3,
		.batch_max = 2,
		.is_review = state == SETTLE_ITEM_HELD,
	};
	struct db_txn txn;

	if (kind == NONE)
		return;
	db_txn_begin_write(&txn, db);
	settle_item_insert(&txn, &item);
	assert_int_equal(db_txn_commit(&txn), 0);
}

static bool find(int row, enum settle_phase phase, struct settle_item *ret)
{
	struct settle_request req = request(row, CHAIN_CALL_CLAIM, 1);
	struct db_txn txn;
	bool is_found;

	db_txn_begin_read(&txn, db);
	is_found = settle_item_find_phase(&txn, CHAIN_ID, req.item.session_id, phase, ret);
	assert_int_equal(db_txn_commit(&txn), 0);
	return is_found;
}

#define F CHAIN_CALL_FINALIZE
#define P CHAIN_CALL_PROPOSE
#define E CHAIN_CALL_EXECUTE
#define C CHAIN_CALL_CLAIM
#define A CHAIN_CALL_FINALIZE_ATTESTED
#define R CHAIN_CALL_RESOLVE
#define QUEUED SETTLE_ITEM_QUEUED
#define BATCHED SETTLE_ITEM_BATCHED
#define DONE SETTLE_ITEM_DONE
#define HELD SETTLE_ITEM_HELD
#define WITHDRAWN SETTLE_ITEM_WITHDRAWN

// What came of a request.
enum came { NEW, SAME, TAKEN, REFUSED };

static const struct {
	const char *what;
	struct {
		int kind, state;
	} proposal, other; // queued with 10 bytes, and a voucher for as many
	int kind;
	uint64_t bytes;
	enum came came;
	int proposal_state; // afterwards
} rows[] = {
	{"first of all", {NONE, 0}, {NONE, 0}, F, 10, NEW, 0},
	{"again", {NONE, 0}, {F, QUEUED}, F, 10, SAME, 0},
	{"again, under way", {NONE, 0}, {F, BATCHED}, F, 10, SAME, 0},
	{"again, done", {NONE, 0}, {F, DONE}, F, 10, SAME, 0},
	{"a newer voucher", {NONE, 0}, {F, QUEUED}, F, 11, TAKEN, 0},
	{"a newer voucher, held", {NONE, 0}, {F, HELD}, F, 11, TAKEN, 0},
	{"a newer voucher, under way", {NONE, 0}, {F, BATCHED}, F, 11, REFUSED, 0},
	{"a newer voucher, done", {NONE, 0}, {F, DONE}, F, 11, REFUSED, 0},
	{"an older voucher", {NONE, 0}, {F, QUEUED}, F, 9, REFUSED, 0},
	{"an older voucher, held", {NONE, 0}, {F, HELD}, F, 9, REFUSED, 0},

	{"a proposal", {NONE, 0}, {NONE, 0}, P, 10, NEW, 0},
	{"the proposal again", {P, DONE}, {NONE, 0}, P, 10, SAME, DONE},
	{"another proposal", {P, QUEUED}, {NONE, 0}, P, 11, REFUSED, QUEUED},
	{"another proposal, held", {P, HELD}, {NONE, 0}, P, 11, REFUSED, HELD},
	{"a proposal after the end was queued", {NONE, 0}, {F, QUEUED}, P, 10, REFUSED, 0},
	{"a proposal after the end", {NONE, 0}, {F, DONE}, P, 10, REFUSED, 0},

	{"executed too early", {P, QUEUED}, {NONE, 0}, E, 10, REFUSED, QUEUED},
	{"executed, the proposal under way", {P, BATCHED}, {NONE, 0}, E, 10, REFUSED, BATCHED},
	{"executed", {P, DONE}, {NONE, 0}, E, 10, NEW, DONE},
	{"executed again, whatever the bytes", {P, DONE}, {E, QUEUED}, E, 99, SAME, DONE},
	{"executed, proposed by hand", {NONE, 0}, {NONE, 0}, E, 10, NEW, 0},

	{"a voucher before the proposal is told", {P, QUEUED}, {NONE, 0}, F, 10, NEW, WITHDRAWN},
	{"a voucher for a proposal that is held", {P, HELD}, {NONE, 0}, F, 10, NEW, WITHDRAWN},
	{"a voucher, the proposal under way", {P, BATCHED}, {NONE, 0}, F, 10, REFUSED, BATCHED},
	{"a voucher, the proposal done", {P, DONE}, {NONE, 0}, F, 10, REFUSED, DONE},

	{"attested", {NONE, 0}, {NONE, 0}, A, 10, NEW, 0},
	{"attested before the proposal is told", {P, QUEUED}, {NONE, 0}, A, 10, NEW, WITHDRAWN},
	{"attested, the proposal under way", {P, BATCHED}, {NONE, 0}, A, 10, NEW, BATCHED},
	{"attested, the proposal done", {P, DONE}, {NONE, 0}, A, 10, NEW, DONE},
	{"attested instead of executed", {P, DONE}, {E, QUEUED}, A, 10, TAKEN, DONE},
	{"attested, the execution under way", {P, DONE}, {E, BATCHED}, A, 10, REFUSED, DONE},
	{"attested anew", {NONE, 0}, {A, QUEUED}, A, 8, TAKEN, 0},
	{"attested anew, under way", {NONE, 0}, {A, BATCHED}, A, 8, REFUSED, 0},
	{"a voucher instead of an attestation", {NONE, 0}, {A, HELD}, F, 10, TAKEN, 0},

	{"resolved instead of executed", {P, DONE}, {E, QUEUED}, R, 8, TAKEN, DONE},
	{"resolved instead of attested", {P, DONE}, {A, HELD}, R, 10, TAKEN, DONE},
	{"resolved, nothing queued here", {NONE, 0}, {NONE, 0}, R, 8, NEW, 0},
	{"executed after all", {P, DONE}, {R, HELD}, E, 10, TAKEN, DONE},
	{"resolved, all over", {P, DONE}, {E, DONE}, R, 8, REFUSED, DONE},

	{"a claim", {NONE, 0}, {NONE, 0}, C, 10, NEW, 0},
	{"the claim again", {NONE, 0}, {C, DONE}, C, 10, SAME, 0},
	{"an older claim", {NONE, 0}, {C, QUEUED}, C, 9, SAME, 0},
	{"a newer claim, one waits", {NONE, 0}, {C, QUEUED}, C, 11, TAKEN, 0},
	{"a newer claim, one is held", {NONE, 0}, {C, HELD}, C, 11, TAKEN, 0},
	{"a newer claim, one is under way", {NONE, 0}, {C, BATCHED}, C, 11, NEW, 0},
	{"a newer claim, one is done", {NONE, 0}, {C, DONE}, C, 11, NEW, 0},
	{"a claim beside a proposal", {P, DONE}, {NONE, 0}, C, 10, NEW, DONE},
	{"a claim beside a dispute's end", {P, DONE}, {E, QUEUED}, C, 10, NEW, DONE},
	{"a claim after the end", {NONE, 0}, {F, DONE}, C, 10, REFUSED, 0},
};

static void test_order(void **state)
{
	(void)state;
	for (int i = 0; i < (int)TEST_N_ROWS(rows); i++) {
		enum settle_phase phase = settle_phase_of((enum chain_call_kind)rows[i].kind);
		struct settle_request req = request(i, rows[i].kind, rows[i].bytes);
		struct settle_item before = {0}, after = {0}, proposal;
		uint64_t id = 0;
		enum came came;
		int r;

		put(i, rows[i].proposal.kind, rows[i].proposal.state);
		put(i, rows[i].other.kind, rows[i].other.state);
		(void)find(i, phase, &before);
		r = queue(&req, &id);
		(void)find(i, phase, &after);
		if (r != 0) {
			came = REFUSED;
			assert_int_equal(r, -EEXIST);
			assert_memory_equal(&before, &after, sizeof(after));
		} else if (id != before.id) {
			came = NEW;
			assert_int_equal(after.id, id);
		} else {
			came = memcmp(&before, &after, sizeof(after)) == 0 ? SAME : TAKEN;
		}
		if (came != rows[i].came)
			fail_msg("%s: %d, not %d", rows[i].what, came, rows[i].came);
		// What is taken anew begins anew.
		if (came == NEW || came == TAKEN) {
			assert_int_equal(after.state, SETTLE_ITEM_QUEUED);
			assert_int_equal(after.kind, rows[i].kind);
			assert_memory_equal(&after.call, &req.item, sizeof(req.item));
			assert_int_equal(after.n_skips + after.batch_max + after.is_review, 0);
		}
		if (rows[i].proposal.kind == P) {
			assert_true(find(i, SETTLE_PHASE_PROPOSAL, &proposal));
			if ((int)proposal.state != rows[i].proposal_state)
				fail_msg("%s: the proposal", rows[i].what);
		}
	}
}

// The item that a session's outcome depends on is its end, or else its proposal, and never a claim.
static void test_find(void **state)
{
	struct settle_request req = request(1000, C, 10);
	struct settle_item item;
	struct db_txn txn;

	(void)state;
	for (int i = 0; i < 4; i++) {
		db_txn_begin_read(&txn, db);
		bool is_found = settle_item_find(&txn, CHAIN_ID, req.item.session_id, &item);
		assert_int_equal(db_txn_commit(&txn), 0);
		assert_int_equal(is_found, i > 1);
		if (is_found)
			assert_int_equal(item.kind, i == 2 ? P : E);
		if (i == 0)
			put(1000, C, DONE);
		else if (i == 1)
			put(1000, P, DONE);
		else if (i == 2)
			put(1000, E, QUEUED);
	}
	// On another chain the same id is another session.
	db_txn_begin_read(&txn, db);
	assert_false(settle_item_find(&txn, CHAIN_ID + 1, req.item.session_id, &item));
	assert_int_equal(db_txn_commit(&txn), 0);
}

// Counted once: the lifecycle looks first, then does it.
static void test_refusal_is_counted(void **state)
{
	uint64_t before = settle_refusal_count(SETTLE_REFUSAL_NO_ID);
	struct settle_request req = request(2000, C, 10);
	struct db_txn txn;

	(void)state;
	memset(req.item.session_id, 0, sizeof(req.item.session_id));
	db_txn_begin_read(&txn, db);
	assert_int_equal(settle_queue(&txn, &chain, &req, NULL), -EINVAL);
	db_txn_abort(&txn);
	assert_int_equal(settle_refusal_count(SETTLE_REFUSAL_NO_ID), before);
	db_txn_begin_write(&txn, db);
	assert_int_equal(settle_queue(&txn, &chain, &req, NULL), -EINVAL);
	db_txn_abort(&txn);
	assert_int_equal(settle_refusal_count(SETTLE_REFUSAL_NO_ID), before + 1);
}

static int setup(void **state)
{
	struct db_conf conf = {.map_size_mb = 16};
	char err[640];

	(void)state;
	temp_dir_create(&dir);
	conf.path = dir.path;
	return db_open(&db, &conf, err, sizeof(err));
}

static int teardown(void **state)
{
	(void)state;
	db_close(db);
	temp_dir_remove(&dir);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_refusal_is_counted),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
